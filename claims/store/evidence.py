"""Evidence and experiments in the store: appended, never edited; what counts now is chosen when it is read."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic import TypeAdapter

from claims.clock import Clock
from claims.errors import Damaged, NotHeld, QuoteMismatch
from claims.evidence import JUDGE_RANK, Evidence, ExperimentEvidence, JudgeName, JudgeRef, PaperEvidence
from claims.experiment import ExperimentView
from claims.ids import digest
from claims.revision import words
from claims.store.claims import CLAIMS, require
from claims.store.engine import Door
from claims.store.papers import PAPERS, load_texts, load_withdrawals
from claims.store.rows import in_parts, moment, read_document
from claims.tables import EvidenceRow, ExperimentRow, table

EVIDENCE = table(EvidenceRow)
EXPERIMENTS = table(ExperimentRow)

NO_WORD = EVIDENCE.c.document.contains('"unsure":true') & EVIDENCE.c.document.contains('"leaning":null')
"""Whether a judge could not judge the paper (`Assessment.could_not_judge`), as the database sees it."""


class ReadableExperiments(NamedTuple):
    """Experiments that can be read, and what is wrong with the others."""

    experiments: list[ExperimentView]
    damaged: list[Damaged]


class Held(NamedTuple):
    """The evidence of one claim, in the order it was recorded."""

    current: list[PaperEvidence | ExperimentEvidence]
    """what counts: one stance a paper, one outcome an experiment; or everything"""
    superseded: list[PaperEvidence]
    """stances on earlier texts of those papers, where a later text was given another"""


NOTHING = Held([], [])
"""of a claim on which nothing is held"""

_READ = TypeAdapter[PaperEvidence | ExperimentEvidence](Evidence)


class EvidenceShelf:
    """The evidence part of the store."""

    door: Door
    clock: Clock

    def add_evidence(self, items: Iterable[Evidence]) -> int:
        """Append evidence, and count what is really new; the same id is held once.

        A judge that comes back to an earlier stance on the same text (a person may, a version that was set aside does)
        is written again as a new turn, when it was judged later than the stance in between. So is a person's same
        stance with other words or another reason.
        Raises NotHeld for an unknown claim or paper, and QuoteMismatch for a quote that is not in the text that was
        judged, or a text that is not held; then nothing of the call is written.
        """
        wanted = {item.id: item for item in items}
        with self.door.writing("evidence") as connection:
            papers = [item for item in wanted.values() if isinstance(item, PaperEvidence)]
            require(connection, "claim", CLAIMS, {item.claim_id for item in wanted.values()})
            require(connection, "paper", PAPERS, {item.paper_id for item in papers})
            at = self.clock.now()
            turns = _turns(connection, wanted)
            rows = [_row(item, turns[id]) | {"recorded_at": at} for id, item in wanted.items() if id in turns]
            _check_quotes(connection, [item for item in papers if item.id in turns])
            if rows:
                connection.execute(EVIDENCE.insert(), rows)
        return len(rows)

    def evidence(
        self,
        claim_id: str,
        *,
        as_of: datetime | date | None = None,
        everything: bool = False,
        superseded: bool = False,
    ) -> list[PaperEvidence | ExperimentEvidence]:
        """Give a claim's evidence as held at a moment, in the order it was recorded.

        One stance per paper: the best judge's (`JUDGE_RANK`) that could judge it, newest within a rank; and per
        experiment the one with most seeds. `superseded` puts before them what that judge said of earlier texts of the
        same papers, where a revision brought another stance: a verdict as of a day before it rests on those.
        `everything` gives every stance ever recorded. `withdrawn` and `revised` are as known at that moment.
        """
        with self.door.reading() as connection:
            found = load_evidence(connection, [claim_id], moment(as_of), everything=everything)
        held = found.get(claim_id, NOTHING)
        return [*held.superseded, *held.current] if superseded else [*held.current]

    def evidence_by_id(self, id: str) -> PaperEvidence | ExperimentEvidence:
        """Give one piece of evidence. Raises NotHeld."""
        with self.door.reading() as connection:
            query = sa.select(EVIDENCE.c.document).where(EVIDENCE.c.id == id).order_by(EVIDENCE.c.turn.desc()).limit(1)
            document = connection.scalar(query)
            if document is None:
                raise NotHeld("evidence", id)
            item = read_document(_READ.validate_json, document, "evidence", id)
            if not isinstance(item, PaperEvidence):
                return item
            withdrawn = load_withdrawals(connection, [item.paper_id], None)
            return item.model_copy(update={"withdrawn": item.paper_id in withdrawn})

    def claims_of_paper(self, paper_id: str) -> list[str]:
        """Give the ids of the claims for which a paper was ever judged, by id."""
        query = sa.select(EVIDENCE.c.claim_id).where(EVIDENCE.c.paper_id == paper_id).distinct()
        with self.door.reading() as connection:
            return sorted(connection.scalars(query))

    def judged(self, claim_id: str, judge: JudgeRef) -> set[tuple[str, str]]:
        """Give the (paper id, text digest) pairs of a claim on which this judge's stance is the newest of its name.

        A pair that another version judged since is not among them: to go back to a version is to judge again.
        """
        e = EVIDENCE.c
        query = sa.select(e.paper_id, e.paper_digest, e.judge_version).where(
            e.claim_id == claim_id, e.judge_name == judge.name.value
        )
        with self.door.reading() as connection:
            rows = connection.execute(query.order_by(e.seq))
            newest = {(row.paper_id, row.paper_digest): row.judge_version for row in rows}
        return {pair for pair, version in newest.items() if version == judge.version}

    def put_experiment(self, view: ExperimentView) -> None:
        """Append a snapshot of an experiment, unless the newest says the same. Raises NotHeld for an unknown claim."""
        content = digest(view.model_dump(mode="json"))
        claim_id = view.spec.claim_id
        with self.door.writing("evidence") as connection:
            require(connection, "claim", CLAIMS, {claim_id} if claim_id else set())
            newest = sa.select(EXPERIMENTS.c.content_digest).where(EXPERIMENTS.c.id == view.id)
            if connection.scalar(newest.order_by(EXPERIMENTS.c.seq.desc()).limit(1)) == content:
                return
            row = {
                "id": view.id,
                "claim_id": claim_id,
                "state": view.state.value,
                "content_digest": content,
                "document": view.model_dump_json(),
                "recorded_at": self.clock.now(),
            }
            connection.execute(EXPERIMENTS.insert().values(row))

    def experiment(self, id: str) -> ExperimentView:
        """Give the newest snapshot of one experiment. Raises NotHeld."""
        with self.door.reading() as connection:
            found = load_experiments(connection, EXPERIMENTS.c.id == id, None)
        if not found:
            raise NotHeld("experiment", id)
        return found[0]

    def experiments(self, claim_id: str | None = None, as_of: datetime | date | None = None) -> list[ExperimentView]:
        """Give the newest snapshot of each experiment, of one claim or of all, oldest first. Raises Damaged."""
        which = sa.true() if claim_id is None else EXPERIMENTS.c.claim_id == claim_id
        with self.door.reading() as connection:
            return load_experiments(connection, which, moment(as_of))

    def readable_experiments(self) -> ReadableExperiments:
        """Give the newest snapshot of each experiment, with those that cannot be read set apart."""
        with self.door.reading() as connection:
            return _load_readable(connection, sa.true(), None)


def _turns(connection: sa.Connection, wanted: dict[str, Any]) -> dict[str, int]:
    """Say under which turn each item is to be written; those that are not to be written are left out."""
    turns = dict.fromkeys(wanted, 1)
    for part in in_parts(list(wanted)):
        query = sa.select(EVIDENCE.c.id, sa.func.max(EVIDENCE.c.turn).label("turn"))
        for row in connection.execute(query.where(EVIDENCE.c.id.in_(part)).group_by(EVIDENCE.c.id)):
            item = wanted[row.id]
            if _came_back(connection, item):
                turns[row.id] = row.turn + 1
            else:
                del turns[row.id]
    return turns


def _came_back(connection: sa.Connection, item: PaperEvidence | ExperimentEvidence) -> bool:
    if not isinstance(item, PaperEvidence):
        return False
    judge = item.assessment.judge
    newest = connection.execute(
        sa.select(EVIDENCE.c.id, EVIDENCE.c.made_at, EVIDENCE.c.document)
        .where(
            EVIDENCE.c.claim_id == item.claim_id,
            EVIDENCE.c.judge_name == judge.name.value,
            EVIDENCE.c.paper_id == item.paper_id,
            EVIDENCE.c.paper_digest == item.paper_digest,
        )
        .order_by(EVIDENCE.c.seq.desc())
        .limit(1)
    ).one()
    if item.judged_at <= newest.made_at:
        return False
    if newest.id != item.id:
        return True
    before = PaperEvidence.model_validate_json(newest.document)
    return judge.name is JudgeName.PERSON and before.assessment != item.assessment


def _row(item: PaperEvidence | ExperimentEvidence, turn: int) -> dict[str, Any]:
    shared = {"id": item.id, "turn": turn, "claim_id": item.claim_id, "kind": item.kind}
    if isinstance(item, PaperEvidence):
        judge = item.assessment.judge
        return shared | {
            "paper_id": item.paper_id,
            "paper_digest": item.paper_digest,
            "experiment_id": None,
            "judge_name": judge.name.value,
            "judge_version": judge.version,
            "stance": item.stance.value,
            "weight": item.assessment.confidence,
            "made_at": item.judged_at,
            "document": item.model_dump_json(),
        }
    return shared | {
        "paper_id": None,
        "paper_digest": None,
        "experiment_id": item.experiment_id,
        "judge_name": None,
        "judge_version": None,
        "stance": item.outcome.value,
        "weight": float(item.estimate.n_seeds if item.estimate else 0),
        "made_at": datetime.combine(item.measured_on, time.min, tzinfo=UTC),
        "document": item.model_dump_json(),
    }


def _check_quotes(connection: sa.Connection, items: Sequence[PaperEvidence]) -> None:
    quoting = [item for item in items if item.assessment.quotes]
    texts = load_texts(connection, [(item.paper_id, item.paper_digest) for item in quoting])
    for item in quoting:
        paper = texts.get((item.paper_id, item.paper_digest))
        if paper is None:
            raise QuoteMismatch(
                f"{item.id}: the text of {item.paper_id} that was judged ({item.paper_digest}) is not held; "
                "judge the paper as the store gives it"
            )
        for quote in item.assessment.quotes:
            if not quote.is_in(paper):
                raise QuoteMismatch(
                    f"{item.id}: not at character {quote.start} of {item.paper_id} {quote.field}: {quote.text[:80]!r}"
                )


def load_evidence(
    connection: sa.Connection, claim_ids: Sequence[str], at: datetime | None, *, everything: bool = False
) -> dict[str, Held]:
    """Read evidence by claim."""
    e = EVIDENCE.c
    facts = (e.seq, e.claim_id, e.kind, e.paper_id, e.paper_digest, e.experiment_id, e.weight)
    query = sa.select(*facts, e.judge_name, e.judge_version, sa.not_(NO_WORD).label("is_word")).where(
        e.claim_id.in_(claim_ids)
    )
    if at is not None:
        query = query.where(e.recorded_at <= at)
    rows = connection.execute(query.order_by(e.seq)).all()
    chosen, earlier = [row.seq for row in rows], dict[int, list[int]]()
    if not everything:
        newest = {
            (row.claim_id, row.kind, row.paper_id or row.seq, row.judge_name, row.judge_version): row for row in rows
        }
        best: dict[tuple[str, str], tuple[bool, float, int]] = {}
        for row in newest.values():
            key = (row.claim_id, f"{row.kind}:{row.paper_id or row.experiment_id}")
            rank = float(JUDGE_RANK[JudgeName(row.judge_name)]) if row.judge_name else row.weight
            best[key] = max(best.get(key, (False, -1.0, 0)), (bool(row.is_word), rank, row.seq))
        chosen = sorted(seq for *_, seq in best.values())
        earlier = _before_revisions(rows, set(chosen))
    withdrawn = load_withdrawals(connection, sorted({row.paper_id for row in rows if row.paper_id}), at)
    items: dict[int, PaperEvidence | ExperimentEvidence] = {}
    for part in in_parts([*chosen, *(seq for seqs in earlier.values() for seq in seqs)]):
        for seq, id, document in connection.execute(sa.select(e.seq, e.id, e.document).where(e.seq.in_(part))):
            item = read_document(_READ.validate_json, document, "evidence", id)
            if isinstance(item, PaperEvidence) and item.withdrawn != (item.paper_id in withdrawn):
                item = item.model_copy(update={"withdrawn": item.paper_id in withdrawn})
            items[seq] = item
    found: dict[str, Held] = {}
    for seq in chosen:
        item = items[seq]
        held = found.setdefault(item.claim_id, Held([], []))
        if seq in earlier:
            said = [one for n in (*earlier[seq], seq) if isinstance(one := items[n], PaperEvidence)]
            item, superseded = words(said)
            held.superseded.extend(superseded)
        held.current.append(item)
    return found


def _before_revisions(rows: Sequence[sa.Row[*tuple[Any, ...]]], chosen: set[int]) -> dict[int, list[int]]:
    """Give, for each chosen stance on a paper of several texts, what the same judge said before it, oldest first.

    Leaves out where it could not judge, and what it said before of the text that was taken back so.
    """
    said: dict[tuple[str, str, str], list[sa.Row[*tuple[Any, ...]]]] = {}
    for row in rows:
        if row.kind != "paper":
            continue
        own = said.setdefault((row.claim_id, row.paper_id, row.judge_name), [])
        if row.is_word:
            own.append(row)
        else:
            text = (row.judge_version, row.paper_digest)
            own[:] = [before for before in own if (before.judge_version, before.paper_digest) != text]
    return {
        own[-1].seq: [row.seq for row in own[:-1]]
        for own in said.values()
        if own and own[-1].seq in chosen and len({row.paper_digest for row in own}) > 1
    }


def load_experiments(
    connection: sa.Connection, which: sa.ColumnElement[bool], at: datetime | None
) -> list[ExperimentView]:
    """Read the newest snapshot of each experiment, oldest first. Raises Damaged."""
    found = _load_readable(connection, which, at)
    for damaged in found.damaged:
        raise damaged
    return found.experiments


def _load_readable(
    connection: sa.Connection, which: sa.ColumnElement[bool], at: datetime | None
) -> ReadableExperiments:
    x = EXPERIMENTS.c
    newest = sa.select(sa.func.max(x.seq).label("last"), sa.func.min(x.seq).label("first")).where(which)
    if at is not None:
        newest = newest.where(x.recorded_at <= at)
    picked = newest.group_by(x.id).subquery()
    query = sa.select(x.id, x.claim_id, x.document).join(picked, x.seq == picked.c.last).order_by(picked.c.first)
    found = ReadableExperiments([], [])
    for row in connection.execute(query).all():
        read = ExperimentView.model_validate_json
        try:
            found.experiments.append(read_document(read, row.document, "experiment", row.id, row.claim_id))
        except Damaged as exc:
            found.damaged.append(exc)
    return found
