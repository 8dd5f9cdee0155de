"""docker-compose.yml as tests read it, and its services as processes of this machine: no container engine is needed.

A process gets the command, the environment, the secret files and the health check that the compose file gives the
container. What names a place inside a container (a host, a port, a folder) is replaced by one of this machine. Where
the tests may make mount namespaces (root, Linux), the process also runs as the container does: as its user, without
capabilities, on a read-only root with its own volume and /tmp.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.labs import until

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
USER = 10001
"""of our images"""


def compose() -> dict[str, Any]:
    """Read the compose file, with its defaults filled in and none of the machine's own variables."""
    read: dict[str, Any] = _filled(yaml.safe_load(COMPOSE.read_text()))
    return read


def _filled(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _filled(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_filled(value) for value in part]
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", part) if isinstance(part, str) else part


@cache
def can_jail() -> bool:
    """Whether this process may make a read-only root for another."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        return False
    tried = subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount -o remount,ro,bind /"], capture_output=True, check=False
    )
    return tried.returncode == 0


def free_port() -> int:
    """Give a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Machine:
    """Where the services' volumes and secrets lie, and what stands for the containers' places."""

    def __init__(self, folder: Path, places: Mapping[str, str]) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        self.secrets.mkdir(exist_ok=True)
        self._places = {"/run/secrets": str(self.secrets), **places}

    def here(self, text: str, volume: Path) -> str:
        """Put this machine's places into what the compose file says, all in one pass.

        One after the other, a free port such as 45432 would have its 5432 replaced again.
        """
        places = {"/var/lib/retest": str(volume), **self._places}
        return re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], text)


class Service:
    """One service of the compose file as a process."""

    def __init__(self, name: str, machine: Machine) -> None:
        self.name = name
        self.says = compose()["services"][name]
        self.volume = machine.folder / self.says["volumes"][0].partition(":")[0]
        self.tmp = machine.folder / f"tmp-{name}"
        for folder in (self.volume, self.tmp):
            folder.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                os.chown(folder, USER, USER)
        self._machine = machine
        self.env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.volume),
            "TMPDIR": str(self.tmp),
            "OMP_NUM_THREADS": "1",
            **{key: machine.here(str(value), self.volume) for key, value in self.says["environment"].items()},
        }
        self.log = machine.folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *instead: str) -> subprocess.Popen[bytes]:
        """Start what the container would start, or another command of retest in its place."""
        command = ["retest", *(self._machine.here(part, self.volume) for part in instead or self.says["command"])]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.jailed(command), cwd=self.volume, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self._process

    def check(self) -> int:
        """Run the health check and give its exit code."""
        test = self.says["healthcheck"]["test"]
        assert test[0] == "CMD"
        command = [self._machine.here(part, self.volume) for part in test[1:]]
        done = subprocess.run(
            self.jailed(command), cwd=self.volume, env=self.env, capture_output=True, timeout=60, check=False
        )
        return done.returncode

    def wait_until_healthy(self, within_s: float = 180.0) -> None:
        """Run the health check until it passes."""

        def is_healthy() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.said()
            return self.check() == 0

        try:
            until(is_healthy, f"{self.name} is healthy", within_s)
        except AssertionError as exc:
            raise AssertionError(f"{exc}\n{self.said()}") from None

    def stop(self) -> int:
        """Send the signal that the compose file names, and give the exit code. Fails when the grace period is over."""
        assert self._process is not None
        grace = float(self.says["stop_grace_period"].removesuffix("s"))
        self._process.send_signal(signal.Signals[self.says["stop_signal"]])
        return self._process.wait(grace)

    def kill(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(30)

    def said(self) -> str:
        """What it printed."""
        return f"--- {self.name}\n{self.log.read_text(errors='replace')[-3000:]}"

    def jailed(self, command: list[str]) -> list[str]:
        """Give the command line that runs `command` as the container would, as far as this machine can."""
        if not can_jail():
            return command
        steps = ["mount --make-rprivate /", *_reachable_python(self._machine.folder)]
        steps += [f"mount --bind {path} {path}" for path in map(shlex.quote, (str(self.volume), str(self.tmp)))]
        steps += ["mount -o remount,ro,bind /", 'cd "$0"']
        drop = f"setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --bounding-set=-all"
        return ["unshare", "-m", "sh", "-c", f'{" && ".join(steps)} && exec {drop} "$@"', str(self.volume), *command]


def _reachable_python(folder: Path) -> list[str]:
    """Give mounts that let every user reach this Python, which may lie in root's own folder."""
    python = Path(sys.base_prefix)
    shut = next((path for path in reversed(python.parents) if not path.stat().st_mode & 0o001), None)
    if shut is None:
        return []
    hold, python_, shut_ = (shlex.quote(str(path)) for path in (folder / "python", python, shut))
    return [
        f"mkdir -p {hold}",
        f"mount --bind {python_} {hold}",
        f"mount -t tmpfs -o mode=755 none {shut_}",
        f"mkdir -p {python_}",
        f"mount --bind {hold} {python_}",
    ]
