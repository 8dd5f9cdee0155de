"""A source that is asked no more once it has shown that it is away: one time-out a command, not one a question."""

import threading
from datetime import date

from agent.errors import Retryable
from agent.sources.source import Found, LookedUp, PaperSource
from claims.paper import Source
from claims.search import Query

GIVE_UP_AFTER = 2
"""Failures in a row after which the source counts as away for the rest of the command."""


class Breaker:
    """Wraps a source. While it answers, nothing changes; away, every further question raises what it last raised.

    Thread-safe. It never turns a failure into an empty answer.
    """

    name: Source

    def __init__(self, source: PaperSource) -> None:
        self.name = source.name
        self._source = source
        self._lock = threading.Lock()
        self._failures = 0
        self._last: Retryable | None = None

    def search(self, query: Query, *, since: date | None, until: date | None, limit: int) -> Found:
        """See PaperSource.search."""
        self._check()
        try:
            found = self._source.search(query, since=since, until=until, limit=limit)
        except Retryable as exc:
            self._failed(exc)
            raise
        self._answered()
        return found

    def look_up(self, ids: list[str]) -> LookedUp:
        """See PaperSource.look_up."""
        self._check()
        try:
            found = self._source.look_up(ids)
        except Retryable as exc:
            self._failed(exc)
            raise
        self._answered()
        return found

    def find_title(self, title: str, *, limit: int = 5) -> Found:
        """See PaperSource.find_title."""
        self._check()
        try:
            found = self._source.find_title(title, limit=limit)
        except Retryable as exc:
            self._failed(exc)
            raise
        self._answered()
        return found

    def _check(self) -> None:
        with self._lock:
            if self._last is not None and self._failures >= GIVE_UP_AFTER:
                raise self._last

    def _failed(self, exc: Retryable) -> None:
        with self._lock:
            self._failures += 1
            self._last = exc

    def _answered(self) -> None:
        with self._lock:
            self._failures = 0
            self._last = None
