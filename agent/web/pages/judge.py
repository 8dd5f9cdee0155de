"""A person weighs papers on a claim: the pairs whose answer would tell most come first."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from agent.judges.person import answer, held_before, worth_asking
from agent.web.door import ClockDep, StoreDep
from agent.web.render import page
from claims.claim import Claim
from claims.errors import InputError, NotHeld
from claims.evidence import Assessment, JudgeName, PaperEvidence, Stance
from claims.report.view import CONTEXT, Row
from claims.store import Store
from claims.verdict import decide

router = APIRouter()

SHOWN = 20
"""Pairs that may be skipped before the page ends."""

MAX_REASON = 1000


@router.get("/claims/{claim_id}/judge")
def ask(request: Request, claim_id: str, store: StoreDep, skip: int = 0, by: str = "", kept: str = "") -> HTMLResponse:
    """Show the next paper to weigh, and what was just kept of the one before it."""
    claim = store.claim(claim_id)
    rows = _rows(claim, store)
    skip = min(max(0, skip), len(rows))
    held = store.verdicts(claim.id)
    return page(
        request,
        "judge.html",
        claim=claim,
        row=rows[skip] if skip < len(rows) else None,
        left=len(rows) - skip,
        skip=skip,
        by=by[:80] or getattr(request.state, "user", None) or "",
        kept=_kept(claim, store, kept, by),
        verdict=held[-1].verdict if held else None,
        stances=list(Stance),
        context=CONTEXT,
    )


def _rows(claim: Claim, store: Store) -> list[Row]:
    judged = {e.paper_id: e for e in store.evidence(claim.id) if isinstance(e, PaperEvidence) and not e.withdrawn}
    papers = store.papers(judged)
    kept = [e for e in judged.values() if e.paper_id in papers]
    asked = worth_asking([papers[e.paper_id] for e in kept], [e.assessment for e in kept], limit=SHOWN)
    return [Row(judged[q.paper.id], q.paper, q.proposed.stance, counted=False, claim=claim.text) for q in asked]


def _kept(claim: Claim, store: Store, paper_id: str, by: str) -> Row | None:
    """Give this person's stance on a paper, when it is the one that holds."""
    for e in store.evidence(claim.id) if paper_id else ():
        if isinstance(e, PaperEvidence) and e.paper_id == paper_id and _said_by(e.assessment, by):
            return Row(e, store.papers([paper_id]).get(paper_id), e.stance, counted=True, claim=claim.text)
    return None


def _said_by(said: Assessment, person: str) -> bool:
    return said.judge.name is JudgeName.PERSON and said.judge.version == person


def _keep(claim: Claim, store: Store, said: PaperEvidence) -> None:
    """Keep a person's word, and decide the claim again."""
    store.add_evidence([said])
    store.record_verdict(decide(claim, store.evidence(claim.id, superseded=True), said.judged_at.date()))


def _next(claim: Claim, skip: int, name: str, **also: str) -> Response:
    where = urlencode({"skip": max(0, skip), "by": name} | also)
    return RedirectResponse(f"/claims/{claim.id}/judge?{where}", 303)


@router.post("/claims/{claim_id}/judge/back")
def take_back(
    claim_id: str,
    store: StoreDep,
    clock: ClockDep,
    paper_id: Annotated[str, Form(max_length=40)],
    by: Annotated[str, Form(max_length=80)],
    skip: Annotated[int, Form()] = 0,
) -> Response:
    """Take a person's last word on a paper back, decide the claim again, and lead to the pairs."""
    claim, name, now = store.claim(claim_id), " ".join(by.split()), clock.now()
    said = [e for e in store.evidence(claim.id, everything=True) if isinstance(e, PaperEvidence)]
    own = [e.assessment for e in said if e.paper_id == paper_id and _said_by(e.assessment, name)]
    instead = held_before(own, person=name, on=now.date())
    _keep(claim, store, PaperEvidence.of(claim.id, store.paper(paper_id), instead, now))
    return _next(claim, skip, name)


@router.post("/claims/{claim_id}/judge")
def weigh(
    claim_id: str,
    store: StoreDep,
    clock: ClockDep,
    paper_id: Annotated[str, Form(max_length=40)],
    stance: Annotated[str, Form(max_length=20)],
    by: Annotated[str, Form(max_length=80)],
    reason: Annotated[str, Form(max_length=MAX_REASON)] = "",
    words: Annotated[str, Form(max_length=2000)] = "",
    skip: Annotated[int, Form()] = 0,
) -> Response:
    """Keep a person's stance, decide the claim again, and lead to the next paper."""
    claim = store.claim(claim_id)
    if stance not in list(Stance):
        raise InputError(f"no stance {stance!r}: there are {', '.join(Stance)}")
    held = {e.paper_id: e for e in store.evidence(claim.id) if isinstance(e, PaperEvidence)}
    if paper_id not in held:
        raise NotHeld("evidence of paper", paper_id)
    paper = store.paper(paper_id)
    now = clock.now()
    assessment = answer(
        paper,
        Stance(stance),
        person=by,
        reason=reason,
        on=now.date(),
        words=words.strip() or None,
        proposed=held[paper_id].assessment,
    )
    _keep(claim, store, PaperEvidence.of(claim.id, paper, assessment, now))
    # The next most telling pair moved up to where this one was.
    return _next(claim, skip, " ".join(by.split()), kept=paper.id)
