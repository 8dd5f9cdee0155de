"""Waiting one's turn: how the gap between two requests to one place is kept."""

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Protocol, runtime_checkable

from agent.settings import MIN_GAP_S
from claims.clock import Clock

LONGEST_HOLD_S = 60.0
"""That one throttled process holds all others: a person may wait behind one of them, and can be told by the next."""

Pace = Callable[[], None]
"""Comes back when the next request may go out."""


class Slots(Protocol):
    """What reserves turns over all processes: the store."""

    def reserve_slot(self, name: str, gap_s: float) -> float:
        """Give the seconds to wait for the slot that is now ours."""
        ...

    def hold_slots(self, name: str, seconds: float) -> None:
        """Give nobody a slot for so long."""
        ...


@runtime_checkable
class HoldsOthers(Protocol):
    """A pace that can make everybody wait who keeps it."""

    def hold(self, seconds: float) -> None:
        """Let no request out for so long."""
        ...


class SharedPace:
    """Keeps `gap_s` between requests of all processes that share the store."""

    def __init__(self, slots: Slots, name: str, gap_s: float) -> None:
        self._slots = slots
        self._name = name
        self._gap_s = gap_s

    def __call__(self) -> None:
        """Wait for our turn."""
        time.sleep(self._slots.reserve_slot(self._name, self._gap_s))

    def hold(self, seconds: float) -> None:
        """Let no process's request out for so long: the server asked one of us to wait, and means all of us."""
        self._slots.hold_slots(self._name, min(seconds, LONGEST_HOLD_S))


def shared_pace(slots: Slots, name: str = "arxiv", gap_s: float = MIN_GAP_S) -> Pace:
    """Keep `gap_s` between requests of all processes that share the store."""
    return SharedPace(slots, name, gap_s)


class CountedPace:
    """A pace that counts the requests that it let out."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.n = 0

    def __call__(self) -> None:
        """Wait for our turn."""
        self._pace()
        self.n += 1

    def hold(self, seconds: float) -> None:
        """Let no request out for so long, where the pace can do that."""
        hold_others(self._pace, seconds)


def hold_others(pace: object, seconds: float) -> None:
    """Make everybody wait who keeps this pace, where it is shared; whoever was throttled waits by itself besides."""
    if isinstance(pace, HoldsOthers):
        pace.hold(seconds)


def own_pace(gap_s: float = MIN_GAP_S) -> Pace:
    """Keep `gap_s` between requests of this process alone, on the monotonic clock."""
    lock = Lock()
    free_at = [0.0]

    def wait() -> None:
        with lock:
            now = time.monotonic()
            slot = max(now, free_at[0])
            free_at[0] = slot + gap_s
        time.sleep(slot - now)

    return wait


def backoff_s(attempt: int) -> float:
    """Give the seconds to wait after the n-th failed try, from 1: 3, 6, 12, ..."""
    return MIN_GAP_S * 2.0 ** (attempt - 1)


def retry_after_s(told: str | None, clock: Clock) -> float | None:
    """Read a Retry-After header, which is seconds or a date, as seconds from now; None when it is absent or neither."""
    told = (told or "").strip()
    if told.isdecimal():
        return float(told)
    try:
        at = parsedate_to_datetime(told)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - clock.now()).total_seconds())
