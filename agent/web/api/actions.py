"""What changes something: import an inquiry, re-test a claim, run its experiment; and the jobs that do it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from agent.lookups import inquiry_document
from agent.web.api.paging import Page, PageDep, Tagged, paged
from agent.web.api.words import PROBLEM, ClaimKey, StartedJob
from agent.web.door import JobsDep, StoreDep
from agent.web.jobs import Started
from agent.web.journal import Job
from agent.web.pages.live import LastEventId, StepNumber, job_events
from claims.errors import InputError, NotHeld
from claims.inquiry import parse_inquiry

router = APIRouter(route_class=Tagged)

MAX_DOCUMENT = 1_000_000
"""Characters of a document."""

Place = Literal["auto", "arxiv", "mirror", "library"]
JobKey = Annotated[str, Path(pattern="^job-[0-9a-f]{12}$")]
_STARTED: dict[int | str, dict[str, Any]] = {
    200: {"model": StartedJob, "description": "it was started before and is not over"},
    409: {**PROBLEM, "description": "another job is at work on the claim; `job` names it"},
}


class Document(BaseModel):
    """An inquiry's text."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=MAX_DOCUMENT)


class Import(Document):
    """An inquiry to be held, and whether to begin with it."""

    run: bool = False
    """start the main job over it: search, weigh, decide"""
    source: Place = "auto"
    use_lab: bool = False
    """let the job run experiments; a long one waits for approval"""


class Imported(BaseModel):
    """What came of an import."""

    inquiry: dict[str, Any]
    """what was understood, as in the preview"""
    is_new: bool
    job: StartedJob | None


class Retest(BaseModel):
    """How a claim is to be re-tested."""

    model_config = ConfigDict(extra="forbid")

    source: Place = "auto"


class Proposal(BaseModel):
    """An experiment that is wished for."""

    model_config = ConfigDict(extra="forbid")

    profile: str = Field(default="tiny", pattern=r"^[a-z0-9_-]{1,20}$")
    seeds: int | None = Field(default=None, ge=2, le=256)
    """RETEST_SEEDS when left out"""
    approved: bool = False
    """start it however long it takes; else a long one waits for approval"""


@router.post("/imports/preview", tags=["imports"])
def preview(given: Document) -> dict[str, Any]:
    """Show what would be understood of a document: question, claims, anchors, tasks, warnings. Nothing is stored."""
    return inquiry_document(parse_inquiry(given.text))


@router.post("/imports", status_code=201, tags=["imports"])
def hold(given: Import, store: StoreDep, jobs: JobsDep, response: Response) -> Imported:
    """Hold an inquiry with its claims, and start the main job over it if so wished."""
    inquiry = parse_inquiry(given.text)
    if not inquiry.claims:
        raise InputError("no claim was found in the document, so there is nothing to hold")
    try:
        store.inquiry(inquiry.id)
        is_new = False
    except NotHeld:
        is_new = True
    store.put_inquiry(inquiry, document=given.text)
    started = jobs.start_run(inquiry.id, source=given.source, use_lab=given.use_lab) if given.run else None
    response.headers["Location"] = f"/api/v1/inquiries/{inquiry.id}"
    return Imported(
        inquiry=inquiry_document(inquiry), is_new=is_new, job=_shown(started) if started is not None else None
    )


@router.post("/claims/{claim}/retest", status_code=202, responses=_STARTED, tags=["jobs"])
def retest(claim: ClaimKey, jobs: JobsDep, response: Response, wish: Retest | None = None) -> StartedJob:
    """Search and weigh newer work for a claim and decide it again, in the background."""
    return _begun(jobs.start_retest(claim, source=(wish or Retest()).source), response)


@router.post("/claims/{claim}/experiments", status_code=202, responses=_STARTED, tags=["jobs"])
def experiment(claim: ClaimKey, jobs: JobsDep, response: Response, wish: Proposal | None = None) -> StartedJob:
    """Run the experiment of a claim's family in the lab, in the background; a long one waits for approval first."""
    wish = wish or Proposal()
    started = jobs.start_experiment(claim, profile=wish.profile, seeds=wish.seeds, approved=wish.approved)
    return _begun(started, response)


@router.get("/jobs", response_model=Page[Job], tags=["jobs"])
def all_jobs(
    request: Request,
    response: Response,
    jobs: JobsDep,
    page: PageDep,
    claim: Annotated[str | None, Query(max_length=200, description="only those that work on this claim")] = None,
) -> dict[str, Any]:
    """List what was started here, newest first."""
    return paged(jobs.list(claim, limit=1000), page, request, response)


@router.get("/jobs/{job}", tags=["jobs"])
def one_job(job: JobKey, jobs: JobsDep) -> Job:
    """Show a job."""
    return jobs.get(job)


@router.get(
    "/jobs/{job}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "events `step`, `state` and `end`"}},
    tags=["jobs"],
)
def events(
    job: JobKey,
    jobs: JobsDep,
    after: StepNumber = 0,
    last_event_id: LastEventId = "",
) -> StreamingResponse:
    """Tell the steps of a job as they come, and end with it. Goes on after `Last-Event-ID`, or after step `after`."""
    return job_events(job, jobs, after, last_event_id)


@router.post("/jobs/{job}/approve", tags=["jobs"])
def approve(job: JobKey, jobs: JobsDep) -> Job:
    """Let a waiting experiment begin."""
    return jobs.approve(job)


@router.post("/jobs/{job}/decline", tags=["jobs"])
def decline(job: JobKey, jobs: JobsDep) -> Job:
    """Say no to a waiting experiment."""
    return jobs.decline(job)


@router.post("/jobs/{job}/cancel", tags=["jobs"])
def cancel(job: JobKey, jobs: JobsDep) -> Job:
    """Stop a job at its next step; what was finished is kept. One that is over stays as it is."""
    return jobs.cancel(job)


def _begun(started: Started, response: Response) -> StartedJob:
    if not started.is_new:
        response.status_code = 200
    response.headers["Location"] = f"/api/v1/jobs/{started.job.id}"
    return _shown(started)


def _shown(started: Started) -> StartedJob:
    return StartedJob(job=started.job, is_new=started.is_new, events=f"/api/v1/jobs/{started.job.id}/events")
