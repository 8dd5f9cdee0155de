"""Experiments: the list with what waits for approval, and one with its design, runs and live progress."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from agent.errors import AgentError
from agent.web.door import JobsDep, SettingsDep, StoreDep
from agent.web.journal import Job, JobKind, JobState
from agent.web.render import page
from agent.wiring import find_lab
from claims.claim import Claim
from claims.errors import InputError, NotHeld
from claims.evidence import ExperimentEvidence
from claims.experiment import ExperimentView
from claims.report.experiments import departures, models_of
from claims.report.html import experiment_section
from claims.store import Store

router = APIRouter()

MOST = 200
"""Experiments in the list; a claim's page shows its own, however old."""


@router.get("/experiments")
def experiments(request: Request, store: StoreDep, jobs: JobsDep) -> HTMLResponse:
    """List experiments, newest first, below what waits for a person and what runs."""
    held = jobs.list(limit=50)
    on_record = store.experiments()[::-1]
    return page(
        request,
        "experiments.html",
        experiments=on_record[:MOST],
        n_held=len(on_record),
        claims={claim.id: claim for claim in store.claims()},
        departures=departures,
        models_of=models_of,
        waiting=[job for job in held if job.state is JobState.WAITING],
        running=[job for job in held if job.state in (JobState.QUEUED, JobState.RUNNING)],
        over=[job for job in held if job.is_over][:10],
    )


@router.get("/experiments/{experiment_id}")
def experiment(
    request: Request, experiment_id: str, store: StoreDep, settings: SettingsDep, jobs: JobsDep
) -> HTMLResponse:
    """Show one experiment as the lab has it now, or as it was last seen."""
    view, seen = _newest(experiment_id, store, settings)
    claim = _claim(view, store)
    own = store.evidence(claim.id) if claim else []
    return page(
        request,
        "experiment.html",
        x=view,
        seen=seen,
        claim=claim,
        section=experiment_section(view, {}),
        evidence=[e for e in own if isinstance(e, ExperimentEvidence) and e.experiment_id == view.id],
        done=sum(run.state.is_final for run in view.runs),
        job=_at_work(view, jobs) if claim else None,
    )


def _at_work(view: ExperimentView, jobs: JobsDep) -> Job | None:
    """Find the job that waits with, or is at work on, more seeds of an experiment."""
    for job in jobs.list(view.spec.claim_id):
        if job.kind is JobKind.EXPERIMENT and not job.is_over and job.wish.get("profile") == view.spec.profile:
            return job
    return None


def _newest(experiment_id: str, store: Store, settings: SettingsDep) -> tuple[ExperimentView, str]:
    """Give an experiment, and why it may be older than the lab's (empty when it is not)."""
    held: ExperimentView | None = None
    missing: NotHeld | None = None
    try:
        held = store.experiment(experiment_id)
    except NotHeld as exc:
        missing = exc
    if held is not None and held.state.is_final:
        return held, ""
    why = "no lab runs here now"
    try:
        lab = find_lab(settings)
        if lab is not None:
            try:
                return lab.get(experiment_id), ""
            finally:
                lab.close()
    except (AgentError, InputError) as exc:
        why = str(exc)
    if held is None:
        raise missing or NotHeld("experiment", experiment_id)
    return held, why


def _claim(view: ExperimentView, store: Store) -> Claim | None:
    if view.spec.claim_id is None:
        return None
    try:
        return store.claim(view.spec.claim_id)
    except NotHeld:
        return None


@router.post("/experiments/{experiment_id}/cancel")
def cancel(experiment_id: str, store: StoreDep, settings: SettingsDep) -> Response:
    """Stop what is not over of an experiment; seeds that are done keep their result."""
    lab = find_lab(settings)
    if lab is not None:
        try:
            view = lab.cancel(experiment_id)
            if _claim(view, store) is not None or view.spec.claim_id is None:
                store.put_experiment(view)
        finally:
            lab.close()
    return RedirectResponse(f"/experiments/{experiment_id}", 303)
