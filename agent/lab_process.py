"""A lab of one's own on loopback, for as long as somebody uses it.

Several commands on one data folder share one lab: the first starts it, the others find its address and token in
`lab/lab.json` (readable by its owner only), the last ends it. A command that is killed leaves the lab alone, which
then ends by itself. Runs survive all of them: the next lab attaches to those that still live.
"""

import fcntl
import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from agent.errors import AgentError, LabUnreachable
from agent.lab_client import LabClient

START_S = 90.0
"""Seconds that a lab may take to answer for the first time; most of it is importing, on a busy machine."""
_STOP_S = 10.0


@contextmanager
def local_lab(home: Path, *, env: Mapping[str, str] | None = None, needs_torch: bool = True) -> Iterator[LabClient]:
    """Share the lab of the data folder `home`, or start one, while the block runs.

    `env` adds to the environment of a lab that is started. Raises LabUnreachable when the extra `lab` is not
    installed, or the lab does not come up; its log is `lab/server.log`.
    """
    if needs_torch and importlib.util.find_spec("torch") is None:
        raise LabUnreachable("the lab is not installed here: pip install 'retest[lab]', or set RETEST_LAB_URL")
    folder = home / "lab"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        holder = os.open(folder / "holders.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise LabUnreachable(f"the lab's folder {folder} cannot be used: {exc.strerror}; see RETEST_HOME") from exc
    try:
        fcntl.flock(holder, fcntl.LOCK_SH)
        with _held(folder / "start.lock"):
            client = _find(folder) or _start(home, folder, env or {})
        try:
            yield client
        finally:
            client.close()
    finally:
        with _held(folder / "start.lock"):
            os.close(holder)
            _end_if_unused(folder)


def running_lab(home: Path) -> LabClient | None:
    """Give the lab that serves this data folder now; None when none does."""
    return _find(home / "lab")


@contextmanager
def _held(path: Path) -> Iterator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _is_held(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _note(folder: Path) -> dict[str, Any] | None:
    try:
        note = json.loads((folder / "lab.json").read_bytes())
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) and {"url", "token", "pid"} <= note.keys() else None


def _find(folder: Path) -> LabClient | None:
    """Give the lab that serves this folder. Its lock says that it lives; its note may be a dead one's."""
    note = _note(folder)
    if note is None or not _is_held(folder / "server.lock"):
        return None
    client = LabClient(str(note["url"]), str(note["token"]))
    try:
        client.health()
    except AgentError:
        client.close()
        return None
    return client


def _start(home: Path, folder: Path, env: Mapping[str, str]) -> LabClient:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.server", "--host", "127.0.0.1", "--port", "0", "--holders"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(home, env),
            start_new_session=True,
        )
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        note = _note(folder)
        if note is not None and note["pid"] == process.pid:
            client = _find(folder)
            if client is not None:
                return client
        code = process.poll()
        if code is not None:
            raise LabUnreachable(f"the lab ended at once (exit code {code}): {_last_line(log)}; see {log}")
        time.sleep(0.1)
    process.terminate()
    raise LabUnreachable(f"the lab did not answer within {START_S:.0f} s; see {log}")


def _environment(home: Path, env: Mapping[str, str]) -> dict[str, str]:
    root = Path(__file__).resolve().parent.parent
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if not root.is_relative_to(sys.prefix):
        paths.insert(0, str(root))
    # The working folder comes last: a protocol of one's own may lie there, but nothing in it hides a package.
    paths.append(str(Path.cwd()))
    ours = {name: value for name, value in os.environ.items() if name != "RETEST_LAB_TOKEN_FILE"}
    return {
        **ours,
        **env,
        "PYTHONPATH": os.pathsep.join(paths),
        "RETEST_HOME": str(home),
        "RETEST_LAB_TOKEN": secrets.token_urlsafe(32),
    }


def _end_if_unused(folder: Path) -> None:
    """End a lab that was started for its users when the last of them leaves."""
    if _is_held(folder / "holders.lock"):
        return
    note = _note(folder)
    if note is None or not note.get("holders") or not _is_held(folder / "server.lock"):
        return
    with suppress(psutil.Error, ProcessLookupError):
        process = psutil.Process(int(note["pid"]))
        if note.get("started") is not None and abs(process.create_time() - float(note["started"])) > 0.05:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except psutil.TimeoutExpired:
            process.kill()


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else "it said nothing"
