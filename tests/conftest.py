"""Fixtures for what must be cleaned up; everything else is made in the test from `tests.factories`."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from claims.clock import FrozenClock
from claims.store import Store
from claims.tables import Row
from tests.factories import NOON
from tests.postgres import Cluster, NoPostgres, database_of, running_cluster

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """The suite's own PostgreSQL; skips with a reason where it cannot be had."""
    running = running_cluster()
    try:
        cluster = running.__enter__()
    except NoPostgres as exc:
        pytest.skip(f"no PostgreSQL: {exc}")
    try:
        yield cluster
    finally:
        running.__exit__(None, None, None)


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Migrating takes much longer than copying what was migrated.
    file = tmp_path_factory.mktemp("template") / "retest.sqlite3"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(scope="session")
def _migrated_postgres(postgres_cluster: Cluster) -> str:
    url = postgres_cluster.create_database()
    Store.open(url).close()
    return database_of(url)


@pytest.fixture
def empty_postgres_url(postgres_cluster: Cluster) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the test's own."""
    url = postgres_cluster.create_database()
    yield url
    postgres_cluster.drop_database(url)


@pytest.fixture
def postgres_url(empty_postgres_url: str) -> str:
    """The URL of a PostgreSQL database of the test's own, with the schema and no rows."""
    Store.open(empty_postgres_url).close()
    return empty_postgres_url


@pytest.fixture
def cleared_postgres_url(postgres_cluster: Cluster, _migrated_postgres: str) -> str:
    """The URL of the one PostgreSQL database that tests of our own tables take turns with, with no rows.

    Emptying it takes a tenth of the time that copying one takes.
    """
    url = postgres_cluster.url(_migrated_postgres)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for rows in reversed(Row.metadata.sorted_tables):
            connection.execute(rows.delete())
    return url


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet, nor its folder."""
    return f"sqlite:///{tmp_path / 'new' / 'retest.sqlite3'}"


@pytest.fixture
def sqlite_url(tmp_path: Path, _migrated_sqlite: Path) -> str:
    """The URL of a SQLite file of the test's own, with the schema and no rows."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(_migrated_sqlite, folder / "retest.sqlite3")
    return f"sqlite:///{folder / 'retest.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database with the schema and no rows, once of each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "cleared_postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database that holds nothing yet, once of each kind."""
    url: str = request.getfixturevalue("empty_sqlite_url" if request.param == "sqlite" else "empty_postgres_url")
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An open, empty store at noon of 2026-08-21, once of each kind."""
    with Store.open(database_url, clock=FrozenClock(NOON)) as opened:
        yield opened
