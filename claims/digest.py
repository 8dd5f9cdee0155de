"""The digest of a refresh: what changed since the last one and why, what could not be looked at, what it cost.

It is read from what is held: the rows that were appended since the night began. A night that was killed and started
again therefore tells the same as one that was not; only `cost` may differ.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict

from claims.claim import Claim
from claims.dossier import HeldVerdict
from claims.errors import Damaged
from claims.evidence import Evidence, PaperEvidence, Revision, Stance
from claims.experiment import Outcome
from claims.ids import ClaimId, PaperId
from claims.paper import TextField
from claims.store import Store
from claims.store.nights import Marks, Since
from claims.verdict import Verdict, VerdictKind

_DECIDED = (Outcome.SUPPORTS, Outcome.REFUTES)


class _Word(BaseModel):
    model_config = ConfigDict(frozen=True)


class Ground(_Word):
    """One piece of evidence behind a line of the digest."""

    evidence_id: str
    paper_id: PaperId | None = None
    """None for an experiment"""
    experiment_id: str | None = None
    title: str
    """of the paper, or the experiment's protocol"""
    said: str
    """the stance, or the experiment's outcome"""
    confidence: float | None = None
    """None for an experiment"""
    judge: str | None = None
    quote: str | None = None
    """byte for byte from the text that was judged; None for an experiment"""
    quoted_from: TextField | None = None
    revised: Revision | None = None
    """what the paper was said to say before its text was revised; None where no revision changed the stance"""
    summary: str = ""
    """of an experiment, made from its numbers"""


class Lost(_Word):
    """Evidence that counted before and counts no more."""

    evidence_id: str
    paper_id: PaperId | None = None
    why: str


class Change(_Word):
    """A verdict that is another one than at the last digest."""

    claim_id: ClaimId
    claim: str
    before: VerdictKind | None
    """None: it was never decided before"""
    after: VerdictKind
    confidence: float
    reason: str
    """the rule that fired, with counts"""
    because: tuple[Ground, ...] = ()
    """what came in since the last digest and carries the verdict, strongest first"""
    lost: tuple[Lost, ...] = ()


class Contrary(_Word):
    """New work against a claim, or that narrows it, where the verdict held."""

    claim_id: ClaimId
    claim: str
    verdict: VerdictKind | None
    grounds: tuple[Ground, ...]


class ExperimentNews(_Word):
    """An experiment with a new outcome or with more seeds."""

    experiment_id: str
    claim_id: ClaimId | None
    protocol: str
    outcome: Outcome
    is_decided: bool
    n_seeds: int
    reason: str


class Resting(_Word):
    """A claim that rests on a paper, and how it stands now."""

    claim_id: ClaimId
    claim: str
    verdict: VerdictKind | None
    """None: it was never decided"""


class Withdrawal(_Word):
    """A paper that claims rest on, and that was withdrawn or came back."""

    paper_id: PaperId
    title: str
    withdrawn: bool
    """False: it was taken as withdrawn, and is not"""
    because: str | None = None
    """the words of the record that say so"""
    claim_ids: tuple[ClaimId, ...]
    claims: tuple[Resting, ...] = ()
    """the same ones, as they stand after the night"""


NO_WORD = "judge"
"""Where of a problem of papers that a judge gave no word on."""


class Problem(_Word):
    """Something that could not be done; the next night makes it up, but for what a judge gave no word on."""

    where: str
    """arXiv, the mirror, the lab, the judge, the store, a claim, an experiment"""
    what: str
    claim_id: ClaimId | None = None

    @property
    def stays_due(self) -> bool:
        """Whether the next night looks at this claim again for that: a judge that was asked twice is not."""
        return self.claim_id is not None and self.where != NO_WORD


class Waiting(_Word):
    """New papers that are near enough to a claim and that the night did not judge: it judges so many of a claim."""

    claim_id: ClaimId
    n_papers: int


class Cost(_Word):
    """What a night took."""

    requests: int = 0
    """to arXiv"""
    records: int = 0
    """that arXiv sent"""
    new_papers: int = 0
    changed_papers: int = 0
    claims: int = 0
    """that the night went over"""
    left: int = 0
    """due claims that were left for the next night by `--max-claims`"""
    pairs_judged: int = 0
    unsure: int = 0
    """pairs of those on which the judge would not take a stand, and said so"""
    not_judged: int = 0
    """pairs besides those that the judge could not judge"""
    seeds: int = 0
    """that the lab was asked to add"""
    lab_seconds: float = 0.0
    """that the lab trained and measured since the last digest, over all seeds"""
    seconds: float = 0.0
    """of work, over all processes and tries"""


class Digest(_Word):
    """What a refresh tells people."""

    night: date
    """papers and verdicts up to this day"""
    since: date | None = None
    """the night of the digest before this one; None for the first"""
    missed: int | None = None
    """scheduled nights since then that did not take place; None without a schedule: every day is one"""
    judge: str
    changes: tuple[Change, ...] = ()
    """verdicts that are others now"""
    first: tuple[Change, ...] = ()
    """verdicts of claims that were never decided before"""
    contrary: tuple[Contrary, ...] = ()
    experiments: tuple[ExperimentNews, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    problems: tuple[Problem, ...] = ()
    """what could not be looked at or done"""
    waiting: tuple[Waiting, ...] = ()
    """papers that the next nights judge, most of them first"""
    assumed: tuple[str, ...] = ()
    """what the night took for granted, a sentence each"""
    cost: Cost = Cost()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing changed and nothing went wrong."""
        return not (
            self.changes or self.first or self.contrary or self.experiments or self.withdrawals or self.problems
        )

    @property
    def headline(self) -> str:
        """One line that says what matters most."""
        parts = [
            (len(self.changes), "verdict changed", "verdicts changed"),
            (len(self.first), "first verdict", "first verdicts"),
            (len(self.contrary), "claim met new contrary work", "claims met new contrary work"),
            (sum(e.is_decided for e in self.experiments), "experiment decided", "experiments decided"),
            (len(self.withdrawals), "withdrawal", "withdrawals"),
            (len(self.problems), "thing could not be done", "things could not be done"),
        ]
        said = [f"{n} {one if n == 1 else many}" for n, one, many in parts if n]
        return ", ".join(said) or "nothing changed"

    @property
    def waits(self) -> str:
        """Say how much of what is new waits, and why; empty when nothing does."""
        if not self.waiting:
            return ""
        n = sum(one.n_papers for one in self.waiting)
        papers = "1 new paper" if n == 1 else f"{n:,} new papers"
        claims = "1 claim" if len(self.waiting) == 1 else f"{len(self.waiting):,} claims"
        return f"{papers} on {claims}, beyond the best that one night judges of a claim (`RETEST_PAPERS_PER_CLAIM`)."


def read_digest(
    store: Store,
    night: date,
    marks: Marks,
    *,
    judge: str,
    since: date | None = None,
    problems: Sequence[Problem] = (),
    cost: Cost | None = None,
) -> Digest:
    """Read from the store what changed since these marks."""
    news = store.appended_since(marks)
    claims = store.readable_claims().claims
    changes: list[Change] = []
    first: list[Change] = []
    contrary: list[Contrary] = []
    for claim in claims:
        if claim.id not in news.verdicts and claim.id not in news.stances:
            continue
        try:
            history = store.verdicts(claim.id)
            # Read only where a new stance will be told: on most nights, most claims have none.
            held = {item.id: item for item in store.evidence(claim.id)} if claim.id in news.stances else {}
        except Damaged as exc:
            if claim.id not in {problem.claim_id for problem in problems}:
                problems = [*problems, Problem(where="claim", what=str(exc), claim_id=claim.id)]
            continue
        fresh = set(news.verdicts.get(claim.id, ()))
        older = [one for one in history if one.id not in fresh]
        before, after = (older[-1] if older else None), (history[-1] if history else None)
        if after is not None and fresh and (before is None or before.verdict.kind is not after.verdict.kind):
            change = _change(store, claim, before, after.verdict, news, held)
            (changes if before else first).append(change)
        elif against := _against(store, claim, before, news, held):
            contrary.append(
                Contrary(
                    claim_id=claim.id,
                    claim=claim.text,
                    verdict=after.verdict.kind if after else None,
                    grounds=tuple(against),
                )
            )
    return Digest(
        night=night,
        since=since,
        judge=judge,
        changes=tuple(changes),
        first=tuple(first),
        contrary=tuple(contrary),
        experiments=_experiments(store, news),
        withdrawals=_withdrawals(store, news, claims),
        problems=tuple(problems),
        cost=(cost or Cost()).model_copy(
            update={
                "pairs_judged": news.n_judged,
                "unsure": news.n_unsure,
                "not_judged": news.n_not_judged,
                "lab_seconds": round(news.lab_seconds, 1),
            }
        ),
    )


def _change(
    store: Store,
    claim: Claim,
    before: HeldVerdict | None,
    after: Verdict,
    since: Since,
    held: Mapping[str, Evidence],
) -> Change:
    new = set(since.stances.get(claim.id, ()))
    carrying = dict.fromkeys((*after.changed_by, *after.against, *after.qualifying, *after.support))
    lost: list[Lost] = []
    if before is not None:
        old = before.verdict
        for id in dict.fromkeys((*old.against, *old.qualifying, *old.support)):
            if id not in carrying:
                item = store.evidence_by_id(id)
                why = after.not_counted.get(id, "another stance on the same paper replaced it")
                paper_id = item.paper_id if isinstance(item, PaperEvidence) else None
                lost.append(Lost(evidence_id=id, paper_id=paper_id, why=why))
    return Change(
        claim_id=claim.id,
        claim=claim.text,
        before=before.verdict.kind if before else None,
        after=after.kind,
        confidence=after.confidence,
        reason=after.reason,
        because=tuple(_ground(store, id, held) for id in carrying if id in new),
        lost=tuple(lost),
    )


def _against(
    store: Store, claim: Claim, before: HeldVerdict | None, since: Since, held: Mapping[str, Evidence]
) -> list[Ground]:
    """Give contrary evidence that the standing verdict had not counted when it was reached."""
    known = {*before.verdict.against, *before.verdict.qualifying} if before else set()
    contrary = {Stance.CONTRADICTS.value, Stance.QUALIFIES.value, Outcome.REFUTES.value}
    grounds = [_ground(store, id, held) for id in dict.fromkeys(since.stances.get(claim.id, ())) if id not in known]
    return sorted((g for g in grounds if g.said in contrary), key=lambda g: (g.said, -(g.confidence or 0)))


def _ground(store: Store, evidence_id: str, held: Mapping[str, Evidence]) -> Ground:
    item = held.get(evidence_id) or store.evidence_by_id(evidence_id)
    if not isinstance(item, PaperEvidence):
        return Ground(
            evidence_id=item.id,
            experiment_id=item.experiment_id,
            title=item.protocol,
            said=item.outcome.value,
            summary=item.summary,
        )
    quote = item.assessment.quotes[0] if item.assessment.quotes else None
    paper = store.paper(item.paper_id)
    return Ground(
        evidence_id=item.id,
        paper_id=item.paper_id,
        title=paper.title,
        said=item.stance.value,
        confidence=item.assessment.confidence,
        judge=item.assessment.judge.name.value,
        quote=quote.text if quote else None,
        quoted_from=quote.field if quote else None,
        revised=item.revised,
    )


def _experiments(store: Store, since: Since) -> tuple[ExperimentNews, ...]:
    if not since.experiments:
        return ()
    news = []
    for view in store.experiments():
        if view.id in since.experiments and view.result is not None:
            primary = view.result.primary
            news.append(
                ExperimentNews(
                    experiment_id=view.id,
                    claim_id=view.spec.claim_id,
                    protocol=view.spec.protocol,
                    outcome=view.result.outcome,
                    is_decided=view.result.outcome in _DECIDED,
                    n_seeds=primary.n_seeds if primary else 0,
                    reason=view.result.reason,
                )
            )
    return tuple(news)


def _withdrawals(store: Store, since: Since, claims: Sequence[Claim]) -> tuple[Withdrawal, ...]:
    if not since.withdrawn:
        return ()
    resting: dict[str, set[str]] = {}
    for claim_id, paper_ids in store.evidence_on(since.withdrawn, standing=True).items():
        try:
            evidence = store.evidence(claim_id)
        except Damaged:
            continue  # which is told with the claim, as it was due for this very paper
        for item in evidence:
            if isinstance(item, PaperEvidence) and item.paper_id in paper_ids and item.stance is not Stance.NEUTRAL:
                resting.setdefault(item.paper_id, set()).add(claim_id)
    for claim in claims:
        for anchor in claim.anchors:
            if anchor.arxiv_id in since.withdrawn:
                resting.setdefault(anchor.arxiv_id, set()).add(claim.id)
    papers = store.papers(resting)
    by_id = {claim.id: claim for claim in claims}
    stands = {
        id: Resting(claim_id=id, claim=claim.text, verdict=history[-1].verdict.kind if history else None)
        for id in by_id.keys() & {id for ids in resting.values() for id in ids}
        for claim, history in [(by_id[id], store.verdicts(id))]
    }
    return tuple(
        Withdrawal(
            paper_id=id,
            title=papers[id].title,
            withdrawn=since.withdrawn[id],
            because=papers[id].withdrawn_because,
            claim_ids=tuple(sorted(resting[id])),
            claims=tuple(stands[claim_id] for claim_id in sorted(resting[id]) if claim_id in stands),
        )
        for id in sorted(resting)
        if id in papers
    )
