"""What is new: the one harvest of a night, and an index that has seen it."""

import logging
import time
from collections.abc import Callable
from datetime import date, timedelta

from agent.errors import Final, Retryable, reason
from agent.observe.spans import span
from agent.refresh.beat import LEASE_S
from agent.refresh.night import Night
from agent.refresh.state import is_gone, state_of
from agent.sources.mirror import MirrorSource
from agent.sources.oai import HarvestReport, cursor_of, harvest
from agent.sources.pacing import CountedPace, Pace
from claims.errors import CouldNotLook, StoreError, StoreFull
from claims.store import Store

log = logging.getLogger(__name__)

WAIT_S = 0.5
PLACE = "arXiv"


def harvest_once(night: Night, *, pace: Pace, sleep: Callable[[float], None] = time.sleep) -> None:
    """Harvest what arXiv has new since the last time, once a night, whoever of the processes does it.

    A failure is said in the digest, and the night goes on with what is held.
    """
    store, wish = night.store, night.wish
    if not wish.harvest:
        return
    lease = f"harvest:{wish.until}"
    while not _is_harvested(night):
        if store.take_leases([lease], night.name, seconds=LEASE_S, at_most=1, is_gone=is_gone):
            try:
                with span("harvest", night=str(wish.until)) as step:
                    step["records"] = _harvest(night, pace, sleep)
            finally:
                store.give_back([lease], night.name)
            return
        sleep(WAIT_S)


def _is_harvested(night: Night) -> bool:
    held = night.store.night(night.wish.until)
    return held is not None and state_of(held).harvested


def _harvest(night: Night, pace: Pace, sleep: Callable[[float], None]) -> int:
    """Harvest, and give how many records came."""
    store, wish = night.store, night.wish
    counted = CountedPace(pace)
    last = HarvestReport()

    def note(so_far: HarvestReport) -> None:
        nonlocal last
        last = so_far

    failure: str | None = None
    for name in wish.oai_sets:
        since = _since(store, wish.oai_url, name, wish.lag_days)
        if since is None:
            failure = "it was never harvested and the mirror is empty; fill it with `retest mirror import`"
            continue
        if since > wish.until:
            continue  # the mirror is ahead of this night
        try:
            harvest(
                store,
                night.index,
                pace=counted,
                base_url=wish.oai_url,
                since=since,
                until=wish.until,
                sets=(name,),
                report=note,
                tries=wish.harvest_tries,
                clock=night.parts.clock,
                sleep=sleep,
            )
        except StoreFull as exc:
            failure = str(exc)
            break
        except (Retryable, Final, CouldNotLook, StoreError) as exc:
            failure = reason(exc)
    night.change(
        lambda state: state.model_copy(
            update={
                "harvested": failure is None,
                "requests": state.requests + counted.n,
                "records": state.records + last.n_records,
                "new_papers": state.new_papers + last.n_new,
                "changed_papers": state.changed_papers + last.n_changed,
                "problems": [p for p in state.problems if p.where != PLACE],
            }
        )
    )
    if failure is not None:
        night.trouble(PLACE, failure)
    return last.n_records


def _since(store: Store, base_url: str, name: str, lag_days: int) -> date | None:
    """Give the day to harvest from: some days before the cursor, or before the newest paper of an imported mirror."""
    reached = cursor_of(store, base_url, name)
    if reached is None:
        reached = store.newest_day()
    return None if reached is None else reached - timedelta(days=lag_days)


def ready_index(night: Night) -> bool:
    """Bring the index up to what is held. Gives whether it can be searched; why not is said in the digest."""
    where = "the mirror"
    try:
        MirrorSource(night.store, night.index).ready()
    except (CouldNotLook, StoreError) as exc:
        night.trouble(where, reason(exc))
        return False
    held = night.store.night(night.wish.until)
    if held is not None and any(p.where == where for p in state_of(held).problems):
        night.change(
            lambda state: state.model_copy(update={"problems": [p for p in state.problems if p.where != where]})
        )
    return True
