"""The verdict rule: from evidence to a dated verdict, with no model and no clock.

The same evidence gives the same verdict tomorrow. What each threshold costs on labelled claims is printed by
`python -m tests.benchmarks.verdict_thresholds`; which evidence gives which verdict is tabled in `VERDICTS.md` beside
this file, and a test keeps that table equal to the code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import prod
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from claims.claim import Claim
from claims.evidence import JUDGE_RANK, Evidence, ExperimentEvidence, PaperEvidence, Stance
from claims.experiment import Outcome
from claims.ids import ClaimId, digest
from claims.parts import split
from claims.voices import voices

RULE_VERSION = "2"
"""Raise it whenever the rule or a threshold changes."""


@dataclass(frozen=True)
class Thresholds:
    """The numbers of the rule, all of them. Set on the labelled development claims, and kept few and round."""

    confidence_floor: float = 0.5
    """calibrated confidence below which a stance is no better than a guess and counts as unsure"""
    overturning_voices: int = 2
    """independent voices, each with a scope that covers the claim, without which nothing is overturned"""
    outweigh: float = 3.0
    """how many times the weight of support the contradictions need before they overturn"""
    contest_share: float = 0.2
    """weight of contradiction, as a share of the weight of support, from which it is credible"""
    absorbing: float = 3.0
    """times the weight of a lone contradiction that qualifications need to make it one of them: it relaxes"""
    relax_share: float = 0.4
    """weight of qualification, as a share of the weight of support, from which it is credible"""
    partial_weight: float = 0.5
    """weight of an experiment whose scope does not cover the claim, against 1 for a paper"""
    untested_confidence: float = 0.5
    """what is said of a claim that nobody has taken a stand on: neither way"""
    read_first: int = 10
    """the most unsure stances that are listed for a person"""


THRESHOLDS = Thresholds()
"""What `decide` uses."""


class VerdictKind(StrEnum):
    """Does the claim still hold."""

    STANDS = "stands"
    """independent newer support, no credible contradiction"""
    RELAXED = "relaxed"
    """credible qualification, core not contradicted"""
    OVERTURNED = "overturned"
    """independent direct contradictions that outweigh support"""
    CONTESTED = "contested"
    """credible evidence both ways"""
    UNTESTED = "untested"
    """nothing newer takes a stand"""


class Verdict(BaseModel):
    """What the evidence says about a claim as of a day. Never edited: a new one supersedes it."""

    model_config = ConfigDict(frozen=True)

    claim_id: ClaimId
    kind: VerdictKind
    as_of: date
    """evidence after this day was not looked at"""
    confidence: float = Field(ge=0, le=1)
    changed_by: tuple[str, ...] = ()
    """evidence ids that made it this and not `untested` or `stands`; strongest first"""
    support: tuple[str, ...] = ()
    """evidence ids that counted for the claim"""
    against: tuple[str, ...] = ()
    """evidence ids that counted as contradiction"""
    qualifying: tuple[str, ...] = ()
    """evidence ids that counted as qualification"""
    not_counted: dict[str, str] = Field(default_factory=dict)
    """evidence id to the reason why it did not count"""
    durable: str = ""
    """the part of the claim that does not hang on numbers, names or sizes"""
    perishable: tuple[str, ...] = ()
    """thresholds, named models, sizes: what ages first"""
    rests_on_unsure: bool = False
    """whether unsure stances could change it"""
    read_first: tuple[str, ...] = ()
    """evidence ids to read first: what could change it alone, then together, by the chance that it takes a stand"""
    reason: str
    """the rule that fired, in a sentence with counts"""
    evidence_digest: str
    """of the evidence set it was decided from"""
    rule_version: str
    """changes whenever the rule or a threshold does"""


class _Counted(NamedTuple):
    """One piece of evidence that takes a stand, in the terms of the rule."""

    id: str
    stance: Stance
    weight: float
    """calibrated confidence; an experiment of partial scope weighs less"""
    covers: bool
    """whether it speaks about the whole of the claim's scope"""
    on: date
    """the day from which it counts"""
    authors: tuple[str, ...]
    stand_chance: float = 0.0
    """of an unsure one: how likely it takes a stand; 0 where the judge gave no figure"""


class _Sorted(NamedTuple):
    """Evidence, sorted by what the rule may do with it."""

    counted: tuple[_Counted, ...]
    unsure: tuple[_Counted, ...]
    """as they would count if their leaning were right"""
    not_counted: dict[str, str]


class _Side(NamedTuple):
    """What speaks for one stance."""

    items: tuple[_Counted, ...]
    """strongest first"""
    weights: tuple[float, ...]
    """of each voice"""
    covering: int
    """voices whose scope covers the claim"""

    @property
    def weight(self) -> float:
        return sum(self.weights)

    @property
    def probability(self) -> float:
        """The chance that at least one voice is right, each being right by itself with its weight."""
        return 1.0 - prod(1.0 - w for w in self.weights)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(i.id for i in self.items)


class _Ruling(NamedTuple):
    kind: VerdictKind
    confidence: float
    changed_by: tuple[str, ...]
    reason: str


def decide(claim: Claim, evidence: Sequence[Evidence], as_of: date, *, thresholds: Thresholds = THRESHOLDS) -> Verdict:
    """Decide what the evidence says about a claim as of a day. Pure: no model, no clock, no order, no duplicates.

    Counts what is certainly newer than the claim and not later than `as_of`. The confidence is the chance that at
    least one carrying voice is right (weights are calibrated confidences, taken as independent between voices) times
    the share of all counted weight that agrees with the verdict, a qualification agreeing by half with its
    neighbours; for `contested`, the weaker side's chance times how even the sides are. Neutral evidence changes
    nothing at all, unless it is a better judge's word on the same paper.
    """
    sorted_ = _sort(claim, evidence, as_of, thresholds)
    sides = {stance: _side(sorted_.counted, stance) for stance in _TAKING}
    ruling = _rule(sides, thresholds)
    read_first = _could_change(ruling.kind, sides, sorted_.unsure, thresholds)
    parts = split(claim.text)
    return Verdict(
        claim_id=claim.id,
        kind=ruling.kind,
        as_of=as_of,
        confidence=round(min(1.0, max(0.0, ruling.confidence)), 4),
        changed_by=ruling.changed_by,
        support=sides[Stance.SUPPORTS].ids,
        against=sides[Stance.CONTRADICTS].ids,
        qualifying=sides[Stance.QUALIFIES].ids,
        not_counted=sorted_.not_counted,
        durable=parts.durable,
        perishable=parts.perishable,
        rests_on_unsure=bool(read_first),
        read_first=read_first[: thresholds.read_first],
        reason=ruling.reason,
        evidence_digest=_digest(sorted_.counted),
        rule_version=RULE_VERSION,
    )


def _digest(counted: Sequence[_Counted]) -> str:
    """Name all that the ruling rests on: what counted, with everything about it that the rule reads."""
    rows = ([c.id, c.stance, f"{c.weight:.4f}", c.covers, c.on.isoformat(), sorted(c.authors)] for c in counted)
    return digest(sorted(rows, key=str))


_TAKING = (Stance.CONTRADICTS, Stance.QUALIFIES, Stance.SUPPORTS)
"""The stances that take a stand, in the order in which unsure ones alike are worth reading."""


def _rule(sides: Mapping[Stance, _Side], t: Thresholds) -> _Ruling:
    against, qualifying, support = (sides[stance] for stance in _TAKING)
    total = support.weight + against.weight + qualifying.weight
    if not total:
        reason = "No stance counts on anything newer than the claim that was weighed."
        return _Ruling(VerdictKind.UNTESTED, t.untested_confidence, (), reason)
    counts = f"{_voices(support)} for it, {_voices(against)} against it, {_voices(qualifying)} qualifying it"
    half = qualifying.weight / 2

    if against.covering >= t.overturning_voices and against.weight >= t.outweigh * support.weight:
        confidence = against.probability * against.weight / (total - half)
        reason = f"Independent contradictions outweigh the support: {counts}."
        return _Ruling(VerdictKind.OVERTURNED, confidence, against.ids, reason)

    contradicted = against.weight > 0 and against.weight >= t.contest_share * support.weight
    absorbed = len(against.weights) == 1 and qualifying.weight >= t.absorbing * against.weight
    if contradicted and not absorbed:
        changed_by = (*against.ids, *support.ids)
        if not support.items:
            # The claim's own ground stands on the other side and is not weighed: even odds for the contradiction.
            few = "Contradicted, but not by two independent voices whose scope covers the claim"
            return _Ruling(VerdictKind.CONTESTED, against.probability / 2, changed_by, f"{few}: {counts}.")
        even = min(support.weight, against.weight) / max(support.weight, against.weight)
        confidence = min(support.probability, against.probability) * (1 + even) / 2 * (total - half) / total
        return _Ruling(VerdictKind.CONTESTED, confidence, changed_by, f"Credible evidence both ways: {counts}.")

    if qualifying.weight > 0 and qualifying.weight >= t.relax_share * support.weight:
        confidence = qualifying.probability * (qualifying.weight + support.weight / 2) / total
        changed_by = (*qualifying.ids, *against.ids) if contradicted else qualifying.ids
        reason = f"Credible qualification, and no credible contradiction of the core: {counts}."
        return _Ruling(VerdictKind.RELAXED, confidence, changed_by, reason)

    if not support.covering:
        reason = f"Only our own experiment, whose scope does not cover the claim, supports it: {counts}."
        return _Ruling(VerdictKind.UNTESTED, t.untested_confidence, (), reason)
    confidence = support.probability * (support.weight + half) / total
    reason = f"Newer support that no credible contradiction or qualification matches: {counts}."
    return _Ruling(VerdictKind.STANDS, confidence, (), reason)


def _voices(side: _Side) -> str:
    n = len(side.weights)
    return f"{n} independent voice{'' if n == 1 else 's'}"


def _side(counted: Iterable[_Counted], stance: Stance) -> _Side:
    items = sorted((c for c in counted if c.stance is stance), key=lambda c: (-c.weight, -c.on.toordinal(), c.id))
    voice_of = voices([i.authors for i in items])
    strongest: dict[int, float] = {}
    for voice, item in zip(voice_of, items, strict=True):
        strongest.setdefault(voice, item.weight)
    covering = {voice for voice, item in zip(voice_of, items, strict=True) if item.covers}
    return _Side(tuple(items), tuple(strongest.values()), len(covering))


def _could_change(
    kind: VerdictKind, sides: Mapping[Stance, _Side], unsure: Sequence[_Counted], t: Thresholds
) -> tuple[str, ...]:
    """Find the unsure stances that could change the verdict: alone, then with others alike, the likeliest first."""
    alone: list[_Counted] = []
    together: list[_Counted] = []
    for stance in _TAKING:
        counted = sides[stance].items
        leaning = [u for u in unsure if u.stance is stance]
        flips = [u for u in leaning if _rule({**sides, stance: _side((*counted, u), stance)}, t).kind is not kind]
        alone += flips
        if not flips and leaning and _rule({**sides, stance: _side((*counted, *leaning), stance)}, t).kind is not kind:
            together += leaning
    alone.sort(key=_reading_first)
    together.sort(key=_reading_first)
    return tuple(dict.fromkeys(u.id for u in (*alone, *together)))


def _reading_first(unsure: _Counted) -> tuple[float, int, int, str]:
    return -unsure.stand_chance, _TAKING.index(unsure.stance), -unsure.on.toordinal(), unsure.id


_EXPERIMENT_STANCE = {Outcome.SUPPORTS: Stance.SUPPORTS, Outcome.REFUTES: Stance.CONTRADICTS}
_LAB = ("the lab of this library",)
"""All our experiments are one voice: they share code, people and machine."""


def _sort(claim: Claim, evidence: Sequence[Evidence], as_of: date, t: Thresholds) -> _Sorted:
    not_counted: dict[str, str] = {}
    held: dict[str, Evidence] = {}
    withdrawn = {e.paper_id for e in evidence if isinstance(e, PaperEvidence) and e.withdrawn}
    for item in sorted(evidence, key=_reading_order):
        why = _out_of_range(claim, item, as_of)
        if why:
            if _takes_a_stand(item):
                not_counted[item.id] = why
            continue
        key = item.paper_id if isinstance(item, PaperEvidence) else item.experiment_id
        earlier = held.get(key)
        if earlier is not None and earlier.id != item.id and _takes_a_stand(earlier):
            not_counted[earlier.id] = _replaced(earlier, item)
        held[key] = item

    counted: list[_Counted] = []
    unsure: list[_Counted] = []
    for item in held.values():
        if not _takes_a_stand(item):
            continue
        why = _not_credible(claim, item, withdrawn)
        if why:
            not_counted[item.id] = why
            continue
        not_counted.pop(item.id, None)
        if isinstance(item, ExperimentEvidence):
            counted.append(_experiment(claim, item, t))
            continue
        a = item.assessment
        stance = a.leaning if a.unsure and a.leaning else a.stance
        it = _Counted(item.id, stance, a.confidence, True, item.counts_from, item.authors)
        if a.unsure:
            weight = max(a.confidence, t.confidence_floor)
            unsure.append(it._replace(weight=weight, stand_chance=a.stand_chance or 0.0))
        elif a.confidence < t.confidence_floor:
            unsure.append(it._replace(weight=t.confidence_floor, stand_chance=a.confidence))
            not_counted[item.id] = f"its confidence {a.confidence:.2f} is below {t.confidence_floor:.2f}"
        else:
            counted.append(it)
    return _Sorted(tuple(counted), tuple(unsure), dict(sorted(not_counted.items())))


def _experiment(claim: Claim, item: ExperimentEvidence, t: Thresholds) -> _Counted:
    covers = item.scope.covers(claim.scope)
    weight = (1.0 if covers else t.partial_weight) * (1.0 - item.estimate.alpha if item.estimate else 1.0)
    return _Counted(item.id, _EXPERIMENT_STANCE[item.outcome], weight, covers, item.measured_on, _LAB)


def _reading_order(item: Evidence) -> tuple[object, ...]:
    """Order so that of several words on one paper, or states of one experiment, the one that counts comes last.

    The order is total in all that the rule reads, so that the order of the input cannot matter.
    """
    if isinstance(item, PaperEvidence):
        a = item.assessment
        facts = (a.confidence, a.unsure, str(a.leaning), len(a.quotes), str(item.published), item.authors)
        rank = -1 if a.could_not_judge else JUDGE_RANK[a.judge.name]
        return (0, rank, item.judged_at.timestamp(), item.counts_from, item.id, *facts)
    seeds = item.estimate.n_seeds if item.estimate else 0
    alpha = item.estimate.alpha if item.estimate else 0.0
    return (1, seeds, item.measured_on.toordinal(), item.id, alpha, item.scope.scale, str(item.scope.family))


def _takes_a_stand(item: Evidence) -> bool:
    """Tell whether it says, or unsurely leans to, something other than neutral."""
    if isinstance(item, ExperimentEvidence):
        return True
    a = item.assessment
    leaning = a.leaning if a.unsure else a.stance
    return leaning not in (None, Stance.NEUTRAL)


def _out_of_range(claim: Claim, item: Evidence, as_of: date) -> str | None:
    """Say why a piece of evidence is not about this claim at this time, or None."""
    if item.claim_id != claim.id:
        return "it is about another claim"
    if isinstance(item, ExperimentEvidence):
        return f"measured on {item.measured_on}, after {as_of}" if item.measured_on > as_of else None
    if item.paper_id in {anchor.arxiv_id for anchor in claim.anchors}:
        return "it is the claim's own anchor"
    if not item.published.is_after(claim.asserted_on):
        return f"its date {item.published} is not certainly after the claim's {claim.asserted_on}"
    if item.published.start > as_of:
        return f"its date {item.published} is after {as_of}"
    if item.counts_from > as_of:
        return f"it stands in a text of {item.counts_from}, after {as_of}"
    return None


def _replaced(earlier: Evidence, later: Evidence) -> str:
    """Say why an earlier word on a paper or experiment does not count beside a later one."""
    if isinstance(later, PaperEvidence) and later.revised is not None and later.revised.was_id == earlier.id:
        return f"its text was revised on {later.revised.on}: {later.stance} now"
    return "a later or better word on the same paper or experiment counts instead"


def _not_credible(claim: Claim, item: Evidence, withdrawn: set[str]) -> str | None:
    """Say why the word that would count does not, or None."""
    if isinstance(item, PaperEvidence):
        if item.paper_id in withdrawn:
            return "the paper was withdrawn"
        if not item.assessment.unsure and not item.assessment.quotes:
            return "no quote of the stored text stands behind it"
        return None
    if item.outcome is Outcome.INVALID:
        return "the experiment broke its own checks"
    if item.outcome is Outcome.INCONCLUSIVE:
        return "the experiment is inconclusive so far"
    if None not in (item.scope.family, claim.scope.family) and item.scope.family != claim.scope.family:
        return f"it tests another family of claims ({item.scope.family})"
    return None
