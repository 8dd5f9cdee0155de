"""The starter library as a source: about a hundred real papers with a finding in our own words, searched in memory."""

from datetime import date
from functools import cached_property

from agent.sources.source import Found, LookedUp
from claims.library import papers
from claims.paper import Paper, Source
from claims.paper_index import PaperIndex
from claims.search import Hit, Query


class LibrarySource:
    """Papers that ship with retest. It answers with no network, and never claims to hold everything."""

    name = Source.LIBRARY

    def __init__(self, held: tuple[Paper, ...] | None = None) -> None:
        self._papers = {paper.id: paper for paper in (papers() if held is None else held)}

    @cached_property
    def _index(self) -> PaperIndex:
        return PaperIndex.in_memory(self._papers.values())

    def search(self, query: Query, *, since: date | None, until: date | None, limit: int) -> Found:
        """Find papers by the words of their title and our finding."""
        return self._found(self._index.search(query.text, since=since, until=until, limit=limit))

    def look_up(self, ids: list[str]) -> LookedUp:
        """Get papers by id; what does not ship with us is unanswered, never missing."""
        held = {paper_id: self._papers[paper_id] for paper_id in ids if paper_id in self._papers}
        return LookedUp(held, frozenset(ids) - held.keys())

    def find_title(self, title: str, *, limit: int = 5) -> Found:
        """Find papers by title or short name."""
        return self._found(self._index.find_title(title, limit=limit))

    def _found(self, hits: list[Hit]) -> Found:
        return Found([(self._papers[hit.paper_id], hit.score) for hit in hits])
