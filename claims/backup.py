"""Backup and restore: everything that is held, in one file that any later version reads, on either database.

The file is gzip over JSON lines: a head with the schema's revision, one line a row, tables in an order in which what
is pointed at comes first, and an end with counts and a digest, so that a file that was cut short is refused. It is
taken in one transaction and so shows one moment, while others write. Restoring goes into an empty database, all or
nothing; a backup of an older schema is restored under that schema and then migrated. A backup taken on SQLite can be
restored on PostgreSQL and the other way round.
"""

import contextlib
import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

import sqlalchemy as sa

from claims.errors import InputError, SchemaMismatch, StoreError, StoreFull
from claims.lines import REVISION
from claims.store import Store
from claims.store.engine import BUSY_TIMEOUT_S, Door, connect
from claims.store.schema import bring_to_head, known_revisions, schema_status
from claims.tables import LeaseRow, Row, SlotRow, table

FORMAT = "retest-backup-1"
"""The file's own version; changes when its lines do, not when the tables do."""

_ROWS_AT_ONCE = 1000
_LEFT_OUT = {table(SlotRow).name, table(LeaseRow).name}
"""Reserved request slots and leases mean nothing on another day."""


class BackupInfo(NamedTuple):
    """What a backup holds."""

    revision: str
    taken_at: datetime
    rows: dict[str, int]
    """by table"""

    @property
    def n_rows(self) -> int:
        """Rows in all tables."""
        return sum(self.rows.values())


def backup(store: Store, file: Path) -> BackupInfo:
    """Write everything that is held to a file, which appears complete or not at all.

    Raises StoreFull when the file cannot be written, and what reading the store raises.
    """
    taken_at = store.clock.now()
    rows: dict[str, int] = {}
    seen = hashlib.sha256()
    with _appearing(file) as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=3, mtime=0) as out:

        def write(line: object) -> None:
            data = json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
            seen.update(data)
            out.write(data)

        write({"format": FORMAT, "revision": REVISION, "taken_at": taken_at.isoformat()})
        with store.door.reading() as connection:
            for each in Row.metadata.sorted_tables:
                if each.name in _LEFT_OUT:
                    continue
                rows[each.name] = 0
                query = sa.select(each).order_by(*each.primary_key)
                write({"table": each.name, "columns": [column.name for column in each.columns]})
                for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query):
                    write([_plain(value) for value in row])
                    rows[each.name] += 1
        write({"rows": rows, "sha256": seen.hexdigest()})
    return BackupInfo(REVISION, taken_at, rows)


def restore(url: str, file: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> BackupInfo:
    """Fill an empty database from a backup, all or nothing, and bring its schema to this version's.

    Raises InputError for a file that is no whole backup, SchemaMismatch for a backup of a newer schema, StoreError for
    a database that holds something already, and what `Store.open` raises.
    """
    info = inspect(file)
    if info.revision not in known_revisions():
        raise SchemaMismatch(f"{file} has schema {info.revision}, which this version does not know (it has {REVISION})")
    door = Door(connect(url, busy_timeout_s=busy_timeout_s))
    try:
        if schema_status(door).current not in (None, info.revision):
            raise StoreError(f"database {door.place} has another schema than the backup; restore into an empty one")
        bring_to_head(door, migrate=True, revision=info.revision)
        with door.writing("restore") as connection:
            tables = sa.MetaData()
            tables.reflect(connection, only=[*info.rows])
            for each in tables.sorted_tables:
                if connection.scalar(sa.select(sa.literal(1)).select_from(each).limit(1)):
                    raise StoreError(f"database {door.place} holds {each.name} already; restore into an empty one")
            _fill(connection, tables, file)
        bring_to_head(door, migrate=True)
    finally:
        door.engine.dispose()
    return info


def inspect(file: Path) -> BackupInfo:
    """Read a backup to its end and tell what it holds. Raises InputError when it is not a whole backup."""
    seen = hashlib.sha256()
    before = ""
    head: Any = None
    line: Any = None
    counted: dict[str, int] = {}
    name = ""
    for line, data in _lines(file):
        if head is None:
            head = line
        elif isinstance(line, dict) and "table" in line:
            name = line["table"]
            counted[name] = 0
        elif isinstance(line, list):
            counted[name] += 1
        before = seen.hexdigest()
        seen.update(data)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise InputError(f"{file} is not a backup of retest")
    if not isinstance(line, dict) or line.get("sha256") != before or line.get("rows") != counted:
        raise InputError(f"{file} is a backup that is cut short or was changed; nothing was restored")
    return BackupInfo(head["revision"], datetime.fromisoformat(head["taken_at"]), counted)


def _lines(file: Path) -> Iterator[tuple[Any, bytes]]:
    try:
        with gzip.open(file, "rb") as lines:
            for data in lines:
                yield json.loads(data), data
    except (OSError, EOFError, ValueError) as exc:
        raise InputError(f"{file} cannot be read as a backup: {exc}") from exc


def _fill(connection: sa.Connection, tables: sa.MetaData, file: Path) -> None:
    each: sa.Table | None = None
    columns: list[str] = []
    waiting: list[dict[str, Any]] = []

    def flush() -> None:
        if each is not None and waiting:
            connection.execute(each.insert(), waiting)
            waiting.clear()

    for line, _ in _lines(file):
        if isinstance(line, dict):
            flush()
            if "table" in line:
                each, columns = tables.tables[line["table"]], line["columns"]
                read = [_reader(each.c[name], connection.dialect.name) for name in columns]
            continue
        waiting.append({name: get(value) for name, get, value in zip(columns, read, line, strict=True)})
        if len(waiting) >= _ROWS_AT_ONCE:
            flush()
    flush()
    if connection.dialect.name == "postgresql":
        for each in tables.sorted_tables:
            if "seq" in each.c:
                # The rows brought their numbers; the next one that is counted up must come after them.
                last = sa.select(sa.func.max(each.c.seq)).scalar_subquery()
                own = sa.func.pg_get_serial_sequence(each.name, "seq")
                connection.execute(sa.select(sa.func.setval(own, sa.func.coalesce(last, 1), last.is_not(None))))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _reader(column: sa.Column[Any], dialect: str) -> Any:
    def moment(value: str | None) -> datetime | None:
        at = datetime.fromisoformat(value) if value is not None else None
        return at.replace(tzinfo=None) if at is not None and dialect == "sqlite" else at

    def day(value: str | None) -> date | None:
        return date.fromisoformat(value) if value is not None else None

    if isinstance(column.type, sa.DateTime):
        return moment
    return day if isinstance(column.type, sa.Date) else lambda value: value


@contextlib.contextmanager
def _appearing(file: Path) -> Iterator[IO[bytes]]:
    """Write a file that has its name only once it is complete and on the disk."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as exc:
        raise StoreFull(f"backup {file} cannot be written: {exc.strerror}") from exc
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(file)
    except OSError as exc:
        raise StoreFull(f"backup {file} cannot be written: {exc.strerror}") from exc
    finally:
        Path(name).unlink(missing_ok=True)
