"""Papers: what is held of one, and the claims that it bears on."""

from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from agent.web.door import ClockDep, StoreDep
from agent.web.pages.asked import PAGE_SIZE, addresses, n_pages, nearest
from agent.web.render import page as draw
from claims.claim import Claim
from claims.errors import MalformedId
from claims.ids import ArxivId
from claims.paper import Paper
from claims.report.bibtex import entry
from claims.report.view import Row, claim_view
from claims.store import Store
from claims.verdict import VerdictKind

router = APIRouter()

MAX_CLAIMS = 40
"""Claims whose stances one paper's page shows; the others are named."""


class Bearing(NamedTuple):
    """What a paper says on one claim."""

    claim: Claim
    verdict: VerdictKind | None
    row: Row


@router.get("/papers")
def papers(
    request: Request, store: StoreDep, q: Annotated[str, Query(max_length=200)] = "", all: bool = False, page: int = 1
) -> Response:
    """List papers by the words of their titles: those that were weighed for a claim, or all that are held."""
    try:
        known = ArxivId.parse(q.strip()).base if q.strip() else None
    except MalformedId:
        known = None
    if known is not None and store.papers([known]):
        return RedirectResponse(f"/papers/{known}", 307)
    page = nearest(page)
    found, total = _page(page, q, store, weighed=not all)
    if page > n_pages(total):
        page = nearest(page, n_pages(total))
        found, total = _page(page, q, store, weighed=not all)
    return draw(
        request,
        "papers.html",
        papers=found,
        n_found=total,
        q=q,
        all=all,
        unknown_id=known,
        page=page,
        n_pages=n_pages(total),
        page_address=addresses("/papers", {"q": q, "all": "1" if all else ""}),
    )


def _page(page: int, q: str, store: Store, *, weighed: bool) -> tuple[list[Paper], int]:
    return store.find_papers(q.split(), weighed=weighed, limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE)


@router.get("/papers/{paper_id:path}")
def paper(request: Request, paper_id: str, store: StoreDep, clock: ClockDep) -> Response:
    """Show what is held of one paper, and what it says on which claims."""
    id = ArxivId.parse(paper_id).base
    if id != paper_id:
        return RedirectResponse(f"/papers/{id}", 307)
    held = store.paper(id)
    claim_ids = store.claims_of_paper(id)
    bearing = _bearing(id, claim_ids[:MAX_CLAIMS], store, clock)
    return draw(
        request,
        "paper.html",
        paper=held,
        bearing=sorted(bearing, key=lambda b: (b.row.stance == "neutral", not b.row.counted)),
        more=claim_ids[MAX_CLAIMS:],
        ground_of=_ground_of(id, store),
        bibtex=entry(held),
    )


def _ground_of(paper_id: str, store: Store) -> list[Claim]:
    """Find the claims that name a paper as their ground, by its id or by what it was found to be."""
    found = {g.claim_id for g in store.groundings(paper_id=paper_id) if g.claim_id}
    return [c for c in store.claims() if c.id in found or any(a.arxiv_id == paper_id for a in c.anchors)]


def _bearing(paper_id: str, claim_ids: list[str], store: Store, clock: ClockDep) -> list[Bearing]:
    today = clock.now().date()
    found = []
    for dossier in store.dossiers(claim_ids):
        view = claim_view(dossier, today)
        found += [
            Bearing(dossier.claim, view.verdict.kind if view.verdict else None, row)
            for row in view.rows
            if row.paper is not None and row.paper.id == paper_id
        ]
    return found
