"""What people start from a claim's page, and the page of what was started: its steps, approve, decline, cancel."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from agent.web.door import JobsDep, SettingsDep, StoreDep
from agent.web.jobs import Started
from agent.web.journal import JobKind, JobTaken
from agent.web.render import page
from agent.wiring import SOURCE_CHOICES
from claims.errors import InputError, NotHeld
from claims.report.answers import DESIGNS

router = APIRouter()

MAX_STEPS = 200
"""Steps that a page shows; older ones are counted."""

PROFILES = ("tiny", "small")


@router.post("/claims/{claim_id}/retest")
def start_retest(claim_id: str, jobs: JobsDep, source: Annotated[str, Form()] = "auto") -> Response:
    """Start a re-test, and lead to its page."""
    if source not in SOURCE_CHOICES:
        raise InputError(f"no source {source[:20]!r}; there are {', '.join(SOURCE_CHOICES)}")
    try:
        return _to(jobs.start_retest(claim_id, source=source))
    except JobTaken as taken:
        return RedirectResponse(f"/jobs/{taken.job.id}", 303)


@router.post("/inquiries/{inquiry_id}/run")
def start_run(inquiry_id: str, jobs: JobsDep, use_lab: Annotated[bool, Form()] = False) -> Response:
    """Start the main job over an inquiry, and lead to its page."""
    try:
        return _to(jobs.start_run(inquiry_id, use_lab=use_lab))
    except JobTaken as taken:
        return RedirectResponse(f"/jobs/{taken.job.id}", 303)


@router.get("/claims/{claim_id}/experiment")
def propose(request: Request, claim_id: str, store: StoreDep, settings: SettingsDep) -> HTMLResponse:
    """Show the design that would re-test a claim, and ask for size and seeds."""
    claim = store.claim(claim_id)
    if claim.scope.family is None:
        raise InputError(f"no protocol re-tests {claim.id}: it belongs to no family of claims")
    return page(
        request,
        "propose.html",
        claim=claim,
        design=DESIGNS.get(claim.scope.family),
        profiles=PROFILES,
        seeds=settings.seeds,
        approve_minutes=settings.approve_minutes,
        experiments=store.experiments(claim.id),
    )


@router.post("/claims/{claim_id}/experiment")
def start_experiment(
    claim_id: str, jobs: JobsDep, profile: Annotated[str, Form()] = "tiny", seeds: Annotated[int, Form()] = 8
) -> Response:
    """Start an experiment, or put it up for approval when it is a long one, and lead to its page."""
    if profile not in PROFILES:
        raise InputError(f"no profile {profile[:20]!r}; there are {', '.join(PROFILES)}")
    if not 2 <= seeds <= 256:
        raise InputError(f"seeds: expected 2 to 256, got {seeds}")
    try:
        return _to(jobs.start_experiment(claim_id, profile=profile, seeds=seeds))
    except JobTaken as taken:
        return RedirectResponse(f"/jobs/{taken.job.id}", 303)


def _to(started: Started) -> Response:
    return RedirectResponse(f"/jobs/{started.job.id}", 303)


@router.get("/jobs/{job_id}")
def job(request: Request, job_id: str, jobs: JobsDep, store: StoreDep) -> HTMLResponse:
    """Show a job with its steps."""
    held = jobs.get(job_id)
    steps = jobs.events(job_id)
    while len(steps) and len(steps) % 500 == 0 and (more := jobs.events(job_id, after=steps[-1].n)):
        steps = [*steps, *more]
    experiment = next((s.progress.experiment_id for s in reversed(steps) if s.progress), None)
    claim = None
    if held.kind is not JobKind.RUN:
        with suppress(NotHeld):
            claim = store.claim(held.subject)
    told = [s for s in steps if s.message]
    return page(
        request,
        "job.html",
        job=held,
        claim=claim,
        steps=told[-MAX_STEPS:],
        n_earlier=max(0, len(told) - MAX_STEPS),
        last=steps[-1].n if steps else 0,
        experiment=experiment,
    )


@router.post("/jobs/{job_id}/approve")
def approve(job_id: str, jobs: JobsDep) -> Response:
    """Let a waiting experiment begin."""
    jobs.approve(job_id)
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.post("/jobs/{job_id}/decline")
def decline(job_id: str, jobs: JobsDep) -> Response:
    """Say no to a waiting experiment."""
    jobs.decline(job_id)
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.post("/jobs/{job_id}/cancel")
def cancel(job_id: str, jobs: JobsDep) -> Response:
    """Stop a job."""
    jobs.cancel(job_id)
    return RedirectResponse(f"/jobs/{job_id}", 303)
