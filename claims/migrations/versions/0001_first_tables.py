"""The first schema: papers, inquiries, claims, what was looked up, evidence, experiments, verdicts, pacing."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table; nothing is there yet."""
    op.create_table(
        "claims",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("asserted_on", sa.Date(), nullable=False),
        sa.Column("inquiry_id", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "inquiries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("source_text", sa.Text(), nullable=True),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inquiries")),
    )
    op.create_table(
        "papers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("updated_on", sa.Date(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("from_arxiv", sa.Boolean(), nullable=False),
        sa.Column("from_mirror", sa.Boolean(), nullable=False),
        sa.Column("from_library", sa.Boolean(), nullable=False),
        sa.Column("text_digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_papers")),
    )
    op.create_index(op.f("ix_papers_changed_at_id"), "papers", ["changed_at", "id"], unique=False)
    op.create_table(
        "slots",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_slots")),
    )
    op.create_table(
        "evidence",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("paper_id", sa.Text(), nullable=True),
        sa.Column("paper_digest", sa.Text(), nullable=True),
        sa.Column("experiment_id", sa.Text(), nullable=True),
        sa.Column("judge_name", sa.Text(), nullable=True),
        sa.Column("judge_version", sa.Text(), nullable=True),
        sa.Column("stance", sa.Text(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("fk_evidence_claim_id")),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_evidence_paper_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_evidence")),
        sa.UniqueConstraint("id", "turn", name=op.f("uq_evidence_id_turn")),
    )
    op.create_index(
        "ix_evidence_held", "evidence", ["claim_id", "recorded_at", "paper_id", "experiment_id"], unique=False
    )
    op.create_index(
        "ix_evidence_judged",
        "evidence",
        ["claim_id", "judge_name", "judge_version", "paper_id", "paper_digest"],
        unique=False,
    )
    op.create_index(op.f("ix_evidence_paper_id"), "evidence", ["paper_id"], unique=False)
    op.create_table(
        "experiments",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("fk_experiments_claim_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_experiments")),
    )
    op.create_index(op.f("ix_experiments_claim_id"), "experiments", ["claim_id"], unique=False)
    op.create_index(op.f("ix_experiments_id_seq"), "experiments", ["id", "seq"], unique=False)
    op.create_table(
        "groundings",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("inquiry_id", sa.Text(), nullable=True),
        sa.Column("claim_id", sa.Text(), nullable=True),
        sa.Column("anchor_digest", sa.Text(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("paper_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("fk_groundings_claim_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_groundings")),
    )
    op.create_index(op.f("ix_groundings_anchor_digest_seq"), "groundings", ["anchor_digest", "seq"], unique=False)
    op.create_index(op.f("ix_groundings_claim_id"), "groundings", ["claim_id"], unique=False)
    op.create_index(op.f("ix_groundings_inquiry_id"), "groundings", ["inquiry_id"], unique=False)
    op.create_table(
        "inquiry_claims",
        sa.Column("inquiry_id", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("fk_inquiry_claims_claim_id")),
        sa.PrimaryKeyConstraint("inquiry_id", "claim_id", name=op.f("pk_inquiry_claims")),
    )
    op.create_index(op.f("ix_inquiry_claims_claim_id"), "inquiry_claims", ["claim_id"], unique=False)
    op.create_table(
        "notes",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("fk_notes_claim_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_notes")),
    )
    op.create_index(op.f("ix_notes_claim_id_kind_seq"), "notes", ["claim_id", "kind", "seq"], unique=False)
    op.create_table(
        "paper_texts",
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_paper_texts_paper_id")),
        sa.PrimaryKeyConstraint("paper_id", "digest", name=op.f("pk_paper_texts")),
    )
    op.create_table(
        "searches",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("n_found", sa.Integer(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("searched_at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("fk_searches_claim_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_searches")),
        sa.UniqueConstraint("key", name=op.f("uq_searches_key")),
    )
    op.create_index(op.f("ix_searches_claim_id_recorded_at"), "searches", ["claim_id", "recorded_at"], unique=False)
    op.create_table(
        "verdicts",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("evidence_digest", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Text(), nullable=False),
        sa.Column("supersedes", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("fk_verdicts_claim_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_verdicts")),
        sa.UniqueConstraint("id", name=op.f("uq_verdicts_id")),
        sa.UniqueConstraint("supersedes", name=op.f("uq_verdicts_supersedes")),
    )
    op.create_index(op.f("ix_verdicts_claim_id_seq"), "verdicts", ["claim_id", "seq"], unique=False)
    op.create_index(op.f("ix_verdicts_recorded_at"), "verdicts", ["recorded_at"], unique=False)
    op.create_table(
        "withdrawals",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("paper_id", sa.Text(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("because", sa.Text(), nullable=True),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_withdrawals_paper_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_withdrawals")),
    )
    op.create_index(
        op.f("ix_withdrawals_paper_id_recorded_at"), "withdrawals", ["paper_id", "recorded_at"], unique=False
    )
    op.create_index(op.f("ix_withdrawals_recorded_at"), "withdrawals", ["recorded_at"], unique=False)


def downgrade() -> None:
    """Drop every table, those that point at others first."""
    for name in (
        "withdrawals",
        "verdicts",
        "searches",
        "paper_texts",
        "notes",
        "inquiry_claims",
        "groundings",
        "experiments",
        "evidence",
        "slots",
        "papers",
        "inquiries",
        "cursors",
        "claims",
    ):
        op.drop_table(name)
