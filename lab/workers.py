"""Who conducts runs, and who is gone.

A control worker holds `workers/<name>.lock` for life and counts up in `workers/<name>.beat`. Its name is fixed, the
host's name and a number, so that one that comes back takes up its own work. The others watch: a worker of this host
whose lock is free is gone at once; one whose count stands still for a heartbeat is gone, wherever it was. The clock of
another machine is never compared with ours.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from lab.runs import is_held, take

log = logging.getLogger(__name__)

MAX_WORKERS = 64
"""Control workers of one host."""


class Seat:
    """A worker's name and lock, held until the process ends, and its heartbeat."""

    def __init__(self, folder: Path, heartbeat_s: float, *, host: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._every_s = heartbeat_s / 4
        self._stop = threading.Event()
        self._count = 0
        host = host or os.uname().nodename
        for number in range(MAX_WORKERS):
            name = f"{host}-{number}"
            lock = take(folder / f"{name}.lock", within_s=0.2)
            if lock is not None:
                self.name, self._lock = name, lock
                break
        else:
            raise RuntimeError(f"{MAX_WORKERS} control workers run on {host} already")
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Seat":
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self._lock)

    def _beat(self) -> None:
        while not self._stop.wait(self._every_s):
            self._write()

    def _write(self) -> None:
        self._count += 1
        beat = self._folder / f"{self.name}.beat"
        try:
            # A fresh number a life, so that one who comes back is seen to beat although it counts from the start.
            beat.write_text(f"{os.getpid()} {self._count}")
        except OSError:
            # A full disk is no death: the next beat may be written again, and the lock speaks on this host.
            return


class Watch:
    """Tells which workers are gone, by watching their locks and beats."""

    def __init__(self, folder: Path, heartbeat_s: float, *, host: str | None = None) -> None:
        self._folder = folder
        self._heartbeat_s = heartbeat_s
        self._host = host or os.uname().nodename
        self._seen: dict[str, tuple[str, float]] = {}

    def is_gone(self, name: str) -> bool:
        """Whether this worker will not go on with its work."""
        lock = self._folder / f"{name}.lock"
        if name.rpartition("-")[0] == self._host and not is_held(lock):
            return True
        try:
            beat = (self._folder / f"{name}.beat").read_text()
        except OSError:
            beat = ""
        now = time.monotonic()
        seen, since = self._seen.get(name, (None, now))
        if beat != seen:
            self._seen[name] = (beat, now)
            return False
        return now - since > self._heartbeat_s


class Patrol:
    """Calls `look` every `every_s` seconds in a thread of its own, until the end."""

    def __init__(self, look: Callable[[], None], every_s: float) -> None:
        self._look = look
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, name="patrol", daemon=True)

    def __enter__(self) -> "Patrol":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _go(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._look()
            except Exception:
                # A worker's outermost loop: whatever one look came upon, the next one must be taken.
                log.exception("a look at the work of others failed")
