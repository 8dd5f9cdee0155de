"""What keeps an answer from naming things that the store does not hold.

Titles, quotes, claims and a person's own question are foreign texts: any of them may name an id. Whatever reads like
an id of a paper, evidence, experiment, inquiry or claim is looked up, and taken out when it is not held.
"""

import re
from collections.abc import Iterable

from claims.errors import InputError, NotHeld
from claims.ids import ArxivId
from claims.report.text import SpanKind, spans
from claims.store import Store

NOT_HELD = "⟦an id that is not held⟧"
"""Stands where a foreign text named an id that the store does not hold."""

OWN_ID = re.compile(
    r"\b(?:ev-[0-9a-f]{6,}|(?:exp|run|inq)-[0-9a-f]{12})\b|\b[a-z0-9]+(?:-[a-z0-9]+)+-[0-9a-f]{6}\b", re.IGNORECASE
)
"""What reads like an id of ours."""

_PREFIX = re.compile(r"(?:ev|exp|run|inq)-")


class Gate:
    """Looks ids up, once each."""

    def __init__(
        self, store: Store, *, papers: Iterable[str] = (), evidence: Iterable[str] = (), others: Iterable[str] = ()
    ) -> None:
        """Know these ids as held; others are looked up when a text names them."""
        self._store = store
        self._papers = set(papers)
        self._own: dict[str, bool] = dict.fromkeys((*evidence, *others), True)

    def pass_(self, text: str) -> str:
        """Give the text, made visible, without ids that are not held."""
        named = {found.base for _, _, found in ArxivId.find_all(text)} - self._papers
        if named:
            self._papers |= set(self._store.papers(named))
        parts = (NOT_HELD if s.kind is SpanKind.UNGROUNDED else s.text for s in spans(text, self._papers))
        return OWN_ID.sub(lambda m: m[0] if self.holds(m[0]) else NOT_HELD, "".join(parts))

    def holds(self, id: str) -> bool:
        """Tell whether the store holds this id of evidence, an experiment, an inquiry or a claim."""
        id = id.lower()
        if id not in self._own:
            self._own[id] = self._look(id)
        return self._own[id]

    def _look(self, id: str) -> bool:
        try:
            if id.startswith("ev-"):
                self._store.evidence_by_id(id)
            elif id.startswith("inq-"):
                return self._store.inquiry(id).id == id
            elif id.startswith("exp-"):
                return any(view.id == id for view in self._store.experiments())
            elif id.startswith("run-"):
                return any(run.id == id for view in self._store.experiments() for run in view.runs)
            elif any(c.isdigit() for c in id[-6:]):
                return self._store.claim(id).id == id
        except (NotHeld, InputError):
            # Six plain digits end names of models and dates as well (`gpt-4-202403`).
            return id[-6:].isdigit() and id.count("-") < 4 and not _PREFIX.match(id)
        # Six letters that happen to be hex digits end a plain word, such as `ready-made-facade`.
        return True
