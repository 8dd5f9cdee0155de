"""What is new: the one harvest of a night, and an index that has seen it."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial

from agent.errors import Final, Retryable, reason
from agent.observe.spans import span
from agent.refresh.beat import LEASE_S
from agent.refresh.night import Night
from agent.refresh.state import is_gone, state_of
from agent.sources.mirror import MirrorSource
from agent.sources.oai import HarvestReport, cursor_of, harvest
from agent.sources.pacing import CountedPace, Pace
from agent.sources.unread import TRIES
from claims.errors import CouldNotLook, StoreError, StoreFull

log = logging.getLogger(__name__)

WAIT_S = 0.5
PLACE = "arXiv"
RECORDS = "records of arXiv"
NAMED = 10
"""Unreadable records that a digest names; the others are counted."""


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
    reports: dict[str, HarvestReport] = {}
    assumed: list[str] = []
    failure: str | None = None
    for name in wish.oai_sets:
        since = cursor_of(store, wish.oai_url, name)
        if since is None:
            complete_to = store.complete_to()
            if complete_to is None:
                failure = "it was never harvested and the mirror is empty; fill it with `retest mirror import`"
                continue
            since = complete_to
            assumed.append(_taken_for_complete(complete_to))
        since -= timedelta(days=wish.lag_days)
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
                report=partial(reports.__setitem__, name),
                tries=wish.harvest_tries,
                clock=night.parts.clock,
                sleep=sleep,
            )
        except StoreFull as exc:
            failure = str(exc)
            break
        except (Retryable, Final, CouldNotLook, StoreError) as exc:
            failure = reason(exc)
    came = list(reports.values())
    n_records = sum(one.n_records for one in came)
    night.change(
        lambda state: state.model_copy(
            update={
                "harvested": failure is None,
                "requests": state.requests + counted.n,
                "records": state.records + n_records,
                "new_papers": state.new_papers + sum(one.n_new for one in came),
                "changed_papers": state.changed_papers + sum(one.n_changed for one in came),
                "assumed": list(dict.fromkeys([*state.assumed, *assumed])),
                "problems": [p for p in state.problems if p.where not in (PLACE, RECORDS)],
            }
        )
    )
    if failure is not None:
        night.trouble(PLACE, failure)
    if what := _unread(came):
        night.trouble(RECORDS, what)
    return n_records


def _taken_for_complete(day: date) -> str:
    return (
        f"arXiv was never harvested before, and the mirror was taken to be complete to {day}, to which its papers lie "
        "as densely as usual; retest mirror harvest --since DAY fetches from an earlier day on"
    )


def _unread(came: Sequence[HarvestReport]) -> str:
    """Say which records could not be read, and which of them are not asked for again; empty where there are none."""
    n = sum(one.n_unreadable for one in came)
    said = []
    if n:
        problems = [what for one in came for what in one.problems]
        more = f"; and {n - NAMED} more" if n > NAMED else ""
        what = "1 record could not be read" if n == 1 else f"{n} records could not be read"
        said.append(f"{what}; the next nights ask again: {'; '.join(problems[:NAMED])}{more}")
    if given_up := [name for one in came for name in one.given_up]:
        said.append(f"not asked for any more after {TRIES} tries, or gone from arXiv: {', '.join(given_up)}")
    return "; ".join(said)


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
