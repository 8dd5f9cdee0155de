"""Kill what can be killed and print one table: starts, ends, overlap, seconds to restart.

By hand: `python -m tests.benchmarks.lab_faults`. Every row is one try on this machine, with whatever else runs on it.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

from claims.experiment import Limits, RunState
from tests.labs import LabUnderTest, kill, overlaps


class Row(NamedTuple):
    """What came of one fault."""

    fault: str
    runs: int
    starts: int
    ends: int
    overlap: int
    """pairs of processes that worked on one slot, or on one seed, at a time"""
    state: str
    seconds: float
    """from the fault to the run being worked on again, or to its end where nothing is restarted"""


def _working(lab: LabUnderTest, n: int = 1) -> None:
    lab.wait_for(lambda: len(lab.spans()) >= n, "the run works")


def _row(lab: LabUnderTest, fault: str, id: str, seconds: float, *, is_one_slot: bool = False) -> Row:
    view = lab.wait(id)
    spans = lab.spans()
    groups = [spans] if is_one_slot else [[s for s in spans if s.seed == seed] for seed in {s.seed for s in spans}]
    ends = sum(1 for span in spans if span.end is not None)
    return Row(fault, len(view.runs), len(spans), ends, sum(map(overlaps, groups)), view.state.value, seconds)


def kill_worker(lab: LabUnderTest) -> Row:
    server = lab.serve()
    sent = lab.send(seconds=8.0)
    _working(lab)
    kill(server)
    at = time.monotonic()
    lab.serve()
    return _row(lab, "kill -9 control worker, restart", sent.id, time.monotonic() - at)


def kill_run(lab: LabUnderTest) -> Row:
    lab.serve()
    sent = lab.send(seconds=3.0)
    _working(lab)
    os.kill(lab.keeper(sent.id).pid, signal.SIGKILL)
    at = time.monotonic()
    _working(lab, 2)
    return _row(lab, "kill -9 the run", sent.id, time.monotonic() - at)


def kill_both_attempts(lab: LabUnderTest) -> Row:
    lab.serve()
    sent = lab.send(do="die", times=9)
    _working(lab)
    at = time.monotonic()
    lab.wait(sent.id)
    return _row(lab, "kill -9 both attempts", sent.id, time.monotonic() - at)


def kill_worker_and_run(lab: LabUnderTest) -> Row:
    server = lab.serve()
    sent = lab.send(seconds=3.0)
    _working(lab)
    kill(server)
    os.kill(lab.keeper(sent.id).pid, signal.SIGKILL)
    at = time.monotonic()
    lab.serve()
    _working(lab, 2)
    return _row(lab, "kill -9 worker and run, restart", sent.id, time.monotonic() - at)


def kill_everything(lab: LabUnderTest) -> Row:
    server = lab.serve()
    sent = lab.send(3, seconds=3.0)
    _working(lab, 2)
    kill(server)
    for process in lab.marked():
        process.kill()
    at = time.monotonic()
    lab.serve()
    _working(lab, 3)
    return _row(lab, "kill -9 everything (3 seeds), restart", sent.id, time.monotonic() - at)


def silent_worker(lab: LabUnderTest) -> Row:
    lab.serve("--no-worker")
    workers = [lab.start("--only-worker") for _ in range(2)]
    lab.wait_for(lambda: len(list((lab.home / "lab" / "workers").glob("*.beat"))) == 2, "both are there")
    sent = lab.send(seconds=3.0)
    _working(lab)
    keeper = lab.keeper(sent.id).pid
    owner = next(worker for worker in workers if worker.pid == psutil.Process(keeper).ppid())
    owner.send_signal(signal.SIGSTOP)
    os.kill(keeper, signal.SIGKILL)
    at = time.monotonic()
    _working(lab, 2)
    row = _row(lab, "worker silent for ever, run killed (heartbeat 2 s)", sent.id, time.monotonic() - at)
    owner.send_signal(signal.SIGCONT)
    return row


def cancel(what: str, name: str) -> Callable[[LabUnderTest], Row]:
    def fault(lab: LabUnderTest) -> Row:
        lab.serve()
        sent = lab.send(do=what)
        lab.wait_for(lambda: len(lab.marked()) >= (3 if what == "busy" else 5), "its children are there")
        at = time.monotonic()
        with lab.client() as client:
            client.cancel(sent.id)
        lab.wait_for(lambda: not lab.marked(), "all are gone")
        return _row(lab, name, sent.id, time.monotonic() - at)

    return fault


def thrice(lab: LabUnderTest) -> Row:
    lab.serve()
    at = time.monotonic()
    sent, *_ = [lab.send(seconds=1.0) for _ in range(3)]
    _working(lab)
    return _row(lab, "one spec sent three times", sent.id, time.monotonic() - at)


def one_slot(lab: LabUnderTest) -> Row:
    lab.serve()
    at = time.monotonic()
    sent = lab.send(3, seconds=1.0, limits=Limits(cpus=2, memory_gib=2))
    _working(lab)
    return _row(lab, "three runs, one slot", sent.id, time.monotonic() - at, is_one_slot=True)


def limit(what: str, limits: Limits, name: str) -> Callable[[LabUnderTest], Row]:
    def fault(lab: LabUnderTest) -> Row:
        lab.serve()
        sent = lab.send(do=what, limits=limits)
        _working(lab)
        at = time.monotonic()
        lab.wait(sent.id)
        lab.wait_for(lambda: not lab.marked(), "all are gone")
        return _row(lab, name, sent.id, time.monotonic() - at)

    return fault


FAULTS: tuple[Callable[[LabUnderTest], Row], ...] = (
    kill_worker,
    kill_run,
    kill_both_attempts,
    kill_worker_and_run,
    kill_everything,
    silent_worker,
    cancel("busy", "cancel: busy in C code, grandchild in a session of its own"),
    cancel("grandchildren", "cancel: waits for a subprocess, grandchildren"),
    thrice,
    one_slot,
    limit("busy", Limits(time_s=2, memory_gib=2), "time limit 2 s, busy in C code"),
    limit("memory", Limits(memory_gib=0.4), "memory limit 0.4 GiB"),
)


def main() -> int:
    """Print the table, and give 1 when a row broke a rule."""
    print(f"{'fault':60} {'runs':>4} {'starts':>6} {'ends':>5} {'overlap':>7} {'state':>10} {'seconds':>8}")
    rows = []
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as folder, LabUnderTest(Path(folder) / "home") as lab:
            row = fault(lab)
        rows.append(row)
        counts = f"{row.runs:4} {row.starts:6} {row.ends:5} {row.overlap:7}"
        print(f"{row.fault:60} {counts} {row.state:>10} {row.seconds:8.1f}", flush=True)
    final = {state.value for state in RunState if state.is_final}
    return int(any(row.overlap or row.state not in final for row in rows))


if __name__ == "__main__":
    sys.exit(main())
