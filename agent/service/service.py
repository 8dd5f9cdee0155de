"""Puts the service together: the store, the desk, the queue, and the schedule."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from typing import NamedTuple

from agent.graph.parts import Parts
from agent.observe.metrics import Standing, serving_metrics
from agent.observe.secrets import Redactor, known_secrets
from agent.observe.traces import sending_traces
from agent.refresh.deliver import receivers
from agent.refresh.night import NightWish
from agent.refresh.state import holder
from agent.service.desk import Desk, Order
from agent.service.queue import NightQueue
from agent.service.roll import Roll
from agent.service.timetable import Timetable
from agent.settings import Settings
from agent.wiring import open_index, open_judge, open_lab, open_store, pace
from claims.clock import Clock
from claims.digest import Digest
from claims.store import Store

log = logging.getLogger(__name__)


class Service(NamedTuple):
    """A process of the service, at work."""

    store: Store
    queue: NightQueue
    timetable: Timetable
    clock: Clock
    order: Order
    """what a scheduled night is asked to do; its day is another one each time"""
    flush: Callable[[], object]
    """sends what operators have not been sent yet"""

    def follow(self) -> str | None:
        """Begin to follow the schedule. Gives the round that makes up for a missed night, None when none was."""
        self.queue.follow(self.timetable)
        now = self.clock.now()
        due_at = self.timetable.last_until(now)
        last = next(iter(self.store.nights(limit=1)), None)
        if last is None or last.finished_at is None or last.finished_at >= due_at:
            return None
        n = self.timetable.n_between(last.finished_at, now)
        log.warning("%d scheduled nights were missed since that of %s; making up for them now", n, last.night)
        return self.queue.call(self.order.model_copy(update={"until": now.date()}))


def queue_url(settings: Settings) -> str:
    """Where DBOS keeps the queue: in the store's PostgreSQL, else in a SQLite file of its own beside the store's."""
    if settings.store_url.startswith("postgresql"):
        return settings.store_url
    return f"sqlite:///{settings.home / 'nights.sqlite3'}"


def missed_before(timetable: Timetable, clock: Clock, store: Store, night: date) -> int | None:
    """Count the scheduled nights between the last one that was told and this one. None before the first night."""
    last = next((held for held in store.nights(limit=5) if held.night != night), None)
    if last is None or last.finished_at is None:
        return None
    return max(0, timetable.n_between(last.finished_at, clock.now()) - 1)


@contextmanager
def serving(settings: Settings, clock: Clock, order: Order, *, takes_part: bool = True) -> Iterator[Service]:
    """Take part in nights while the block runs. Raises InputError, StoreError."""
    timetable = Timetable(settings.refresh_cron, settings.refresh_tz)
    send_to = receivers(settings)
    open_judge(order.judge, settings)  # what is not configured is said now, not in the night
    with ExitStack() as stack:
        store = stack.enter_context(open_store(settings, clock))
        settings.home.mkdir(parents=True, exist_ok=True)

        def parts(judge: str) -> Parts:
            return Parts(
                store=store,
                sources={},
                judge=open_judge(judge, settings),
                clock=clock,
                no_lab_because="a night asks it only where an experiment is undecided",
            )

        desk = Desk(
            parts,
            open_index(settings),
            lambda given: wish(given, settings),
            pace=pace(store, settings),
            lab=lambda: open_lab(settings, wanted=True),
            deliver=lambda digest: send_to.deliver(digest, store, clock),
            missed=lambda held, night: missed_before(timetable, clock, held, night),
        )
        roll = Roll(store, holder())
        queue = NightQueue(
            queue_url(settings),
            desk,
            roll,
            hands=2 if takes_part else 0,
            ordering=lambda day: order.model_copy(update={"until": day}),
        )
        flush: Callable[[], object] = lambda: None  # noqa: E731
        if settings.otel_url is not None:
            flush = stack.enter_context(sending_traces(settings.otel_url, Redactor(known_secrets(settings))))
        stack.enter_context(queue)
        if settings.metrics_port is not None:
            port = stack.enter_context(
                serving_metrics(settings.metrics_host, settings.metrics_port, lambda: _standing(store, queue))
            )
            log.info("metrics at http://%s:%d/metrics", settings.metrics_host, port)
        yield Service(store, queue, timetable, clock, order, flush)


def _standing(store: Store, queue: NightQueue) -> Standing:
    last = next(iter(store.nights(limit=1)), None)
    digest = Digest.model_validate_json(last.digest) if last and last.digest else None
    return Standing(
        claims=Counter(line.kind or "undecided" for line in store.overview()),
        waiting=queue.n_waiting(),
        last_night_at=last.finished_at.timestamp() if last and last.finished_at else None,
        problems=len(digest.problems) if digest else 0,
    )


def wish(order: Order, settings: Settings) -> NightWish:
    """Say what an order means with these settings."""
    return NightWish(
        until=order.until,
        max_claims=order.max_claims,
        due_days=order.due_days,
        papers_per_claim=settings.papers_per_claim,
        seeds_budget=order.seeds_budget,
        harvest=order.harvest,
        oai_url=settings.oai_url,
    )
