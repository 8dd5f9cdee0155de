"""One claim in one night: match what is new against it on this machine, judge only what matches, decide.

What came in since the claim was gone over last is ranked by itself, however good the rest of the mirror is. When more
of it is near enough than one night judges of a claim, the best come first, and the claim's place stays where it was
until the others had their turn.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, timedelta

from agent.errors import Final, Retryable
from agent.graph.find import grounded_anchors, may_count
from agent.graph.parts import Parts, Step
from agent.graph.weigh import add_readings, evidence_of
from agent.observe.spans import span
from agent.refresh.night import Night, judge_name, patiently
from agent.refresh.plan import Due, NightPlan
from agent.refresh.seeds import collect
from agent.refresh.state import NightState, state_of
from agent.retrieval import REORDERED, Rarity, retrieve, retrieve_among
from claims.claim import Claim
from claims.digest import NO_WORD, Problem
from claims.errors import RetestError, StoreFull
from claims.evidence import Assessment, Stance, unjudged
from claims.paper import Paper, Source
from claims.paper_index import PaperIndex
from claims.search import SearchRecord
from claims.verdict import decide

log = logging.getLogger(__name__)

CLAIM = "claim"
"""Where a claim's own failure happened, as the digest says it."""


def go_over(due: Due, night: Night, plan: NightPlan, sent: list[str]) -> None:
    """Do one claim. What fails is said in the digest and stops no other claim."""
    claim_id = due.claim.id
    with span("claim", night=str(night.wish.until), claim=claim_id):
        try:
            patiently(lambda: _refresh_claim(due, night, plan, sent), night.sleep)
        except StoreFull:
            raise
        except RetestError as exc:
            night.trouble(CLAIM, str(exc), claim_id)
        except Exception as exc:
            log.exception("claim %s stopped by a defect of retest", claim_id)
            night.trouble(CLAIM, f"a defect of retest: {type(exc).__name__}: {exc}", claim_id)


def _refresh_claim(due: Due, night: Night, plan: NightPlan, sent: list[str]) -> None:
    claim, until, parts = due.claim, night.wish.until, night.parts
    parts.enter("match", claim.id)
    found: list[str] = []
    waiting = 0
    done = parts.store.judged(claim.id, parts.judge.ref)
    if night.can_match:
        with span("match") as step:
            if due.full:
                limit = night.wish.papers_per_claim
                found = match(claim, night.index, parts, until, limit, night.texts, night.rarity())
            fresh = _fresh(due, night, plan, done)
            waiting = max(0, len(fresh) - night.wish.papers_per_claim)
            found += fresh[: night.wish.papers_per_claim]
            step |= {"papers": len(found), "waiting": waiting}
    ids = list(dict.fromkeys([*found, *sorted(due.moved)]))
    judged, failure = _weigh(claim, ids, night, done)
    collect(claim, sent, night)
    matched_in_full = due.full and night.can_match
    if matched_in_full or due.moved or judged or sent:
        _decide(claim, night)
    parts.watch(Step(claim.id, "refresh", f"{'; '.join(due.why)}: {judged} papers judged"))
    if failure is not None:
        raise failure
    if not night.can_match:
        return  # the mirror could not be searched, which is said once for all claims
    parts.enter("mark", claim.id)
    seen_to = due.care.seen_to if waiting else plan.seen_to
    night.store.claim_refreshed(claim.id, until, checked_to=plan.checked_to, seen_to=seen_to, full=due.full)
    _settle(claim, night, waiting)


def _fresh(due: Due, night: Night, plan: NightPlan, done: Collection[tuple[str, str]]) -> list[str]:
    """Rank what came in or changed since the claim was gone over, but what this judge has judged already.

    Empty for a claim that never was: it is matched against everything.
    """
    if due.care.seen_to is None:
        return []
    among = night.news(plan, due.care.seen_to)
    if among is None:
        return []
    claim = due.claim
    own = {a.arxiv_id for a in claim.anchors}
    hits = retrieve_among(
        claim,
        night.index,
        among,
        since=claim.asserted_on.end + timedelta(days=1),
        until=night.wish.until,
        best=night.wish.papers_per_claim,
        anchors=grounded_anchors(claim, night.parts),
        texts=lambda ids: night.texts(ids),
        rarity=night.rarity(),
    )
    ids = [hit.paper_id for hit in hits if hit.paper_id not in own]
    papers = night.texts(ids)
    return [
        id
        for id in ids
        if id in papers
        and not papers[id].withdrawn
        and (id, papers[id].text_digest) not in done
        and may_count(claim, papers[id], night.wish.until)
    ]


def match(
    claim: Claim,
    index: PaperIndex,
    parts: Parts,
    until: date,
    limit: int,
    texts: Callable[[Iterable[str]], Mapping[str, Paper]],
    rarity: Rarity,
) -> list[str]:
    """Rank the mirror's papers for a claim as `retest run` does, best first: ids that may count and will be weighed."""
    since = claim.asserted_on.end + timedelta(days=1)
    anchors = grounded_anchors(claim, parts)
    own = {a.arxiv_id for a in claim.anchors}
    n = limit + len(own)
    hits = retrieve(
        claim,
        index,
        since=since,
        until=until,
        limit=n,
        anchors=anchors,
        texts=lambda ids: texts(ids),
        rarity=rarity,
        reorder=n < REORDERED,  # beyond that, the order at the head does not decide who is among the best
    )
    return [hit.paper_id for hit in hits if hit.paper_id not in own][:limit]


def _weigh(
    claim: Claim, ids: list[str], night: Night, done: Collection[tuple[str, str]]
) -> tuple[int, RetestError | None]:
    """Judge what this judge has not judged on this claim in this text. Gives how many, and what stopped it."""
    parts, judge = night.parts, night.parts.judge
    if not ids:
        return 0, None
    held = parts.store.papers(ids)
    if ours := [paper for paper in held.values() if paper.finding]:
        add_readings(claim, ours, parts)
    papers = [
        p
        for p in (held[id] for id in ids if id in held)
        if not p.withdrawn and (p.id, p.text_digest) not in done and may_count(claim, p, night.wish.until)
    ]
    n, blank = 0, list[Assessment]()
    for start in range(0, len(papers), judge.at_once):
        some = papers[start : start + judge.at_once]
        parts.enter("judge", claim.id)
        try:
            with span("judge", judge=judge_name(judge)) as step:
                assessments = judge.assess(claim, some)
                step["papers"] = len(some)
        except (Retryable, Final) as exc:
            return n, exc
        pairs = list(zip(some, assessments, strict=True))
        parts.enter("judged", claim.id)
        parts.store.add_evidence([evidence_of(claim, paper, given, parts) for paper, given in pairs])
        blank += [given for given in assessments if given.could_not_judge]
        for paper, given in pairs:
            if given.unsure or given.stance is not Stance.NEUTRAL:
                unsure = "could not be judged" if given.could_not_judge else "unsure"
                said = unsure if given.unsure else given.stance.value
                log.info("%s: %s", paper.id, said, extra={"ids": {"paper": paper.id}})
        n += len(some)
    if papers:
        parts.store.add_searches([_searched(claim, night, n)])
    if told := unjudged(blank):
        night.trouble(
            NO_WORD, f"{told}; the claim's next full match asks again (`retest care {claim.id} --force`)", claim.id
        )
    return n, None


def _searched(claim: Claim, night: Night, n: int) -> SearchRecord:
    return SearchRecord(
        claim_id=claim.id,
        source=Source.MIRROR,
        query=claim.text,
        aim=f"refresh {night.wish.until}",
        since=claim.asserted_on.end + timedelta(days=1),
        until=night.wish.until,
        n_found=n,
        searched_at=night.parts.clock.now(),
    )


def _decide(claim: Claim, night: Night) -> None:
    """Decide from all that is held, unless a later day's verdict is held already."""
    night.parts.enter("decide", claim.id)
    with span("decide") as step:
        history = night.store.verdicts(claim.id)
        if history and history[-1].verdict.as_of > night.wish.until:
            return
        verdict = decide(claim, night.store.evidence(claim.id, superseded=True), night.wish.until)
        night.store.record_verdict(verdict)
        before = history[-1].verdict.kind if history else None
        step["verdict"] = verdict.kind.value
        step["changed"] = int(verdict.kind is not before)
        if verdict.kind is not before:
            log.info("%s: %s", claim.id, f"{before.value if before else 'undecided'} -> {verdict.kind.value}")


def _settle(claim: Claim, night: Night, waiting: int) -> None:
    """Note what waits for a later night, and take back what an earlier try said of this claim.

    What is said of its experiments stays.
    """
    held = night.store.night(night.wish.until)
    problem = Problem(where=CLAIM, what="", claim_id=claim.id)

    def settled(state: NightState) -> NightState:
        others = {id: n for id, n in state.waiting.items() if id != claim.id}
        return state.without(problem).model_copy(update={"waiting": others | ({claim.id: waiting} if waiting else {})})

    if held is not None and settled(state_of(held)) != state_of(held):
        night.change(settled)
