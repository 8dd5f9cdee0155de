"""The weighing node: a judge reads each paper once, and every stance is kept as evidence with its quotes."""

from collections.abc import Sequence

from langgraph.types import Send

from agent.errors import Final, Retryable
from agent.graph.parts import Parts, Step
from agent.graph.state import Batch, State
from agent.judges.addressed import unbidden
from agent.judges.readings import library_reading
from claims.claim import Claim
from claims.evidence import Assessment, PaperEvidence, Stance, unjudged
from claims.paper import Paper


def to_weigh(state: State) -> list[Send] | str:
    """Fan out: one branch a batch of papers; with nothing to weigh, go on."""
    batches = state.get("batches") or []
    if not batches:
        return "choose"
    return [Send("weigh", {"claim_id": state["claim_id"], "paper_ids": ids}) for ids in batches]


def weigh(batch: Batch, parts: Parts) -> dict[str, object]:
    """Judge the papers of one batch that this judge has not judged on this claim in this text."""
    parts.enter("weigh", batch["claim_id"])
    claim = parts.store.claim(batch["claim_id"])
    held = parts.store.papers(batch["paper_ids"])
    add_readings(claim, list(held.values()), parts)
    judged = parts.store.judged(claim.id, parts.judge.ref)
    papers = [held[i] for i in batch["paper_ids"] if i in held and (i, held[i].text_digest) not in judged]
    if not papers:
        return {"n_judged": 0}
    n_judged = n_stands = 0
    said: list[Assessment] = []
    for start in range(0, len(papers), parts.judge.at_once):
        some = papers[start : start + parts.judge.at_once]
        try:
            assessments = parts.judge.assess(claim, some)
        except (Retryable, Final) as exc:
            n_unjudged = len(papers) - n_judged
            parts.watch(Step(claim.id, "weigh", f"could not judge {n_unjudged} papers: {exc}"))
            return {"n_judged": n_judged, "n_unjudged": n_unjudged, "problems": [str(exc)]}
        pairs = zip(some, assessments, strict=True)
        parts.store.add_evidence([evidence_of(claim, paper, assessment, parts) for paper, assessment in pairs])
        said += assessments
        n_judged += len(some)
        n_stands += sum(a.stance is not Stance.NEUTRAL for a in assessments)
    told = filter(None, (f"{n_judged} papers judged, {n_stands} take a stand", unjudged(said)))
    parts.watch(Step(claim.id, "weigh", "; ".join(told)))
    return {"n_judged": n_judged}


def add_readings(claim: Claim, papers: Sequence[Paper], parts: Parts) -> None:
    """Keep the readings that ship with starter papers; each is stored once, however often it is added."""
    given = [(paper, library_reading(claim, paper)) for paper in papers]
    parts.store.add_evidence([evidence_of(claim, paper, reading, parts) for paper, reading in given if reading])


def evidence_of(claim: Claim, paper: Paper, assessment: Assessment, parts: Parts) -> PaperEvidence:
    """Bind an assessment to the facts of the paper that was judged.

    A quote that is not byte for byte in the stored text is discarded and counted, whatever the judge says of itself;
    a machine's stance on a text that gives orders to machines is for a person to read.
    """
    assessment = unbidden(claim, paper, assessment)
    kept = tuple(q for q in assessment.quotes if q.is_in(paper))
    lost = len(assessment.quotes) - len(kept)
    if lost:
        assessment = assessment.model_copy(
            update={"quotes": kept, "discarded_quotes": assessment.discarded_quotes + lost}
        )
    return PaperEvidence.of(claim.id, paper, assessment, parts.clock.now())
