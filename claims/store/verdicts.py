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
from claims.store.evidence import EXPERIMENTS, NOTHING, load_evidence, load_experiments
from claims.store.papers import load_papers
from claims.store.rows import in_parts, moment, read_document
from claims.tables import ConfirmationRow, Moment, VerdictRow, table
from claims.verdict import Verdict

VERDICTS = table(VerdictRow)
CONFIRMATIONS = table(ConfirmationRow)


class VerdictShelf:
    """The verdict part of the store."""

    door: Door
    clock: Clock

    def record_verdict(self, verdict: Verdict) -> HeldVerdict:
        """Append a verdict, which supersedes the current one. Raises NotHeld for an unknown claim.

        When kind, counted evidence and rule are those of the current one, it is confirmed instead: it keeps its id and
        moment, and holds from then on as of the later day, with what was unsure or did not count that day. A verdict
        as of an earlier day than the current one's last confirmation changes nothing.
        """
        with self.door.writing(f"verdict:{verdict.claim_id}") as connection:
            require(connection, "claim", CLAIMS, {verdict.claim_id})
            v = VERDICTS.c
            query = sa.select(VERDICTS).where(v.claim_id == verdict.claim_id).order_by(v.seq.desc()).limit(1)
            current = connection.execute(query).one_or_none()
            same = (verdict.kind.value, verdict.evidence_digest, verdict.rule_version)
            if current is not None and (current.kind, current.evidence_digest, current.rule_version) == same:
                return self._confirm(connection, _confirmed(connection, [current])[0], verdict)
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

    def _confirm(self, connection: sa.Connection, held: HeldVerdict, verdict: Verdict) -> HeldVerdict:
        later = held.verdict.model_copy(update={"as_of": verdict.as_of})
        if verdict.as_of < held.verdict.as_of or verdict == held.verdict:
            return held
        at = self.clock.now()
        row = {
            "verdict_id": held.id,
            "as_of": verdict.as_of,
            "document": None if verdict == later else verdict.model_dump_json(),
            "recorded_at": at,
        }
        connection.execute(CONFIRMATIONS.insert().values(row))
        return held.model_copy(update={"verdict": verdict, "confirmed_at": at})

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
                inquiry=read_document(Inquiry.model_validate_json, document, "inquiry", inquiry_id),
                claims=tuple(_dossiers(connection, claim_ids, at)),
                groundings=groundings,
                papers=load_papers(connection, (g.paper_id for g in groundings if g.paper_id), at),
                as_of=at or now,
                generated_at=now,
            )


def _confirmed(connection: sa.Connection, rows: Sequence[sa.Row[Any]], at: datetime | None = None) -> list[HeldVerdict]:
    """Make verdicts of their rows, each as the last day that confirmed it by then left it."""
    c = CONFIRMATIONS.c
    by_then = sa.true() if at is None else c.recorded_at <= at
    last: dict[str, sa.Row[Any]] = {}
    said: dict[str, str] = {}
    for ids in in_parts([row.id for row in rows]):
        newest = sa.select(sa.func.max(c.seq)).where(c.verdict_id.in_(ids), by_then).group_by(c.verdict_id)
        for found in connection.execute(sa.select(CONFIRMATIONS).where(c.seq.in_(newest))):
            last[found.verdict_id] = found
        newest = newest.where(c.document.is_not(None))
        documents = connection.execute(sa.select(c.verdict_id, c.document).where(c.seq.in_(newest)))
        said |= {found.verdict_id: found.document for found in documents}
    held = []
    for row in rows:
        verdict = read_document(Verdict.model_validate_json, said.get(row.id, row.document), "verdict", row.id)
        again = last.get(row.id)
        held.append(
            HeldVerdict(
                id=row.id,
                verdict=verdict.model_copy(update={"as_of": again.as_of}) if again else verdict,
                recorded_at=row.recorded_at,
                supersedes=row.supersedes,
                confirmed_at=again.recorded_at if again else None,
            )
        )
    return held


def _load_verdicts(
    connection: sa.Connection, claim_ids: Sequence[str], at: datetime | None
) -> dict[str, list[HeldVerdict]]:
    query = sa.select(VERDICTS).where(VERDICTS.c.claim_id.in_(claim_ids)).order_by(VERDICTS.c.seq)
    if at is not None:
        query = query.where(VERDICTS.c.recorded_at <= at)
    found: dict[str, list[HeldVerdict]] = {}
    for held in _confirmed(connection, connection.execute(query).all(), at):
        found.setdefault(held.verdict.claim_id, []).append(held)
    return found


def _dossiers(connection: sa.Connection, claim_ids: Sequence[str], at: datetime | None) -> list[Dossier]:
    query = sa.select(CLAIMS.c.id, CLAIMS.c.document).where(CLAIMS.c.id.in_(claim_ids))
    rows = connection.execute(query).all()
    claims = {row.id: read_document(Claim.model_validate_json, row.document, "claim", row.id) for row in rows}
    verdicts = _load_verdicts(connection, claim_ids, at)
    evidence = load_evidence(connection, claim_ids, at)
    searches = load_searches(connection, claim_ids, at)
    notes = load_notes(connection, claim_ids, at)
    experiments = load_experiments(connection, EXPERIMENTS.c.claim_id.in_(claim_ids), at)
    groundings = [g for _, g in load_groundings(connection, GROUNDINGS.c.claim_id.in_(claim_ids), at)]
    named: dict[str, set[str]] = {id: _stated(claim) for id, claim in claims.items()}
    for id in claims:
        named[id] |= {e.paper_id for e in evidence.get(id, NOTHING).current if isinstance(e, PaperEvidence)}
        named[id] |= {g.paper_id for g in groundings if g.claim_id == id and g.paper_id}
    papers = load_papers(connection, set[str]().union(*named.values()), at)
    found = []
    for id in claim_ids:
        if id not in claims:
            continue
        items = evidence.get(id, NOTHING)
        tests = tuple(x for x in experiments if x.spec.claim_id == id)
        found.append(
            Dossier(
                claim=claims[id],
                history=tuple(verdicts.get(id, ())),
                evidence=tuple(items.current),
                superseded=tuple(items.superseded),
                papers={p: papers[p] for p in sorted(named[id]) if p in papers},
                experiments=tests,
                no_experiment_because=None if tests else notes.get(id),
                groundings=tuple(g for g in groundings if g.claim_id == id),
                searches=tuple(searches.get(id, ())),
            )
        )
    return found


def _stated(claim: Claim) -> set[str]:
    """Give the ids of papers that a claim's anchors state."""
    return {anchor.arxiv_id for anchor in claim.anchors if anchor.arxiv_id}
