"""Server-sent events for pages that are open: the steps of a job, and the progress of an experiment from the lab.

A stream holds no thread while it waits, so that many open pages cost little, and it ends with the page.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from httpx_sse import SSEError, aconnect_sse

from agent.errors import AgentError
from agent.lab_client import QUIET_S, LabClient, address_of
from agent.web.door import JobsDep, SettingsDep
from agent.web.jobs import Jobs
from agent.wiring import find_lab

router = APIRouter()

LOOK_S = 0.5
"""Seconds between two looks at a job's journal."""
COMMENT_S = 10.0
"""Seconds of silence after which a comment is sent, so that no one in between cuts the connection."""

StepNumber = Annotated[int, Query(ge=0, le=2**53)]
"""Of a job's step; a page's script counts no further exactly."""
LastEventId = Annotated[str, Header(max_length=15)]


def event(name: str, data: dict[str, Any], id: str = "") -> bytes:
    """Write one event."""
    head = f"id: {id}\n" if id else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=True)}\n\n".encode()


def stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """Answer with events."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.get("/jobs/{job_id}/events")
def job_events(job_id: str, jobs: JobsDep, after: StepNumber = 0, last_event_id: LastEventId = "") -> StreamingResponse:
    """Tell the steps of a job as they come; ends when it is over or waits for a person."""
    jobs.get(job_id)
    start = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else after
    return stream(_job_events(jobs, job_id, start))


async def _job_events(jobs: Jobs, job_id: str, after: int) -> AsyncIterator[bytes]:
    spoke_at = time.monotonic()
    told = ""
    while True:
        job = await asyncio.to_thread(jobs.get, job_id)
        for step in await asyncio.to_thread(jobs.events, job_id, after):
            after = step.n
            spoke_at = time.monotonic()
            yield event("step", step.model_dump(mode="json", exclude_none=True), str(after))
        if job.state != told:
            told = job.state
            yield event("state", {"state": told})
        if job.is_over or job.state == "waiting":
            yield event("end", {"state": job.state})
            return
        if time.monotonic() - spoke_at > COMMENT_S:
            spoke_at = time.monotonic()
            yield b": still here\n\n"
        await asyncio.sleep(LOOK_S)


@router.get("/experiments/{experiment_id}/events")
def experiment_events(
    experiment_id: str, settings: SettingsDep, request: Request, last_event_id: Annotated[str, Header()] = ""
) -> StreamingResponse:
    """Pass on the lab's progress events; `gone` says that no lab tells any more, and why."""
    del request
    why = "no lab runs here now"
    lab: LabClient | None = None
    try:
        lab = find_lab(settings)
    except AgentError as exc:
        why = str(exc)
    if lab is None:
        return stream(_gone(why))
    lab.close()
    return stream(_lab_events(lab, experiment_id, last_event_id))


async def _gone(why: str) -> AsyncIterator[bytes]:
    yield event("gone", {"why": why})


async def _lab_events(lab: LabClient, experiment_id: str, last_id: str) -> AsyncIterator[bytes]:
    headers = lab.authorization | {"Cache-Control": "no-store"} | ({"Last-Event-ID": last_id} if last_id else {})
    timeout = httpx.Timeout(10.0, read=QUIET_S)
    path = f"{address_of(experiment_id)}/events"
    try:
        async with (
            httpx.AsyncClient(base_url=lab.url, timeout=timeout, trust_env=False) as client,
            aconnect_sse(client, "GET", path, headers=headers) as source,
        ):
            if source.response.is_error:
                yield event("gone", {"why": f"the lab answers HTTP {source.response.status_code}"})
                return
            async for one in source.aiter_sse():
                if one.event == "progress":
                    yield event("progress", json.loads(one.data), one.id)
            yield event("end", {})
    except (httpx.HTTPError, SSEError, ValueError) as exc:
        yield event("gone", {"why": f"the lab broke off: {type(exc).__name__}"})
