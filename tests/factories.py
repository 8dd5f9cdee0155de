"""Small, valid words for tests: every argument has a default, and nothing is random."""

from datetime import UTC, date, datetime
from typing import Any

from claims.claim import Anchor, Claim, Scale, Scope
from claims.dates import StatedDate
from claims.evidence import (
    Assessment,
    ExperimentEvidence,
    JudgeName,
    JudgeRef,
    PaperEvidence,
    Quote,
    Stance,
)
from claims.experiment import (
    Estimate,
    ExperimentResult,
    ExperimentSpec,
    ExperimentView,
    Outcome,
    PreRegistration,
    RunState,
)
from claims.grounding import Grounding, GroundingStatus
from claims.inquiry import Inquiry
from claims.paper import Paper, Source, TextField
from claims.search import SearchRecord
from claims.verdict import Verdict, VerdictKind

NOON = datetime(2026, 8, 21, 12, tzinfo=UTC)
"""When things happen in tests, unless they say otherwise."""

LOCAL = JudgeRef(name=JudgeName.LOCAL, version="1")
PERSON = JudgeRef(name=JudgeName.PERSON, version="Ada")


def a_paper(id: str = "2401.00001", **fields: Any) -> Paper:
    """Make a paper of 2024 with an abstract."""
    given = {
        "title": f"On models, part {id}",
        "authors": (f"Ada {id.replace('.', '-')}", "Bo Li"),
        "published": StatedDate.day(date(2024, 1, 2)),
        "updated_on": date(2024, 1, 2),
        "categories": ("cs.CL", "cs.LG"),
        "abstract": f"We study {id}. Small curated sets match far larger ones in our tests.",
        "source": Source.MIRROR,
    }
    return Paper(id=id, **(given | fields))


def a_claim(id: str = "small-sets-suffice-000001", **fields: Any) -> Claim:
    """Make a claim of 2023."""
    given = {
        "text": "A small curated set matches far more data.",
        "asserted_on": StatedDate.parse("2023"),
        "anchors": (an_anchor(),),
        "scope": Scope(scale=Scale.LARGE, family="data-quantity"),
    }
    return Claim(id=id, **(given | fields))


def an_anchor(arxiv_id: str | None = "2305.11206", **fields: Any) -> Anchor:
    """Make an anchor with a stated date."""
    return Anchor(arxiv_id=arxiv_id, **({"stated_date": StatedDate.parse("~2024")} | fields))


def an_inquiry(*claims: Claim, id: str = "inq-000000000001", **fields: Any) -> Inquiry:
    """Make an inquiry with one claim, or these."""
    made = claims or (a_claim(inquiry_id=id),)
    return Inquiry(id=id, **({"question": "Does it hold?", "claims": made, "anchors": (an_anchor(),)} | fields))


def a_grounding(**fields: Any) -> Grounding:
    """Make a grounding that found nothing wrong."""
    return Grounding(**({"anchor": an_anchor(), "status": GroundingStatus.OK, "how": "id"} | fields))


def a_search(claim_id: str | None = "small-sets-suffice-000001", **fields: Any) -> SearchRecord:
    """Make a search that found three papers."""
    given = {"source": Source.MIRROR, "query": "curated data", "n_found": 3, "searched_at": NOON}
    return SearchRecord(claim_id=claim_id, **(given | fields))


def an_assessment(paper: Paper | None = None, stance: Stance = Stance.SUPPORTS, **fields: Any) -> Assessment:
    """Make an assessment that quotes the paper's abstract from its first character."""
    text = (paper or a_paper()).abstract or ""
    quotes = () if stance is Stance.NEUTRAL else (Quote(field=TextField.ABSTRACT, start=0, text=text[:20]),)
    return Assessment(stance=stance, **({"confidence": 0.9, "quotes": quotes, "judge": LOCAL} | fields))


def paper_evidence(
    paper: Paper | None = None, stance: Stance = Stance.SUPPORTS, *, judge: JudgeRef = LOCAL, **fields: Any
) -> PaperEvidence:
    """Make evidence from a paper as it stands."""
    paper = paper or a_paper()
    given = {
        "claim_id": "small-sets-suffice-000001",
        "paper_id": paper.id,
        "paper_digest": paper.text_digest,
        "published": paper.published,
        "authors": paper.authors,
        "withdrawn": paper.withdrawn,
        "source": paper.source,
        "judged_at": NOON,
    }
    if "assessment" not in fields:
        fields["assessment"] = an_assessment(paper, stance, judge=judge)
    return PaperEvidence(**(given | fields))


def an_estimate(n_seeds: int = 4, **fields: Any) -> Estimate:
    """Make an undecided estimate."""
    given = {
        "name": "curated - noisy",
        "effect": 0.05,
        "low": -0.1,
        "high": 0.2,
        "alpha": 0.05,
        "method": "empirical Bernstein",
        "smallest_effect": 0.05,
    }
    return Estimate(n_seeds=n_seeds, **(given | fields))


def experiment_evidence(n_seeds: int = 4, outcome: Outcome = Outcome.INCONCLUSIVE, **fields: Any) -> ExperimentEvidence:
    """Make evidence from a toy experiment."""
    given = {
        "claim_id": "small-sets-suffice-000001",
        "experiment_id": "exp-000000000001",
        "protocol": "data-quantity",
        "profile": "tiny",
        "estimate": an_estimate(n_seeds),
        "scope": Scope(scale=Scale.TOY, family="data-quantity"),
        "measured_on": NOON.date(),
    }
    return ExperimentEvidence(outcome=outcome, **(given | fields))


def an_experiment(claim_id: str | None = "small-sets-suffice-000001", **fields: Any) -> ExperimentView:
    """Make an experiment as the lab shows it, with nothing run yet."""
    spec = ExperimentSpec(protocol="data-quantity", protocol_version=1, profile="tiny", claim_id=claim_id)
    plan = PreRegistration(
        hypothesis="Few curated examples match ten times as many noisy ones.",
        prediction="curated - noisy is positive",
        arms=("base", "curated", "noisy"),
        primary_metric="score",
        contrast="curated - noisy",
        smallest_effect=0.05,
        smallest_effect_because="half of what curation changes in the positive control",
        alpha=0.05,
        max_seeds=32,
        equalised="steps",
        positive_control="trained against base",
        null_arm="A/A",
    )
    given = {"id": spec.id, "spec": spec, "state": RunState.QUEUED, "submitted_at": NOON, "preregistration": plan}
    return ExperimentView(**(given | fields))


def a_result(n_seeds: int = 4, outcome: Outcome = Outcome.INCONCLUSIVE, **fields: Any) -> ExperimentResult:
    """Make an experiment's result."""
    given = {"reason": "the interval spans the smallest effect", "primary": an_estimate(n_seeds)}
    return ExperimentResult(outcome=outcome, **(given | fields))


def a_verdict(kind: VerdictKind = VerdictKind.STANDS, **fields: Any) -> Verdict:
    """Make a verdict."""
    given = {
        "claim_id": "small-sets-suffice-000001",
        "as_of": NOON.date(),
        "confidence": 0.8,
        "reason": "one voice for it, none against",
        "evidence_digest": "sha256:0",
        "rule_version": "1",
    }
    return Verdict(kind=kind, **(given | fields))
