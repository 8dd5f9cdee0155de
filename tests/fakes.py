"""Small honest stand-ins for the outside world. They answer as the real thing would, from what a test gives them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date

from agent.sources.source import Found, LookedUp
from claims.paper import Paper, Source
from claims.search import Query


class ListSource:
    """A paper source over a list in memory.

    `complete` says whether it claims to hold every paper: only then is an unknown id a real miss. `failure` is raised
    at every call, as a source that cannot be asked does. `calls` counts what was asked.
    """

    def __init__(
        self,
        papers: Iterable[Paper] = (),
        *,
        name: Source = Source.MIRROR,
        complete: bool = False,
        failure: Exception | None = None,
    ) -> None:
        self.name = name
        self.complete = complete
        self.failure = failure
        self.calls: list[tuple[str, object]] = []
        self._papers = {p.id: p for p in papers}
        self._by_word: dict[str, set[str]] | None = None

    def look_up(self, ids: list[str]) -> LookedUp:
        self._asked("look_up", list(ids))
        missing = frozenset(i for i in ids if i not in self._papers)
        found = {i: self._papers[i] for i in ids if i in self._papers}
        return LookedUp(found, frozenset() if self.complete else missing)

    def find_title(self, title: str, *, limit: int = 5) -> Found:
        self._asked("find_title", title)
        return Found(self._rank(title, self._papers)[:limit])

    def search(self, query: Query, *, since: date | None, until: date | None, limit: int) -> Found:
        self._asked("search", query)
        fitting = {
            i: p
            for i, p in self._papers.items()
            if (since is None or p.published.start >= since) and (until is None or p.published.start <= until)
        }
        return Found(self._rank(query.text, fitting)[:limit])

    def _asked(self, what: str, about: object) -> None:
        self.calls.append((what, about))
        if self.failure is not None:
            raise self.failure

    def _rank(self, text: str, papers: dict[str, Paper]) -> list[tuple[Paper, float]]:
        if self._by_word is None:
            self._by_word = defaultdict(set)
            for i, paper in self._papers.items():
                for word in _words(f"{paper.title} {paper.abstract or ''} {paper.finding or ''}"):
                    self._by_word[word].add(i)
        shared = Counter(i for word in _words(text) for i in self._by_word.get(word, ()) if i in papers)
        scored = [
            (papers[i], n + len(_words(text) & _words(papers[i].title)) / (1 + len(_words(papers[i].title))))
            for i, n in shared.items()
        ]
        return sorted(scored, key=lambda hit: (-hit[1], hit[0].id))


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.lower()))
