"""Later days up to which a verdict was looked at and stayed what it was."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add one table; a verdict without a row in it was looked at up to its own day."""
    op.create_table(
        "confirmations",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("verdict_id", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["verdict_id"], ["verdicts.id"], name=op.f("fk_confirmations_verdict_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_confirmations")),
    )
    op.create_index(op.f("ix_confirmations_verdict_id_seq"), "confirmations", ["verdict_id", "seq"])


def downgrade() -> None:
    """Drop it; verdicts stay, each as of its own day."""
    op.drop_table("confirmations")
