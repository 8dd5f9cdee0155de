"""The breaker asks a source that is away no more, and never turns its failure into an empty answer."""

from datetime import date

import pytest

from agent.errors import SourceRefused, SourceUnreachable
from agent.sources.breaker import GIVE_UP_AFTER, Breaker
from agent.sources.source import Found, LookedUp
from claims.paper import Source
from claims.search import Query


class FlakySource:
    """Raises what it was told to raise, in order; then answers. Counts the calls."""

    name = Source.ARXIV

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.calls = 0

    def _answer(self) -> None:
        self.calls += 1
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure

    def search(self, query: Query, *, since: date | None, until: date | None, limit: int) -> Found:
        self._answer()
        return Found([])

    def look_up(self, ids: list[str]) -> LookedUp:
        self._answer()
        return LookedUp({})

    def find_title(self, title: str, *, limit: int = 5) -> Found:
        self._answer()
        return Found([])


def ask(source: Breaker) -> Found:
    return source.search(Query(text="words"), since=None, until=None, limit=5)


def away() -> SourceUnreachable:
    return SourceUnreachable("arxiv", "connection refused")


def test_a_source_that_is_away_is_asked_no_more_and_says_why_each_time() -> None:
    inner = FlakySource(*[away() for _ in range(10)])
    source = Breaker(inner)
    for _ in range(6):
        with pytest.raises(SourceUnreachable, match="connection refused"):
            ask(source)
    assert inner.calls == GIVE_UP_AFTER


def test_an_answer_in_between_starts_the_count_again() -> None:
    inner = FlakySource(away(), None, away(), None)
    source = Breaker(inner)
    for fails in (True, False, True, False):
        if fails:
            with pytest.raises(SourceUnreachable):
                ask(source)
        else:
            assert ask(source) == Found([])
    assert inner.calls == 4


def test_a_refused_question_does_not_count_as_being_away() -> None:
    inner = FlakySource(*[SourceRefused("arxiv", "bad query") for _ in range(5)])
    source = Breaker(inner)
    for _ in range(5):
        with pytest.raises(SourceRefused):
            ask(source)
    assert inner.calls == 5


def test_look_ups_share_the_count_with_searches() -> None:
    inner = FlakySource(away(), away(), away())
    source = Breaker(inner)
    with pytest.raises(SourceUnreachable):
        source.look_up(["2305.11206"])
    with pytest.raises(SourceUnreachable):
        source.find_title("LIMA")
    with pytest.raises(SourceUnreachable):
        ask(source)
    assert inner.calls == 2
