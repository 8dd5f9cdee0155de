"""What import and harvest need of the store, and nothing more: any shelf that keeps papers and cursors will do."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from claims.paper import Paper


class PutCounts(Protocol):
    """What putting papers away changed."""

    @property
    def added(self) -> int:
        """papers that were not held"""

    @property
    def changed(self) -> int:
        """papers that were held otherwise"""

    @property
    def same(self) -> int:
        """papers that were held just so"""


class PaperShelf(Protocol):
    """Papers by id, and cursors by name."""

    def put_papers(self, papers: Iterable[Paper], /) -> PutCounts:
        """Keep papers; putting one twice keeps one."""
        ...

    def papers(self, ids: list[str], /) -> Mapping[str, Paper]:
        """Give the papers that are held, by id."""
        ...

    def iter_papers(self) -> Iterator[Paper]:
        """Give every paper."""
        ...

    def get_cursor(self, name: str, /) -> str | None:
        """Give a cursor, or None when it was never set."""
        ...

    def set_cursor(self, name: str, value: str, /) -> None:
        """Set a cursor."""
        ...
