"""One claim: the section that a report has of it, with what can be done about it, now or as of a past day."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from agent.main_job import end_of
from agent.web.door import ClockDep, JobsDep, StoreDep
from agent.web.pages.asked import day
from agent.web.render import page, part
from claims.dossier import InquiryDossier
from claims.errors import InputError
from claims.evidence import PaperEvidence
from claims.report import Format, html, media_type, render

router = APIRouter()

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups"
"""A report carries its style sheet inside and nothing else that a browser would act on."""


@router.get("/claims/{claim_id}")
def claim(
    request: Request,
    claim_id: str,
    store: StoreDep,
    clock: ClockDep,
    jobs: JobsDep,
    as_of: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show one claim; the beginning of an id leads to the whole one."""
    held = store.claim(claim_id)
    if held.id != claim_id:
        return RedirectResponse(str(request.url.replace(path=f"/claims/{held.id}")), 307)
    past = day(as_of)
    today = clock.now().date()
    dossier = store.dossier(held.id, as_of=past)
    drawn = html.claim_section(
        dossier,
        past or today,
        frame=html.PAGES,
        aside=part(
            "claim_tools.html",
            claim=held,
            as_of=past,
            today=today,
            csrf_token=getattr(request.state, "csrf_token", ""),
            jobs=[job for job in jobs.list(held.id, limit=20) if not job.is_over] if past is None else [],
            n_unsure=sum(isinstance(e, PaperEvidence) and bool(e.assessment.leaning) for e in dossier.evidence),
            formats=list(Format),
        ),
    )
    inquiry = store.inquiry(held.inquiry_id) if held.inquiry_id else None
    return page(
        request, "claim.html", claim=held, dossier=dossier, section=drawn, inquiry=inquiry, as_of=past, frame=html.PAGES
    )


@router.get("/claims/{claim_id}/report.{format}")
def claim_report(
    claim_id: str, format: str, store: StoreDep, clock: ClockDep, as_of: Annotated[str, Query(max_length=40)] = ""
) -> Response:
    """Write the report of one claim, as a file to keep or forward."""
    past = day(as_of)
    now = clock.now()
    dossier = InquiryDossier(
        inquiry=None,
        claims=(store.dossier(store.claim(claim_id).id, as_of=past),),
        as_of=end_of(past) if past else now,
        generated_at=now,
    )
    return _report(dossier, format, claim_id)


@router.get("/inquiries/{inquiry_id}")
def inquiry_report(
    inquiry_id: str, store: StoreDep, format: str = "html", as_of: Annotated[str, Query(max_length=40)] = ""
) -> Response:
    """Write the report over an inquiry."""
    return _report(store.inquiry_dossier(inquiry_id, as_of=day(as_of)), format, inquiry_id)


def _report(dossier: InquiryDossier, format: str, name: str) -> Response:
    if format not in list(Format):
        raise InputError(f"no report format {format[:20]!r}: there are {', '.join(Format)}")
    headers = {"Content-Security-Policy": REPORT_POLICY}
    if format != Format.HTML:
        headers["Content-Disposition"] = f'attachment; filename="{name}.{format}"'
    return Response(render(dossier, format), media_type=media_type(format), headers=headers)


@router.get("/evidence/{evidence_id}")
def evidence(evidence_id: str, store: StoreDep) -> Response:
    """Lead to the place where a piece of evidence stands on its claim's page."""
    found = store.evidence_by_id(evidence_id)
    return RedirectResponse(f"/claims/{found.claim_id}#{found.id}", 307)
