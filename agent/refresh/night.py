"""A night at work in this process: what it is to do, what it works with, and how it keeps its stored state.

Every step of a night is stored before the next, and every step skips what is stored: kill the process anywhere and
start it again, or start several at once (on one machine, or on several that share a PostgreSQL), and what is held in
the end is the same. What could not be done is said in the digest; the claims that it befell stay where they were, so
the next try or the next night makes it up.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from agent.graph.parts import Parts
from agent.judges.judge import Judge
from agent.refresh.state import NightState, holder, state_of
from agent.retrieval import Rarity
from claims.digest import Problem
from claims.errors import StoreLocked
from claims.paper import Paper
from claims.paper_index import PaperIndex, Subset
from claims.store import Store

if TYPE_CHECKING:
    from agent.refresh.plan import NightPlan

log = logging.getLogger(__name__)

T = TypeVar("T")

TRIES = 3
"""While the database is locked by others; each waits as long as the store does."""
KEPT_PAPERS = 20_000
"""Papers kept in memory while claims are matched: claims of one field bring up the same ones."""


@dataclass(frozen=True)
class NightWish:
    """What a night is to do."""

    until: date
    """papers and verdicts up to this day; also names the night"""
    max_claims: int | None = None
    """in this night, over all tries; the others are first the next time"""
    due_days: int = 30
    """days after which a claim is matched against every held paper again"""
    papers_per_claim: int = 120
    """that a full match looks at, and that a night judges at most of what is new for a claim; the others wait"""
    seeds_budget: int = 0
    """seeds that undecided experiments may be given in this night"""
    lab_wait_s: float = 3600.0
    """for an experiment; one that takes longer is collected the next night"""
    harvest: bool = True
    oai_url: str = ""
    oai_sets: tuple[str, ...] = ("cs",)
    lag_days: int = 2
    """days before the harvest's cursor that are asked for again: arXiv announces some papers late"""
    harvest_tries: int = 5


@dataclass
class Night:
    """A night at work in this process."""

    wish: NightWish
    parts: Parts
    index: PaperIndex
    sleep: Callable[[float], None] = time.sleep
    name: str = field(default_factory=holder)
    """of this process, on what it takes"""
    can_match: bool = True

    def __post_init__(self) -> None:
        self.texts = Texts(self.store)
        self._rarity: Rarity | None = None
        self._news: dict[tuple[datetime | None, datetime], Subset | None] = {}

    def rarity(self) -> Rarity:
        """Give how telling words are, looked up once a night; the index must be ready."""
        if self._rarity is None:
            self._rarity = Rarity(self.index)
        return self._rarity

    def news(self, plan: "NightPlan", since: datetime) -> Subset | None:
        """Give the papers that came in or changed at or after a moment, made ready to search among; None without any.

        Most claims were gone over together, and share it.
        """
        key = (plan.checked_to, since)
        if key not in self._news:
            ids = [id for id, change in plan.changes.items() if change.changed_at >= since and not change.withdrawn]
            self._news[key] = Subset(ids) if ids else None
        return self._news[key]

    @property
    def store(self) -> Store:
        """The store."""
        return self.parts.store

    def change(self, change: Callable[[NightState], NightState]) -> NightState:
        """Change the stored state in one transaction."""

        def in_json(state: str) -> str:
            return change(NightState.model_validate_json(state)).model_dump_json()

        return state_of(patiently(lambda: self.store.change_night(self.wish.until, in_json), self.sleep))

    def begin_round(self) -> None:
        """Forget that there were more problems than are listed: this round finds out anew."""
        held = self.store.night(self.wish.until)
        if held is not None and state_of(held).more_problems:
            self.change(lambda state: state.model_copy(update={"more_problems": False}))

    def forget(self, where: str) -> None:
        """Forget what could not be done there for whichever claim: this round finds out anew."""
        held = self.store.night(self.wish.until)
        if held is not None and any(p.where == where for p in state_of(held).problems):
            self.change(lambda state: state.without_any(where))

    def trouble(self, where: str, what: str, claim_id: str | None = None) -> None:
        """Say that something could not be done."""
        log.warning("refresh %s: %s%s: %s", self.wish.until, where, f", claim {claim_id}" if claim_id else "", what)
        problem = Problem(where=where, what=what, claim_id=claim_id)
        self.change(lambda state: state.with_problem(problem))


def patiently(act: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """Do something again while the database is locked, a few times."""
    for n in range(1, TRIES):
        try:
            return act()
        except StoreLocked as exc:
            log.info("the database is locked (try %d of %d): %s", n, TRIES, exc)
            sleep(1.0)
    return act()


def judge_name(judge: Judge) -> str:
    """Name a judge with its version."""
    return f"{judge.ref.name.value} {judge.ref.version}"


class Texts:
    """Papers by id, the ones asked for lately kept in memory. For ranking only: what is judged is read afresh."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, Paper] = OrderedDict()
        self._lock = Lock()

    def __call__(self, ids: Iterable[str]) -> Mapping[str, Paper]:
        wanted = list(ids)
        with self._lock:
            found = {id: self._kept[id] for id in wanted if id in self._kept}
        missing = [id for id in wanted if id not in found]
        if missing:
            found |= self._store.papers(missing)
        with self._lock:
            for id, paper in found.items():
                self._kept[id] = paper
                self._kept.move_to_end(id)
            while len(self._kept) > KEPT_PAPERS:
                self._kept.popitem(last=False)
        return found
