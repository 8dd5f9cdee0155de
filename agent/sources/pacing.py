"""Waiting one's turn: how the gap between two requests to one place is kept."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final, Protocol

MIN_GAP_S: Final = 3.0
"""Seconds between two requests to arXiv, over all processes; https://info.arxiv.org/help/api/tou.html asks for it."""

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
