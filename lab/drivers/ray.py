"""Runs as jobs of a Ray cluster, for when one machine is outgrown. Needs `ray[default]` and a shared lab folder.

Ray places the cores and GPUs. Its word on how a job ended is not believed: it calls killed jobs succeeded under some
settings (ray-project/ray#49119), and forgets all jobs when its head dies. What counts is exit.json, as everywhere.
Set RAY_AUTH_MODE=token on both sides, and firewall the node's ports: Ray listens on more than loopback.
"""

import importlib
import os
import shlex
import sys
import time
from typing import Any

from claims.clock import Clock
from claims.ids import text_digest
from lab.drivers.driver import Started, Status
from lab.errors import LabError
from lab.processes import MARK, kill_all
from lab.runs import Attempt, AttemptSpec, held, is_held
from lab.settings import LabSettings

_PASSED_ON = ("HF_HOME", "HF_TOKEN", "HF_HUB_OFFLINE")
_STOP_S = 20.0


class RayDriver:
    """Starts, watches and stops attempts as Ray jobs."""

    name = "ray"

    def __init__(self, settings: LabSettings, clock: Clock) -> None:
        del clock
        self._settings = settings
        try:
            # A module by name: Ray is an optional package, and this file must be importable without it.
            self._jobs: Any = importlib.import_module("ray.job_submission")
        except ImportError as exc:
            raise LabError("RETEST_LAB_DRIVER=ray needs Ray: pip install 'ray[default]'") from exc
        self._connection: Any = None

    def start(self, attempt: Attempt, spec: AttemptSpec) -> Started:
        """Submit an attempt once. Ray holds it until there is room, so this never says that there is none."""
        attempt.prepare(spec)
        with held(attempt.folder.parent / "start.lock"):
            if attempt.process() is not None or (attempt.folder / "exit.json").exists() or is_held(attempt.lock):
                return Started.ATTACHED
            limits = spec.limits
            # The mark is set here and not for the whole job: Ray's own processes must not carry it.
            command = ["env", f"{MARK}={attempt.mark}", sys.executable, "-P", "-m", "lab.execute", str(attempt.folder)]
            try:
                self._client().submit_job(
                    submission_id=_job_id(attempt),
                    entrypoint=shlex.join(command),
                    entrypoint_num_cpus=limits.cpus,
                    entrypoint_num_gpus=limits.gpus or None,
                    entrypoint_memory=int(limits.memory_gib * 2**30),
                    runtime_env={"env_vars": self._environment()},
                )
            except (RuntimeError, ConnectionError, OSError) as exc:
                if "already exists" in str(exc) or "already been used" in str(exc):
                    return Started.ATTACHED
                # A cluster that is away has no room; the run waits for it.
                self._connection = None
                return Started.NO_ROOM
        return Started.STARTED

    def poll(self, attempt: Attempt) -> Status:
        """Tell where it is. A cluster that cannot be asked counts as running; the conductor's deadline ends that."""
        if attempt.exit() is not None:
            return Status.ENDED
        if is_held(attempt.lock):
            return Status.RUNNING
        status = self._status(attempt)
        if attempt.exit() is not None:
            return Status.ENDED
        if status in ("PENDING", "RUNNING", "UNKNOWN"):
            return Status.RUNNING
        if status == "FORGOTTEN" and attempt.process() is None:
            return Status.NEVER
        return Status.LOST

    def stop(self, attempt: Attempt) -> None:
        """Stop the job; its keeper takes its children along. Fine when it is over or forgotten."""
        until = time.monotonic() + _STOP_S
        while time.monotonic() < until:
            try:
                self._client().stop_job(_job_id(attempt))
            except (RuntimeError, ConnectionError, OSError) as exc:
                self._connection = None
                if "does not exist" in str(exc) and not is_held(attempt.lock):
                    break
            if self._status(attempt) not in ("PENDING", "RUNNING") and not is_held(attempt.lock):
                break
            time.sleep(0.25)
        # Ray leaves the children of a killed job alive. On this node they can be found; on another one they cannot.
        kill_all(attempt.mark)

    def _status(self, attempt: Attempt) -> str:
        try:
            return str(self._client().get_job_status(_job_id(attempt)).value)
        except (RuntimeError, ConnectionError, OSError) as exc:
            if "does not exist" in str(exc):
                return "FORGOTTEN"
            self._connection = None
            return "UNKNOWN"

    def _client(self) -> Any:
        if self._connection is None:
            self._connection = self._jobs.JobSubmissionClient(self._settings.ray_address)
        return self._connection

    def _environment(self) -> dict[str, str]:
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return passed_on | {
            "RETEST_HOME": str(self._settings.data_home),
            "RETEST_LAB_PROTOCOLS": self._settings.protocols,
            "RETEST_LAB_NICENESS": str(self._settings.niceness),
            "RETEST_LAB_KEEP_WORK": str(int(self._settings.keep_work)),
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry and os.path.isdir(entry)),  # noqa: PTH112
        }


def _job_id(attempt: Attempt) -> str:
    """Name the job after the folder: the same run of two labs is two jobs."""
    place = text_digest(str(attempt.folder)).removeprefix("sha256:")[:8]
    return f"{attempt.folder.parent.name}-{attempt.folder.name}-{place}"
