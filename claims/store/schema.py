"""Whether the database has this version's schema, and bringing it there. Alembic is loaded only when it has not."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from claims.errors import SchemaMismatch
from claims.lines import REVISION, VERSION_TABLE
from claims.store.engine import Door

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent.parent / "migrations"
"""Alembic's folder, inside the package so that an installed wheel has it."""


class SchemaStatus(NamedTuple):
    """Which schema the database has, and which this version expects."""

    current: str | None
    """None for a database that holds nothing of ours yet"""
    head: str

    @property
    def is_current(self) -> bool:
        """Whether the two are the same."""
        return self.current == self.head


def schema_status(door: Door) -> SchemaStatus:
    """Read the schema's revision."""
    with door.reading() as connection:
        return SchemaStatus(_revision(connection), REVISION)


def bring_to_head(door: Door, *, migrate: bool, revision: str = REVISION) -> None:
    """Bring the schema to this version's (or to an older `revision`), or check that it is there.

    Raises SchemaMismatch for a newer or unknown schema, and for an older one when it must not be migrated.
    """
    status = schema_status(door)
    if status.current == revision:
        return
    if not migrate:
        raise SchemaMismatch(
            f"database {door.place} has schema {status.current or 'none'}, this version needs {revision}; "
            "run `retest doctor`, or open it with a version that fits"
        )
    from alembic import command

    with door.writing("schema") as connection:
        # Another process may have migrated while this one waited for the lock.
        current = _revision(connection)
        if current == revision:
            return
        if current is not None and current not in known_revisions():
            raise SchemaMismatch(
                f"database {door.place} has schema {current!r}, which this version does not know (it has {REVISION}); "
                "it was written by a newer retest: update this one"
            )
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def known_revisions() -> list[str]:
    """Give the revisions that this version can read or bring up to date, newest first."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.scalar(sa.select(sa.column("version_num", sa.Text)).select_from(sa.table(VERSION_TABLE)))
    return str(found) if found is not None else None
