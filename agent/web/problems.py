"""How errors are answered: one shape for programs (RFC 9457, `application/problem+json`), one page for people.

The kind of a problem is the class of the error; its status tells who can mend it: 4xx the one who asked, 5xx nobody
who asked. A defect of retest is told without its inside, which is in the log.
"""

import logging
import re
import secrets
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from agent.errors import (
    BudgetSpent,
    Final,
    LabRefused,
    LlmRefused,
    Retryable,
    RunStateUnknown,
    SourceBusy,
)
from agent.lease import ThreadTaken
from agent.web.jobs import Stopped
from agent.web.journal import JobTaken
from agent.web.render import page
from claims.errors import (
    CouldNotLook,
    InputError,
    NotHeld,
    QuoteMismatch,
    RetestError,
    SchemaMismatch,
    StoreError,
    StoreFull,
    StoreLocked,
    UnreadableDocument,
)

log = logging.getLogger(__name__)

STATUS: tuple[tuple[type[RetestError], int], ...] = (
    (NotHeld, 404),
    (UnreadableDocument, 422),
    (InputError, 422),
    (QuoteMismatch, 422),
    (JobTaken, 409),
    (ThreadTaken, 409),
    (BudgetSpent, 402),
    (Stopped, 503),
    (StoreFull, 507),
    (StoreLocked, 503),
    (SchemaMismatch, 503),
    (StoreError, 503),
    (RunStateUnknown, 504),
    (LabRefused, 502),
    (LlmRefused, 502),
    (Final, 502),
    (Retryable, 503),
    (CouldNotLook, 503),
)
"""The first class that fits gives the status."""

TITLES = {
    400: "The request cannot be used",
    401: "Sign in first",
    402: "The budget is spent",
    403: "Not allowed",
    404: "Not held here",
    405: "Not offered here",
    409: "Already at work",
    413: "Too large",
    415: "Another kind of body is needed",
    422: "The input cannot be used",
    429: "Too many requests",
    500: "A defect of retest",
    502: "Another server said no",
    503: "Not possible now",
    504: "Not known whether it began",
    507: "The disk is full",
}


HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "cache-control": "no-cache, private",
}
"""On every answer that does not say otherwise. Nothing inline runs: scripts and styles are files of ours."""


class Problem(BaseModel):
    """Why something could not be answered."""

    model_config = ConfigDict(extra="allow")

    type: str
    """`urn:retest:problem:` and the kind"""
    title: str
    status: int
    detail: str
    """what happened, what was got, what to do"""
    errors: list[dict[str, Any]] | None = None
    """of a request with several wrong parts: where, and what"""
    job: str | None = None
    """the one that is at work already"""


def answer(
    request: Request,
    status: int,
    detail: str,
    *,
    kind: str = "",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """Say that something went wrong, as a problem to programs and as a page to people."""
    title = TITLES.get(status, "It did not work")
    detail = "".join(c if c.isprintable() else " " for c in detail)[:2000]
    response: Response
    if is_page(request):
        response = page(request, "error.html", status=status, title=title, detail=detail, id=more.get("id"))
    else:
        kind = kind or re.sub(r"[^a-z]+", "-", title.lower())
        body = {"type": f"urn:retest:problem:{kind}", "title": title, "status": status, "detail": detail, **more}
        response = JSONResponse(body, status_code=status, media_type="application/problem+json")
    response.headers.update(headers or {})
    return response


def is_page(request: Request) -> bool:
    """Whether a person looks at the answer."""
    return not request.url.path.startswith(("/api/", "/static/", "/health", "/ready"))


def status_of(exc: RetestError) -> int:
    """Give the status that an error stands for. What a lab refuses for the input's sake is the asker's to mend."""
    if isinstance(exc, LabRefused) and exc.is_of_the_input:
        return exc.status
    return next((status for kind, status in STATUS if isinstance(exc, kind)), 422)


def install(app: FastAPI) -> None:
    """Answer every error of an application in one of the two shapes."""

    @app.exception_handler(RetestError)
    def ours(request: Request, exc: RetestError) -> Response:
        status = status_of(exc)
        if status >= 500:
            log.warning("%s %s: %s: %s", request.method, request.url.path, type(exc).__name__, exc)
        headers = {}
        if status == 503:
            wait = exc.retry_after_s if isinstance(exc, SourceBusy) and exc.retry_after_s else 5
            headers["Retry-After"] = str(max(1, round(wait)))
        more = {"job": exc.job.id} if isinstance(exc, JobTaken) else {}
        return answer(request, status, str(exc), kind=_kebab(type(exc).__name__), headers=headers, **more)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, exc: RequestValidationError) -> Response:
        # Without the input itself: it may hold bytes that are no text and numbers that are no JSON.
        errors = [{"where": ".".join(map(str, one["loc"])), "what": one["msg"]} for one in exc.errors()]
        detail = "; ".join(f"{one['where']}: {one['what']}" for one in errors[:5])
        return answer(request, 422, detail, kind="invalid-request", errors=errors)

    @app.exception_handler(HTTPException)
    def refused(request: Request, exc: HTTPException) -> Response:
        detail = (
            exc.detail if exc.status_code != 404 or exc.detail != "Not Found" else "there is nothing at this address"
        )
        return answer(request, exc.status_code, str(detail), headers=dict(exc.headers or {}))

    @app.exception_handler(Exception)
    def defect(request: Request, exc: Exception) -> Response:
        # The traceback follows in the log, from the server; the number finds it.
        number = "err-" + secrets.token_hex(4)
        log.error("%s: %s %s: %s", number, request.method, request.url.path, type(exc).__name__)
        said = f"{type(exc).__name__}; the server's log says where"
        # This answer is given outside of the guard, which dresses all others.
        return answer(request, 500, said, kind="defect", headers=HEADERS, id=number)


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
