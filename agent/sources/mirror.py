"""The local mirror as a source: papers in the store, found through the full-text index beside it.

The store is the truth. The index carries a mark, the moment of the last change that it has seen; whenever the store
has moved on, `catch_up` indexes what changed since, or everything when the two cannot be told to agree. A search
therefore never misses what an interrupted import had already put away.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from agent.sources.source import Found, LookedUp
from claims.errors import StoreLocked, Unmirrored
from claims.paper import Paper, Source
from claims.paper_index import PaperIndex
from claims.search import Hit, Query

log = logging.getLogger(__name__)


class _Counts(Protocol):
    @property
    def new(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def unchanged(self) -> int: ...


class MirrorStore(Protocol):
    """What the mirror needs of the store."""

    def put_papers(self, papers: Iterable[Paper]) -> _Counts:
        """Hold papers; putting one twice holds one."""
        ...

    def papers(self, ids: Iterable[str]) -> dict[str, Paper]:
        """Give the papers among these ids that are held."""
        ...

    def iter_papers(self, *, source: Source | None = None, changed_since: datetime | None = None) -> Iterator[Paper]:
        """Stream papers."""
        ...

    def last_change(self) -> datetime | None:
        """Give the moment of the newest change to any paper."""
        ...

    def count_papers(self) -> dict[Source, int]:
        """Count papers by the sources that gave them."""
        ...

    def get_cursor(self, name: str) -> str | None:
        """Give a cursor, or None when it was never set."""
        ...

    def set_cursor(self, name: str, value: str) -> None:
        """Set a cursor."""
        ...


class MirrorStatus(BaseModel):
    """How the mirror stands."""

    model_config = ConfigDict(frozen=True)

    n_papers: int
    """papers that the mirror holds"""
    n_indexed: int
    """papers that a search looks at"""
    index_bytes: int
    is_current: bool
    """whether the index has seen everything that the store holds; a search catches up by itself"""
    stale_because: str | None
    """why the index was begun anew"""
    changed_at: datetime | None
    """the newest change to any held paper"""


class MirrorSource:
    """Papers that were imported or harvested. It does not claim to hold everything that arXiv has."""

    name = Source.MIRROR

    def __init__(self, store: MirrorStore, index: PaperIndex) -> None:
        self._store = store
        self.index = index

    def search(self, query: Query, *, since: date | None, until: date | None, limit: int) -> Found:
        """Find papers by the query's words and phrases. Raises Unmirrored, CouldNotLook, StoreError."""
        self.ready()
        return self._found(lambda: self.index.search(query.text, since=since, until=until, limit=limit))

    def find_title(self, title: str, *, limit: int = 5) -> Found:
        """Find papers by title or short name. Raises Unmirrored, CouldNotLook, StoreError."""
        self.ready()
        return self._found(lambda: self.index.find_title(title, limit=limit))

    def look_up(self, ids: list[str]) -> LookedUp:
        """Get papers by id; what is not held is unanswered, never missing. Raises Unmirrored, StoreError."""
        self.ready()
        held = self._store.papers(ids)
        return LookedUp(held, frozenset(ids) - held.keys())

    def _found(self, ask: Callable[[], list[Hit]]) -> Found:
        hits = ask()
        papers = self._store.papers([hit.paper_id for hit in hits])
        if len(papers) < len(hits):
            log.warning(
                "the index names %d papers that the store does not hold: rebuilding it", len(hits) - len(papers)
            )
            rebuild(self._store, self.index)
            hits = ask()
            papers = self._store.papers([hit.paper_id for hit in hits])
        return Found([(papers[hit.paper_id], hit.score) for hit in hits if hit.paper_id in papers])

    def ready(self) -> None:
        """Bring the index up to what the store holds. Raises Unmirrored when that is nothing, StoreError."""
        try:
            # With something to search, a running import is not waited for: it will have been seen by the next search.
            catch_up(self._store, self.index, lock_wait_s=0.0 if self.index.count() else None)
        except StoreLocked:
            if not self.index.count():
                raise
            log.info("another process is writing the mirror; searching what it holds so far")
        if not self.index.count():
            raise Unmirrored(
                "mirror", "it holds no papers yet; fill it with `retest mirror import` or `mirror harvest`"
            )


def catch_up(store: MirrorStore, index: PaperIndex, *, lock_wait_s: float | None = None) -> None:
    """Index what the store took in since the index last looked; cheap when that is nothing. Raises StoreLocked."""
    last = store.last_change()
    mark = index.mark()
    if last is None or mark == last.isoformat():
        return
    if mark is not None and index.stale_because is None:
        with index.writing(lock_wait_s=lock_wait_s) as batch:
            batch.add(_changed_after(store, mark))
        if index.count() == store.count_papers()[Source.MIRROR]:
            index.set_mark(last.isoformat())
            return
    rebuild(store, index, lock_wait_s=lock_wait_s)


def _changed_after(store: MirrorStore, mark: str) -> Iterator[Paper]:
    """Papers changed at the mark itself were seen; one that came at the same microsecond shows in the count."""
    after = datetime.fromisoformat(mark) + timedelta(microseconds=1)
    return store.iter_papers(source=Source.MIRROR, changed_since=after)


def rebuild(store: MirrorStore, index: PaperIndex, *, lock_wait_s: float | None = None) -> int:
    """Index everything that the mirror holds anew, and give how many papers that is. Raises StoreLocked."""
    last = store.last_change()
    n = index.rebuild(store.iter_papers(source=Source.MIRROR), lock_wait_s=lock_wait_s)
    index.set_mark(last.isoformat() if last else None)
    return n


def settle(store: MirrorStore, index: PaperIndex) -> None:
    """Note that the index has seen all that the store holds, if their counts agree; else the next search catches up.

    For writers that indexed what they put away, while they held the index's writer.
    """
    last = store.last_change()
    if last is not None and index.count() == store.count_papers()[Source.MIRROR]:
        index.set_mark(last.isoformat())


def mirror_status(store: MirrorStore, index: PaperIndex) -> MirrorStatus:
    """Tell how the mirror stands."""
    last, mark = store.last_change(), index.mark()
    unseen = None if mark is None else next(_changed_after(store, mark), None)
    n_papers = store.count_papers()[Source.MIRROR]
    return MirrorStatus(
        n_papers=n_papers,
        n_indexed=index.count(),
        index_bytes=index.disk_bytes(),
        is_current=unseen is None and index.count() == n_papers,
        stale_because=index.stale_because,
        changed_at=last,
    )
