"""Reports of a claim, of an inquiry, or of everything, in every format."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from agent.lookups import dossier_of
from agent.main_job import end_of
from agent.web.api.paging import Page, PageDep, Tagged, paged
from agent.web.api.words import AsOf, ClaimKey
from agent.web.door import ClockDep, StoreDep
from claims.clock import Clock
from claims.errors import NotHeld
from claims.inquiry import Inquiry
from claims.report import Format, media_type, render
from claims.store import Store

router = APIRouter(route_class=Tagged, tags=["reports"])

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox allow-popups"
"""Of a document that carries its style sheet inside: nothing else in it is acted on, and it has no origin."""

_TYPES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type(format).partition(";")[0]: {} for format in Format}, "description": "the report"}
}
FormatDep = Annotated[Format, Query()]


class InquiryLine(BaseModel):
    """One inquiry in the list."""

    id: str
    question: str | None
    claims: list[str]


@router.get("/claims/{claim}/report", response_class=Response, responses=_TYPES)
def claim_report(
    claim: ClaimKey, store: StoreDep, clock: ClockDep, format: FormatDep = Format.HTML, as_of: AsOf = None
) -> Response:
    """Write the report of one claim."""
    return _report(store, store.claim(claim).id, clock, format, as_of)


@router.get("/inquiries", response_model=Page[InquiryLine])
def inquiries(request: Request, response: Response, store: StoreDep, page: PageDep) -> dict[str, Any]:
    """List the inquiries, oldest first."""
    lines = [InquiryLine(id=i.id, question=i.question, claims=[c.id for c in i.claims]) for i in store.inquiries()]
    return paged(lines, page, request, response)


@router.get("/inquiries/{inquiry}")
def inquiry(inquiry: Annotated[str, Path(max_length=80)], store: StoreDep) -> Inquiry:
    """Show an inquiry as it was understood."""
    return store.inquiry(inquiry)


@router.get("/inquiries/{inquiry}/report", response_class=Response, responses=_TYPES)
def inquiry_report(
    inquiry: Annotated[str, Path(max_length=80)],
    store: StoreDep,
    clock: ClockDep,
    format: FormatDep = Format.HTML,
    as_of: AsOf = None,
) -> Response:
    """Write the report over an inquiry."""
    if not inquiry.startswith("inq-"):
        raise NotHeld("inquiry", inquiry)
    return _report(store, store.inquiry(inquiry).id, clock, format, as_of)


@router.get("/report", response_class=Response, responses=_TYPES)
def report(store: StoreDep, clock: ClockDep, format: FormatDep = Format.HTML, as_of: AsOf = None) -> Response:
    """Write the report over everything that is held."""
    return _report(store, None, clock, format, as_of)


def _report(store: Store, what: str | None, clock: Clock, format: Format, as_of: AsOf) -> Response:
    dossier = dossier_of(store, what, clock, as_of=end_of(as_of) if as_of else None)
    headers = {"Content-Security-Policy": POLICY}
    if format not in (Format.MARKDOWN, Format.HTML, Format.JSON):
        headers["Content-Disposition"] = f'attachment; filename="{what or "retest"}.{format}"'
    return Response(render(dossier, format), media_type=media_type(format), headers=headers)
