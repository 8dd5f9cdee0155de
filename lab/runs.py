"""Run folders: what is on disk about a run. This is the truth; the engine that drives the runs only reads it.

    runs/<run id>/
        order.json        what was asked for: spec, limits, round
        cancel-1.json     a person asked to stop round 1
        end-1.json        how round 1 ended
        a1/ a2/           attempts, at most two a round
            spec.json     what this attempt runs (written before it starts)
            lock          held (flock) by the attempt's process for its whole life
            process.json  its pid with start time
            record.json   everything needed to run it again, written before the first step
            progress.jsonl, log.txt
            result.json   what was measured
            exit.json     how it ended; written last and atomically: a run is done when this file is there
        corrupt-...       folders that held something other than what was written there

A round is one request: sending a cancelled run again begins the next one. Every JSON file is replaced as a whole.
"""

import errno
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from claims.experiment import Limits, Measurement, RunSpec
from lab.errors import CorruptRunFolder
from lab.processes import Identity

MAX_ATTEMPTS = 2
"""Processes started for one request: the run, and exactly one retry after a crash."""
LOG_TAIL_BYTES = 4000
"""How much of a failed run's log its error carries."""

M = TypeVar("M", bound=BaseModel)


class Ending(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    CRASHED = "crashed"
    """it raised, was killed, or vanished; tried once more"""
    CORRUPT = "corrupt"
    """its folder held something other than what was written there; tried once more"""
    REFUSED = "refused"
    """the protocol cannot run this spec; trying again would give the same"""
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    CANCELLED = "cancelled"

    @property
    def is_worth_a_retry(self) -> bool:
        """Whether the same run may do better the next time."""
        return self in (Ending.CRASHED, Ending.CORRUPT)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Order(_Record):
    """What was asked for."""

    spec: RunSpec
    limits: Limits
    round: int = Field(default=1, ge=1)
    first_attempt: int = Field(default=1, ge=1)
    """number of the round's first attempt"""
    queued_at: datetime


class Cancel(_Record):
    """A request to stop."""

    at: datetime
    reason: str = "cancelled by a person"


class End(_Record):
    """How a round ended."""

    ending: Ending
    attempts: int
    reason: str = ""
    log_tail: str = ""
    at: datetime


class AttemptSpec(_Record):
    """What an attempt runs."""

    spec: RunSpec
    limits: Limits
    attempt: int


class ProcessNote(_Record):
    """Which process runs an attempt."""

    pid: int
    started: float
    host: str
    at: datetime

    @property
    def identity(self) -> Identity:
        """The process, named safely."""
        return Identity(self.pid, self.started)


class Result(_Record):
    """What a run measured."""

    measurements: tuple[Measurement, ...]
    record: dict[str, Any] = Field(default_factory=dict)


class Exit(_Record):
    """How an attempt ended."""

    ending: Ending
    reason: str = ""
    at: datetime
    seconds: float
    peak_memory_bytes: int | None = None
    result_digest: str | None = None
    """of result.json's bytes, for a succeeded one"""
    log_digest: str | None = None


def bytes_digest(data: bytes) -> str:
    """Name bytes by their content."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file as a whole, so that a reader sees the old bytes or the new ones, through a power cut too."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_model(path: Path, model: BaseModel) -> None:
    """Write a record as JSON, atomically."""
    write_atomic(path, (model.model_dump_json(indent=1) + "\n").encode())


def read_model(path: Path, kind: type[M]) -> M | None:
    """Read a record; None when it was not written. Raises CorruptRunFolder when something else stands there."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno in (errno.EISDIR, errno.ENOTDIR, errno.ELOOP):
            raise CorruptRunFolder(f"{path} is not a file: {exc.strerror}") from exc
        raise
    try:
        return kind.model_validate_json(data)
    except ValidationError as exc:
        raise CorruptRunFolder(
            f"{path.parent.name}/{path.name} does not hold what was written there ({len(data)} bytes, "
            f"{exc.error_count()} problem(s), first: {exc.errors()[0]['msg']})"
        ) from exc


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock file exclusively for the block, waiting for it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def take(path: Path, within_s: float = 0.0) -> int | None:
    """Lock a file exclusively and give its open descriptor; None when another holds it. Closing it lets go.

    `within_s` rides out the moment in which `is_held` of another process looks at the lock.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(fd)
                return None
            time.sleep(0.005)


def is_held(path: Path) -> bool:
    """Whether some process holds this lock file."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class Attempt:
    """One attempt's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def mark(self) -> str:
        """What the environment of all its processes carries."""
        return str(self.folder)

    @property
    def number(self) -> int:
        """1 for the first one."""
        return int(self.folder.name.removeprefix("a"))

    @property
    def lock(self) -> Path:
        """The file that its process holds locked."""
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        """Everything that it printed."""
        return self.folder / "log.txt"

    @property
    def work(self) -> Path:
        """Where the protocol may write."""
        return self.folder / "work"

    @property
    def progress(self) -> Path:
        """One JSON object a line: a step that was reported."""
        return self.folder / "progress.jsonl"

    def prepare(self, spec: AttemptSpec) -> None:
        """Make the folder and write what it runs. Raises CorruptRunFolder when it runs something else."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as exc:
            raise CorruptRunFolder(f"{self.folder} is not a folder") from exc
        there = self.spec()
        if there is None:
            write_model(self.folder / "spec.json", spec)
        elif there != spec:
            raise CorruptRunFolder(f"{self.folder.name}/spec.json is of another run: {there.spec.id}")

    def spec(self) -> AttemptSpec | None:
        """What it runs."""
        return read_model(self.folder / "spec.json", AttemptSpec)

    def process(self) -> ProcessNote | None:
        """Which process runs or ran it; None before it started."""
        return read_model(self.folder / "process.json", ProcessNote)

    def exit(self) -> Exit | None:
        """How it ended; None while it runs, or when it vanished. Raises CorruptRunFolder."""
        exit = read_model(self.folder / "exit.json", Exit)
        if exit is not None and exit.ending is Ending.SUCCEEDED:
            self.result(exit)
        return exit

    def result(self, exit: Exit) -> Result:
        """What it measured. Raises CorruptRunFolder when the result is not the one that was written at the end."""
        path = self.folder / "result.json"
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise CorruptRunFolder(f"{self.folder.name}: succeeded, but result.json cannot be read: {exc}") from exc
        if bytes_digest(data) != exit.result_digest:
            raise CorruptRunFolder(f"{self.folder.name}/result.json was changed after the run ended")
        result = read_model(path, Result)
        assert result is not None, "read a moment ago"
        return result

    def record(self) -> dict[str, Any]:
        """Everything needed to run it again; empty before it was written."""
        try:
            found = json.loads((self.folder / "record.json").read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as exc:
            raise CorruptRunFolder(f"{self.folder.name}/record.json cannot be read: {exc}") from exc
        return found if isinstance(found, dict) else {}

    def is_running(self) -> bool:
        """Whether its process lives."""
        return is_held(self.lock)

    def log_tail(self) -> str:
        """The last lines that it printed."""
        try:
            with self.log.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - LOG_TAIL_BYTES))
                return file.read().decode(errors="replace").strip()
        except OSError:
            return ""


class RunFolder:
    """All that is on disk about one run."""

    def __init__(self, root: Path, run_id: str) -> None:
        self.id = run_id
        self.folder = root / run_id

    def order(self) -> Order | None:
        """What was asked for last; None when nothing was."""
        return read_model(self.folder / "order.json", Order)

    def place(self, order: Order) -> None:
        """Write what is asked for."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_model(self.folder / "order.json", order)

    def attempt(self, number: int) -> Attempt:
        """One attempt, there or not."""
        return Attempt(self.folder / f"a{number}")

    def attempts(self, order: Order) -> list[Attempt]:
        """The attempts of the order's round that have a folder."""
        numbers = range(order.first_attempt, order.first_attempt + MAX_ATTEMPTS)
        return [self.attempt(n) for n in numbers if self.attempt(n).folder.is_dir()]

    def cancel(self, order: Order) -> Cancel | None:
        """The request to stop this round, if there is one."""
        return read_model(self.folder / f"cancel-{order.round}.json", Cancel)

    def ask_to_stop(self, order: Order, cancel: Cancel) -> None:
        """Leave the request to stop; whoever runs or watches the run acts on it."""
        write_model(self.folder / f"cancel-{order.round}.json", cancel)

    def end(self, order: Order) -> End | None:
        """How this round ended; None while it goes on."""
        return read_model(self.folder / f"end-{order.round}.json", End)

    def settle(self, order: Order, end: End) -> End:
        """Write how the round ended, unless it is written already. Gives what stands there."""
        with held(self.folder / "start.lock"):
            try:
                there = self.end(order)
            except CorruptRunFolder:
                # The order goes on, so what stands there is no end of it.
                there = None
            if there is not None:
                return there
            write_model(self.folder / f"end-{order.round}.json", end)
            return end

    def set_aside(self, attempt: Attempt) -> Path:
        """Move a corrupt attempt away, so that a fresh one can stand in its place."""
        n = 1
        while (aside := self.folder / f"corrupt-{n}-{attempt.folder.name}").exists():
            n += 1
        attempt.folder.rename(aside)
        return aside
