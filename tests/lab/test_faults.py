"""What happens to runs when things die, for real: never lost, never twice at once, exactly one retry."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from claims.experiment import Limits, Outcome, RunState
from tests.labs import LabUnderTest, kill, overlaps

pytestmark = pytest.mark.slow


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LabUnderTest]:
    """A lab of the test's own, to be killed."""
    with LabUnderTest(tmp_path / "home") as lab:
        yield lab


@pytest.fixture(scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabUnderTest]:
    with LabUnderTest(tmp_path_factory.mktemp("served") / "home") as lab:
        lab.serve()
        yield lab


@pytest.fixture
def served(_served: LabUnderTest, tmp_path: Path) -> LabUnderTest:
    """A lab that serves several tests in turn, each with experiments of its own."""
    _served.mark = tmp_path / "spans.txt"
    return _served


def _is_working(lab: LabUnderTest, starts: int = 1) -> bool:
    return len(lab.spans()) >= starts


def test_a_killed_control_worker_comes_back_to_the_run_that_lives(lab: LabUnderTest) -> None:
    server = lab.serve()
    sent = lab.send(seconds=4.0)
    lab.wait_for(lambda: _is_working(lab), "the run works")
    kill(server)
    assert lab.keeper(sent.id).is_running(), "the run must outlive its control worker"
    lab.serve()
    view = lab.wait(sent.id)
    assert (view.state, view.runs[0].attempts, len(lab.spans())) == (RunState.SUCCEEDED, 1, 1)


@pytest.mark.parametrize("victim", ["keeper", "trainer"])
def test_a_killed_run_is_tried_once_more(served: LabUnderTest, victim: str) -> None:
    sent = served.send(seconds=3.0)
    served.wait_for(lambda: _is_working(served), "the run works")
    trainer = served.spans()[0].pid
    os.kill(served.keeper(sent.id).pid if victim == "keeper" else trainer, signal.SIGKILL)
    served.wait_for(lambda: not psutil.pid_exists(trainer) or psutil.Process(trainer).status() == "zombie", "it dies")
    view = served.wait(sent.id)
    assert (view.state, view.runs[0].attempts, len(served.spans())) == (RunState.SUCCEEDED, 2, 2)


def test_a_run_that_is_killed_twice_has_failed_with_its_log(served: LabUnderTest) -> None:
    sent = served.send(do="die", times=9)
    view = served.wait(sent.id)
    (run,) = view.runs
    assert (run.state, run.attempts, len(served.spans())) == (RunState.FAILED, 2, 2)
    assert run.error is not None
    assert "SIGKILL" in run.error
    assert view.result is None
    again = served.send(do="die", times=9)
    assert again.runs[0].state is RunState.FAILED, "a failure is a result: sending again does not repeat it"


def test_everything_is_killed_at_once_and_nothing_is_lost(lab: LabUnderTest) -> None:
    server = lab.serve()
    sent = lab.send(3, seconds=3.0)
    lab.wait_for(lambda: _is_working(lab, 2), "two of three seeds work")
    kill(server)
    for process in lab.marked():
        process.kill()
    lab.wait_for(lambda: not lab.marked(), "all are dead")
    lab.serve()
    view = lab.wait(sent.id)
    assert [run.state for run in view.runs] == [RunState.SUCCEEDED] * 3
    assert len(lab.spans()) == 5, "two were cut off and tried again, the third ran once"
    assert view.result is not None
    assert view.result.outcome is Outcome.SUPPORTS


def test_the_work_of_a_worker_that_never_returns_is_taken_over(lab: LabUnderTest) -> None:
    server = lab.serve("--no-worker")
    first = lab.start("--only-worker")
    sent = lab.send(seconds=6.0)
    lab.wait_for(lambda: _is_working(lab), "the run works")
    second = lab.start("--only-worker")
    lab.wait_for(lambda: len(list((lab.home / "lab" / "workers").glob("*.beat"))) == 2, "the second is there")
    # Stopped, it holds its lock and its row: only its silence tells.
    first.send_signal(signal.SIGSTOP)
    view = lab.wait(sent.id)
    assert (view.state, view.runs[0].attempts, len(lab.spans())) == (RunState.SUCCEEDED, 1, 1)
    order = lab.ledger.run(view.runs[0].id).order()
    assert order is not None
    lab.wait_for(lambda: lab.ledger.run(view.runs[0].id).end(order) is not None, "the second worker writes the end")
    first.send_signal(signal.SIGCONT)
    assert lab.send(seconds=6.0).state is RunState.SUCCEEDED
    assert len(lab.spans()) == 1, "the one who came back must not run it again"
    for process in (first, second, server):
        kill(process, signal.SIGTERM)


@pytest.mark.parametrize("what", ["busy", "grandchildren"])
def test_cancelling_kills_a_run_in_c_code_and_its_grandchildren(served: LabUnderTest, what: str) -> None:
    sent = served.send(do=what)
    served.wait_for(lambda: len(served.marked()) >= (3 if what == "busy" else 5), "the run has its children")
    with served.client() as client:
        client.cancel(sent.id)
        took = served.wait_for(lambda: not served.marked(), "all of them are gone")
        view = client.wait(sent.id, timeout_s=30)
    assert view.state is RunState.CANCELLED
    assert took < 20, "a busy machine may be slow, but a wait for the run's own end would take minutes"
    assert view.runs[0].attempts == 1


def test_a_cancelled_run_begins_anew_when_it_is_sent_again(served: LabUnderTest) -> None:
    sent = served.send(do="busy", times=1)
    served.wait_for(lambda: _is_working(served), "the run works")
    with served.client() as client:
        client.cancel(sent.id)
    assert served.wait(sent.id).state is RunState.CANCELLED
    served.send(do="busy", times=1)
    view = served.wait(sent.id)
    assert (view.state, view.runs[0].attempts) == (RunState.SUCCEEDED, 1)


def test_the_same_specification_three_times_is_one_run(served: LabUnderTest) -> None:
    views = [served.send(seconds=1.0) for _ in range(3)]
    assert len({view.id for view in views}) == 1
    served.wait(views[0].id)
    served.send(seconds=1.0)
    assert len(served.spans()) == 1
    more = served.send(2, seconds=1.0)
    served.wait(more.id)
    assert [span.seed for span in served.spans()] == [0, 1], "only the new seed starts"


def test_three_runs_on_one_slot_never_overlap(tmp_path: Path) -> None:
    with LabUnderTest(tmp_path / "home", cpu_slots="1") as lab:
        lab.serve()
        sent = lab.send(3, seconds=0.5)
        lab.wait(sent.id)
        assert len(lab.spans()) == 3
        assert overlaps(lab.spans()) == 0


def test_a_run_that_needs_two_cores_waits_for_both(served: LabUnderTest) -> None:
    small = served.send(2, seconds=1.0)
    large = served.send(2, seconds=1.5, limits=Limits(cpus=2, memory_gib=2))
    served.wait(small.id)
    served.wait(large.id)
    large_pids = {served.keeper_pid(large.id, seed) for seed in (0, 1)}
    spans = served.spans()
    assert len(spans) == 4
    for span in spans:
        if span.parent in large_pids:
            assert all(overlaps([span, other]) == 0 for other in spans if other is not span)


def test_three_runs_on_one_gpu_never_overlap_and_see_only_it(tmp_path: Path) -> None:
    with LabUnderTest(tmp_path / "home", gpu_slots="1", cpu_slots="4") as lab:
        lab.serve()
        sent = lab.send(3, seconds=0.3, limits=Limits(gpus=1, memory_gib=2))
        view = lab.wait(sent.id)
        assert view.state is RunState.SUCCEEDED
        assert (len(lab.spans()), overlaps(lab.spans())) == (3, 0)
        devices = [run.record["device"] for run in view.runs]
        assert all(isinstance(device, dict) and device["cuda_visible_devices"] == "0" for device in devices)


def test_limits_of_time_and_memory_end_a_run_without_a_retry(served: LabUnderTest) -> None:
    slow = served.send(do="busy", limits=Limits(time_s=1.5, memory_gib=2))
    large = served.send(do="memory", limits=Limits(memory_gib=0.4))
    for sent, word in ((slow, "limit of 1.5 s"), (large, "limit 0.4 GiB")):
        (run,) = served.wait(sent.id).runs
        assert (run.state, run.attempts) == (RunState.FAILED, 1)
        assert run.error is not None
        assert word in run.error
    served.wait_for(lambda: not served.marked(), "nothing of them lives")
    served.send(do="busy", limits=Limits(time_s=1.6, memory_gib=2))
    assert served.view(slow.id).state is not RunState.FAILED, "another limit is another chance"


def test_a_run_whose_result_was_changed_is_failed_and_begins_afresh(served: LabUnderTest) -> None:
    sent = served.send()
    served.wait(sent.id)
    served.wait_for(lambda: (served.attempt(sent.id).folder.parent / "end-1.json").exists(), "the end is written")
    (served.attempt(sent.id).folder / "result.json").write_text('{"measurements": [], "record": {}}')
    broken = served.view(sent.id)
    assert broken.state is RunState.FAILED
    assert "corrupt run folder" in str(broken.runs[0].error)
    assert broken.result is None
    served.send()
    assert served.wait(sent.id).state is RunState.SUCCEEDED


def test_a_folder_that_holds_something_else_is_set_aside(lab: LabUnderTest) -> None:
    server = lab.serve("--no-worker")
    sent = lab.send()
    attempt = lab.attempt(sent.id)
    attempt.folder.mkdir()
    (attempt.folder / "spec.json").write_text("\0\0\0\0")
    kill(server)
    lab.serve()
    view = lab.wait(sent.id)
    assert view.state is RunState.SUCCEEDED
    assert [path.name for path in attempt.folder.parent.glob("corrupt-*")] == ["corrupt-1-a1"]


def test_an_experiment_outlives_the_server_that_took_it(lab: LabUnderTest) -> None:
    server = lab.serve("--no-worker")
    sent = lab.send(2)
    kill(server)
    lab.serve()
    with lab.client() as client:
        assert client.get(sent.id).id == sent.id
        assert client.wait(sent.id).state is RunState.SUCCEEDED


def test_a_full_disk_is_a_failure_that_says_so(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    with LabUnderTest(tmp_path / "home") as lab:
        runs = lab.home / "lab" / "runs"
        if os.system(f"mount -t tmpfs -o size=3m tmpfs '{runs}'") != 0:
            pytest.skip("this machine does not let us mount a small disk")
        try:
            lab.serve()
            sent = lab.send(do="disk", times=9)
            (run,) = lab.wait(sent.id).runs
            assert (run.state, run.attempts) == (RunState.FAILED, 2)
            assert "No space left" in str(run.error)
            after = lab.send(seconds=0.1)
            assert lab.wait(after.id).state is RunState.SUCCEEDED, "the disk has room again"
        finally:
            for process in lab.processes:
                kill(process)
            os.system(f"umount -l '{runs}'")
