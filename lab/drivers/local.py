"""Runs as detached processes of this machine.

A run outlives the control worker that started it: it has a session of its own, and whoever comes next finds it by the
lock that it holds. What this does not guard against: a run that hides from its own kind by cleaning its environment
and leaving its session, and a machine that freezes.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from claims.clock import Clock
from lab.drivers.driver import Started, Status
from lab.processes import MARK, identify, kill_all
from lab.runs import Attempt, AttemptSpec, ProcessNote, held, is_held, take, write_model
from lab.settings import LabSettings
from lab.slots import take_slots

FDS = "RETEST_FDS"
"""Environment variable that tells the run which descriptors it inherits: the attempt's lock, then its slots."""
_SECRETS = ("RETEST_LAB_TOKEN", "RETEST_LAB_DATABASE_URL", "RETEST_DATABASE_URL")
_SECRET_ENDINGS = ("_API_KEY", "_PASSWORD", "_SECRET", "_SECRET_KEY")


class LocalDriver:
    """Starts, watches and stops attempts as processes of this machine."""

    name = "local"

    def __init__(self, settings: LabSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def start(self, attempt: Attempt, spec: AttemptSpec) -> Started:
        """Start an attempt once, holding its slots. Raises CorruptRunFolder."""
        attempt.prepare(spec)
        with held(attempt.folder.parent / "start.lock"):
            if attempt.process() is not None or (attempt.folder / "exit.json").exists():
                return Started.ATTACHED
            lock = take(attempt.lock, within_s=1.0)
            if lock is None:
                return Started.ATTACHED
            try:
                limits = spec.limits
                slots = take_slots(
                    self._settings.home / "slots",
                    cpus=limits.cpus,
                    of_cpus=self._settings.cores,
                    gpus=limits.gpus,
                    of_gpus=self._settings.gpus,
                )
                if slots is None:
                    return Started.NO_ROOM
                try:
                    self._spawn(attempt, lock, slots.fds, gpus=slots.gpus)
                finally:
                    slots.let_go()
            finally:
                os.close(lock)
            return Started.STARTED

    def _spawn(self, attempt: Attempt, lock: int, slots: tuple[int, ...], *, gpus: tuple[int, ...]) -> None:
        with attempt.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "lab.execute", str(attempt.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(attempt, (lock, *slots), gpus),
                pass_fds=(lock, *slots),
                start_new_session=True,
            )
        # The process writes this note about itself too. Both do, so that one killed at once still counts as started.
        identity = identify(process.pid)
        if identity is not None and not (attempt.folder / "process.json").exists():
            note = ProcessNote(
                pid=identity.pid, started=identity.started, host=os.uname().nodename, at=self._clock.now()
            )
            write_model(attempt.folder / "process.json", note)

    def _environment(self, attempt: Attempt, fds: tuple[int, ...], gpus: tuple[int, ...]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in _SECRETS and not name.upper().endswith(_SECRET_ENDINGS)
        }
        visible = [card for card in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if card]
        cards = [visible[n] if n < len(visible) else str(n) for n in gpus]
        return kept | {
            MARK: attempt.mark,
            FDS: ",".join(str(fd) for fd in fds),
            "RETEST_HOME": str(self._settings.data_home),
            "RETEST_LAB_PROTOCOLS": self._settings.protocols,
            "RETEST_LAB_NICENESS": str(self._settings.niceness),
            "RETEST_LAB_KEEP_WORK": str(int(self._settings.keep_work)),
            "CUDA_VISIBLE_DEVICES": ",".join(cards),
            # The run finds the packages that this interpreter found, from whatever folder it is started.
            "PYTHONPATH": os.pathsep.join(str(Path(entry or ".").absolute()) for entry in sys.path if _is_ours(entry)),
        }

    def poll(self, attempt: Attempt) -> Status:
        """Tell where it is. Raises CorruptRunFolder when its folder holds something else."""
        if attempt.exit() is not None:
            return Status.ENDED
        if is_held(attempt.lock):
            return Status.RUNNING
        # It may have ended between the two looks.
        if attempt.exit() is not None:
            return Status.ENDED
        return Status.LOST if attempt.process() is not None else Status.NEVER

    def stop(self, attempt: Attempt) -> None:
        """Kill every process of it, grandchildren too."""
        until = time.monotonic() + 15.0
        while True:
            kill_all(attempt.mark)
            # A process that was forked a moment ago holds the lock before it carries the mark.
            if not is_held(attempt.lock) or time.monotonic() > until:
                return
            time.sleep(0.05)


def _is_ours(entry: str) -> bool:
    path = Path(entry or ".").absolute()
    return path.is_dir() and not path.is_relative_to(sys.base_prefix) and not path.is_relative_to(sys.prefix)
