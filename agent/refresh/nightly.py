"""One whole night: harvest once, go over every due claim, tell.

arXiv is asked a few times however many claims there are. Processes that work on the same night share its claims.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import NamedTuple

from agent.graph.parts import Parts
from agent.observe.spans import span
from agent.refresh.beat import LEASE_S, Beat
from agent.refresh.news import harvest_once, ready_index
from agent.refresh.night import Night, NightWish, judge_name, patiently
from agent.refresh.plan import NOTHING, Due, NightPlan, plan_night
from agent.refresh.seeds import add_seeds
from agent.refresh.state import first_state, is_gone
from agent.refresh.tell import tell, told_before
from agent.refresh.visit import go_over
from agent.sources.pacing import Pace
from claims.digest import Digest, Problem
from claims.errors import StoreFull, StoreLocked
from claims.paper_index import PaperIndex

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Claims that one process works on side by side: searching and judging leave Python's lock."""

EXPERIMENT = "experiment"
"""Where of a problem of an experiment that cannot be read."""

BATCH = 8
"""Claims that a process takes at a time: what another one waits for at most before it takes them over."""


class Work(NamedTuple):
    """What a night found to do."""

    plan: NightPlan
    chosen: list[Due]
    left: int
    """due claims that are left for the next night by `max_claims`"""


def refresh(
    wish: NightWish,
    parts: Parts,
    index: PaperIndex,
    *,
    pace: Pace = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Digest:
    """Go over every due claim, and give the digest, which is stored too.

    A second call for the same day changes nothing, judges nothing and gives the same digest, unless something came in.
    Once a later day was told, it stays as it is.
    pace: waits before each request to arXiv. Raises StoreError when the night itself can neither be begun nor be told.
    """
    started = time.monotonic()
    try:
        night = begin(wish, parts, index, sleep=sleep)
    except StoreFull as exc:
        nothing = Problem(where="the store", what=f"the night could not begin: {exc}")
        return Digest(night=wish.until, judge=judge_name(parts.judge), problems=(nothing,))
    left = 0
    stopped: str | None = None
    with span("night", night=str(wish.until)), Beat(parts.store, night.name):
        try:
            found = look(night, pace)
            left = found.left
            sent = add_seeds(night, [due.claim for due in found.chosen])
            in_order = sorted(found.chosen, key=lambda due: due.claim.id in sent)
            work_off(in_order, night, found.plan, sent)
        except StoreFull as exc:
            stopped = str(exc)
        return tell(night, started, left=left, stopped=stopped)


def begin(wish: NightWish, parts: Parts, index: PaperIndex, *, sleep: Callable[[float], None] = time.sleep) -> Night:
    """Begin a night, or take up the one that was begun for this day. Raises StoreFull, StoreLocked."""
    store = parts.store
    patiently(lambda: store.begin_night(wish.until, first_state(store, wish.until).model_dump_json()), sleep)
    return Night(wish, parts, index, sleep)


def look(night: Night, pace: Pace) -> Work:
    """Harvest, and plan what the night goes over. Raises StoreFull."""
    if told_before(night) is not None:
        log.warning("the night of %s was told, and a later one followed: it stays as it is", night.wish.until)
        return Work(NOTHING, [], 0)
    night.begin_round()
    harvest_once(night, pace=pace, sleep=night.sleep)
    night.can_match = ready_index(night)
    wish = night.wish
    plan = plan_night(night.store, wish.until, due_days=wish.due_days, seeds=wish.seeds_budget)
    night.forget(EXPERIMENT)
    for damaged in plan.damaged:
        night.trouble(damaged.kind, str(damaged), damaged.claim_id)
    chosen = plan.due
    if night.wish.max_claims is not None:
        room = max(0, night.wish.max_claims - len(plan.done))
        pinned = sum(due.care.pinned for due in plan.due)
        chosen = plan.due[: max(room, pinned)]
    return Work(plan, chosen, len(plan.due) - len(chosen))


def work_off(
    chosen: Iterable[Due], night: Night, plan: NightPlan, sent: Mapping[str, list[str]], *, at_once: int = AT_ONCE
) -> None:
    """Go over these claims in their order, sharing them with whoever works on the same night. Raises StoreFull.

    sent: claim to its experiments that the lab works on.
    """
    work = {due.claim.id: due for due in chosen}
    with ThreadPoolExecutor(at_once, thread_name_prefix="claim") as pool:
        _take_and_do(work, night, plan, sent, pool)


def _take_and_do(
    work: dict[str, Due], night: Night, plan: NightPlan, sent: Mapping[str, list[str]], pool: ThreadPoolExecutor
) -> None:
    store, until = night.store, night.wish.until
    while work:
        names = {f"claim:{id}": id for id in work}
        taken = patiently(
            lambda names=names: store.take_leases(  # type: ignore[misc]
                list(names), night.name, seconds=LEASE_S, at_most=BATCH, is_gone=is_gone
            ),
            night.sleep,
        )
        ids = [names[name] for name in taken]
        cared = store.care(ids or list(work))
        for id in [id for id in (ids or work) if id in cared and plan.is_done(cared[id], until)]:
            del work[id]  # another process was quicker
        try:
            batch = [work.pop(id) for id in ids if id in work]
            # Each claim's thread carries on with the ids, and the trace, that hold here.
            doing = [
                pool.submit(copy_context().run, go_over, due, night, plan, sent.get(due.claim.id, [])) for due in batch
            ]
            for one in doing:
                one.result()
        finally:
            if taken:
                _give_back(taken, night)
        if not taken and work:
            night.sleep(0.5)


def _give_back(taken: list[str], night: Night) -> None:
    try:
        night.store.give_back(taken, night.name)
    except (StoreLocked, StoreFull):
        log.info("could not give back %s; it runs out by itself", ", ".join(taken))
