"""Waiting one's turn: how the gap between two requests to one place is kept."""

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Protocol

from agent.settings import MIN_GAP_S
from claims.clock import Clock

Pace = Callable[[], None]
"""Comes back when the next request may go out."""


class Slots(Protocol):
    """What reserves turns over all processes: the store."""

    def reserve_slot(self, name: str, gap_s: float) -> float:
        """Give the seconds to wait for the slot that is now ours."""
        ...


def shared_pace(slots: Slots, name: str = "arxiv", gap_s: float = MIN_GAP_S) -> Pace:
    """Keep `gap_s` between requests of all processes that share the store."""

    def wait() -> None:
        time.sleep(slots.reserve_slot(name, gap_s))

    return wait


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
