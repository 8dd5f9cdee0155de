"""What every driver can do. All calls may be repeated, by this control worker or by one that took over."""

from enum import StrEnum
from typing import Protocol

from lab.runs import Attempt, AttemptSpec


class Started(StrEnum):
    """What came of the wish to start an attempt."""

    STARTED = "started"
    ATTACHED = "attached"
    """it was started before: it runs, has ended, or is lost"""
    NO_ROOM = "no_room"
    """not now; ask again"""


class Status(StrEnum):
    """Where an attempt is, as its driver sees it."""

    RUNNING = "running"
    ENDED = "ended"
    """its exit.json is there, which is the only proof of an end"""
    LOST = "lost"
    """it was started, its process is gone, and it left no exit.json"""
    NEVER = "never"
    """it was not started"""


class Driver(Protocol):
    """Starts, watches and stops attempts."""

    name: str

    def start(self, attempt: Attempt, spec: AttemptSpec) -> Started:
        """Start an attempt once, however often this is called. Raises CorruptRunFolder."""
        ...

    def poll(self, attempt: Attempt) -> Status:
        """Tell where it is. Raises CorruptRunFolder when its folder holds something else."""
        ...

    def stop(self, attempt: Attempt) -> None:
        """Kill every process of it, grandchildren too; nothing is running when this returns. Fine when it is over."""
        ...
