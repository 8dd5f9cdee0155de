"""How the tables came to be: Alembic revisions, read like prose, newest last."""
