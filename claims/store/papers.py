"""Papers in the store. This table is the mirror: a full-text index beside it is a cache that can be rebuilt."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

import sqlalchemy as sa

from claims.clock import Clock
from claims.errors import NotHeld
from claims.paper import Paper, Source
from claims.store.engine import Door
from claims.store.merge import merge
from claims.store.rows import in_parts, insert_new, read_document
from claims.tables import EvidenceRow, PaperRow, PaperTextRow, WithdrawalRow, table

PAPERS = table(PaperRow)
TEXTS = table(PaperTextRow)
WITHDRAWALS = table(WithdrawalRow)
EVIDENCE = table(EvidenceRow)

WRITE_CHUNK = 2000
"""Papers per transaction: a killed import has whole chunks, and other writers get their turn in between."""

_FLAG = {Source.ARXIV: "from_arxiv", Source.MIRROR: "from_mirror", Source.LIBRARY: "from_library"}


class PutCounts(NamedTuple):
    """What putting papers did."""

    new: int
    """were not held"""
    changed: int
    """were held, and the record or the set of sources is another now"""
    unchanged: int


class PaperShelf:
    """The paper part of the store."""

    door: Door
    clock: Clock

    def put_papers(self, papers: Iterable[Paper]) -> PutCounts:
        """Hold papers, merged with what is held of them; putting the same again changes nothing.

        Written in chunks of a few thousand, each whole. Raises StoreLocked, StoreFull.
        """
        it = iter(papers)
        total = PutCounts(0, 0, 0)
        while chunk := list(islice(it, WRITE_CHUNK)):
            done = self._put_chunk(chunk)
            total = PutCounts(*(a + b for a, b in zip(total, done, strict=True)))
        return total

    def _put_chunk(self, chunk: list[Paper]) -> PutCounts:
        with self.door.writing("papers") as connection:
            ids = sorted({paper.id for paper in chunk})
            found = connection.execute(
                sa.select(PAPERS.c.id, PAPERS.c.document, *(PAPERS.c[f] for f in _FLAG.values())).where(
                    PAPERS.c.id.in_(ids)
                )
            )
            desk = _Desk({row.id: row._mapping for row in found})
            for paper in chunk:
                desk.put(paper)
            at = self.clock.now()
            last: datetime | None = connection.scalar(sa.select(sa.func.max(PAPERS.c.changed_at)))
            desk.write(connection, at, changed_at=max(at, last) if last else at)
            return desk.counts

    def paper(self, id: str) -> Paper:
        """Give one paper. Raises NotHeld."""
        found = self.papers([id])
        if id not in found:
            raise NotHeld("paper", id)
        return found[id]

    def papers(self, ids: Iterable[str]) -> dict[str, Paper]:
        """Give the papers among these ids that are held, by id."""
        with self.door.reading() as connection:
            return load_papers(connection, ids)

    def find_papers(
        self, words: Sequence[str] = (), *, weighed: bool = False, limit: int = 50, offset: int = 0
    ) -> tuple[list[Paper], int]:
        """Give the held papers with all these words in their title, newest first, and how many there are.

        weighed: only those on which a stance was ever taken for a claim. This reads titles one by one: for questions
        to the mirror there is its index.
        """
        query = sa.select(PAPERS.c.id, PAPERS.c.document)
        for word in words:
            query = query.where(PAPERS.c.title.icontains(word, autoescape=True))
        if weighed:
            query = query.where(PAPERS.c.id.in_(sa.select(EVIDENCE.c.paper_id)))
        page = query.order_by(PAPERS.c.published_on.desc(), PAPERS.c.id.desc()).limit(limit).offset(offset)
        with self.door.reading() as connection:
            total = int(connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0)
            rows = connection.execute(page).all()
        return [read_document(Paper.model_validate_json, row.document, "paper", row.id) for row in rows], total

    def iter_papers(
        self, *, source: Source | None = None, changed_since: datetime | None = None, chunk: int = 5000
    ) -> Iterator[Paper]:
        """Stream papers with flat memory: by id, or by time of change when `changed_since` (included) is given.

        `source` keeps those that this source gave, even where another's record won. To miss nothing, pass as
        `changed_since` what `last_change` said before the previous walk; a paper may then come twice, never not at all.
        """
        columns = sa.select(PAPERS.c.id, PAPERS.c.changed_at, PAPERS.c.document).limit(chunk)
        if source is not None:
            columns = columns.where(PAPERS.c[_FLAG[source]])
        query = columns.order_by(PAPERS.c.id)
        if changed_since is not None:
            query = columns.order_by(PAPERS.c.changed_at, PAPERS.c.id).where(PAPERS.c.changed_at >= changed_since)
        while True:
            with self.door.reading() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                yield read_document(Paper.model_validate_json, row.document, "paper", row.id)
            if len(rows) < chunk:
                return
            id, at = rows[-1].id, rows[-1].changed_at
            if changed_since is None:
                query = columns.order_by(PAPERS.c.id).where(PAPERS.c.id > id)
            else:
                query = columns.order_by(PAPERS.c.changed_at, PAPERS.c.id).where(
                    sa.or_(PAPERS.c.changed_at > at, sa.and_(PAPERS.c.changed_at == at, PAPERS.c.id > id)),
                    PAPERS.c.changed_at >= at,
                )

    def last_change(self) -> datetime | None:
        """Give the moment of the newest change to any paper; None when no paper is held."""
        with self.door.reading() as connection:
            moment: datetime | None = connection.scalar(sa.select(sa.func.max(PAPERS.c.changed_at)))
            return moment

    def count_papers(self) -> dict[Source, int]:
        """Count papers by the sources that gave them; one that two sources gave counts for both."""
        sums = [sa.func.sum(sa.case((PAPERS.c[f], 1), else_=0)) for f in _FLAG.values()]
        with self.door.reading() as connection:
            row = connection.execute(sa.select(*sums)).one()
        return {source: int(n or 0) for source, n in zip(_FLAG, row, strict=True)}

    def paper_text(self, paper_id: str, digest: str) -> Paper | None:
        """Give the record of a paper whose text has this digest, superseded or not; None when it is not held."""
        with self.door.reading() as connection:
            return load_texts(connection, [(paper_id, digest)]).get((paper_id, digest))

    def withdrawals(self, since: datetime) -> dict[str, bool]:
        """Give the papers whose withdrawal we learned of, or saw taken back, at or after a moment: the newest word."""
        query = sa.select(WITHDRAWALS.c.paper_id, WITHDRAWALS.c.withdrawn).where(WITHDRAWALS.c.recorded_at >= since)
        with self.door.reading() as connection:
            return {row.paper_id: row.withdrawn for row in connection.execute(query.order_by(WITHDRAWALS.c.seq))}


class _Desk:
    """Merges one chunk in memory, then writes what differs."""

    def __init__(self, held: dict[str, Any]) -> None:
        self.held = held
        self.documents = {id: row["document"] for id, row in held.items()}
        self.papers: dict[str, Paper] = {}
        self.flags = {id: {f for f in _FLAG.values() if row[f]} for id, row in held.items()}
        self.texts: dict[tuple[str, str], Paper] = {}
        self.withdrawals: list[Paper] = []
        self.touched: set[str] = set()
        self.n = len(held)
        self.asked: set[str] = set()

    def put(self, paper: Paper) -> None:
        id = paper.id
        self.asked.add(id)
        flags = self.flags.setdefault(id, set())
        if _FLAG[paper.source] not in flags:
            flags.add(_FLAG[paper.source])
            self.touched.add(id)
        document = self.documents.get(id)
        incoming = paper.model_dump_json()
        if document == incoming:
            return
        if document is None:
            self._set(paper, incoming)
            if paper.withdrawn:
                self.withdrawals.append(paper)
            return
        held = self.papers.get(id) or read_document(Paper.model_validate_json, document, "paper", id)
        merged = merge(held, paper)
        for one in (held, paper):
            if one.text_digest != merged.text_digest:
                self.texts[id, one.text_digest] = one
        if merged.withdrawn != held.withdrawn:
            self.withdrawals.append(merged)
        if merged != held:
            self._set(merged, merged.model_dump_json())

    def _set(self, paper: Paper, document: str) -> None:
        self.papers[paper.id] = paper
        self.documents[paper.id] = document
        self.touched.add(paper.id)

    def write(self, connection: sa.Connection, at: datetime, *, changed_at: datetime) -> None:
        fresh, changed = [], []
        for id in sorted(self.touched):
            row = self._row(id) | {"changed_at": changed_at}
            if id in self.held:
                changed.append({f"new_{k}": v for k, v in row.items()})
            else:
                fresh.append(row | {"recorded_at": at})
        if fresh:
            connection.execute(PAPERS.insert(), fresh)
        if changed:
            values: dict[str, Any] = {k.removeprefix("new_"): sa.bindparam(k) for k in changed[0] if k != "new_id"}
            connection.execute(PAPERS.update().where(PAPERS.c.id == sa.bindparam("new_id")).values(values), changed)
        texts = [
            {"paper_id": id, "digest": digest, "document": paper.model_dump_json(), "recorded_at": at}
            for (id, digest), paper in self.texts.items()
        ]
        insert_new(connection, TEXTS, texts)
        for paper in self.withdrawals:
            connection.execute(
                WITHDRAWALS.insert().values(
                    paper_id=paper.id,
                    withdrawn=paper.withdrawn,
                    because=paper.withdrawn_because,
                    recorded_at=at,
                )
            )
        n_new = len(fresh)
        self.counts = PutCounts(n_new, len(changed), len(self.asked) - n_new - len(changed))

    def _row(self, id: str) -> dict[str, Any]:
        document = self.documents[id]
        paper = self.papers.get(id) or read_document(Paper.model_validate_json, document, "paper", id)
        return {
            "id": id,
            "title": paper.title,
            "published_on": paper.published.start,
            "updated_on": paper.updated_on,
            "withdrawn": paper.withdrawn,
            "text_digest": paper.text_digest,
            "document": document,
        } | {flag: flag in self.flags[id] for flag in _FLAG.values()}


def load_papers(connection: sa.Connection, ids: Iterable[str], at: datetime | None = None) -> dict[str, Paper]:
    """Read papers by id, in one query per few thousand; withdrawn or not as was known at a moment, else as of now."""
    found: dict[str, Paper] = {}
    for part in in_parts(sorted(set(ids))):
        for id, document in connection.execute(sa.select(PAPERS.c.id, PAPERS.c.document).where(PAPERS.c.id.in_(part))):
            found[id] = read_document(Paper.model_validate_json, document, "paper", id)
    if at is not None:
        then = load_withdrawals(connection, list(found), at)
        for id, paper in found.items():
            if paper.withdrawn or id in then:
                known = {"withdrawn": id in then, "withdrawn_because": then.get(id)}
                found[id] = paper.model_copy(update=known)
    return found


def load_withdrawals(connection: sa.Connection, paper_ids: Sequence[str], at: datetime | None) -> dict[str, str | None]:
    """Give those of the papers that were known as withdrawn at a moment, with the reason where one was recorded."""
    w = WITHDRAWALS.c
    query = sa.select(w.paper_id, w.withdrawn, w.because)
    if at is not None:
        query = query.where(w.recorded_at <= at)
    state: dict[str, sa.Row[Any]] = {}
    for part in in_parts(paper_ids):
        rows = connection.execute(query.where(w.paper_id.in_(part)).order_by(w.seq))
        state |= {row.paper_id: row for row in rows}
    return {id: row.because for id, row in state.items() if row.withdrawn}


def load_texts(connection: sa.Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Paper]:
    """Read papers as they stood when their text had the given digest, by (paper id, digest)."""
    found: dict[tuple[str, str], Paper] = {}
    for part in in_parts(sorted(set(keys))):
        ids = sorted({id for id, _ in part})
        current = sa.select(PAPERS.c.id, PAPERS.c.text_digest, PAPERS.c.document).where(PAPERS.c.id.in_(ids))
        older = sa.select(TEXTS.c.paper_id, TEXTS.c.digest, TEXTS.c.document).where(TEXTS.c.paper_id.in_(ids))
        keep = set(part)
        for id, digest, document in [*connection.execute(current), *connection.execute(older)]:
            if (id, digest) in keep:
                found[id, digest] = read_document(Paper.model_validate_json, document, "paper", id)
    return found
