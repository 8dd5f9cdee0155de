"""The door to the database: one engine with its settings, and the one place where a database's errors become ours.

SQLite runs in WAL mode, so that readers never wait for the one writer; a writer takes the lock when it begins (BEGIN
IMMEDIATE) and never halfway, so that waiting is the only thing that can go wrong. PostgreSQL serialises the same
writes with an advisory lock that ends with the transaction.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from claims.errors import InputError, SchemaMismatch, StoreError, StoreFull, StoreLocked

BUSY_TIMEOUT_S = 20.0
"""How long a write waits for another process before it gives up with StoreLocked."""

_SQLITE = {
    sqlite3.SQLITE_BUSY: StoreLocked,
    sqlite3.SQLITE_LOCKED: StoreLocked,
    sqlite3.SQLITE_FULL: StoreFull,
    sqlite3.SQLITE_READONLY: StoreFull,
    sqlite3.SQLITE_CANTOPEN: StoreFull,
    sqlite3.SQLITE_PERM: StoreFull,
    sqlite3.SQLITE_IOERR_SHMSIZE: StoreFull,  # what opening a WAL database on a full disk gives
}
"""What SQLite's result codes mean to a caller; https://www.sqlite.org/rescode.html."""

_POSTGRES = {
    "55P03": StoreLocked,  # lock_not_available: lock_timeout ran out
    "40P01": StoreLocked,  # deadlock_detected
    "40001": StoreLocked,  # serialization_failure
    "57014": StoreLocked,  # query_canceled: statement_timeout ran out
    "53100": StoreFull,  # disk_full
    "53200": StoreFull,  # out_of_memory
    "25006": StoreFull,  # read_only_sql_transaction
    "42P01": SchemaMismatch,  # undefined_table
    "42703": SchemaMismatch,  # undefined_column
}
"""What PostgreSQL's SQLSTATEs mean to a caller; https://www.postgresql.org/docs/current/errcodes-appendix.html."""

_ADVICE = {
    StoreLocked: "another process kept it locked; nothing was written, try again",
    StoreFull: "the disk is full or read-only; nothing was written",
    SchemaMismatch: "its tables are not those of this version; `retest doctor` shows both",
}


def translate(exc: SQLAlchemyError | sqlite3.Error, place: str) -> StoreError:
    """Name a database's failure as one of ours. `place` is the database, without its password."""
    orig: Any = exc.orig if isinstance(exc, DBAPIError) else exc
    kind: type[StoreError] = StoreError
    if isinstance(orig, sqlite3.Error):
        code = getattr(orig, "sqlite_errorcode", None) or 0
        kind = _SQLITE.get(code) or _SQLITE.get(code & 0xFF, StoreError)
        if code == sqlite3.SQLITE_ERROR and str(orig).startswith(("no such table", "no such column")):
            kind = SchemaMismatch
    elif getattr(orig, "sqlstate", None):
        kind = _POSTGRES.get(str(orig.sqlstate), StoreError)
    why = " ".join(str(orig).split())[:300]
    return kind(f"database {place}: {_ADVICE.get(kind, 'it could not do what was asked')} ({why})")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Run a block; a database's error comes out as StoreLocked, StoreFull, SchemaMismatch or StoreError."""
    try:
        yield
    except (DBAPIError, NoConnectionFree, sqlite3.Error) as exc:
        raise translate(exc, place) from exc


def connect(url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sa.Engine:
    """Make the engine for a URL; a SQLite file's folder is made too. Raises InputError, StoreFull.

    `postgresql://` means psycopg 3. Nothing is asked of the database yet.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise InputError(f"not a database URL: {url[:80]!r} (expected sqlite:///path or postgresql://...)") from exc
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise InputError(f"the store speaks SQLite and PostgreSQL, not {parsed.get_backend_name()!r}")
    try:
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, busy_timeout_s)
        return _postgres(parsed, busy_timeout_s)
    except (ModuleNotFoundError, NoSuchModuleError) as exc:
        raise InputError(f"no driver for {parsed.drivername}: pip install 'retest[postgres]'") from exc


def _sqlite(url: sa.URL, busy_timeout_s: float) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise InputError("the store needs a SQLite file (sqlite:///path): a database in memory is lost at exit")
    folder = Path(url.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreFull(f"folder {folder} cannot be made: {exc.strerror}; set RETEST_HOME to a writable one") from exc
    engine = sa.create_engine(url, connect_args={"timeout": busy_timeout_s}, pool_size=16, max_overflow=16)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        del record
        # The driver must not begin transactions by itself: it would begin them as readers.
        connection.isolation_level = None
        cursor = connection.cursor()
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("retest_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres(url: sa.URL, busy_timeout_s: float) -> sa.Engine:
    options = f"-c lock_timeout={int(busy_timeout_s * 1000)} -c timezone=UTC"
    return sa.create_engine(
        url, connect_args={"options": options, "connect_timeout": 10}, pool_size=16, max_overflow=16, pool_pre_ping=True
    )


def place_of(url: sa.URL) -> str:
    """Name a database for a person, without its password."""
    return url.render_as_string(hide_password=True)


class Door:
    """Opens transactions on one engine; every failure comes out as one of our errors."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.place = place_of(engine.url)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one state from its first read to its end."""
        with translated(self.place), self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self, lock: str) -> Iterator[sa.Connection]:
        """Give a connection whose transaction holds the named write lock; all of it is written, or nothing.

        SQLite has one lock for everything. On PostgreSQL writers under different names run side by side.
        """
        with translated(self.place), self.engine.connect() as connection:
            connection = connection.execution_options(retest_writes=True)
            with connection.begin():
                if self.engine.dialect.name == "postgresql":
                    connection.execute(
                        sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"retest:{lock}"}
                    )
                yield connection
