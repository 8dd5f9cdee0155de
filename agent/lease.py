"""Who owns a claim's thread: LangGraph has no run lease, and two processes resuming one thread both run its node."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from agent.errors import Retryable


class ThreadTaken(Retryable):
    """Another process holds this claim's thread right now."""

    def __init__(self, thread_id: str) -> None:
        self.thread_id = thread_id
        super().__init__(f"another process is working on {thread_id}; this one leaves it alone")


@contextmanager
def lease(folder: Path, thread_id: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Own a thread while the block runs. The kernel frees it when the process dies, however it dies.

    Covers the processes of one machine. Raises ThreadTaken when it is not free within `wait_s` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / (hashlib.sha256(thread_id.encode()).hexdigest()[:24] + ".lock"), thread_local=False)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout as exc:
        raise ThreadTaken(thread_id) from exc
    try:
        yield
    finally:
        lock.release()
