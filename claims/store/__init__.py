"""The only session with the database: append, supersede, and read as of any moment.

`Store.open` brings the schema up to date and is cheap when it is. Everything held comes back as the frozen words of
`claims`, exactly as it was put in. `as_of` always means: what this database held at that moment; a day means its end.
"""

from types import TracebackType
from typing import Self

import sqlalchemy as sa

from claims.clock import Clock, SystemClock
from claims.store.claims import ClaimShelf
from claims.store.engine import BUSY_TIMEOUT_S, Door, connect
from claims.store.evidence import EvidenceShelf
from claims.store.nights import NightShelf
from claims.store.pace import PaceShelf
from claims.store.papers import PaperShelf, PutCounts
from claims.store.schema import SchemaStatus, bring_to_head, schema_status
from claims.store.verdicts import VerdictShelf

__all__ = ["PutCounts", "SchemaStatus", "Store"]


class Store(PaperShelf, ClaimShelf, EvidenceShelf, VerdictShelf, NightShelf, PaceShelf):
    """What we hold, since when, and why. Safe to share between threads; processes open their own."""

    def __init__(self, door: Door, clock: Clock) -> None:
        self.door = door
        self.clock = clock

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Clock | None = None,
        migrate: bool = True,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> Self:
        """Open the store at a SQLAlchemy URL; a SQLite file and its folder are made.

        Raises InputError for a URL that cannot be used, SchemaMismatch for a schema that this version cannot use (with
        `migrate` an older one is brought up to date), StoreLocked, StoreFull, StoreError.
        """
        store = cls(Door(connect(url, busy_timeout_s=busy_timeout_s)), clock or SystemClock())
        try:
            bring_to_head(store.door, migrate=migrate)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def engine(self) -> sa.Engine:
        """The engine, for what must share the database."""
        return self.door.engine

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.door.engine.dialect.name

    def schema_status(self) -> SchemaStatus:
        """Tell which schema the database has and which this version expects."""
        return schema_status(self.door)

    def close(self) -> None:
        """Close all connections."""
        self.door.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
