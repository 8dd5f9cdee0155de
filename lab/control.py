"""The control plane: a DBOS workflow that brings each run to its end, and queues that say which goes next.

DBOS keeps the queue, its order and its recovery. It never sees a measurement, and nobody outside this file sees a
DBOS type: what happened to a run is in its folder. A run's workflow is named after the run's digest and round.

Source of the rules below: DBOS 3.4. Recovery skips workflows of another `application_version`, hence pinned; it goes by
`executor_id`, hence fixed and unique a worker; without the vendor's Conductor nobody takes over the work of a worker
that never returns, hence `Watch` in lab/workers.py.
"""

import logging
from types import TracebackType
from typing import NamedTuple

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from claims.clock import Clock
from lab.conduct import Conductor
from lab.drivers.driver import Driver
from lab.drivers.local import LocalDriver
from lab.drivers.ray import RayDriver
from lab.errors import LabError
from lab.ledger import Ledger
from lab.runs import MAX_ATTEMPTS, Ending, Order, held
from lab.settings import LabSettings
from lab.workers import Patrol, Watch

log = logging.getLogger(__name__)

APPLICATION = "retest-lab"
VERSION = "1"
"""Of the workflow below. Raise it only when its steps change; runs under way then wait for a worker of theirs."""
CPU_QUEUE = "retest-cpu"
GPU_QUEUE = "retest-gpu"
_WORKFLOW = "retest_run"


def make_driver(settings: LabSettings, clock: Clock) -> Driver:
    """Give the driver that the settings name. Raises LabError when Ray is named and not installed."""
    if settings.driver == "ray":
        return RayDriver(settings, clock)
    return LocalDriver(settings, clock)


def workflow_id(order: Order) -> str:
    """Name an order's workflow: the run's digest, and the round from the second on."""
    return order.spec.id if order.round == 1 else f"{order.spec.id}.{order.round}"


class _Pending(NamedTuple):
    """A workflow that some worker took."""

    id: str
    executor: str
    queue: str | None


class Queue:
    """Puts runs into the queue. Needs no worker to be alive. Raises LabError when the database cannot be opened."""

    def __init__(self, settings: LabSettings) -> None:
        settings.home.mkdir(parents=True, exist_ok=True)
        _quiet()
        try:
            DBOS.migrate(settings.control_url)
            self._client = DBOSClient(
                system_database_url=settings.control_url,
                serializer=DBOSPortableJSONSerializer(),
                application_name=APPLICATION,
            )
        except SQLAlchemyError as exc:
            why = str(getattr(exc, "orig", None) or exc).strip().partition("\n")[0]
            raise LabError(
                f"the control plane's database cannot be opened: {why}; see RETEST_LAB_DATABASE_URL"
            ) from exc

    def put(self, order: Order) -> None:
        """Queue a run that has no end yet; one that is queued or under way stays as it is."""
        name = workflow_id(order)
        for again in range(2, 100):
            there = self._client.list_workflows(workflow_ids=[name], load_input=False, load_output=False)
            if not there or there[0].status in ("ENQUEUED", "PENDING", "DELAYED"):
                break
            # The engine gave it up or was told to, and the folder says that it is not over. The folder is right.
            name = f"{workflow_id(order)}-again-{again}"
        self._client.enqueue(
            {
                "workflow_name": _WORKFLOW,
                "queue_name": GPU_QUEUE if order.limits.gpus else CPU_QUEUE,
                "workflow_id": name,
                "app_version": VERSION,
                "priority": order.limits.priority,
            },
            order.model_dump(mode="json"),
        )

    def put_open(self, ledger: Ledger) -> None:
        """Queue every run that was asked for and has no end: what a server wrote down and did not queue before it
        died, what another database knew, what the engine gave up."""
        for order in ledger.open_orders():
            self.put(order)

    def close(self) -> None:
        """Close the connection."""
        self._client.destroy()


class Worker:
    """A control worker: takes runs from the queue and conducts them. One a process, because DBOS is."""

    def __init__(self, settings: LabSettings, ledger: Ledger, clock: Clock, *, name: str) -> None:
        self._settings = settings
        self._watch = Watch(settings.home / "workers", settings.heartbeat_s)
        self._patrol = Patrol(self.take_over, settings.heartbeat_s / 4)
        self.name = name
        conductor = Conductor(make_driver(settings, clock), clock, poll_s=settings.poll_s)
        _quiet()
        config = DBOSConfig(
            name=APPLICATION,
            system_database_url=settings.control_url,
            application_version=VERSION,
            executor_id=name,
            serializer=DBOSPortableJSONSerializer(),
            log_level="WARNING",
        )
        DBOS(config=config)
        _register(conductor, ledger)

    def __enter__(self) -> "Worker":
        DBOS.launch()
        cores, gpus = self._settings.cores, self._settings.gpus
        for queue, slots in ((CPU_QUEUE, cores), (GPU_QUEUE, gpus)):
            if slots:
                DBOS.register_queue(
                    queue,
                    worker_concurrency=slots,
                    polling_interval_sec=self._settings.poll_s,
                    on_conflict="always_update",
                )
        self._patrol.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Workflows that wait for a run are left as they are: the run goes on, and the next worker attaches to it.
        self._patrol.__exit__(kind, value, trace)
        DBOS.destroy()

    def take_over(self) -> None:
        """Resume the work of workers that are gone. A run of theirs that still lives is attached to, not repeated."""
        for id, executor, _ in self._pending():
            if executor == self.name or not self._watch.is_gone(executor):
                continue
            with held(self._settings.home / "workers" / "take-over.lock"):
                # Another survivor may have been quicker.
                for again, owner, queue in self._pending():
                    if (again, owner) == (id, executor):
                        log.warning("worker %s is gone; taking over %s", executor, id)
                        DBOS.resume_workflow(id, queue_name=queue)

    def _pending(self) -> list[_Pending]:
        found = DBOS.list_workflows(
            status="PENDING", name=_WORKFLOW, app_version=VERSION, load_input=False, load_output=False
        )
        return [_Pending(one.workflow_id, one.executor_id or "", one.queue_name) for one in found]


def _register(conductor: Conductor, ledger: Ledger) -> None:
    @DBOS.step(name="begin")
    def begin(ordered: dict[str, object], number: int) -> str | None:
        order = Order.model_validate(ordered)
        return conductor.begin(ledger.run(order.spec.id), order, number)

    @DBOS.step(name="wait")
    def wait(ordered: dict[str, object], number: int) -> list[str]:
        order = Order.model_validate(ordered)
        ending, reason = conductor.wait(ledger.run(order.spec.id), order, number)
        return [ending, reason]

    @DBOS.step(name="settle")
    def settle(ordered: dict[str, object], ending: str, reason: str) -> str:
        order = Order.model_validate(ordered)
        return conductor.settle(ledger.run(order.spec.id), order, Ending(ending), reason).ending

    # No limit on recoveries: how often a run is tried is told by its folder, not by how often workers were killed.
    @DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=None)
    def run(ordered: dict[str, object]) -> str:
        ending, reason = Ending.CRASHED.value, ""
        for number in range(1, MAX_ATTEMPTS + 1):
            begun = begin(ordered, number)
            ending, reason = (begun, "cancelled by a person") if begun is not None else wait(ordered, number)
            if not Ending(ending).is_worth_a_retry:
                break
        return settle(ordered, ending, reason)


def _quiet() -> None:
    logging.getLogger("dbos").setLevel(logging.WARNING)
