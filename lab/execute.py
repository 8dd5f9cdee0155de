"""Run one seed: `python -m lab.execute ATTEMPT_FOLDER`.

Two processes. The keeper (this one) holds the attempt's lock for life, adopts every orphan below it, watches time,
memory and the wish to cancel, and writes exit.json at the very end. The trainer, forked before anything heavy is
imported, runs the protocol; it dies with the keeper. The keeper needs no control worker to be alive.
"""

import contextlib
import ctypes
import json
import math
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import psutil

from claims.clock import SystemClock
from lab.processes import MARK, fair_memory_bytes, identify, kill_all, memory_bytes
from lab.runs import (
    Attempt,
    AttemptSpec,
    Ending,
    Exit,
    Order,
    ProcessNote,
    RunFolder,
    bytes_digest,
    take,
    write_atomic,
    write_model,
)

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_S = 0.1
"""Seconds between two looks at the trainer; memory and cancellation are looked at every fifth time."""
_REFUSED_CODE = 3
"""Exit code of a trainer whose protocol cannot run the spec."""
_RESERVE = ".reserve"
_RESERVE_BYTES = 16_384
"""Disk space that is kept back at the start, so that the end can be written on a full disk."""


class _Watched(NamedTuple):
    ending: Ending
    reason: str
    peak_memory_bytes: int


def main(folder: Path) -> int:
    """Run the attempt in `folder`. Gives 0 when it succeeded."""
    attempt = Attempt(folder)
    fds = _inherited()
    spec = attempt.spec()
    if spec is None:
        sys.stderr.write(f"{folder} holds no spec.json: nothing to run\n")
        return 2
    if not fds:
        # Started by hand or by a cluster, which hands on no descriptors.
        lock = take(attempt.lock, within_s=1.0)
        if lock is None:
            sys.stderr.write(f"{folder} is being run by another process\n")
            return 4
        fds = [lock]
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    clock = SystemClock()
    me = identify(os.getpid())
    assert me is not None, "a process finds itself"
    note = ProcessNote(pid=me.pid, started=me.started, host=os.uname().nodename, at=clock.now())
    write_model(folder / "process.json", note)
    reserve = folder / _RESERVE
    with contextlib.suppress(OSError):
        reserve.write_bytes(b"\0" * _RESERVE_BYTES)
    began = time.monotonic()
    keeper = os.getpid()
    trainer = os.fork()
    if trainer == 0:
        _train(attempt, spec, keeper, lock=fds[0])
    watched = _watch(attempt, spec, trainer)
    kill_all(attempt.mark)
    _reap()
    reserve.unlink(missing_ok=True)
    if watched.ending is not Ending.SUCCEEDED or os.environ.get("RETEST_LAB_KEEP_WORK") != "1":
        _remove(attempt.work)
    result = _bytes_of(folder / "result.json") if watched.ending is Ending.SUCCEEDED else None
    write_model(
        folder / "exit.json",
        Exit(
            ending=watched.ending,
            reason=watched.reason,
            at=clock.now(),
            seconds=time.monotonic() - began,
            peak_memory_bytes=watched.peak_memory_bytes,
            result_digest=bytes_digest(result) if result is not None else None,
            log_digest=bytes_digest(_bytes_of(attempt.log) or b""),
        ),
    )
    return 0 if watched.ending is Ending.SUCCEEDED else 1


def _inherited() -> list[int]:
    fds = [int(fd) for fd in os.environ.get("RETEST_FDS", "").split(",") if fd]
    for fd in fds:
        os.set_inheritable(fd, False)
    return fds


def _prctl(option: int, value: int) -> None:
    """Set a property of this process. Raises OSError when the kernel refuses.

    Only Linux has these; elsewhere a killed keeper may leave its trainer alive, until the retry's driver stops it.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def _watch(attempt: Attempt, spec: AttemptSpec, trainer: int) -> _Watched:
    """Wait for the trainer and hold it to its limits."""
    began = time.monotonic()
    peak = looks = 0
    run = RunFolder(attempt.folder.parent.parent, attempt.folder.parent.name)
    limit = int(spec.limits.memory_gib * 2**30)
    while True:
        # Orphans of the trainer are ours to bury; only the trainer's own end counts.
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == trainer:
            return _ending(attempt, status, peak)
        if pid:
            continue
        elapsed = time.monotonic() - began
        if elapsed > spec.limits.time_s:
            return _Watched(Ending.TIME_LIMIT, f"ran longer than its limit of {spec.limits.time_s:g} s", peak)
        if looks % 5 == 0:
            tree = psutil.Process().children(recursive=True)
            used = memory_bytes(tree)
            if used > limit:
                used = fair_memory_bytes(tree)
            peak = max(peak, used)
            if used > limit:
                return _Watched(Ending.MEMORY_LIMIT, over_memory(used, spec.limits.memory_gib), peak)
            reason = _cancelled(run)
            if reason is not None:
                return _Watched(Ending.CANCELLED, reason, peak)
        looks += 1
        time.sleep(_LOOK_S)


def over_memory(used_bytes: int, limit_gib: float) -> str:
    """Say that a run used more than it may. Rounded up, so that what is over the limit is not shown as the limit."""
    used_gib = math.ceil(used_bytes / 2**30 * 100) / 100
    return f"used more memory than its limit: {used_gib:g} GiB, limit {limit_gib:g} GiB"


def _cancelled(run: RunFolder) -> str | None:
    with contextlib.suppress(OSError, ValueError):
        order: Order | None = run.order()
        cancel = run.cancel(order) if order is not None else None
        return cancel.reason if cancel is not None else None
    return None


def _ending(attempt: Attempt, status: int, peak: int) -> _Watched:
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        if (attempt.folder / "result.json").is_file():
            return _Watched(Ending.SUCCEEDED, "", peak)
        return _Watched(Ending.CRASHED, "ended without leaving a result", peak)
    told = (_bytes_of(attempt.folder / "error.txt") or b"").decode(errors="replace").strip()
    if code == _REFUSED_CODE:
        return _Watched(Ending.REFUSED, told or "the protocol refused the spec", peak)
    if code < 0:
        return _Watched(Ending.CRASHED, f"killed by {signal.Signals(-code).name}", peak)
    return _Watched(Ending.CRASHED, told or f"ended with exit code {code}", peak)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _train(attempt: Attempt, spec: AttemptSpec, keeper: int, *, lock: int) -> NoReturn:
    """Be the trainer: run the protocol and leave. Never returns into the keeper's code."""
    code = 1
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        # The slots stay with whoever runs; the attempt's lock says that the keeper lives.
        os.close(lock)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(int(os.environ.get("RETEST_LAB_NICENESS", "0") or 0))
        _limit_threads(spec.limits.cpus)
        attempt.work.mkdir(exist_ok=True)
        os.chdir(attempt.work)
        code = _run_protocol(attempt, spec)
    except BaseException as exc:  # noqa: BLE001 - the trainer's outermost frame: whatever happened is the run's end
        # On a full disk, this is the room in which to say so.
        (attempt.folder / _RESERVE).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            traceback.print_exc()
            sys.stderr.flush()
        with contextlib.suppress(OSError):
            write_atomic(attempt.folder / "error.txt", f"{type(exc).__name__}: {exc}"[:2000].encode())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Past all exit handlers: those of the keeper are not ours to run.
        os._exit(code)


def _limit_threads(cpus: int) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ[name] = str(cpus)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _run_protocol(attempt: Attempt, spec: AttemptSpec) -> int:
    from claims.experiment import Measurement
    from lab.catalogue import Catalogue
    from lab.errors import InvalidSpec
    from lab.progress import ProgressFile
    from lab.provenance import code_and_machine
    from lab.runs import Result

    with ProgressFile(attempt.progress, SystemClock()) as report:
        try:
            protocol = Catalogue(os.environ.get("RETEST_LAB_PROTOCOLS", "")).find(
                spec.spec.protocol, spec.spec.protocol_version
            )
            params = protocol.parameters(spec.spec.profile, spec.spec.params)
            record: dict[str, Any] = {"spec": spec.spec.model_dump(mode="json"), "params": params}
            record |= code_and_machine(spec.limits)
            _write_json(attempt.folder / "record.json", record)
            measured, more = protocol.run(spec.spec, attempt.work, report)
        except InvalidSpec as exc:
            sys.stderr.write(f"refused: {exc}\n")
            write_atomic(attempt.folder / "error.txt", str(exc).encode())
            return _REFUSED_CODE
    _write_json(attempt.folder / "record.json", record | more)
    checked: list[Measurement] = []
    for one in measured:
        if one.value is not None and not abs(one.value) < float("inf"):
            one = Measurement(**{**one.model_dump(), "value": None, "missing_because": f"not finite: {one.value}"})
        checked.append(one)
    write_model(attempt.folder / "result.json", Result(measurements=tuple(checked), record=more))
    return 0


def _write_json(path: Path, value: dict[str, Any]) -> None:
    write_atomic(path, (json.dumps(value, indent=1, default=str, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m lab.execute ATTEMPT_FOLDER\n")
        sys.exit(2)
    os.environ.setdefault(MARK, str(Path(sys.argv[1]).absolute()))
    sys.exit(main(Path(sys.argv[1]).absolute()))
