"""Verdicts in the store, and the dossiers that are drawn from everything that is held."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from claims.claim import Claim
from claims.clock import Clock
from claims.dossier import Dossier, HeldVerdict, InquiryDossier
from claims.errors import NotHeld
from claims.evidence import PaperEvidence
from claims.ids import digest
from claims.inquiry import Inquiry
from claims.lines import END_OF_TIME, OVERVIEW, ClaimLine, lines_of, with_ids
from claims.store.claims import (
    CLAIMS,
    GROUNDINGS,
    INQUIRIES,
    MEMBERS,
    load_groundings,
    load_notes,
    load_searches,
    require,
)
from claims.store.engine import Door
from claims.store.evidence import EXPERIMENTS, load_evidence, load_experiments
from claims.store.papers import load_papers
from claims.store.rows import in_parts, moment
from claims.tables import Moment, VerdictRow, table
from claims.verdict import Verdict

VERDICTS = table(VerdictRow)


class VerdictShelf:
    """The verdict part of the store."""

    door: Door
    clock: Clock

    def record_verdict(self, verdict: Verdict) -> HeldVerdict:
        """Append a verdict, which supersedes the current one. Raises NotHeld for an unknown claim.

        When kind, evidence and rule are those of the current one, nothing is written and the current one is returned.
        """
        with self.door.writing(f"verdict:{verdict.claim_id}") as connection:
            require(connection, "claim", CLAIMS, {verdict.claim_id})
            v = VERDICTS.c
            query = sa.select(VERDICTS).where(v.claim_id == verdict.claim_id).order_by(v.seq.desc()).limit(1)
            current = connection.execute(query).one_or_none()
            same = (verdict.kind.value, verdict.evidence_digest, verdict.rule_version)
            if current is not None and (current.kind, current.evidence_digest, current.rule_version) == same:
                return _held(current)
            before = current.id if current is not None else None
            id = "ver-" + digest([before, verdict.model_dump(mode="json")]).removeprefix("sha256:")[:12]
            unbroken = current is not None and current.kind == verdict.kind.value
            at = self.clock.now()
            row = {
                "id": id,
                "claim_id": verdict.claim_id,
                "kind": verdict.kind.value,
                "as_of": verdict.as_of,
                "since": current.since if current is not None and unbroken else verdict.as_of,
                "confidence": verdict.confidence,
                "evidence_digest": verdict.evidence_digest,
                "rule_version": verdict.rule_version,
                "supersedes": before,
                "document": verdict.model_dump_json(),
                "recorded_at": at,
            }
            connection.execute(VERDICTS.insert().values(row))
            return HeldVerdict(id=id, verdict=verdict, recorded_at=at, supersedes=before)

    def verdicts(self, claim_id: str, *, as_of: datetime | date | None = None) -> list[HeldVerdict]:
        """Give a claim's verdicts, oldest first, as held at a moment."""
        with self.door.reading() as connection:
            return _load_verdicts(connection, [claim_id], moment(as_of)).get(claim_id, [])

    def overview(self, *, as_of: datetime | date | None = None, night: date | None = None) -> list[ClaimLine]:
        """Give one line for each claim, in the order that they came in: one query, whatever is held.

        With `night` the lines also say what is due on that day, and why, which takes a handful more.
        """
        query = (
            sa.text(OVERVIEW)
            .bindparams(sa.bindparam("at", moment(as_of) or END_OF_TIME, Moment))
            .columns(since=sa.Date(), last_checked=Moment())
        )
        with self.door.reading() as connection:

            def ask(query: str, since: datetime | None = None, ids: Sequence[str] = ()) -> list[dict[str, Any]]:
                whole, given = with_ids(query, {}, ids)
                asked = sa.text(whole)
                if since is not None:
                    asked = asked.bindparams(sa.bindparam("since", since, Moment))
                return [dict(row._mapping) for row in connection.execute(asked, given)]

            return lines_of((dict(row._mapping) for row in connection.execute(query)), ask, night)

    def dossier(self, claim_id: str, *, as_of: datetime | date | None = None) -> Dossier:
        """Give everything that was held about a claim at a moment. Raises NotHeld."""
        with self.door.reading() as connection:
            found = _dossiers(connection, [claim_id], moment(as_of))
        if not found:
            raise NotHeld("claim", claim_id)
        return found[0]

    def dossiers(self, claim_ids: Sequence[str], *, as_of: datetime | date | None = None) -> list[Dossier]:
        """Give the dossiers of several claims, in the order asked for, in as many queries as one takes."""
        with self.door.reading() as connection:
            return [found for part in in_parts(claim_ids) for found in _dossiers(connection, part, moment(as_of))]

    def inquiry_dossier(self, inquiry_id: str, *, as_of: datetime | date | None = None) -> InquiryDossier:
        """Give an inquiry with the dossiers of its claims, as held at a moment. Raises NotHeld."""
        at = moment(as_of)
        now = self.clock.now()
        with self.door.reading() as connection:
            document = connection.scalar(sa.select(INQUIRIES.c.document).where(INQUIRIES.c.id == inquiry_id))
            if document is None:
                raise NotHeld("inquiry", inquiry_id)
            members = sa.select(MEMBERS.c.claim_id).where(MEMBERS.c.inquiry_id == inquiry_id)
            claim_ids = list(connection.scalars(members.order_by(MEMBERS.c.position, MEMBERS.c.claim_id)))
            which = sa.and_(GROUNDINGS.c.inquiry_id == inquiry_id, GROUNDINGS.c.claim_id.is_(None))
            groundings = tuple(g for _, g in load_groundings(connection, which, at))
            return InquiryDossier(
                inquiry=Inquiry.model_validate_json(document),
                claims=tuple(_dossiers(connection, claim_ids, at)),
                groundings=groundings,
                papers=load_papers(connection, (g.paper_id for g in groundings if g.paper_id)),
                as_of=at or now,
                generated_at=now,
            )


def _held(row: sa.Row[tuple[object, ...]]) -> HeldVerdict:
    found = row._mapping
    return HeldVerdict(
        id=found["id"],
        verdict=Verdict.model_validate_json(found["document"]),
        recorded_at=found["recorded_at"],
        supersedes=found["supersedes"],
    )


def _load_verdicts(
    connection: sa.Connection, claim_ids: Sequence[str], at: datetime | None
) -> dict[str, list[HeldVerdict]]:
    query = sa.select(VERDICTS).where(VERDICTS.c.claim_id.in_(claim_ids)).order_by(VERDICTS.c.seq)
    if at is not None:
        query = query.where(VERDICTS.c.recorded_at <= at)
    found: dict[str, list[HeldVerdict]] = {}
    for row in connection.execute(query):
        found.setdefault(row.claim_id, []).append(_held(row))
    return found


def _dossiers(connection: sa.Connection, claim_ids: Sequence[str], at: datetime | None) -> list[Dossier]:
    query = sa.select(CLAIMS.c.id, CLAIMS.c.document).where(CLAIMS.c.id.in_(claim_ids))
    documents = {row.id: row.document for row in connection.execute(query)}
    verdicts = _load_verdicts(connection, claim_ids, at)
    evidence = load_evidence(connection, claim_ids, at)
    searches = load_searches(connection, claim_ids, at)
    notes = load_notes(connection, claim_ids, at)
    experiments = load_experiments(connection, EXPERIMENTS.c.claim_id.in_(claim_ids), at)
    groundings = [g for _, g in load_groundings(connection, GROUNDINGS.c.claim_id.in_(claim_ids), at)]
    named = {e.paper_id for items in evidence.values() for e in items if isinstance(e, PaperEvidence)}
    papers = load_papers(connection, named | {g.paper_id for g in groundings if g.paper_id})
    found = []
    for id in claim_ids:
        if id not in documents:
            continue
        own = tuple(g for g in groundings if g.claim_id == id)
        items = tuple(evidence.get(id, ()))
        ids = {e.paper_id for e in items if isinstance(e, PaperEvidence)} | {g.paper_id for g in own if g.paper_id}
        tests = tuple(x for x in experiments if x.spec.claim_id == id)
        found.append(
            Dossier(
                claim=Claim.model_validate_json(documents[id]),
                history=tuple(verdicts.get(id, ())),
                evidence=items,
                papers={p: papers[p] for p in sorted(ids) if p in papers},
                experiments=tests,
                no_experiment_because=None if tests else notes.get(id),
                groundings=own,
                searches=tuple(searches.get(id, ())),
            )
        )
    return found
