"""Papers, experiments and single pieces of evidence, and search among the evidence."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from agent.chat.reply import Ground
from agent.chat.show import search_evidence
from agent.web.api.paging import Page, PageDep, Tagged, cut, paged
from agent.web.api.words import AnyEvidence, PaperDocument, with_id
from agent.web.door import ClockDep, StoreDep
from claims.experiment import ExperimentView
from claims.ids import ArxivId
from claims.paper import Paper

router = APIRouter(route_class=Tagged)


@router.get(
    "/papers", response_model=Page[Paper], tags=["papers"], response_model_exclude={"items": {"__all__": {"abstract"}}}
)
def papers(
    request: Request,
    response: Response,
    store: StoreDep,
    page: PageDep,
    q: Annotated[str, Query(max_length=200, description="words that the title has")] = "",
    weighed: Annotated[bool, Query(description="only papers that were weighed for a claim")] = True,
) -> dict[str, Any]:
    """List papers, newest first."""
    found, total = store.find_papers(q.split(), weighed=weighed, limit=page.limit, offset=page.offset)
    return cut(found, total, page, request, response)


@router.get("/papers/{paper:path}", tags=["papers"])
def paper(
    paper: Annotated[str, Path(max_length=200, description="arXiv id, `2305.11206` or `cs/0112017`")], store: StoreDep
) -> PaperDocument:
    """Show a paper with the claims that it was weighed for."""
    held = store.paper(ArxivId.parse(paper).base)
    return PaperDocument(paper=held, url=held.url, claims=store.claims_of_paper(held.id))


@router.get("/experiments", response_model=Page[ExperimentView], tags=["experiments"])
def experiments(request: Request, response: Response, store: StoreDep, page: PageDep) -> dict[str, Any]:
    """List all experiments, newest first."""
    return paged(store.experiments()[::-1], page, request, response)


@router.get("/experiments/{experiment}", tags=["experiments"])
def experiment(experiment: Annotated[str, Path(max_length=80)], store: StoreDep) -> ExperimentView:
    """Show the newest snapshot of an experiment: its pre-registration, its runs and what they say."""
    return store.experiment(experiment)


@router.get("/evidence", response_model=list[Ground], tags=["evidence"])
def search(
    store: StoreDep,
    clock: ClockDep,
    q: Annotated[
        str, Query(min_length=1, max_length=400, description="words, or the id of a claim, paper or evidence")
    ],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[Ground]:
    """Search the evidence that is held; what takes a stand comes first."""
    return search_evidence(store, q, clock, limit=limit)


@router.get("/evidence/{evidence}", response_model=AnyEvidence, tags=["evidence"])
def one_evidence(evidence: Annotated[str, Path(max_length=80)], store: StoreDep) -> AnyEvidence:
    """Show one piece of evidence as it was recorded."""
    return with_id(store.evidence_by_id(evidence))
