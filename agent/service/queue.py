"""Nights on DBOS: several processes that have one database share a night, and take over from those that die.

A night is a workflow, named after its day and round, that prepares, queues the claims in portions, and tells. DBOS
keeps the queue and which step was done; what a step did is in the store, so that doing one again harms nothing. Nobody
outside this file sees a DBOS type.

DBOS takes up work by the name of the process that had it, and its open part has nobody who takes over the work of
another that never comes back. So every process has a name of its own life here, and `Roll` tells who is gone.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, WorkflowStatus
from sqlalchemy.exc import SQLAlchemyError

from agent.service.desk import Desk, Order, Prepared
from agent.service.roll import Roll
from agent.service.timetable import Timetable
from claims.digest import Digest
from claims.errors import StoreError

log = logging.getLogger(__name__)

APPLICATION = "retest-nights"
VERSION = "1"
"""Of the workflows below. Raise it when their steps change; nights under way then wait for a process of theirs."""
NIGHTS = "retest-nights"
PORTIONS = "retest-portions"
WAITING = 2
"""Portions that a process takes before it has hands for them, so that it never waits for the queue between two."""
POLL_S = 0.5
SCHEDULE = "retest-refresh"
KEPT = timedelta(days=30)
"""For which the queue knows which process did what; what a night did is in the store for ever."""

Ordering = Callable[[date], Order]
"""Makes the order for a scheduled night."""


class NightFailed(StoreError):
    """A night could neither be begun nor be told; the next one makes it up."""


class NightQueue:
    """This process's part in all nights. One a process, because DBOS is."""

    def __init__(
        self,
        url: str,
        desk: Desk,
        roll: Roll,
        *,
        hands: int = 2,
        poll_s: float = POLL_S,
        ordering: Ordering | None = None,
    ) -> None:
        """Prepare. url: of DBOS's system database; hands: portions that are worked on at once.

        Raises NightFailed when the database cannot be opened.
        """
        self._desk = desk
        self._roll = roll
        self._hands = hands
        self._poll_s = poll_s
        self._ordering = ordering or (lambda day: Order(until=day))
        logging.getLogger("dbos").setLevel(logging.WARNING)
        config = DBOSConfig(
            name=APPLICATION,
            system_database_url=url,
            application_version=VERSION,
            executor_id=roll.name,
            serializer=DBOSPortableJSONSerializer(),
            log_level="WARNING",
        )
        DBOS(config=config)
        self._register()

    def __enter__(self) -> "NightQueue":
        # Enrolled first: work whose holder stands nowhere counts as nobody's.
        self._roll.__enter__()
        try:
            DBOS.launch()
        except SQLAlchemyError as exc:
            why = str(getattr(exc, "orig", None) or exc).strip().partition("\n")[0]
            raise NightFailed(f"the queue's database cannot be opened: {why}; see RETEST_DATABASE_URL") from exc
        # One night after the other: two at once would only wait for one another's claims.
        DBOS.register_queue(
            NIGHTS, global_concurrency=1, polling_interval_sec=self._poll_s, on_conflict="always_update"
        )
        DBOS.register_queue(
            PORTIONS,
            worker_concurrency=self._hands + WAITING,
            polling_interval_sec=self._poll_s,
            on_conflict="always_update",
        )
        self.take_over()
        self._roll.watch(self.take_over)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is under way is left as it is: the others, or the next life, take it over.
        self._roll.__exit__(kind, value, trace)
        DBOS.destroy()

    def call(self, order: Order) -> str:
        """Ask for a night, and give its round's name. One that is queued or under way for this day is joined."""
        round = _next_round(order.until)
        with SetWorkflowID(round):
            DBOS.enqueue_workflow(NIGHTS, self._night, order.model_dump(mode="json"))
        return round

    def wait(self, round: str) -> Digest:
        """Wait for a night's end and give its digest. Raises NightFailed."""
        while (status := DBOS.get_workflow_status(round)) is None or status.status in _OPEN:
            time.sleep(self._poll_s)
        if status.status != "SUCCESS":
            raise NightFailed(f"{round} ended with {status.status}: {status.error}")
        return Digest.model_validate_json(DBOS.retrieve_workflow(round).get_result())

    def follow(self, timetable: Timetable) -> None:
        """Ask for a night whenever one is due; of all processes that follow it, one does so."""
        DBOS.apply_schedules(
            [
                {
                    "schedule_name": SCHEDULE,
                    "workflow_fn": self._tick,
                    "schedule": timetable.cron,
                    "cron_timezone": timetable.zone,
                    "context": None,
                }
            ]
        )

    def take_over(self) -> None:
        """Queue the work of processes that are gone once more."""
        for executor in {one.executor_id for one in _pending()} - {None, self._roll.name}:
            if not self._roll.bury(str(executor)):
                continue
            # Read again: another survivor may have been quicker.
            for one in _pending(executor):
                log.warning("%s is gone; taking over %s", executor, one.workflow_id)
                DBOS.resume_workflow(one.workflow_id, queue_name=one.queue_name)
            self._roll.forget(str(executor))

    def n_waiting(self) -> int:
        """Count the portions that nobody has taken yet."""
        return len(DBOS.list_workflows(status="ENQUEUED", queue_name=PORTIONS, load_input=False, load_output=False))

    def _register(self) -> None:
        desk = self._desk

        @DBOS.step(name="prepare")
        def prepare(ordered: dict[str, Any], round: str) -> dict[str, Any]:
            return desk.prepare(Order.model_validate(ordered), round).model_dump(mode="json")

        @DBOS.step(name="at_lab")
        def at_lab(ordered: dict[str, Any], round: str, claim_ids: list[str]) -> str | None:
            return desk.at_lab(Order.model_validate(ordered), round, claim_ids)

        @DBOS.step(name="go_over")
        def go_over(ordered: dict[str, Any], round: str, claim_ids: list[str]) -> str | None:
            return desk.go_over(Order.model_validate(ordered), round, claim_ids)

        @DBOS.step(name="tell")
        def tell(ordered: dict[str, Any], round: str, left: int, stopped: str | None) -> str:
            return desk.tell(Order.model_validate(ordered), round, left, stopped).model_dump_json()

        @DBOS.step(name="deliver")
        def deliver(told: str, round: str) -> None:
            desk.deliver(Digest.model_validate_json(told), round)

        @DBOS.step(name="forget")
        def forget(day: str) -> None:
            _forget_before(day)

        @DBOS.step(name="name_round")
        def name_round(day: str) -> str:
            return _next_round(date.fromisoformat(day))

        # No limit on recoveries: a night is not given up because processes were killed often.
        @DBOS.workflow(name="retest_portion", max_recovery_attempts=None)
        def portion(ordered: dict[str, Any], round: str, claim_ids: list[str]) -> str | None:
            return go_over(ordered, round, claim_ids)

        @DBOS.workflow(name="retest_night", max_recovery_attempts=None)
        def night(ordered: dict[str, Any]) -> str:
            round = DBOS.workflow_id or ""
            prepared = Prepared.model_validate(prepare(ordered, round))
            handles = []
            for n, claim_ids in enumerate(prepared.portions):
                with SetWorkflowID(f"{round}/{n}"):
                    handles.append(DBOS.enqueue_workflow(PORTIONS, portion, ordered, round, claim_ids))
            stopped = at_lab(ordered, round, prepared.at_lab) if prepared.at_lab else None
            for handle in handles:
                stopped = handle.get_result() or stopped
            told = tell(ordered, round, prepared.left, stopped)
            deliver(told, round)
            forget((Order.model_validate(ordered).until - KEPT).isoformat())
            return told

        @DBOS.workflow(name="retest_tick", max_recovery_attempts=None)
        def tick(scheduled_at: datetime | str, context: Any) -> None:
            del context
            at = datetime.fromisoformat(scheduled_at) if isinstance(scheduled_at, str) else scheduled_at
            order = self._ordering(at.astimezone(UTC).date())
            with SetWorkflowID(name_round(order.until.isoformat())):
                DBOS.enqueue_workflow(NIGHTS, night, order.model_dump(mode="json"))

        self._night, self._tick = night, tick


_OPEN = ("ENQUEUED", "PENDING", "DELAYED")
_OURS = ["retest_night", "retest_portion", "retest_tick"]
"""The lab's and other workflows may share the database."""


def _pending(executor: str | None = None) -> list[WorkflowStatus]:
    return DBOS.list_workflows(
        status="PENDING",
        name=_OURS,
        app_version=VERSION,
        executor_id=executor,
        load_input=False,
        load_output=False,
    )


def _forget_before(day: str) -> None:
    """Strike rounds that were over before a day from the queue's tables, with their portions."""
    old = DBOS.list_workflows(
        name=["retest_night", "retest_tick"],
        completed_before=f"{day}T00:00:00+00:00",
        limit=100,
        load_input=False,
        load_output=False,
    )
    if old:
        DBOS.delete_workflows([one.workflow_id for one in old], delete_children=True)


def _next_round(day: date) -> str:
    """Name the round of a day's night that is open, or else a new one."""
    for n in range(1, 10_000):
        name = f"night:{day}" if n == 1 else f"night:{day}.{n}"
        found = DBOS.list_workflows(workflow_ids=[name], load_input=False, load_output=False)
        if not found or found[0].status in _OPEN:
            return name
    raise NightFailed(f"the night of {day} was begun ten thousand times")
