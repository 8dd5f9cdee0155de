"""How Alembic reaches the database: the store hands its connection over; a developer gives `-x url=...`.

With no URL, commands that write a revision compare with an empty database.
"""

import sqlalchemy as sa
from alembic import context

from claims.lines import VERSION_TABLE
from claims.tables import Row


def run(connection: sa.Connection) -> None:
    """Run the chosen revisions on one connection, all in its transaction."""
    context.configure(
        connection=connection,
        target_metadata=Row.metadata,
        version_table=VERSION_TABLE,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


handed = context.config.attributes.get("connection")
if handed is not None:
    run(handed)
else:
    engine = sa.create_engine(context.get_x_argument(as_dictionary=True).get("url", "sqlite://"))
    with engine.connect() as own:
        run(own)
        own.commit()
