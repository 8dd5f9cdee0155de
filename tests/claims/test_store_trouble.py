"""When the database cannot do what is asked: every failure has a name, and nothing is half written."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from claims.clock import FrozenClock
from claims.errors import InputError, SchemaMismatch, StoreError, StoreFull, StoreLocked
from claims.lines import REVISION
from claims.paper import Paper
from claims.store import PutCounts, Store
from claims.store.engine import translate
from tests.factories import NOON, a_claim, a_paper, a_verdict, paper_evidence
from tests.postgres import Cluster


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@contextlib.contextmanager
def kept_locked(url: str) -> Iterator[None]:
    """Hold the lock that writers of papers need, from another connection."""
    with Store.open(url) as other, other.door.writing("papers"):
        yield


def test_a_database_that_stays_locked_is_named_and_nothing_is_written(database_url: str) -> None:
    with Store.open(database_url, busy_timeout_s=0.2) as store:
        with kept_locked(database_url), pytest.raises(StoreLocked, match="try again"):
            store.put_papers([a_paper()])
        assert store.papers([a_paper().id]) == {}
        assert store.put_papers([a_paper()]).new == 1


def test_readers_do_not_wait_for_a_writer(database_url: str) -> None:
    with Store.open(database_url, busy_timeout_s=0.2) as store:
        store.put_papers([a_paper()])
        with kept_locked(database_url):
            assert store.paper(a_paper().id) == a_paper()


def test_a_full_disk_is_named_and_what_was_held_is_still_there(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        store.put_papers([a_paper()])

        @sa.event.listens_for(store.engine, "begin")
        def small(connection: sa.Connection) -> None:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")

        with pytest.raises(StoreFull, match="nothing was written"):
            store.put_papers(a_paper(f"2402.{n:05d}", abstract="long " * 2000) for n in range(1, 50))
        assert list(store.iter_papers()) == [a_paper()]


def test_a_database_that_is_read_only_is_named(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:

        @sa.event.listens_for(store.engine, "begin")
        def read_only(connection: sa.Connection) -> None:
            connection.exec_driver_sql("PRAGMA query_only = ON")

        with pytest.raises(StoreFull, match="read-only"):
            store.put_papers([a_paper()])


OPEN_AS_NOBODY = """
import os, sys
sys.path.insert(0, sys.argv[2])
from claims.errors import StoreFull
from claims.paper import Paper
from claims.store import Store
import alembic.command
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    Store.open(sys.argv[1])
except StoreFull as exc:
    print(exc)
"""


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    for target in (closed / "retest.sqlite3", closed / "home" / "retest.sqlite3"):
        said = subprocess.run(
            [sys.executable, "-c", OPEN_AS_NOBODY, f"sqlite:///{target}", str(Path(__file__).parents[2])],
            capture_output=True,
            text=True,
            check=True,
        )
        assert str(closed) in said.stdout
        assert len(said.stdout.splitlines()) == 1


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but somebody's notes\n" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{file}")
    assert file.read_text().startswith("not a database, but")


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_cannot_be_a_store_is_an_input_error(url: str) -> None:
    with pytest.raises(InputError):
        Store.open(url)


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError) as caught:
        Store.open(f"postgresql://ada:secret@/x?host={tmp_path}")
    assert "secret" not in str(caught.value)
    assert "***" in str(caught.value)


def test_a_database_that_is_not_there_is_named(postgres_cluster: Cluster) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        Store.open(postgres_cluster.url("never_made"))


def test_a_newer_schema_is_refused_and_left_alone(database_url: str) -> None:
    with Store.open(database_url) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE retest_schema SET version_num = '9999'")
    try:
        with pytest.raises(SchemaMismatch, match="newer retest"):
            Store.open(database_url)
    finally:
        with sa.create_engine(database_url).begin() as connection:
            connection.exec_driver_sql(f"UPDATE retest_schema SET version_num = '{REVISION}'")
    Store.open(database_url).close()


def test_an_older_schema_is_refused_when_it_must_not_be_migrated(empty_database_url: str) -> None:
    with pytest.raises(SchemaMismatch, match="has schema none"):
        Store.open(empty_database_url, migrate=False)
    Store.open(empty_database_url).close()
    Store.open(empty_database_url, migrate=False).close()


def test_a_table_that_is_gone_is_a_schema_mismatch(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE cursors")
        with pytest.raises(SchemaMismatch):
            store.get_cursor("harvest")


def test_every_error_that_postgres_may_raise_for_a_lock_is_worth_repeating() -> None:
    psycopg = pytest.importorskip("psycopg")
    for error in (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        foreign = sa.exc.OperationalError("", {}, error("waited"))
        assert isinstance(translate(foreign, "x"), StoreLocked)
    assert isinstance(translate(sa.exc.OperationalError("", {}, psycopg.errors.DiskFull("no")), "x"), StoreFull)
    assert type(translate(sqlite3.OperationalError("disk I/O error"), "x")) is StoreError


PUT = """
import sys
from claims.paper import Paper
from claims.store import Store
from tests.factories import a_paper
with Store.open(sys.argv[1]) as store:
    def papers():
        for n in range(1, 90_001):
            if n % 2000 == 0:
                print(n, flush=True)
            yield a_paper(f"2401.{n:05d}")
    store.put_papers(papers())
"""


def started(script: str, url: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ}
    )


@pytest.mark.slow
def test_an_import_killed_in_the_middle_is_finished_by_the_next(database_url: str) -> None:
    process = started(PUT, database_url)
    assert process.stdout is not None
    while (line := process.stdout.readline()) and not line.startswith("8000"):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    with Store.open(database_url) as store:
        before = sum(1 for _ in store.iter_papers())
        assert before % 2000 == 0
        assert 0 < before < 90_000
        again = (a_paper(f"2401.{n:05d}") for n in range(1, before + 3001))
        assert store.put_papers(again) == PutCounts(new=3000, changed=0, unchanged=before)
        assert sum(1 for _ in store.iter_papers()) == before + 3000


WRITE = """
import sys
from claims.paper import Paper
from claims.store import Store
from tests.factories import NOON, a_claim, a_paper, a_search, a_verdict, a_grounding, an_experiment, paper_evidence
with Store.open(sys.argv[1]) as store:
    papers = [a_paper(f"2401.{n:05d}") for n in range(1, 301)]
    store.put_claim(a_claim())
    new = 0
    for start in range(0, 300, 10):
        part = papers[start : start + 10]
        store.put_papers(part)
        new += store.add_evidence(paper_evidence(paper) for paper in part)
        store.add_searches([a_search(query=f"q{start}")])
        store.put_groundings(None, [a_grounding(how=f"id {start}", claim_id=a_claim().id)])
        store.put_experiment(an_experiment())
        store.record_verdict(a_verdict(evidence_digest=f"sha256:{start}"))
    print(new)
"""


@pytest.mark.slow
def test_two_processes_that_write_the_same_at_once_double_nothing(empty_database_url: str) -> None:
    writers = [started(WRITE, empty_database_url) for _ in range(3)]
    new = [int(process.communicate(timeout=120)[0]) for process in writers]
    assert [process.returncode for process in writers] == [0, 0, 0]
    assert sum(new) == 300
    with Store.open(empty_database_url) as store:
        claim = a_claim().id
        assert sum(1 for _ in store.iter_papers()) == 300
        assert len(store.evidence(claim, everything=True)) == 300
        assert len(store.searches(claim, everything=True)) == 30
        assert len(store.experiments(claim)) == 1
        history = store.verdicts(claim)
        assert [h.supersedes for h in history] == [None, *(h.id for h in history[:-1])]


def test_an_error_in_the_middle_of_a_write_leaves_nothing_behind(database_url: str) -> None:
    with Store.open(database_url, clock=FrozenClock(NOON)) as store:
        store.put_claim(a_claim())
        store.put_papers([a_paper()])
        with pytest.raises(KeyError), store.door.writing("evidence") as connection:
            connection.exec_driver_sql("DELETE FROM papers")
            raise KeyError
        assert store.add_evidence([paper_evidence()]) == 1
        assert store.record_verdict(a_verdict()).supersedes is None


def test_threads_may_share_one_store(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.put_claim(a_claim())
        papers = [a_paper(f"2401.{n:05d}") for n in range(1, 41)]

        def weigh(paper: Paper) -> int:
            store.put_papers([paper])
            return store.add_evidence([paper_evidence(store.paper(paper.id))])

        with ThreadPoolExecutor(20) as pool:
            assert sum(pool.map(weigh, papers)) == 40
        assert len(store.evidence(a_claim().id)) == 40
