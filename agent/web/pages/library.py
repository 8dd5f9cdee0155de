"""The library of claims: filter, sort, search, and which are due and why."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from agent.refresh.plan import why_due
from agent.web.door import ClockDep, JobsDep, StoreDep
from agent.web.journal import JobState
from agent.web.pages.asked import PAGE_SIZE, addresses, day, n_pages, nearest
from agent.web.render import page as draw
from claims.lines import ClaimLine
from claims.report.html import style_sheet
from claims.verdict import VerdictKind

router = APIRouter()

UNDECIDED = "undecided"
"""Stands for claims without a verdict, in the verdict filter."""

_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

SORTS: dict[str, tuple[str, Callable[[ClaimLine], Any]]] = {
    "": ("as they came in", lambda line: 0),
    "changed": ("verdict changed last", lambda line: -(line.since.toordinal() if line.since else 0)),
    "sure": ("most certain", lambda line: -(line.confidence or 0.0)),
    "unsure": ("least certain", lambda line: line.confidence or 0.0),
    "evidence": ("most evidence", lambda line: -line.n_evidence),
    "stale": ("looked for longest ago", lambda line: line.last_checked or _LONG_AGO),
    "text": ("alphabetical", lambda line: line.text.casefold()),
}
"""Value of the order field to its name and the key; ties stay in the order they came in."""


class Asked(NamedTuple):
    """What the library is narrowed to."""

    q: str = ""
    verdict: str = ""
    inquiry: str = ""
    sort: str = ""
    due: bool = False

    @property
    def is_narrowed(self) -> bool:
        """Whether some claims are left out."""
        return bool(self.q.strip() or self.verdict or self.inquiry or self.due)


@router.get("/")
def library(
    request: Request,
    store: StoreDep,
    clock: ClockDep,
    jobs: JobsDep,
    q: str = "",
    verdict: str = "",
    inquiry: str = "",
    sort: str = "",
    due: bool = False,
    as_of: str = "",
    page: int = 1,
) -> HTMLResponse:
    """Show the claims that are held."""
    today = clock.now().date()
    past = day(as_of)
    asked = Asked(q[:200], verdict, inquiry, sort if sort in SORTS else "", due and past is None)
    lines = store.overview(as_of=past)
    why = why_due(store, today) if past is None else {}
    members = {claim.id for claim in store.claims(inquiry)} if inquiry else None
    found = sorted((line for line in lines if _fits(line, asked, why, members)), key=SORTS[asked.sort][1])
    pages = n_pages(len(found))
    page = nearest(page, pages)
    first = (page - 1) * PAGE_SIZE
    kinds = [*VerdictKind, UNDECIDED]
    counts = Counter(line.kind or UNDECIDED for line in lines)
    own = asked._asdict() | {"due": "1" if asked.due else "", "as_of": past or ""}
    return draw(
        request,
        "library.html",
        rows=[(line, why.get(line.claim_id, ())) for line in found[first : first + PAGE_SIZE]],
        n_held=len(lines),
        n_found=len(found),
        n_due=len(why) if past is None else None,
        tally=[(None if kind == UNDECIDED else kind, counts[kind]) for kind in kinds if counts[kind]],
        kinds=kinds,
        inquiries=[(i.id, i.question or i.id) for i in store.inquiries()],
        sorts=[(value, name) for value, (name, _) in SORTS.items()],
        waiting=[job for job in jobs.list() if job.state is JobState.WAITING],
        asked=asked,
        as_of=past,
        today=today,
        page=page,
        n_pages=pages,
        first=first + 1,
        page_address=addresses("/", own),
        with_verdict=lambda kind: addresses("/", {"verdict": kind or UNDECIDED, "as_of": past or ""})(1),
    )


def _fits(line: ClaimLine, asked: Asked, why: dict[str, tuple[str, ...]], members: set[str] | None) -> bool:
    if asked.verdict and (line.kind or UNDECIDED) != asked.verdict:
        return False
    if members is not None and line.claim_id not in members:
        return False
    if asked.due and line.claim_id not in why:
        return False
    text = f"{line.claim_id} {line.text}".casefold()
    return all(word in text for word in _words(asked.q))


def _words(text: str) -> Sequence[str]:
    return text.casefold().split()


@router.get("/style/report.css")
def report_style() -> Response:
    """Give the style sheet that the reports carry, so that pages and reports look alike."""
    return Response(style_sheet(), media_type="text/css", headers={"Cache-Control": "public, max-age=300"})
