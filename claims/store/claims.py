"""Inquiries, claims and what was looked up for them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from claims.claim import Claim
from claims.clock import Clock
from claims.errors import Damaged, InputError, NotHeld
from claims.grounding import Grounding
from claims.ids import digest
from claims.inquiry import Inquiry
from claims.search import SearchRecord
from claims.store.engine import Door
from claims.store.rows import in_parts, insert_new, moment, read_document, upsert
from claims.tables import (
    ClaimRow,
    GroundingRow,
    InquiryClaimRow,
    InquiryRow,
    NoteRow,
    SearchRow,
    table,
)

CLAIMS = table(ClaimRow)
INQUIRIES = table(InquiryRow)
MEMBERS = table(InquiryClaimRow)
GROUNDINGS = table(GroundingRow)
SEARCHES = table(SearchRow)
NOTES = table(NoteRow)

NO_EXPERIMENT = "no_experiment"
"""The note that says why a claim has no experiment."""


class Readable(NamedTuple):
    """Claims that can be read, and what is wrong with the others."""

    claims: list[Claim]
    damaged: list[Damaged]


class ClaimShelf:
    """The claim part of the store."""

    door: Door
    clock: Clock

    def put_inquiry(self, inquiry: Inquiry, *, document: str | None = None) -> None:
        """Hold an inquiry with its claims, and the text it was read from. Putting it again changes nothing."""
        at = self.clock.now()
        with self.door.writing("claims") as connection:
            held = connection.execute(sa.select(INQUIRIES).where(INQUIRIES.c.id == inquiry.id)).one_or_none()
            text = document if document is not None else (held.source_text if held else None)
            row = {"id": inquiry.id, "document": inquiry.model_dump_json(), "source_text": text, "recorded_at": at}
            if held is None or (held.document, held.source_text) != (row["document"], text):
                upsert(connection, INQUIRIES, row, keep=["recorded_at"])
            for position, claim in enumerate(inquiry.claims):
                _put_claim(connection, claim, at)
                _join(connection, inquiry.id, claim.id, position, at)

    def inquiry(self, id: str) -> Inquiry:
        """Give an inquiry by id or by a prefix that only it has. Raises NotHeld, InputError."""
        with self.door.reading() as connection:
            id = _resolve(connection, INQUIRIES, "inquiry", id)
            document = connection.scalar(sa.select(INQUIRIES.c.document).where(INQUIRIES.c.id == id))
        return read_document(Inquiry.model_validate_json, document, "inquiry", id)

    def inquiry_text(self, id: str) -> str | None:
        """Give the text an inquiry was read from; None when it was not kept. Raises NotHeld."""
        with self.door.reading() as connection:
            row = connection.execute(sa.select(INQUIRIES.c.source_text).where(INQUIRIES.c.id == id)).one_or_none()
        if row is None:
            raise NotHeld("inquiry", id)
        text: str | None = row.source_text
        return text

    def inquiries(self) -> list[Inquiry]:
        """Give all inquiries, oldest first."""
        query = sa.select(INQUIRIES.c.id, INQUIRIES.c.document).order_by(INQUIRIES.c.recorded_at, INQUIRIES.c.id)
        with self.door.reading() as connection:
            rows = connection.execute(query).all()
        return [read_document(Inquiry.model_validate_json, row.document, "inquiry", row.id) for row in rows]

    def put_claim(self, claim: Claim) -> None:
        """Hold a claim; what is said about it newly (a note, an anchor) replaces what was said."""
        at = self.clock.now()
        with self.door.writing("claims") as connection:
            _put_claim(connection, claim, at)
            if claim.inquiry_id is not None:
                row = {
                    "inquiry_id": claim.inquiry_id,
                    "claim_id": claim.id,
                    "position": claim.line or 0,
                    "recorded_at": at,
                }
                insert_new(connection, MEMBERS, [row])

    def claim(self, id: str) -> Claim:
        """Give a claim by id or by a prefix that only it has. Raises NotHeld; InputError that names the candidates."""
        with self.door.reading() as connection:
            id = _resolve(connection, CLAIMS, "claim", id)
            document = connection.scalar(sa.select(CLAIMS.c.document).where(CLAIMS.c.id == id))
        return read_document(Claim.model_validate_json, document, "claim", id)

    def claims(self, inquiry_id: str | None = None) -> list[Claim]:
        """Give all claims, or those of one inquiry in its order. Raises Damaged."""
        found = self.readable_claims(inquiry_id)
        for damaged in found.damaged:
            raise damaged
        return found.claims

    def readable_claims(self, inquiry_id: str | None = None) -> Readable:
        """Give all claims, or those of one inquiry in its order, with those that cannot be read set apart."""
        member = sa.and_(MEMBERS.c.inquiry_id == CLAIMS.c.inquiry_id, MEMBERS.c.claim_id == CLAIMS.c.id)
        query = sa.select(CLAIMS.c.id, CLAIMS.c.document).join_from(CLAIMS, MEMBERS, member, isouter=True)
        query = query.order_by(CLAIMS.c.recorded_at, sa.func.coalesce(MEMBERS.c.position, -1), CLAIMS.c.id)
        if inquiry_id is not None:
            query = (
                sa.select(CLAIMS.c.id, CLAIMS.c.document)
                .join(MEMBERS, MEMBERS.c.claim_id == CLAIMS.c.id)
                .where(MEMBERS.c.inquiry_id == inquiry_id)
                .order_by(MEMBERS.c.position, CLAIMS.c.id)
            )
        with self.door.reading() as connection:
            rows = connection.execute(query).all()
        found = Readable([], [])
        for row in rows:
            try:
                found.claims.append(read_document(Claim.model_validate_json, row.document, "claim", row.id))
            except Damaged as exc:
                found.damaged.append(exc)
        return found

    def put_groundings(self, inquiry_id: str | None, groundings: Iterable[Grounding]) -> int:
        """Append what was found out about citations; what says the same as before is not written. Counts the new."""
        at = self.clock.now()
        rows: list[dict[str, Any]] = []
        for grounding in groundings:
            stated = grounding.anchor.model_dump(mode="json")
            content = grounding.model_dump(mode="json")
            rows.append(
                {
                    "inquiry_id": inquiry_id,
                    "claim_id": grounding.claim_id,
                    "anchor_digest": digest([inquiry_id, grounding.claim_id, stated]),
                    "content_digest": digest(content),
                    "paper_id": grounding.paper_id,
                    "status": grounding.status.value,
                    "document": grounding.model_dump_json(),
                    "recorded_at": at,
                }
            )
        with self.door.writing("claims") as connection:
            require(connection, "claim", CLAIMS, {r["claim_id"] for r in rows if r["claim_id"]})
            n = 0
            for row in rows:
                newest = (
                    sa.select(GROUNDINGS.c.content_digest)
                    .where(GROUNDINGS.c.anchor_digest == row["anchor_digest"])
                    .order_by(GROUNDINGS.c.seq.desc())
                    .limit(1)
                )
                if connection.scalar(newest) != row["content_digest"]:
                    connection.execute(GROUNDINGS.insert().values(row))
                    n += 1
        return n

    def groundings(
        self,
        *,
        inquiry_id: str | None = None,
        claim_id: str | None = None,
        paper_id: str | None = None,
        as_of: datetime | date | None = None,
    ) -> list[Grounding]:
        """Give the newest grounding of each citation: of an inquiry, a claim, a paper, all these, or everything."""
        query: sa.ColumnElement[bool] = sa.true()
        if inquiry_id is not None:
            query = sa.and_(query, GROUNDINGS.c.inquiry_id == inquiry_id)
        if claim_id is not None:
            query = sa.and_(query, GROUNDINGS.c.claim_id == claim_id)
        if paper_id is not None:
            named = sa.select(GROUNDINGS.c.anchor_digest).where(GROUNDINGS.c.paper_id == paper_id)
            query = sa.and_(query, GROUNDINGS.c.anchor_digest.in_(named))
        with self.door.reading() as connection:
            found = [grounding for _, grounding in load_groundings(connection, query, moment(as_of))]
        # A citation that was taken for this paper once may be found to be another one since.
        return [grounding for grounding in found if paper_id in (None, grounding.paper_id)]

    def add_searches(self, records: Iterable[SearchRecord]) -> None:
        """Append searches as they were done; the same record is held once. Raises NotHeld for an unknown claim."""
        at = self.clock.now()
        rows: list[dict[str, Any]] = [
            {
                "key": digest(record.model_dump(mode="json")),
                "claim_id": record.claim_id,
                "source": record.source.value,
                "query": record.query,
                "n_found": record.n_found,
                "document": record.model_dump_json(),
                "searched_at": record.searched_at,
                "recorded_at": at,
            }
            for record in records
        ]
        with self.door.writing("claims") as connection:
            require(connection, "claim", CLAIMS, {r["claim_id"] for r in rows if r["claim_id"]})
            insert_new(connection, SEARCHES, rows)

    def searches(
        self, claim_id: str, as_of: datetime | date | None = None, *, everything: bool = False
    ) -> list[SearchRecord]:
        """Give a claim's searches in the order they were done: the newest of each query and source, or everything."""
        with self.door.reading() as connection:
            return load_searches(connection, [claim_id], moment(as_of), everything=everything).get(claim_id, [])

    def note_no_experiment(self, claim_id: str, why: str) -> None:
        """Say why a claim has no experiment. Raises NotHeld."""
        at = self.clock.now()
        with self.door.writing("claims") as connection:
            require(connection, "claim", CLAIMS, {claim_id})
            if load_notes(connection, [claim_id], None).get(claim_id) != why:
                connection.execute(
                    NOTES.insert().values(claim_id=claim_id, kind=NO_EXPERIMENT, text=why, recorded_at=at)
                )


def require(connection: sa.Connection, word: str, table: sa.Table, ids: set[str]) -> None:
    """Check that all these ids are held. Raises NotHeld that names the first that is not."""
    held: set[str] = set()
    for part in in_parts(ids):
        held |= set(connection.scalars(sa.select(table.c.id).where(table.c.id.in_(part))))
    for id in sorted(ids - held):
        raise NotHeld(word, id)


def _put_claim(connection: sa.Connection, claim: Claim, at: datetime) -> None:
    document = claim.model_dump_json()
    if connection.scalar(sa.select(CLAIMS.c.document).where(CLAIMS.c.id == claim.id)) == document:
        return
    row = {
        "id": claim.id,
        "text": claim.text,
        "asserted_on": claim.asserted_on.start,
        "inquiry_id": claim.inquiry_id,
        "document": document,
        "recorded_at": at,
    }
    upsert(connection, CLAIMS, row, keep=["recorded_at"])


def _join(connection: sa.Connection, inquiry_id: str, claim_id: str, position: int, at: datetime) -> None:
    row = {"inquiry_id": inquiry_id, "claim_id": claim_id, "position": position, "recorded_at": at}
    upsert(connection, MEMBERS, row, keep=["recorded_at"])


def _resolve(connection: sa.Connection, table: sa.Table, word: str, prefix: str) -> str:
    query = sa.select(table.c.id).where(
        sa.or_(table.c.id == prefix, table.c.id.startswith(prefix.lower(), autoescape=True))
    )
    found = list(connection.scalars(query.order_by(table.c.id).limit(50))) if prefix else []
    if prefix in found or len(found) == 1:
        return prefix if prefix in found else str(found[0])
    if not found:
        raise NotHeld(word, prefix)
    shown = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
    raise InputError(f"{prefix!r} is the beginning of {len(found)} ids: {shown}; give more of it")


def load_groundings(
    connection: sa.Connection, which: sa.ColumnElement[bool], at: datetime | None
) -> list[tuple[str | None, Grounding]]:
    """Read the newest grounding of each anchor with its inquiry id, in the order they were first recorded."""
    query = sa.select(GROUNDINGS.c.anchor_digest, GROUNDINGS.c.inquiry_id, GROUNDINGS.c.document).where(which)
    if at is not None:
        query = query.where(GROUNDINGS.c.recorded_at <= at)
    newest = {row.anchor_digest: row for row in connection.execute(query.order_by(GROUNDINGS.c.seq))}
    return [(row.inquiry_id, Grounding.model_validate_json(row.document)) for row in newest.values()]


def load_searches(
    connection: sa.Connection, claim_ids: Sequence[str], at: datetime | None, *, everything: bool = False
) -> dict[str, list[SearchRecord]]:
    """Read searches by claim, in the order they were done."""
    query = sa.select(SEARCHES.c.claim_id, SEARCHES.c.source, SEARCHES.c.query, SEARCHES.c.seq, SEARCHES.c.document)
    query = query.where(SEARCHES.c.claim_id.in_(claim_ids))
    if at is not None:
        query = query.where(SEARCHES.c.recorded_at <= at)
    rows = connection.execute(query.order_by(SEARCHES.c.searched_at, SEARCHES.c.seq)).all()
    if not everything:
        last = {(row.claim_id, row.source, row.query): row.seq for row in rows}
        rows = [row for row in rows if last[row.claim_id, row.source, row.query] == row.seq]
    found: dict[str, list[SearchRecord]] = {}
    for row in rows:
        found.setdefault(row.claim_id, []).append(SearchRecord.model_validate_json(row.document))
    return found


def load_notes(connection: sa.Connection, claim_ids: Sequence[str], at: datetime | None) -> dict[str, str]:
    """Read why claims have no experiment, by claim: the newest word."""
    query = sa.select(NOTES.c.claim_id, NOTES.c.text).where(
        NOTES.c.claim_id.in_(claim_ids), NOTES.c.kind == NO_EXPERIMENT
    )
    if at is not None:
        query = query.where(NOTES.c.recorded_at <= at)
    return {row.claim_id: row.text for row in connection.execute(query.order_by(NOTES.c.seq))}
