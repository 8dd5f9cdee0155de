"""The first nodes of a claim's thread: ground its anchors, plan the questions, ask the sources, screen the answers."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from langgraph.types import Send

from agent.errors import Final, Retryable, reason
from agent.fusion import RankedAnswer, fuse
from agent.graph.parts import Parts, Step
from agent.graph.state import Ask, Ranked, State
from agent.grounding import ground_claim
from agent.queries import plan_queries
from agent.sources.source import PaperSource
from agent.word_vectors import shipped_word_vectors
from claims.claim import Anchor, Claim
from claims.errors import CouldNotLook
from claims.grounding import Grounding
from claims.paper import Paper, Source
from claims.search import Query, SearchRecord

PER_QUESTION = 200
"""Papers taken from one answer of a local source."""

PER_LIVE_QUESTION = 50
"""Papers taken from one answer of the live API: one page, one request."""

WHOLE_CLAIM = "claim"
"""Aim of a question that a source's own claim search answers."""

WHOLE_CLAIM_WEIGHT = 2.0
"""In fusion: of a source's claim search, and of all that planned questions brought from the other sources."""

SCREEN_BATCH = 24
"""Papers weighed together: what is repeated at most when a process dies."""


def ground_anchors(state: State, parts: Parts) -> dict[str, object]:
    """Look up what the inquiry names as the claim's ground."""
    parts.enter("ground", state["claim_id"])
    claim = parts.store.claim(state["claim_id"])
    sources = [parts.sources[Source(name)] for name in state["job"]["sources"]]
    groundings = ground_claim(claim, sources, related=loose_anchors(claim, parts))
    keep_grounded(groundings, sources, parts)
    parts.store.put_groundings(claim.inquiry_id, groundings)
    said = ", ".join(
        f"{g.paper_id or g.anchor.stated_title or g.anchor.arxiv_id or 'no anchor'} {g.status}" for g in groundings
    )
    parts.watch(Step(claim.id, "ground", said))
    return {}


def loose_anchors(claim: Claim, parts: Parts) -> list[Anchor]:
    """Give the anchors of the claim's inquiry that no claim is tied to."""
    if claim.inquiry_id is None:
        return []
    inquiry = parts.store.inquiry(claim.inquiry_id)
    tied = {anchor.arxiv_id for one in inquiry.claims for anchor in one.anchors}
    return [anchor for anchor in inquiry.anchors if anchor.arxiv_id not in tied]


def keep_grounded(groundings: Sequence[Grounding], sources: Sequence[PaperSource], parts: Parts) -> None:
    """Store the papers that groundings name, from whichever source has them."""
    wanted = {g.paper_id for g in groundings if g.paper_id}
    missing = sorted(wanted - parts.store.papers(wanted).keys())
    for source in sources:
        if not missing:
            return
        try:
            found = source.look_up(missing).papers
        except (Retryable, Final, CouldNotLook):
            continue  # the grounding already says that this source could not be asked
        parts.store.put_papers(found.values())
        missing = [i for i in missing if i not in found]


def plan(state: State, parts: Parts) -> dict[str, object]:
    """Write the questions, one list for each source."""
    parts.enter("plan", state["claim_id"])
    claim = parts.store.claim(state["claim_id"])
    queries = plan_queries(claim, grounded_anchors(claim, parts))
    whole = [Query(text=claim.text, aim=WHOLE_CLAIM, weight=WHOLE_CLAIM_WEIGHT)]
    asks: list[Ask] = [
        {"claim_id": claim.id, "source": name, "query": q.text, "aim": q.aim, "weight": q.weight}
        for name in state["job"]["sources"]
        for q in (whole if Source(name) in parts.claim_search else queries)
    ]
    parts.watch(Step(claim.id, "plan", f"{len(asks)} questions for {', '.join(state['job']['sources'])}"))
    return {"asks": asks, "found": None}


def grounded_anchors(claim: Claim, parts: Parts) -> list[Paper]:
    """Give the held papers that the claim rests on."""
    ids = [a.arxiv_id for a in claim.anchors if a.arxiv_id]
    ids += [g.paper_id for g in parts.store.groundings(claim_id=claim.id) if g.paper_id]
    return list(parts.store.papers(ids).values())


def to_search(state: State) -> list[Send]:
    """Fan out: one branch a question and source."""
    return [Send("search", {"ask": ask, "job": state["job"]}) for ask in state["asks"]]


def search(state: dict[str, object], parts: Parts) -> dict[str, object]:
    """Ask one source one question. A failure is recorded as *could not look*, with what happened."""
    ask: Ask = state["ask"]  # type: ignore[assignment]  # what `to_search` sent
    as_of = date.fromisoformat(state["job"]["as_of"])  # type: ignore[index]
    parts.enter("search", ask["claim_id"])
    claim = parts.store.claim(ask["claim_id"])
    source = parts.sources[Source(ask["source"])]
    since = claim.asserted_on.end + timedelta(days=1)
    limit = PER_LIVE_QUESTION if source.name is Source.ARXIV else PER_QUESTION
    n_found: int | None = None
    failure: str | None = None
    unreadable = 0
    note = ""
    ids: list[str] = []
    try:
        if ask["aim"] == WHOLE_CLAIM:
            anchors = grounded_anchors(claim, parts)
            found = parts.claim_search[source.name](claim, anchors=anchors, since=since, until=as_of, limit=limit)
        else:
            query = Query(text=ask["query"], aim=ask["aim"], weight=ask["weight"])
            found = source.search(query, since=since, until=as_of, limit=limit)
    except (Retryable, Final, CouldNotLook) as exc:
        failure = reason(exc)
    else:
        unreadable, note = found.unreadable, found.note
        if source.name is not Source.MIRROR:  # what the mirror gives is already held
            parts.store.put_papers(paper for paper, _ in found.papers)
        ids = [paper.id for paper, _ in found.papers]
        n_found = len(ids)
    parts.store.add_searches(
        [
            SearchRecord(
                claim_id=claim.id,
                source=source.name,
                query=ask["query"],
                aim=ask["aim"],
                since=since,
                until=as_of,
                n_found=n_found,
                could_not_look=failure,
                unreadable=unreadable,
                searched_at=parts.clock.now(),
            )
        ]
    )
    said = f"{source.name}: {n_found} papers{f' ({note})' if note else ''}" if failure is None else failure
    parts.watch(Step(claim.id, "search", said))
    answer: list[Ranked] = [{"source": ask["source"], "weight": ask["weight"], "ids": ids}]
    return {"found": answer}


def screen(state: State, parts: Parts) -> dict[str, object]:
    """Fuse the answers, drop what cannot be newer evidence, and keep the best for weighing."""
    parts.enter("screen", state["claim_id"])
    claim = parts.store.claim(state["claim_id"])
    as_of = date.fromisoformat(state["job"]["as_of"])
    held = parts.store.papers({one for answer in state["found"] for one in answer["ids"]})
    ranked = _fused(claim, state["found"], held, parts)
    fit = [i for i in ranked if i in held and may_count(claim, held[i], as_of)]
    keep = fit[: state["job"]["papers_per_claim"]]
    batches = [keep[i : i + SCREEN_BATCH] for i in range(0, len(keep), SCREEN_BATCH)]
    parts.watch(Step(claim.id, "screen", f"{len(keep)} of {len(ranked)} papers to weigh"))
    return {"found": None, "batches": batches, "n_found": len(ranked)}


def _fused(claim: Claim, answers: Sequence[Ranked], held: Mapping[str, Paper], parts: Parts) -> list[str]:
    """Give the ids of all answers, best first.

    A source's own claim search has weighed how near its papers are. What planned questions bring comes with ranks
    alone: their papers are put in order by ranks and nearness before they count beside it.
    """
    weighed = [RankedAnswer(a["ids"], a["weight"]) for a in answers if Source(a["source"]) in parts.claim_search]
    by_rank = [RankedAnswer(a["ids"], a["weight"]) for a in answers if Source(a["source"]) not in parts.claim_search]
    papers = [held[one] for one in dict.fromkeys(one for a in by_rank for one in a.ids) if one in held]
    near = shipped_word_vectors().nearness(claim, grounded_anchors(claim, parts), papers)
    planned = fuse(by_rank, dict(zip((paper.id for paper in papers), near, strict=True)))
    return fuse([*weighed, RankedAnswer(planned, WHOLE_CLAIM_WEIGHT)])


def may_count(claim: Claim, paper: Paper, as_of: date) -> bool:
    """Tell whether a paper can be newer evidence at all: after the claim, not after `as_of`, not its own anchor."""
    own = {a.arxiv_id for a in claim.anchors}
    return paper.id not in own and paper.published.is_after(claim.asserted_on) and paper.published.start <= as_of
