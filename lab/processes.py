"""Processes of a run: naming them safely, finding all of them, killing all of them, adding up their memory.

A pid alone names nothing, because the kernel gives it again. A process is named here by its pid and start time. The
processes of an attempt are found by a mark in their environment, which children inherit even when they leave the
session, and by the session that the attempt began.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

import psutil

MARK = "RETEST_ATTEMPT"
"""Environment variable that every process of an attempt carries; its value is the attempt's folder."""


_PROC = Path("/proc/self")


class Identity(NamedTuple):
    """A process that cannot be mistaken for a later one with its pid."""

    pid: int
    started: float
    """start time in seconds since the epoch, as the kernel keeps it"""


def identify(pid: int) -> Identity | None:
    """Name a living process; None when there is none of that pid."""
    try:
        return Identity(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def is_alive(identity: Identity) -> bool:
    """Whether this very process still runs. A zombie does not."""
    try:
        process = psutil.Process(identity.pid)
        return abs(process.create_time() - identity.started) < 0.05 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _carries(process: psutil.Process, mark: str) -> bool:
    environ = Path(f"/proc/{process.pid}/environ")
    if _PROC.is_dir():
        return f"{MARK}={mark}".encode() in environ.read_bytes().split(b"\0")
    return process.environ().get(MARK) == mark


def members(mark: str, leader: Identity | None = None) -> list[psutil.Process]:
    """Find every living process that carries `mark`, or belongs to the session that `leader` began."""
    session = leader.pid if leader is not None else None
    found = []
    for process in psutil.process_iter():
        if process.pid in (os.getpid(), 1):
            continue
        try:
            is_marked = _carries(process, mark)
            is_in_session = False
            if not is_marked and session is not None and leader is not None:
                # A session id is not given again while the session has members, so this cannot be a later one,
                # unless all members were gone and the pid came round: those would have started without our mark.
                is_in_session = os.getsid(process.pid) == session and process.create_time() >= leader.started - 0.05
                is_in_session = is_in_session and is_alive(leader)
            if (is_marked or is_in_session) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def kill_all(mark: str, leader: Identity | None = None, within_s: float = 10.0) -> int:
    """Kill every process of an attempt and wait until none is left. Gives how many were killed.

    Repeats, because a process may fork between the look and the kill. C code that never returns to Python dies too.
    """
    killed: set[int] = set()
    until = time.monotonic() + within_s
    while left := members(mark, leader):
        for process in left:
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                process.send_signal(signal.SIGKILL)
                killed.add(process.pid)
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    return len(killed)


def memory_bytes(pids: list[psutil.Process]) -> int:
    """Add up the resident memory of processes, counting shared pages for each."""
    total = 0
    for process in pids:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def fair_memory_bytes(pids: list[psutil.Process]) -> int:
    """Add up resident memory with shared pages divided among their holders; slower, asked only near a limit."""
    total = 0
    for process in pids:
        try:
            total += process.memory_full_info().pss
        except (psutil.Error, AttributeError):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total
