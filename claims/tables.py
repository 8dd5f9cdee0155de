"""The tables: searchable columns beside each word's JSON document, which alone is what is read back.

    papers ── paper_texts          a text that is no longer the current one, so that an old quote can be verified
       │  └── withdrawals          when we learned that a paper was withdrawn, or was not after all
    inquiries ── inquiry_claims ── claims
                                      ├── groundings, searches, notes     what was looked up, and where nobody looked
                                      ├── evidence                        append-only; one row a stance
                                      ├── experiments                     append-only snapshots; the newest is read
                                      ├── verdicts                        append-only; each names what it supersedes
                                      │    └── confirmations              append-only; later days that left it as it was
                                      └── care                        what a person asked for it; when it was refreshed
    slots, cursors                 pacing over all processes; how far a harvest got
    nights, leases                 one row a refresh, with its digest; who works on what right now

`REVISION`, in `claims.lines`, is the newest Alembic revision; a test compares it with the migrations.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlmodel import Field, Index, SQLModel, UniqueConstraint

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints have names on every database, so that a migration can drop them."""


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite, which has no time zones, holds it bare."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a bare datetime: nobody knows which moment it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment needs a time zone, got {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment back in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text to be searched: what no database column can hold (NUL, lone surrogates) becomes U+FFFD.

    The JSON documents hold such characters escaped, so nothing is lost.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what PostgreSQL refuses, on both databases alike."""
        del dialect
        if value is None:
            return None
        value = value.replace("\x00", "\ufffd")
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


BigSerial = BigInteger().with_variant(Integer, "sqlite")
"""An integer key that the database counts up; SQLite counts only when it is called INTEGER."""


class Row(SQLModel):
    """Any row; the tables' own metadata, so that nobody else's SQLModel tables get mixed in."""

    metadata = MetaData(naming_convention=NAMING)


def _document() -> Any:
    return Field(sa_type=Text)


def _sequence() -> Any:
    return Field(default=None, primary_key=True, sa_type=BigSerial)


class PaperRow(Row, table=True):
    """A paper as merged from all sources that gave it."""

    __tablename__ = "papers"

    id: str = Field(primary_key=True, sa_type=Words)
    title: str = Field(sa_type=Words)
    published_on: date
    """first day that the date of v1 may mean"""
    updated_on: date | None = None
    withdrawn: bool
    from_arxiv: bool
    from_mirror: bool
    from_library: bool
    text_digest: str = Field(sa_type=Words)
    document: str = _document()
    recorded_at: datetime = Field(sa_type=Moment)
    changed_at: datetime = Field(sa_type=Moment)
    """never earlier than any row's that was committed before it"""

    __table_args__ = (Index(None, "changed_at", "id"),)


class PaperTextRow(Row, table=True):
    """A record whose text is not the current one: superseded, or merged into something else."""

    __tablename__ = "paper_texts"

    paper_id: str = Field(primary_key=True, sa_type=Words, foreign_key="papers.id")
    digest: str = Field(primary_key=True, sa_type=Words)
    document: str = _document()
    recorded_at: datetime = Field(sa_type=Moment)


class WithdrawalRow(Row, table=True):
    """What we learned about a paper's withdrawal, and when."""

    __tablename__ = "withdrawals"

    seq: int | None = _sequence()
    paper_id: str = Field(sa_type=Words, foreign_key="papers.id")
    withdrawn: bool
    because: str | None = Field(default=None, sa_type=Words)
    recorded_at: datetime = Field(sa_type=Moment)

    __table_args__ = (Index(None, "paper_id", "recorded_at"), Index(None, "recorded_at"))


class InquiryRow(Row, table=True):
    """An inquiry, with the document that it was read from."""

    __tablename__ = "inquiries"

    id: str = Field(primary_key=True, sa_type=Words)
    document: str = _document()
    source_text: str | None = Field(default=None, sa_type=Words)
    recorded_at: datetime = Field(sa_type=Moment)


class ClaimRow(Row, table=True):
    """A claim."""

    __tablename__ = "claims"

    id: str = Field(primary_key=True, sa_type=Words)
    text: str = Field(sa_type=Words)
    asserted_on: date
    """first day that the stated date may mean"""
    inquiry_id: str | None = Field(default=None, sa_type=Words)
    document: str = _document()
    recorded_at: datetime = Field(sa_type=Moment)


class InquiryClaimRow(Row, table=True):
    """Which claims an inquiry makes; one claim may stand in several."""

    __tablename__ = "inquiry_claims"

    inquiry_id: str = Field(primary_key=True, sa_type=Words)
    claim_id: str = Field(primary_key=True, sa_type=Words, foreign_key="claims.id")
    position: int
    recorded_at: datetime = Field(sa_type=Moment)

    __table_args__ = (Index(None, "claim_id"),)


class GroundingRow(Row, table=True):
    """What was found out about one citation; the newest of an anchor is read."""

    __tablename__ = "groundings"

    seq: int | None = _sequence()
    inquiry_id: str | None = Field(default=None, sa_type=Words)
    claim_id: str | None = Field(default=None, sa_type=Words, foreign_key="claims.id")
    anchor_digest: str = Field(sa_type=Words)
    """of inquiry, claim and what was stated"""
    content_digest: str = Field(sa_type=Words)
    paper_id: str | None = Field(default=None, sa_type=Words)
    status: str = Field(sa_type=Words)
    document: str = _document()
    recorded_at: datetime = Field(sa_type=Moment)

    __table_args__ = (Index(None, "inquiry_id"), Index(None, "claim_id"), Index(None, "anchor_digest", "seq"))


class SearchRow(Row, table=True):
    """One search as it was done."""

    __tablename__ = "searches"

    seq: int | None = _sequence()
    key: str = Field(sa_type=Words)
    """digest of the record"""
    claim_id: str | None = Field(default=None, sa_type=Words, foreign_key="claims.id")
    source: str = Field(sa_type=Words)
    query: str = Field(sa_type=Words)
    n_found: int | None = None
    document: str = _document()
    searched_at: datetime = Field(sa_type=Moment)
    recorded_at: datetime = Field(sa_type=Moment)

    __table_args__ = (UniqueConstraint("key"), Index(None, "claim_id", "recorded_at"))


class EvidenceRow(Row, table=True):
    """One stance with its ground. `turn` counts how often the same judge came back to the same stance."""

    __tablename__ = "evidence"

    seq: int | None = _sequence()
    id: str = Field(sa_type=Words)
    turn: int = 1
    claim_id: str = Field(sa_type=Words, foreign_key="claims.id")
    kind: str = Field(sa_type=Words)
    paper_id: str | None = Field(default=None, sa_type=Words, foreign_key="papers.id")
    paper_digest: str | None = Field(default=None, sa_type=Words)
    experiment_id: str | None = Field(default=None, sa_type=Words)
    judge_name: str | None = Field(default=None, sa_type=Words)
    judge_version: str | None = Field(default=None, sa_type=Words)
    stance: str = Field(sa_type=Words)
    """or the experiment's outcome"""
    weight: float = Field(sa_type=Double)
    """confidence, or the number of seeds"""
    made_at: datetime = Field(sa_type=Moment)
    """judged or measured"""
    document: str = _document()
    recorded_at: datetime = Field(sa_type=Moment)

    __table_args__ = (
        UniqueConstraint("id", "turn"),
        Index("ix_evidence_held", "claim_id", "recorded_at", "paper_id", "experiment_id"),
        Index("ix_evidence_judged", "claim_id", "judge_name", "judge_version", "paper_id", "paper_digest"),
        Index(None, "paper_id"),
    )


class ExperimentRow(Row, table=True):
    """A snapshot of an experiment as the lab showed it."""

    __tablename__ = "experiments"

    seq: int | None = _sequence()
    id: str = Field(sa_type=Words)
    claim_id: str | None = Field(default=None, sa_type=Words, foreign_key="claims.id")
    state: str = Field(sa_type=Words)
    content_digest: str = Field(sa_type=Words)
    document: str = _document()
    recorded_at: datetime = Field(sa_type=Moment)

    __table_args__ = (Index(None, "id", "seq"), Index(None, "claim_id"))


class VerdictRow(Row, table=True):
    """A verdict; never edited."""

    __tablename__ = "verdicts"

    seq: int | None = _sequence()
    id: str = Field(sa_type=Words)
    claim_id: str = Field(sa_type=Words, foreign_key="claims.id")
    kind: str = Field(sa_type=Words)
    as_of: date
    since: date
    """`as_of` of the first verdict in this unbroken run of one kind"""
    confidence: float = Field(sa_type=Double)
    evidence_digest: str = Field(sa_type=Words)
    rule_version: str = Field(sa_type=Words)
    supersedes: str | None = Field(default=None, sa_type=Words)
    document: str = _document()
    recorded_at: datetime = Field(sa_type=Moment)

    __table_args__ = (
        UniqueConstraint("id"),
        UniqueConstraint("supersedes"),
        Index(None, "claim_id", "seq"),
        Index(None, "recorded_at"),
    )


class ConfirmationRow(Row, table=True):
    """A later day up to which evidence was looked at and the verdict stayed what it was; never edited."""

    __tablename__ = "confirmations"

    seq: int | None = _sequence()
    verdict_id: str = Field(sa_type=Words, foreign_key="verdicts.id")
    as_of: date
    document: str | None = Field(default=None, sa_type=Text)
    """the verdict as decided then; None when only its day differs from what was held before"""
    recorded_at: datetime = Field(sa_type=Moment)

    __table_args__ = (Index(None, "verdict_id", "seq"),)


class NoteRow(Row, table=True):
    """Something said about a claim, `no_experiment` for instance; the newest of a kind is read."""

    __tablename__ = "notes"

    seq: int | None = _sequence()
    claim_id: str = Field(sa_type=Words, foreign_key="claims.id")
    kind: str = Field(sa_type=Words)
    text: str = Field(sa_type=Words)
    recorded_at: datetime = Field(sa_type=Moment)

    __table_args__ = (Index(None, "claim_id", "kind", "seq"),)


class SlotRow(Row, table=True):
    """When the next request to a place may go out; one row for all processes."""

    __tablename__ = "slots"

    name: str = Field(primary_key=True, sa_type=Words)
    next_at: float = Field(sa_type=Double)
    """seconds since 1970, UTC"""


class CursorRow(Row, table=True):
    """How far something got."""

    __tablename__ = "cursors"

    name: str = Field(primary_key=True, sa_type=Words)
    value: str = Field(sa_type=Words)
    changed_at: datetime = Field(sa_type=Moment)


class CareRow(Row, table=True):
    """How a claim is looked after: what a person asked for it, and how far the refresh got with it."""

    __tablename__ = "care"

    claim_id: str = Field(primary_key=True, sa_type=Words, foreign_key="claims.id")
    pinned: bool
    paused: bool
    forced: bool
    refreshed_on: date | None = None
    """the newest night that went over it"""
    full_on: date | None = None
    """the newest night that matched it against every held paper, not only the changed ones"""
    checked_to: datetime | None = Field(default=None, sa_type=Moment)
    """the newest change to any paper when that night read them"""
    seen_to: datetime | None = Field(default=None, sa_type=Moment)
    """where the next night begins to read changes; before `checked_to` when papers were too new for the night"""


class NightRow(Row, table=True):
    """One refresh."""

    __tablename__ = "nights"

    night: date = Field(primary_key=True)
    """the day up to which papers counted"""
    state: str = Field(sa_type=Text)
    """JSON: how far it got, and what it began from"""
    digest: str | None = Field(default=None, sa_type=Text)
    """JSON document of what changed; None until the night is over"""
    begun_at: datetime = Field(sa_type=Moment)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)


class LeaseRow(Row, table=True):
    """Who works on something right now; a row that ran out, or whose holder died, may be taken."""

    __tablename__ = "leases"

    name: str = Field(primary_key=True, sa_type=Words)
    holder: str = Field(sa_type=Words)
    until: float = Field(sa_type=Double)
    """seconds since 1970, UTC"""


def table(row: type[Row]) -> Table:
    """Give the SQLAlchemy table of a row class."""
    return Row.metadata.tables[str(row.__tablename__)]
