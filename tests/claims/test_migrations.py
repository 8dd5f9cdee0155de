"""The migrations lead from nothing to the tables, and hold on to what was there."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from claims.errors import StoreError
from claims.lines import REVISION, VERSION_TABLE
from claims.store import Store
from claims.store.schema import MIGRATIONS, SchemaStatus
from claims.tables import Row
from tests.factories import a_claim, a_paper, a_verdict, paper_evidence


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    return made


def test_there_is_one_newest_revision_and_the_tables_name_it() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [REVISION]


def test_revisions_are_numbered_files_that_say_what_they_do() -> None:
    files = sorted(p.stem for p in (MIGRATIONS / "versions").glob("*.py"))
    assert [name[:4] for name in files] == [f"{n:04d}" for n in range(1, len(files) + 1)]
    assert all(len(name) > 8 and name[4] == "_" for name in files)


def test_the_migrations_make_exactly_the_tables(empty_database_url: str) -> None:
    with Store.open(empty_database_url) as store, store.engine.connect() as connection:
        assert store.schema_status() == SchemaStatus(REVISION, REVISION)
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, Row.metadata) == []


def test_a_database_shared_with_others_keeps_their_tables(empty_database_url: str) -> None:
    engine = sa.create_engine(empty_database_url.replace("/new/", "/"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE checkpoints (x INTEGER)")
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('theirs')")
    with Store.open(str(engine.url.render_as_string(hide_password=False))) as store, store.engine.connect() as held:
        assert held.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "theirs"
        assert sa.inspect(held).has_table("checkpoints")
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    engine = sa.create_engine(empty_database_url.replace("/new/", "/"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE verdicts (theirs INTEGER)")
    url = engine.url.render_as_string(hide_password=False)
    with pytest.raises(StoreError, match="verdicts"):
        Store.open(url)
    assert sa.inspect(engine).get_table_names() == ["verdicts"]
    engine.dispose()


def test_rows_written_under_the_first_schema_come_back_under_the_newest(empty_database_url: str) -> None:
    with Store.open(empty_database_url) as store:
        store.put_claim(a_claim())
        store.put_papers([a_paper()])
        store.add_evidence([paper_evidence()])
        store.record_verdict(a_verdict())
        with store.door.writing("schema") as connection:
            down = config()
            down.attributes["connection"] = connection
            command.downgrade(down, "0001")
            assert not sa.inspect(connection).has_table("confirmations")
    with Store.open(empty_database_url) as store:
        assert store.schema_status().is_current
        dossier = store.dossier(a_claim().id)
        assert dossier.evidence == (paper_evidence(),)
        assert dossier.current is not None
        assert dossier.current.verdict == a_verdict()


def test_the_first_schema_can_be_taken_back(empty_database_url: str) -> None:
    with Store.open(empty_database_url) as store, store.door.writing("schema") as connection:
        down = config()
        down.attributes["connection"] = connection
        command.downgrade(down, "base")
        assert sa.inspect(connection).get_table_names() == [VERSION_TABLE]


OPEN = "import sys; from claims.store import Store; Store.open(sys.argv[1]).close()"


@pytest.mark.slow
def test_processes_that_start_together_migrate_once(empty_database_url: str) -> None:
    root = Path(__file__).parents[2]
    opening = [subprocess.Popen([sys.executable, "-c", OPEN, empty_database_url], cwd=root) for _ in range(5)]
    assert [process.wait(120) for process in opening] == [0] * 5
    with Store.open(empty_database_url, migrate=False) as store:
        assert store.schema_status().is_current


def test_opening_a_current_database_does_not_load_alembic(sqlite_url: str) -> None:
    script = f"{OPEN}; print('alembic' in sys.modules)"
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", script, sqlite_url], cwd=root, capture_output=True, text=True)
    assert said.stdout.strip() == "False", said.stderr
