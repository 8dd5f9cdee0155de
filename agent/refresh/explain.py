"""Why a claim stands where it stands: which papers matched and how well, why each stance, why this verdict."""

from datetime import date, timedelta
from functools import partial
from typing import NamedTuple

from agent.graph.find import grounded_anchors
from agent.graph.parts import Parts
from agent.retrieval import REORDERED, Rarity, near, retrieve
from agent.sources.mirror import MirrorSource
from claims.claim import Claim
from claims.errors import CouldNotLook
from claims.evidence import PaperEvidence
from claims.paper_index import PaperIndex

BEYOND = 100
"""Papers behind the cap that are shown."""


class Match(NamedTuple):
    """One paper that a full match brings up for a claim."""

    rank: int
    paper_id: str
    title: str
    score: float
    """BM25 of the claim's weighed words, which nearness may have put in another order; compares within one claim"""
    stance: str
    """`not judged` when no judge read it on this claim"""
    confidence: float | None
    why: str
    """the judge's explanation"""
    quote: str | None


class Explained(NamedTuple):
    """Why one claim stands where it stands."""

    claim: Claim
    matches: list[Match]
    beyond: list[Match]
    """the next ones, at most BEYOND, which a full match leaves out; a night judges them when they are new"""
    unmatched: list[Match]
    """papers that take a stand and that a match does not bring up (any more); rank 0"""
    could_not_match: str | None
    verdict: str
    reason: str
    not_counted: dict[str, str]


def explain(claim: Claim, parts: Parts, index: PaperIndex, until: date, *, limit: int = 120) -> Explained:
    """Match a claim again, without judging or changing anything, and say what is held about each paper."""
    store = parts.store
    held = {e.paper_id: e for e in store.evidence(claim.id) if isinstance(e, PaperEvidence)}
    why_not: str | None = None
    hits: list[tuple[str, float]] = []
    try:
        MirrorSource(store, index).ready()
        since = claim.asserted_on.end + timedelta(days=1)
        anchors = grounded_anchors(claim, parts)
        ask = partial(retrieve, claim, index, since=since, until=until, anchors=anchors, texts=store.papers)
        rarity = Rarity(index)
        best = [hit.paper_id for hit in ask(limit=limit, rarity=rarity)]
        by_words = ask(limit=max(limit, REORDERED) + BEYOND, reorder=False, rarity=rarity)
        enough, score = near(by_words, limit), {hit.paper_id: hit.score for hit in by_words}
        more = [hit.paper_id for hit in by_words if hit.score >= enough and hit.paper_id not in best]
        hits = [(paper_id, score[paper_id]) for paper_id in (*best, *more[:BEYOND])]
    except CouldNotLook as exc:
        why_not = exc.why
    papers = store.papers([*(id for id, _ in hits), *held])
    matched = [_match(n, id, score, papers[id].title, held) for n, (id, score) in enumerate(hits, 1) if id in papers]
    ids = {id for id, _ in hits}
    others = [id for id, e in held.items() if id not in ids and e.stance != "neutral"]
    history = store.verdicts(claim.id)
    verdict = history[-1].verdict if history else None
    return Explained(
        claim=claim,
        matches=[m for m in matched if m.rank <= limit],
        beyond=[m for m in matched if m.rank > limit],
        unmatched=[_match(0, id, 0.0, papers[id].title, held) for id in others if id in papers],
        could_not_match=why_not,
        verdict=verdict.kind.value if verdict else "undecided",
        reason=verdict.reason if verdict else "no verdict was recorded yet",
        not_counted=dict(verdict.not_counted) if verdict else {},
    )


def _match(rank: int, paper_id: str, score: float, title: str, held: dict[str, PaperEvidence]) -> Match:
    evidence = held.get(paper_id)
    if evidence is None:
        return Match(rank, paper_id, title, score, "not judged", None, "", None)
    a = evidence.assessment
    stance = "could not be judged" if a.could_not_judge else "unsure" if a.unsure else a.stance.value
    quote = a.quotes[0].text if a.quotes else None
    return Match(rank, paper_id, title, score, stance, a.confidence, a.explanation, quote)
