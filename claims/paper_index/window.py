"""What a search is kept inside: a window of v1 days, with the cheaper of two ways to do so, or papers by name.

A paper whose day is known to the month only is in the window when any day of that month is.
"""

from collections.abc import Collection
from datetime import date
from typing import Any, Final, NamedTuple

import tantivy

from claims.paper_index.fields import SCHEMA_FIELDS

WIDE: Final = 0.3
"""Share of all papers from which on it is cheaper to rank without the window, fetch more, and sift them: the engine
then skips whole blocks that cannot reach the best scores. Halves the time of a search since mid-2024 in 128,140."""

Scored = tuple[Any, tantivy.DocAddress]
"""A hit as the engine gives it."""


class Subset:
    """Some papers, made ready once for many searches among them: 5 to 10 ms a search for 1,000 of 128,140."""

    def __init__(self, paper_ids: Collection[str]) -> None:
        self.n = len(paper_ids)
        among = tantivy.Query.term_set_query(SCHEMA_FIELDS, "id", sorted(paper_ids))
        self.clause: Final = (tantivy.Occur.Must, tantivy.Query.const_score_query(among, 0.0))
        """part of a query, without a score"""


class Window(NamedTuple):
    """First and last day, both included; None is open."""

    since: date | None
    until: date | None

    @property
    def is_open(self) -> bool:
        """Whether it shuts nothing out."""
        return self.since is None and self.until is None

    def clauses(self) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        """Give it as parts of a query that do not score."""
        parts = []
        if self.since is not None:
            parts.append((tantivy.Occur.Must, _days("last_day", self.since.toordinal(), None)))
        if self.until is not None:
            parts.append((tantivy.Occur.Must, _days("first_day", None, self.until.toordinal())))
        return parts

    def share(self, searcher: tantivy.Searcher) -> float:
        """Give the share of all papers that lie in it."""
        n_papers = searcher.num_docs
        if self.is_open or not n_papers:
            return 1.0
        inside: Any = searcher.search(tantivy.Query.boolean_query(self.clauses()), 1, count=True)
        return float(inside.count) / n_papers

    def sift(self, searcher: tantivy.Searcher, hits: list[Scored]) -> list[Scored]:
        """Keep the hits that lie in it."""
        addresses = [address for _, address in hits]
        if self.since is not None and hits:
            first_wanted = self.since.toordinal()
            days = searcher.fast_field_values("last_day", addresses)
            hits = [hit for hit, day in zip(hits, days, strict=True) if day is not None and day >= first_wanted]
            addresses = [address for _, address in hits]
        if self.until is not None and hits:
            last_wanted = self.until.toordinal()
            days = searcher.fast_field_values("first_day", addresses)
            hits = [hit for hit, day in zip(hits, days, strict=True) if day is not None and day <= last_wanted]
        return hits


def _days(field: str, lower: int | None, upper: int | None) -> tantivy.Query:
    bounds: Any = {"lower_bound": lower, "upper_bound": upper}
    days = tantivy.Query.range_query(SCHEMA_FIELDS, field, tantivy.FieldType.Integer, **bounds)
    return tantivy.Query.const_score_query(days, 0.0)
