"""Records of a harvest that could not be read: kept by name, and asked for again one by one by later harvests.

A list's cursor may then move on. What arXiv mends comes again by itself; what we could not read, or what came
garbled once, does not.
"""

import json
from collections.abc import Sequence
from typing import Final

from agent.sources.mirror import MirrorStore
from agent.sources.oai_records import OaiRecord

MOST: Final = 100
"""Unreadable records that no harvest fails for. More of them than of readable ones mean that the repository speaks
otherwise than we read."""
ASKED: Final = 10
"""That one harvest asks for again, those that were asked for least often first: each is a request of its own."""
TRIES: Final = 5
"""Times that one record is asked for again."""


class Unread:
    """The unreadable records of one set, by the identifier that they came with."""

    def __init__(self, store: MirrorStore, cursor: str) -> None:
        self._store = store
        self._name = f"{cursor}:unread"
        self._tries: dict[str, int] = json.loads(store.get_cursor(self._name) or "{}")
        self._seen: set[str] = set()

    def note(self, records: Sequence[OaiRecord]) -> None:
        """Keep the unreadable among these, and forget those that can be read now. Call it once they are put away."""
        before = dict(self._tries)
        for record in records:
            self._seen.add(record.identifier)
            if record.problem is None:
                self._tries.pop(record.identifier, None)
            else:
                self._tries.setdefault(record.identifier, 0)
        self._keep(before)

    def to_ask(self) -> list[str]:
        """Give those that earlier harvests could not read and this one has not met."""
        waiting = [name for name in self._tries if name not in self._seen]
        return sorted(waiting, key=lambda name: (self._tries[name], name))[:ASKED]

    def asked(self, identifier: str, *, is_gone: bool) -> bool:
        """Note that one was asked for, and tell whether that was the last time. is_gone: arXiv has no such record."""
        before = dict(self._tries)
        tries = self._tries.pop(identifier, TRIES) + 1
        if not is_gone and tries < TRIES:
            self._tries[identifier] = tries
        self._keep(before)
        return identifier not in self._tries

    def _keep(self, before: dict[str, int]) -> None:
        if self._tries != before:
            self._store.set_cursor(self._name, json.dumps(self._tries))
