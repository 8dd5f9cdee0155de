"""Claims, papers, evidence and whole dossiers for the tests of the verdict rule and of the reports. All invented."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from claims.claim import Anchor, Claim, Scale, Scope
from claims.dates import StatedDate
from claims.dossier import Dossier, HeldVerdict, InquiryDossier
from claims.evidence import (
    Assessment,
    Evidence,
    ExperimentEvidence,
    JudgeName,
    JudgeRef,
    PaperEvidence,
    Quote,
    Stance,
)
from claims.experiment import (
    Control,
    Estimate,
    ExperimentResult,
    ExperimentSpec,
    ExperimentView,
    Outcome,
    PreRegistration,
    RunState,
    SeedEffect,
)
from claims.grounding import Grounding, GroundingStatus, Problem
from claims.inquiry import Inquiry, ParseWarning, ResearchQuestion, Task
from claims.paper import Paper, Source, TextField
from claims.search import SearchRecord
from claims.verdict import decide

AS_OF = date(2026, 8, 21)
NOW = datetime(2026, 8, 21, 23, 0, tzinfo=UTC)
LOCAL = JudgeRef(name=JudgeName.LOCAL, version="test-1")
METHOD = "betting confidence sequence (arXiv:2010.09686)"


def claim(text: str = "A few curated examples align a model.", asserted_on: str = "2023-05", **more: object) -> Claim:
    return Claim.model_validate({"id": "few-examples", "text": text, "asserted_on": asserted_on, **more})


def paper(id: str, on: str, **more: object) -> Paper:
    fields = {
        "title": f"On the matter of {id}",
        "authors": (f"Ada {_name(id)}", f"Bo {_name(id)}son"),
        "abstract": f"We study it. In {_name(id)} we find that the effect holds in most settings. We discuss limits.",
        "source": Source.MIRROR,
    }
    return Paper.model_validate({"id": id, "published": StatedDate.parse(on), **fields, **more})


def _name(id: str) -> str:
    return "".join(chr(ord("a") + int(c)) for c in id if c.isdigit()).capitalize()


def weighed(
    it: Paper,
    stance: Stance,
    *,
    confidence: float = 0.9,
    claim_id: str = "few-examples",
    unsure: bool = False,
    leaning: Stance | None = None,
    judge: JudgeRef = LOCAL,
    quoted: bool = True,
    judged_at: datetime = NOW,
    quote: Quote | None = None,
) -> PaperEvidence:
    field = TextField.ABSTRACT if it.abstract else TextField.FINDING if it.finding else TextField.TITLE
    text = it.text_of(field)
    quote = quote or Quote(field=field, start=min(13, len(text) - 1), text=text[min(13, len(text) - 1) :][:60])
    silent = stance is Stance.NEUTRAL or not quoted
    return PaperEvidence(
        claim_id=claim_id,
        paper_id=it.id,
        paper_digest=it.text_digest,
        published=it.published,
        authors=it.authors,
        withdrawn=it.withdrawn,
        source=it.source,
        assessment=Assessment(
            stance=stance,
            confidence=confidence,
            unsure=unsure,
            leaning=leaning,
            quotes=() if silent else (quote,),
            judge=judge,
        ),
        judged_at=judged_at,
    )


def estimate(effect: float = 0.21, half: float = 0.09, n: int = 8) -> Estimate:
    return Estimate(
        name="curated - noisy",
        effect=effect,
        low=effect - half,
        high=effect + half,
        alpha=0.05,
        n_seeds=n,
        method=METHOD,
        smallest_effect=0.05,
        seed_sd=0.04,
        item_se=0.02,
    )


def measured(
    outcome: Outcome, *, scale: Scale = Scale.TOY, family: str | None = "data-quantity", **more: object
) -> ExperimentEvidence:
    fields: dict[str, object] = {
        "claim_id": "few-examples",
        "experiment_id": "exp-0123456789ab",
        "protocol": "data-quantity",
        "profile": "tiny",
        "estimate": estimate(),
        "measured_on": date(2026, 8, 20),
        "summary": "Curated beat noisy by 0.21.",
    }
    return ExperimentEvidence.model_validate(
        {**fields, "outcome": outcome, "scope": Scope(scale=scale, family=family), **more}
    )


def preregistration(**more: object) -> PreRegistration:
    fields: dict[str, object] = {
        "hypothesis": "N curated examples reach the score of 10 N noisy ones.",
        "prediction": "curated minus noisy is positive",
        "arms": ("base", "curated", "noisy"),
        "primary_metric": "held-out task score",
        "contrast": "curated - noisy",
        "smallest_effect": 0.05,
        "smallest_effect_because": "below it nobody would change a data set",
        "alpha": 0.05,
        "max_seeds": 24,
        "equalised": "optimiser steps",
        "positive_control": "curated - base",
        "null_arm": "curated - curated with another order",
        "threats": ("the task is arithmetic, not dialogue",),
        "departs_from": "arXiv:2305.11206, section 2: models of 1 M parameters",
    }
    return PreRegistration.model_validate({**fields, **more})


def experiment(claim_id: str = "few-examples", **more: object) -> ExperimentView:
    path = []
    for seed, (effect, half) in enumerate(
        [(0.3, 0.6), (0.1, 0.4), (0.25, 0.3), (0.2, 0.2), (0.22, 0.14), (0.21, 0.09)]
    ):
        path.append(SeedEffect(seed=seed, effect=effect, low=0.21 - half, high=0.21 + half))
    fields: dict[str, object] = {
        "id": "exp-0123456789ab",
        "spec": ExperimentSpec(protocol="data-quantity", protocol_version=1, claim_id=claim_id),
        "state": RunState.SUCCEEDED,
        "submitted_at": NOW - timedelta(hours=2),
        "preregistration": preregistration(),
        "result": ExperimentResult(
            outcome=Outcome.SUPPORTS,
            reason="The interval lies above the smallest effect of 0.05.",
            primary=estimate(n=6),
            path=tuple(path),
            controls=(
                Control(
                    name="curated - base", kind="positive", passed=True, estimate=estimate(0.4, 0.1), reason="found"
                ),
                Control(name="A/A", kind="null", passed=None, estimate=estimate(0.0, 0.08), reason="decides nothing"),
            ),
            arm_means={"base": 0.1, "curated": 0.61, "noisy": 0.4},
            scale_params=1_234_567,
        ),
    }
    return ExperimentView.model_validate({**fields, **more})


def held(dossier_claim: Claim, evidence: Sequence[Evidence], as_of: date = AS_OF, at: datetime = NOW) -> HeldVerdict:
    verdict = decide(dossier_claim, evidence, as_of)
    return HeldVerdict(id=f"verdict-{dossier_claim.id}-{as_of}", verdict=verdict, recorded_at=at)


def dossier(
    of: Claim, weighings: Sequence[Evidence], papers: Sequence[Paper], as_of: date = AS_OF, **more: object
) -> Dossier:
    fields = {"claim": of, "history": (held(of, weighings, as_of),), "evidence": tuple(weighings)}
    return Dossier.model_validate({**fields, "papers": {p.id: p for p in papers}, **more})


FRIENDS = tuple(paper(f"2501.0000{n}", "2025-01", authors=(f"Friend {'abcd'[n]}",)) for n in (1, 2, 3))
NARROWER = paper("2503.00009", "2025-03", authors=("Nora Narrow",))


def standing() -> Dossier:
    """A claim that three papers support from 2025-01 on, and one narrows, too weakly to relax it."""
    for_it = [weighed(p, Stance.SUPPORTS) for p in FRIENDS]
    return dossier(claim(), [*for_it, weighed(NARROWER, Stance.QUALIFIES, confidence=0.6)], [*FRIENDS, NARROWER])


def full() -> InquiryDossier:
    """Two claims with everything that a report can show, one claim that was never decided."""
    ground = paper("2305.11206", "2023-05-18", title="LIMA, as named here")
    against = [paper("2604.00001", "2026-04-02"), paper("2605.00002", "2026-05-09")]
    narrower = paper(
        "2409.00003", "2024-09-01", abstract=None, finding="It holds for style. It does not for reasoning."
    )
    gone = paper("2601.00004", "2026-01-04", withdrawn=True, withdrawn_because="This paper has been withdrawn")
    quiet = paper("2602.00005", "2026-02-05")
    first = claim(
        "LIMA was competitive with only 1,000 curated examples.",
        anchors=(Anchor(stated_title="LIMA", stated_date=StatedDate.parse("~2024")),),
        scope=Scope(family="data-quantity"),
        line=7,
    )
    weighings: list[Evidence] = [
        *(weighed(p, Stance.CONTRADICTS) for p in against),
        weighed(narrower, Stance.QUALIFIES, confidence=0.8),
        weighed(gone, Stance.SUPPORTS),
        weighed(quiet, Stance.NEUTRAL, unsure=True, leaning=Stance.SUPPORTS, confidence=0.4),
        measured(Outcome.SUPPORTS),
    ]
    grounding = Grounding(
        anchor=first.anchors[0],
        claim_id=first.id,
        status=GroundingStatus.MISMATCH,
        problems=(
            Problem(
                field="date",
                stated="~2024",
                actual="2023-05-18",
                message="stated ~2024, arXiv says 2023-05-18",
                serious=False,
            ),
        ),
        paper_id=ground.id,
        how="title search",
        looked_in=("mirror",),
    )
    one = dossier(
        first,
        weighings,
        [ground, *against, narrower, gone, quiet],
        experiments=(experiment(),),
        groundings=(grounding,),
        searches=(
            _search(first.id, Source.MIRROR, n_found=12),
            _search(first.id, Source.ARXIV, could_not_look="throttled (HTTP 429)"),
        ),
    )
    second = claim("70+ models converge on near-identical answers.", "2025-10", id="models-alike")
    friend = paper("2606.00006", "2026-06-06")
    two = dossier(
        second,
        [weighed(friend, Stance.SUPPORTS, claim_id=second.id)],
        [friend],
        no_experiment_because="--no-lab",
        searches=(_search(second.id, Source.MIRROR, n_found=3),),
    )
    third = claim("Self-improvement is bounded.", "~2025", id="self-improvement")
    inquiry = Inquiry(
        id="inq-0123456789ab",
        question="How many examples does alignment need?",
        claims=(first, second, third),
        anchors=(*first.anchors, Anchor(arxiv_id="2410.99999", line=20)),
        tasks=(
            Task(number=1, text="Re-test each claim: relaxed or overturned?", line=30),
            Task(
                number=2,
                text="Surface the strongest contradicting work from the last ~6 months: "
                "papers on matter and settings, or on song.",
                line=31,
            ),
            Task(number=3, text="Propose two research questions.", line=32),
            Task(number=4, text="Translate the library into verse.", line=33),
        ),
        questions=(
            ResearchQuestion(
                letter="a", text="Does in-context alignment now substitute for fine-tuning data entirely?", line=32
            ),
            ResearchQuestion(letter="b", text="Can heterogeneous pipelines break the homogeneity floor?", line=32),
        ),
        flag_ungrounded=True,
        warnings=(ParseWarning(line=40, text="Next lines", why="belongs to no section"),),
    )
    unreal = Grounding(
        anchor=Anchor(arxiv_id="2410.99999", line=20),
        status=GroundingStatus.NOT_FOUND,
        how="id",
        looked_in=("mirror",),
        could_not_look={"arxiv": "no connection"},
    )
    return InquiryDossier(
        inquiry=inquiry,
        claims=(one, two, Dossier(claim=third)),
        groundings=(unreal,),
        as_of=datetime(AS_OF.year, AS_OF.month, AS_OF.day, 23, 59, 59, tzinfo=UTC),
        generated_at=NOW,
    )


def _search(
    claim_id: str, source: Source, n_found: int | None = None, could_not_look: str | None = None
) -> SearchRecord:
    return SearchRecord(
        claim_id=claim_id, source=source, query="q", n_found=n_found, could_not_look=could_not_look, searched_at=NOW
    )
