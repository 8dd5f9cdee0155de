"""A source that is asked no more once it has shown that it is away: one time-out a command, not one a question."""

import threading
from collections.abc import Callable
from datetime import date
from typing import TypeVar

from agent.errors import Retryable
from agent.sources.source import Found, LookedUp, PaperSource
from claims.paper import Source
from claims.search import Query

T = TypeVar("T")

GIVE_UP_AFTER = 2
"""Failures in a row after which the source counts as away for the rest of the command."""


class Breaker:
    """Wraps a source. While it answers, nothing changes; away, every further question raises what it last raised.

    Thread-safe, one question at a time: those that wait behind two failures are not put at all. It never turns a
    failure into an empty answer.
    """

    name: Source

    def __init__(self, source: PaperSource) -> None:
        self.name = source.name
        self._source = source
        self._turn = threading.Lock()
        self._failures = 0
        self._last: Retryable | None = None

    def search(self, query: Query, *, since: date | None, until: date | None, limit: int) -> Found:
        """See PaperSource.search."""
        return self._ask(lambda: self._source.search(query, since=since, until=until, limit=limit))

    def look_up(self, ids: list[str]) -> LookedUp:
        """See PaperSource.look_up."""
        return self._ask(lambda: self._source.look_up(ids))

    def find_title(self, title: str, *, limit: int = 5) -> Found:
        """See PaperSource.find_title."""
        return self._ask(lambda: self._source.find_title(title, limit=limit))

    def _ask(self, question: Callable[[], T]) -> T:
        with self._turn:
            if self._last is not None and self._failures >= GIVE_UP_AFTER:
                raise self._last
            try:
                answer = question()
            except Retryable as exc:
                self._failures += 1
                self._last = exc
                raise
            self._failures = 0
            self._last = None
            return answer
