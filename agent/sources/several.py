"""Several sources asked in turn for papers by id."""

from collections.abc import Sequence

from agent.errors import Final, Retryable
from agent.sources.source import LookedUp, PaperSource
from claims.errors import CouldNotLook
from claims.paper import Paper


class Several:
    """Gives each paper from the first source that holds it."""

    def __init__(self, sources: Sequence[PaperSource]) -> None:
        self._sources = sources

    def look_up(self, ids: list[str]) -> LookedUp:
        """Get papers by id. What a source that would know does not have is a real miss; else it is unanswered.

        Raises CouldNotLook when no source answered.
        """
        papers: dict[str, Paper] = {}
        unanswered = frozenset(ids)
        failures: list[str] = []
        for source in self._sources:
            wanted = [i for i in ids if i in unanswered]
            if not wanted:
                break
            try:
                found = source.look_up(wanted)
            except (Retryable, Final, CouldNotLook) as exc:
                failures.append(str(exc))
                continue
            papers |= found.papers
            unanswered = found.unanswered
        if failures and len(failures) == len(self._sources):
            raise CouldNotLook("any source", "; ".join(failures))
        return LookedUp(papers, unanswered)
