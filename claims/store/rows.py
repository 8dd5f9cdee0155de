"""Writing rows once, the same way on SQLite and PostgreSQL, and reading moments."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects import sqlite

from claims.errors import Damaged

T = TypeVar("T")

MOST_KEYS = 5000
"""Keys in one query: SQLite takes 32,766 parameters, PostgreSQL 65,535."""


def in_parts(keys: Iterable[T]) -> Iterator[list[T]]:
    """Cut keys into lists that one query can take."""
    it = iter(keys)
    while part := list(islice(it, MOST_KEYS)):
        yield part


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; those whose key is held already are left as they are."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def upsert(connection: sa.Connection, table: sa.Table, row: dict[str, Any], *, keep: Sequence[str] = ()) -> None:
    """Insert a row, or bring the held one with its primary key to it; columns in `keep` stay as first written."""
    keys = [column.name for column in table.primary_key]
    statement = _insert(connection, table).values(row)
    fresh = {name: statement.excluded[name] for name in row if name not in keys and name not in keep}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=fresh))


def moment(as_of: datetime | date | None) -> datetime | None:
    """Read `as_of`: a day means its last moment in UTC."""
    if as_of is None or isinstance(as_of, datetime):
        return as_of
    return datetime.combine(as_of, time.max, tzinfo=UTC)


def read_document(read: Callable[[str], T], document: str | None, kind: str, id: str, claim_id: str | None = None) -> T:
    """Make the word of its held JSON. kind, id, claim_id: what to call it when it cannot be read. Raises Damaged."""
    try:
        return read(document or "")
    except ValidationError as exc:
        raise Damaged(kind, id, _why(exc), claim_id) from exc


def _why(exc: ValidationError) -> str:
    """Say in a sentence what pydantic found first."""
    first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return "it is no whole JSON"
    where = ".".join(map(str, first["loc"]))
    if not where:
        return "its parts do not fit together"
    return f"its `{where}` is missing" if first["type"] == "missing" else f"its `{where}` is not what it should be"


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    # Loading a dialect takes a while, so only the one that is used.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
