"""The parts of a night as a process of the service does them, whoever did the ones before.

Each part may be done again: what is stored is skipped. Nothing here knows the queue.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from threading import Lock, Semaphore
from typing import NamedTuple

from pydantic import BaseModel

from agent.graph.parts import Parts
from agent.observe.spans import span
from agent.refresh.news import ready_index
from agent.refresh.night import Night, NightWish
from agent.refresh.nightly import AT_ONCE, begin, look, work_off
from agent.refresh.plan import Due, NightPlan, plan_night
from agent.refresh.seeds import add_seeds, undecided
from agent.refresh.state import NightState
from agent.refresh.tell import tell
from agent.sources.pacing import Pace
from agent.wiring import Lab
from claims.digest import Digest
from claims.errors import RetestError
from claims.paper_index import PaperIndex
from claims.store import Store

log = logging.getLogger(__name__)

PORTIONS = 40
"""Into which a night is cut where it is large: enough for several processes to end together, and few enough that nobody
waits for the queue, which hands out some at every look."""
LARGEST_PORTION = 25
"""Claims of one portion: what another process may have to do again, and what waits at the end of a night."""


class Order(BaseModel):
    """A night that was asked for; what the processes that share it must agree on."""

    until: date
    judge: str = "local"
    max_claims: int | None = None
    due_days: int = 30
    seeds_budget: int = 0
    harvest: bool = True


class Prepared(BaseModel):
    """What a night found to do."""

    portions: list[list[str]] = []
    """claims, for whoever takes them first"""
    at_lab: list[str] = []
    """claims with undecided experiments: the process that asks the lab for seeds also collects them"""
    left: int = 0


class _Open(NamedTuple):
    """A night that this process works on."""

    round: str
    night: Night
    plan: NightPlan
    due: dict[str, Due]


class Desk:
    """What one process of the service works with."""

    def __init__(
        self,
        parts: Callable[[str], Parts],
        index: PaperIndex,
        wish: Callable[[Order], NightWish],
        *,
        pace: Pace,
        lab: Callable[[], AbstractContextManager[Lab]],
        deliver: Callable[[Digest], object] = lambda digest: None,
        missed: Callable[[Store, date], int | None] = lambda store, night: None,
    ) -> None:
        """Prepare; nothing is opened yet.

        parts: by the judge's name, made anew for each round, as a model's budget is; lab: reaches or starts it;
        deliver: sends a digest to people, and never raises for a receiver that is away; missed: scheduled nights that
        did not take place before this one.
        """
        self._parts = parts
        self._index = index
        self._wish = wish
        self._pace = pace
        self._lab = lab
        self._deliver = deliver
        self._missed = missed
        self._opened: _Open | None = None
        self._equipment: tuple[str, Parts] | None = None
        self._lock = Lock()
        self._room = Semaphore(AT_ONCE)

    def prepare(self, order: Order, round: str) -> Prepared:
        """Harvest, bring the index up to date, and cut what is due into portions. Raises StoreError."""
        with span("prepare", night=str(order.until), round=round) as step:
            prepared = self._prepare(order, round)
            step["claims"] = sum(map(len, prepared.portions)) + len(prepared.at_lab)
            step["left"] = prepared.left
            log.info("%d claims in %d portions", step["claims"], len(prepared.portions))
            return prepared

    def _prepare(self, order: Order, round: str) -> Prepared:
        night = begin(self._wish(order), self._equipped(order, round), self._index)
        missed = self._missed(night.store, order.until)
        if missed is not None:
            night.change(lambda state: _with_missed(state, missed))
        found = look(night, self._pace)
        self._opened = _Open(round, night, found.plan, {due.claim.id: due for due in found.chosen})
        ids = [due.claim.id for due in found.chosen]
        open_ = undecided(night.store.readable_experiments().experiments) if order.seeds_budget else []
        at_lab = {view.spec.claim_id for view in open_} & set(ids)
        rest = [id for id in ids if id not in at_lab]
        size = min(LARGEST_PORTION, max(1, -(-len(rest) // PORTIONS)))
        return Prepared(
            portions=[rest[n : n + size] for n in range(0, len(rest), size)],
            at_lab=[id for id in ids if id in at_lab],
            left=found.left,
        )

    def go_over(self, order: Order, round: str, claim_ids: Sequence[str]) -> str | None:
        """Do a portion. Gives what stopped it, None when nothing did."""
        with self._room, span("portion", night=str(order.until), round=round) as step:
            step["claims"] = len(claim_ids)
            started = time.monotonic()
            try:
                night, plan, due = self._night(order, round)
                chosen = [due[id] for id in claim_ids if id in due]
                work_off(chosen, night, plan, {}, at_once=1)
                self._count_seconds(night, started)
            except RetestError as exc:
                return str(exc)
            return None

    def at_lab(self, order: Order, round: str, claim_ids: Sequence[str]) -> str | None:
        """Do the claims with undecided experiments: ask the lab for seeds, go over them, collect the outcomes."""
        with span("at_lab", night=str(order.until), round=round) as step:
            step["claims"] = len(claim_ids)
            started = time.monotonic()
            try:
                night, plan, due = self._night(order, round)
                chosen = [due[id] for id in claim_ids if id in due]
                with self._lab() as lab:
                    parts = replace(night.parts, lab=lab.client, no_lab_because=lab.why_not)
                    equipped = replace(night, parts=parts)
                    work_off(chosen, equipped, plan, add_seeds(equipped, [one.claim for one in chosen]))
                self._count_seconds(night, started)
            except RetestError as exc:
                return str(exc)
            return None

    def tell(self, order: Order, round: str, left: int, stopped: str | None) -> Digest:
        """Read the digest and store it. Raises StoreError."""
        with span("tell", night=str(order.until), round=round) as step:
            night = begin(self._wish(order), self._equipped(order, round), self._index)
            digest = tell(night, time.monotonic(), left=left, stopped=stopped)
            step["problems"] = len(digest.problems)
            log.info("%s", digest.headline)
            return digest

    def deliver(self, digest: Digest, round: str) -> None:
        """Send a digest to people."""
        with span("deliver", night=str(digest.night), round=round):
            self._deliver(digest)

    def _equipped(self, order: Order, round: str) -> Parts:
        held = self._equipment
        if held is None or held[0] != round:
            self._equipment = held = (round, self._parts(order.judge))
        return held[1]

    def _night(self, order: Order, round: str) -> tuple[Night, NightPlan, dict[str, Due]]:
        """Give the night as this process sees it: planned once a round, after the harvest."""
        with self._lock:
            held = self._opened
            if held is None or held.round != round:
                night = begin(self._wish(order), self._equipped(order, round), self._index)
                night.can_match = ready_index(night)
                plan = plan_night(night.store, order.until, due_days=order.due_days)
                held = _Open(round, night, plan, {due.claim.id: due for due in plan.due})
                self._opened = held
            return held.night, held.plan, held.due

    @staticmethod
    def _count_seconds(night: Night, started: float) -> None:
        seconds = time.monotonic() - started
        night.change(lambda state: state.model_copy(update={"seconds": state.seconds + seconds}))


def _with_missed(state: NightState, missed: int) -> NightState:
    return state if state.missed is not None else state.model_copy(update={"missed": missed})
