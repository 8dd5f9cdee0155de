"""A sign of life: while a process works, what it holds on lease stays its own; when it is gone, the lease runs out."""

import logging
import threading
from types import TracebackType

from claims.errors import StoreError
from claims.store import Store

log = logging.getLogger(__name__)

LEASE_S = 90.0
"""After which the work of a process on another machine that says nothing more may be taken over."""
BEATS = 6
"""Signs of life in that time: one or two may be lost to a locked database."""


class Beat:
    """Keeps a holder's leases alive from a thread of its own while the block runs."""

    def __init__(self, store: Store, holder: str, *, lease_s: float = LEASE_S) -> None:
        self._store = store
        self._holder = holder
        self._lease_s = lease_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, name="beat", daemon=True)

    def __enter__(self) -> "Beat":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _go(self) -> None:
        while not self._stop.wait(self._lease_s / BEATS):
            try:
                self._store.keep_leases(self._holder, self._lease_s)
            except StoreError as exc:
                log.info("a sign of life could not be written: %s", exc)
