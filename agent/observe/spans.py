"""Steps of the work, by name and ids: what logs carry, and what metrics and traces are made of.

    with span("claim", night="2026-08-21", claim=claim.id):
        with span("judge") as step:
            step["papers"] = 4

Without a watcher a span costs a few microseconds. A thread that is started with a copy of the context carries on with
its ids.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

Value = str | int | float
"""Of an id or a fact; ids of night, claim, paper, experiment and run are strings."""

_ids: ContextVar[Mapping[str, Value]] = ContextVar("retest_ids", default={})  # noqa: B039 (never changed in place)


class Ended(Protocol):
    """Told how a span ended: its facts, the seconds that it took, and what it raised."""

    def __call__(self, facts: Mapping[str, Value], seconds: float, error: BaseException | None) -> None: ...


Watcher = Callable[[str, Mapping[str, Value]], Ended]
"""Told that a span begins, with all ids that hold in it; must not raise."""

_watchers: list[Watcher] = []


def current_ids() -> Mapping[str, Value]:
    """Give the ids that hold here."""
    return _ids.get()


@contextmanager
def span(name: str, **ids: Value) -> Iterator[dict[str, Value]]:
    """Name a step and its ids while the block runs; what is put into the given dict are facts about it."""
    held = {**_ids.get(), **ids}
    token = _ids.set(held)
    facts: dict[str, Value] = {}
    ends = [watch(name, held) for watch in _watchers]
    started = time.monotonic()
    error: BaseException | None = None
    try:
        yield facts
    except BaseException as exc:
        error = exc
        raise
    finally:
        seconds = time.monotonic() - started
        for end in reversed(ends):
            end(facts, seconds, error)
        _ids.reset(token)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Let a watcher be told of all spans of this process while the block runs."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
