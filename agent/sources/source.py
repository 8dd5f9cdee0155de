"""What every source of papers can do."""

from datetime import date
from typing import NamedTuple, Protocol

from claims.paper import Paper, Source
from claims.search import Query


class Found(NamedTuple):
    """What a search gave."""

    papers: list[tuple[Paper, float]]
    """best first, with a score that is comparable within this answer only"""
    unreadable: int = 0
    """entries in the answer that could not be read"""
    note: str = ""
    """what a reader should know of how it was found; empty when nothing is out of the ordinary"""


class LookedUp(NamedTuple):
    """What an id look-up gave. Ids in neither are real misses: the source answered and does not have them."""

    papers: dict[str, Paper]
    """by id without version"""
    unanswered: frozenset[str] = frozenset()
    """ids that the source cannot tell about (a library or mirror that does not claim to hold everything)"""


class PaperSource(Protocol):
    """A place that can be asked for papers. A failure is raised (`Retryable`, `Final`), never an empty answer."""

    name: Source

    def search(self, query: Query, *, since: date | None, until: date | None, limit: int) -> Found:
        """Find papers whose v1 lies in [since, until], both included, best first."""
        ...

    def look_up(self, ids: list[str]) -> LookedUp:
        """Get papers by id, without version."""
        ...

    def find_title(self, title: str, *, limit: int = 5) -> Found:
        """Find papers by title or short name (`LIMA`), best first."""
        ...
