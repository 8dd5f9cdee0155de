"""Real labs for tests: servers and control workers as processes, which can be killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

from agent.lab_client import LabClient
from claims.clock import SystemClock
from claims.experiment import ExperimentSpec, ExperimentView, Limits, Scalar, Submission
from lab.catalogue import Catalogue
from lab.ledger import Ledger
from lab.runs import Attempt

PROTOCOL = "tests.lab.protocol_for_tests:FastProtocol"
TOKEN = "a-token-for-tests"
GENEROUS_S = 60.0
"""What a busy machine may take before a test calls it a failure."""


def until(is_so: Callable[[], object], what: str, within_s: float = GENEROUS_S) -> float:
    """Wait until something is so, and give the seconds it took. Fails the test when it does not happen."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > within_s:
            raise AssertionError(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - began


class Span(NamedTuple):
    """When a process worked on a seed, by the machine's monotonic clock. `end` is None for one that was stopped."""

    seed: int
    pid: int
    parent: int
    """the keeper"""
    start: float
    end: float | None


def read_spans(mark: Path) -> list[Span]:
    """Read what the protocol for tests wrote about its own runs."""
    open_spans: dict[int, Span] = {}
    spans = []
    for line in mark.read_text().splitlines() if mark.exists() else []:
        word, seed, at, pid, parent = line.split()
        if word == "start":
            open_spans[int(pid)] = Span(int(seed), int(pid), int(parent), float(at), None)
        else:
            spans.append(open_spans.pop(int(pid))._replace(end=float(at)))
    return sorted([*spans, *open_spans.values()], key=lambda span: span.start)


def overlaps(spans: list[Span]) -> int:
    """Count pairs of finished spans that were there at one time."""
    return sum(
        1
        for n, one in enumerate(spans)
        for other in spans[n + 1 :]
        if one.end is not None and other.end is not None and one.start < other.end and other.start < one.end
    )


class LabUnderTest:
    """One data folder with servers and workers that can be killed."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.mark = home / "spans.txt"
        home.mkdir(parents=True, exist_ok=True)
        self._env = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "RETEST_HOME": str(home),
            "RETEST_LAB_TOKEN": TOKEN,
            "RETEST_LAB_PROTOCOLS": PROTOCOL,
            "RETEST_LAB_HEARTBEAT_S": "2",
            "RETEST_LAB_POLL_S": "0.2",
            "RETEST_LAB_CPU_SLOTS": "2",
            **{f"RETEST_LAB_{name.upper()}": value for name, value in settings.items()},
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self.ledger = Ledger(home / "lab", Catalogue(PROTOCOL), SystemClock())

    def __enter__(self) -> "LabUnderTest":
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self.processes:
            kill(process)
        # Whatever these runs left must not outlive the test.
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                environ = Path(f"/proc/{process.pid}/environ").read_bytes()
                if f"RETEST_ATTEMPT={self.home}/".encode() in environ:
                    process.kill()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a process of the lab."""
        with (self.home / f"process-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lab.server", *arguments],
                env=self._env,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self.processes.append(process)
        return process

    def serve(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a server and wait until it answers."""
        process = self.start("--port", "0", *arguments)

        def is_up() -> bool:
            assert process.poll() is None, self.logs()
            try:
                return f'"pid": {process.pid},' in (self.home / "lab" / "lab.json").read_text() and bool(self.client())
            except (OSError, ValueError):
                return False

        until(is_up, f"the lab answers\n{self.logs()}")
        return process

    def client(self) -> LabClient:
        """Give a client of the server that runs now."""
        import json

        note = json.loads((self.home / "lab" / "lab.json").read_text())
        return LabClient(note["url"], note["token"])

    def send(
        self, n_seeds: int = 1, *, limits: Limits | None = None, retry_failed: bool = False, **params: Scalar
    ) -> ExperimentView:
        """Submit an experiment whose runs write down when they work."""
        with self.client() as client:
            return client.submit(
                Submission(spec=self.spec(**params), n_seeds=n_seeds, limits=limits or Limits(memory_gib=2)),
                retry_failed=retry_failed,
            )

    def spec(self, **params: Scalar) -> ExperimentSpec:
        """Give the specification that `send` sends."""
        return ExperimentSpec(protocol="fast", protocol_version=1, params={"mark": str(self.mark), **params})

    def view(self, experiment_id: str) -> ExperimentView:
        """Look at an experiment in the files, whether or not a server is alive."""
        return self.ledger.view(experiment_id)

    def wait(self, experiment_id: str, within_s: float = GENEROUS_S) -> ExperimentView:
        """Wait until an experiment is over, by its files and by the control worker's own word."""
        self.wait_for(lambda: self.view(experiment_id).state.is_final, experiment_id, within_s)
        return self.view(experiment_id)

    def wait_for(self, is_so: Callable[[], object], what: str, within_s: float = GENEROUS_S) -> float:
        """Wait until something is so; a failure shows the logs."""
        try:
            return until(is_so, what, within_s)
        except AssertionError as exc:
            raise AssertionError(f"{exc}\n{self.logs()}") from None

    def spans(self) -> list[Span]:
        """Tell when runs worked."""
        return read_spans(self.mark)

    def attempt(self, experiment_id: str, seed: int = 0, number: int = 1) -> Attempt:
        """Give an attempt's folder."""
        spec = self.ledger.entry(experiment_id).spec.run(seed)
        return self.ledger.run(spec.id).attempt(number)

    def keeper(self, experiment_id: str, seed: int = 0, number: int = 1) -> psutil.Process:
        """Give the process that runs an attempt."""
        note = self.attempt(experiment_id, seed, number).process()
        assert note is not None
        return psutil.Process(note.pid)

    def keeper_pid(self, experiment_id: str, seed: int = 0, number: int = 1) -> int:
        """The pid of the process that runs, or ran, an attempt."""
        note = self.attempt(experiment_id, seed, number).process()
        assert note is not None
        return note.pid

    def marked(self) -> list[psutil.Process]:
        """Every living process of any run of this lab."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                environ = Path(f"/proc/{process.pid}/environ").read_bytes()
                is_ours = f"RETEST_ATTEMPT={self.home}/".encode() in environ
                if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def logs(self) -> str:
        """What its processes printed."""
        logs = sorted(self.home.glob("process-*.log")) + sorted(self.home.glob("lab/runs/*/a*/log.txt"))
        return "\n".join(f"--- {log.relative_to(self.home)}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)


def kill(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
    """Send a signal and bury the process."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
    process.wait(30)


def serving(module: str, process: psutil.Process) -> list[psutil.Process]:
    """Give the living processes that serve a model for this one. module: what they run, such as `lab.nli`."""
    found = []
    for child in process.children(recursive=True):
        # A process may end between being listed and being asked; then it serves nothing.
        with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if module in child.cmdline():
                found.append(child)
    return found
