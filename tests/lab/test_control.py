"""The queue: a run is in it once, and whatever the engine thinks of it, the run's folder is right."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dbos import DBOSClient

from claims.clock import SystemClock
from claims.experiment import ExperimentSpec, Limits, Submission
from lab.catalogue import Catalogue
from lab.control import APPLICATION, CPU_QUEUE, GPU_QUEUE, Queue, make_driver
from lab.errors import LabError
from lab.ledger import Ledger
from lab.runs import End, Ending
from lab.settings import LabSettings
from tests.labs import PROTOCOL

SPEC = ExperimentSpec(protocol="fast", protocol_version=1)


class Queued:
    """A queue without a worker, and the engine's own view of it."""

    def __init__(self, home: Path) -> None:
        settings = LabSettings(data_home=home, protocols=PROTOCOL)
        self.ledger = Ledger(settings.home, Catalogue(PROTOCOL), SystemClock())
        self.queue = Queue(settings)
        self.engine = DBOSClient(system_database_url=settings.control_url, application_name=APPLICATION)

    def send(self, n_seeds: int = 1, limits: Limits | None = None) -> None:
        for order in self.ledger.submit(Submission(spec=SPEC, n_seeds=n_seeds, limits=limits or Limits())).waiting:
            self.queue.put(order)

    def names(self, status: str = "ENQUEUED") -> list[str]:
        found = self.engine.list_workflows(status=status, load_input=False, load_output=False)
        return sorted(one.workflow_id for one in found)


@pytest.fixture
def queued(tmp_path: Path) -> Iterator[Queued]:
    queued = Queued(tmp_path)
    yield queued
    queued.queue.close()
    queued.engine.destroy()


def test_a_run_is_queued_once_under_its_digest(queued: Queued) -> None:
    for _ in range(3):
        queued.send(2)
    assert queued.names() == sorted(SPEC.run(seed).id for seed in (0, 1))


def test_a_run_that_the_engine_gave_up_is_queued_again(queued: Queued) -> None:
    queued.send()
    (name,) = queued.names()
    queued.engine.cancel_workflow(name)
    assert queued.names() == []
    queued.queue.put_open(queued.ledger)
    assert queued.names() == [f"{name}-again-2"]
    queued.queue.put_open(queued.ledger)
    assert queued.names() == [f"{name}-again-2"], "once is enough"


def test_a_run_that_is_over_is_not_queued_again(queued: Queued) -> None:
    queued.send()
    (name,) = queued.names()
    queued.engine.cancel_workflow(name)
    run = queued.ledger.run(name)
    order = run.order()
    assert order is not None
    run.settle(order, End(ending=Ending.CRASHED, attempts=2, at=SystemClock().now()))
    queued.queue.put_open(queued.ledger)
    assert queued.names() == []


def test_runs_for_a_gpu_do_not_stand_in_the_way_of_others(queued: Queued) -> None:
    queued.send(1, Limits(gpus=1, priority=3))
    (found,) = queued.engine.list_workflows(status="ENQUEUED", load_output=False)
    assert (found.queue_name, found.priority) == (GPU_QUEUE, 3)
    assert GPU_QUEUE != CPU_QUEUE


def test_nothing_in_the_queue_is_pickled(queued: Queued) -> None:
    queued.send()
    (found,) = queued.engine.list_workflows(status="ENQUEUED", load_output=False)
    assert found.input is not None
    assert found.input["args"][0]["spec"]["protocol"] == "fast"
    stored = (queued.ledger.experiments.parent / "control.sqlite3").read_bytes()
    assert b"py_pickle" not in stored


def test_ray_that_is_not_installed_is_said(tmp_path: Path) -> None:
    try:
        import ray  # noqa: F401
    except ImportError:
        with pytest.raises(LabError, match=r"pip install 'ray\[default\]'"):
            make_driver(LabSettings(data_home=tmp_path, driver="ray"), SystemClock())
    else:
        assert make_driver(LabSettings(data_home=tmp_path, driver="ray"), SystemClock()).name == "ray"
