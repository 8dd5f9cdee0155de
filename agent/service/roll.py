"""Who works on nights, and who is gone: each process keeps a lease on its own name in the store.

A process of this machine that died is known at once, by its pid and start; one of another machine when its lease ran
out. Of several that notice it, one takes its place.
"""

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from agent.refresh.beat import BEATS, LEASE_S, Beat
from agent.refresh.state import is_gone
from claims.errors import StoreError
from claims.store import Store

log = logging.getLogger(__name__)


class Roll:
    """This process's entry, and a watch over the others."""

    def __init__(self, store: Store, name: str, *, lease_s: float = LEASE_S) -> None:
        self._store = store
        self.name = name
        self._lease_s = lease_s
        self._beat = Beat(store, name, lease_s=lease_s)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Roll":
        self._take(self.name)
        self._beat.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._beat.__exit__(kind, value, trace)

    def watch(self, look: Callable[[], None], every_s: float | None = None) -> None:
        """Call `look` again and again until the end, whatever one look comes upon."""

        def go() -> None:
            while not self._stop.wait(every_s or self._lease_s / BEATS / 3):
                try:
                    look()
                except Exception:
                    # The outermost loop of a thread: the next look must be taken.
                    log.exception("a look at the work of others failed")

        self._thread = threading.Thread(target=go, name="roll", daemon=True)
        self._thread.start()

    def bury(self, other: str) -> bool:
        """Free all that a process has if it is gone. Tells whether it is, and whether we were the one to find out."""
        try:
            if other == self.name or not self._take(other):
                return False
            self._store.give_back_all(other)
        except StoreError as exc:
            log.info("whether %s is gone could not be found out: %s", other, exc)
            return False
        return True

    def forget(self, other: str) -> None:
        """Strike a process that was buried, after its work has found another place."""
        self._store.give_back([f"worker:{other}"], self.name)

    def _take(self, name: str) -> bool:
        taken = self._store.take_leases(
            [f"worker:{name}"], self.name, seconds=self._lease_s, at_most=1, is_gone=is_gone
        )
        return bool(taken)
