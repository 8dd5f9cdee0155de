"""One contract, every driver: an attempt starts once, is watched by its files, and leaves nothing when stopped."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from claims.clock import SystemClock
from claims.experiment import Limits, RunSpec
from lab.drivers.driver import Driver, Started, Status
from lab.drivers.local import LocalDriver
from lab.drivers.ray import RayDriver
from lab.errors import CorruptRunFolder
from lab.execute import over_memory
from lab.processes import members
from lab.runs import Attempt, AttemptSpec, Ending
from lab.settings import LabSettings
from tests.labs import PROTOCOL, until

pytestmark = pytest.mark.slow

RAY_PORT = 8277


@pytest.fixture(scope="module")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Ray cluster of one node, of the suite's own."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed (pip install 'ray[default]')")
    ray = shutil.which("ray", path=str(Path(sys.executable).parent)) or "ray"
    log = tmp_path_factory.mktemp("ray") / "ray.log"
    with log.open("wb") as output:
        # `ray stop` would stop every cluster of this user, so the one that was started is ended by its own pid.
        head = subprocess.Popen(
            [ray, "start", "--head", "--block", "--node-ip-address=127.0.0.1", "--port=6390", "--num-cpus=2",
             f"--dashboard-port={RAY_PORT}", "--include-dashboard=true", "--disable-usage-stats"],
            env={**os.environ, "RAY_AUTH_MODE": "disabled"}, stdout=output, stderr=output,
        )  # fmt: skip
    url = f"http://127.0.0.1:{RAY_PORT}"

    def is_up() -> bool:
        if head.poll() is not None:
            return True
        try:
            return httpx.get(f"{url}/api/jobs/", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        until(is_up, "Ray answers", 120)
        if head.poll() is not None:
            pytest.skip(f"Ray did not start: {log.read_text()[-300:]}")
        yield url
    finally:
        head.terminate()
        head.wait(60)


@pytest.fixture(params=["local", "ray"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    address = request.getfixturevalue("ray_cluster") if request.param == "ray" else ""
    settings = LabSettings(data_home=tmp_path, protocols=PROTOCOL, cpu_slots=2, ray_address=address, niceness=0)
    kind = RayDriver if request.param == "ray" else LocalDriver
    yield kind(settings, SystemClock())
    for folder in tmp_path.glob("lab/runs/*/a*"):
        for process in members(str(folder)):
            process.kill()


def _attempt(tmp_path: Path, **params: str | float | int) -> tuple[Attempt, AttemptSpec]:
    spec = RunSpec(protocol="fast", protocol_version=1, profile="tiny", params=dict(params), seed=0)
    folder = tmp_path / "lab" / "runs" / spec.id / "a1"
    return Attempt(folder), AttemptSpec(spec=spec, limits=Limits(memory_gib=2), attempt=1)


def test_an_attempt_starts_once_and_ends_with_its_exit_file(driver: Driver, tmp_path: Path) -> None:
    attempt, spec = _attempt(tmp_path, seconds=0.5)
    assert driver.poll(attempt) is Status.NEVER
    assert driver.start(attempt, spec) is Started.STARTED
    assert driver.start(attempt, spec) is Started.ATTACHED
    until(lambda: driver.poll(attempt) is not Status.RUNNING, "it ends")
    assert driver.poll(attempt) is Status.ENDED
    assert driver.start(attempt, spec) is Started.ATTACHED, "what has ended is not started again"
    exit = attempt.exit()
    assert exit is not None
    assert exit.ending is Ending.SUCCEEDED, attempt.log_tail()
    assert {m.arm: m.value for m in attempt.result(exit).measurements} == {"a": 0.75, "b": 0.5}
    record = attempt.record()
    assert {"spec", "params", "packages", "device", "data_digest", "code_commit"} <= record.keys()


def test_another_driver_finds_the_attempt_that_the_first_one_started(driver: Driver, tmp_path: Path) -> None:
    attempt, spec = _attempt(tmp_path, seconds=2.0)
    driver.start(attempt, spec)
    until(lambda: attempt.process() is not None, "it works")
    settings = driver._settings  # type: ignore[attr-defined]
    successor = type(driver)(settings, SystemClock())  # type: ignore[call-arg]
    assert successor.start(attempt, spec) is Started.ATTACHED
    until(lambda: successor.poll(attempt) is Status.ENDED, "it ends")


def test_a_killed_attempt_is_lost_and_leaves_no_children(driver: Driver, tmp_path: Path) -> None:
    attempt, spec = _attempt(tmp_path, do="grandchildren")
    driver.start(attempt, spec)
    until(lambda: len(members(attempt.mark)) >= 5, "its children are there")
    note = attempt.process()
    assert note is not None
    os.kill(note.pid, signal.SIGKILL)
    until(lambda: driver.poll(attempt) is Status.LOST, "the loss is seen")
    driver.stop(attempt)
    assert not members(attempt.mark)


def test_stopping_kills_c_code_and_grandchildren_and_may_be_repeated(driver: Driver, tmp_path: Path) -> None:
    attempt, spec = _attempt(tmp_path, do="busy")
    driver.start(attempt, spec)
    until(lambda: len(members(attempt.mark)) >= 3, "it is busy, and has a grandchild")
    driver.stop(attempt)
    assert driver.poll(attempt) in (Status.LOST, Status.ENDED)
    assert not members(attempt.mark)
    driver.stop(attempt)


def test_a_folder_of_another_run_is_refused(driver: Driver, tmp_path: Path) -> None:
    attempt, spec = _attempt(tmp_path)
    attempt.folder.mkdir(parents=True)
    (attempt.folder / "spec.json").write_text("{}")
    with pytest.raises(CorruptRunFolder, match="does not hold what was written there"):
        driver.start(attempt, spec)


def test_a_pid_that_was_given_again_is_not_taken_for_the_run(tmp_path: Path) -> None:
    driver = LocalDriver(LabSettings(data_home=tmp_path, protocols=PROTOCOL, cpu_slots=1), SystemClock())
    attempt, spec = _attempt(tmp_path)
    attempt.prepare(spec)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        note = f'{{"pid": {stranger.pid}, "started": 1.0, "host": "h", "at": "2026-01-01T00:00:00Z"}}'
        (attempt.folder / "process.json").write_text(note)
        assert driver.poll(attempt) is Status.LOST
        driver.stop(attempt)
        assert psutil.Process(stranger.pid).status() != psutil.STATUS_ZOMBIE, "a stranger was killed"
    finally:
        stranger.kill()
        stranger.wait()


def test_secrets_of_the_server_do_not_reach_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETEST_LAB_TOKEN", "RETEST_DATABASE_URL", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "secret-value")
    driver = LocalDriver(LabSettings(data_home=tmp_path, protocols=PROTOCOL, cpu_slots=1), SystemClock())
    attempt, spec = _attempt(tmp_path, do="busy")
    driver.start(attempt, spec)
    until(lambda: len(members(attempt.mark)) >= 2, "it works")
    for process in members(attempt.mark):
        assert "secret-value" not in str(process.environ().values())
    driver.stop(attempt)


def test_memory_over_the_limit_is_never_shown_as_the_limit() -> None:
    assert over_memory(int(0.402 * 2**30), 0.4) == "used more memory than its limit: 0.41 GiB, limit 0.4 GiB"
    assert over_memory(int(31.5 * 2**30), 8.0) == "used more memory than its limit: 31.5 GiB, limit 8 GiB"
    assert over_memory(3 * 2**20, 0.001).startswith("used more memory than its limit: 0.01 GiB")
