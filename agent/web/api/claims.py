"""Claims: the list, one with its ground, its evidence, experiments and verdicts, now or as of a past day."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from agent.refresh.plan import why_due
from agent.web.api.paging import Page, PageDep, Tagged, paged
from agent.web.api.words import AnyEvidence, AsOf, ClaimDocument, ClaimKey, Line, document, with_id
from agent.web.door import ClockDep, StoreDep
from claims.claim import MAX_TEXT, Claim, stated_claim
from claims.dossier import HeldVerdict
from claims.errors import NotHeld
from claims.evidence import Evidence, PaperEvidence, Stance
from claims.experiment import ExperimentView
from claims.lines import ClaimLine
from claims.report.view import STANCE_OF_OUTCOME
from claims.verdict import VerdictKind

router = APIRouter(route_class=Tagged, tags=["claims"])

UNDECIDED = "undecided"
VERDICTS = f"^({'|'.join([*VerdictKind, UNDECIDED])})$"
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


class Sort(StrEnum):
    """How the list is ordered; a leading `-` turns it round."""

    ADDED = "added"
    TEXT = "text"
    CHANGED = "changed"
    """by the day since when the verdict is what it is"""
    CONFIDENCE = "confidence"
    EVIDENCE = "evidence"
    CHECKED = "checked"
    """by when a search was last recorded"""


_KEYS: dict[Sort, Callable[[ClaimLine], Any]] = {
    Sort.ADDED: lambda line: 0,
    Sort.TEXT: lambda line: line.text.casefold(),
    Sort.CHANGED: lambda line: line.since.toordinal() if line.since else 0,
    Sort.CONFIDENCE: lambda line: line.confidence or 0.0,
    Sort.EVIDENCE: lambda line: line.n_evidence,
    Sort.CHECKED: lambda line: line.last_checked or _LONG_AGO,
}


class NewClaim(BaseModel):
    """A claim that no document has."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=4 * MAX_TEXT)
    """one testable sentence"""
    asserted_on: str = Field(min_length=4, max_length=40)
    """`2024`, `2024-05`, `2024-05-18` or `2023-2025`"""
    anchors: list[Annotated[str, Field(max_length=200)]] = Field(default=[], max_length=50)
    """arXiv ids of papers that it rests on"""


@router.get("/claims", response_model=Page[Line])
def claims(
    request: Request,
    response: Response,
    store: StoreDep,
    clock: ClockDep,
    page: PageDep,
    q: Annotated[str, Query(max_length=200, description="words that id or text have")] = "",
    verdict: Annotated[str | None, Query(pattern=VERDICTS, description="`undecided`: never decided")] = None,
    inquiry: Annotated[str | None, Query(max_length=80)] = None,
    due: Annotated[bool | None, Query(description="whether the next refresh goes over it")] = None,
    sort: Annotated[str, Query(pattern="^-?(added|text|changed|confidence|evidence|checked)$")] = "added",
    as_of: AsOf = None,
) -> dict[str, Any]:
    """List the claims that are held."""
    lines = store.overview(as_of=as_of)
    why = why_due(store, clock.now().date()) if as_of is None else {}
    words = q.casefold().split()
    found = [
        line
        for line in lines
        if (verdict is None or (line.kind or UNDECIDED) == verdict)
        and (inquiry is None or line.inquiry_id == inquiry)
        and (due is None or (line.claim_id in why) is due)
        and all(word in f"{line.claim_id} {line.text}".casefold() for word in words)
    ]
    found.sort(key=_KEYS[Sort(sort.removeprefix("-"))])
    if sort.startswith("-"):
        found.reverse()
    cut = paged(found, page, request, response)
    cut["items"] = [
        _line(line, None if as_of is not None else list(why.get(line.claim_id, ()))) for line in cut["items"]
    ]
    return cut


def _line(line: ClaimLine, due: list[str] | None) -> Line:
    return Line(
        id=line.claim_id,
        text=line.text,
        asserted_on=line.asserted_on,
        inquiry_id=line.inquiry_id,
        verdict=line.kind,
        confidence=line.confidence,
        since=line.since,
        n_evidence=line.n_evidence,
        n_support=line.n_support,
        n_against=line.n_against,
        n_narrowing=line.n_narrowing,
        last_checked=line.last_checked,
        due=due,
    )


@router.post(
    "/claims",
    status_code=201,
    responses={200: {"model": Claim, "description": "it was held before; nothing changed"}},
)
def add(new: NewClaim, store: StoreDep, clock: ClockDep, response: Response) -> Claim:
    """Hold a claim of your own. Adding it again changes nothing."""
    made = stated_claim(new.text, new.asserted_on, new.anchors, today=clock.now().date())
    response.headers["Location"] = f"/api/v1/claims/{made.id}"
    try:
        held = store.claim(made.id)
    except NotHeld:
        store.put_claim(made)
        return made
    response.status_code = 200
    return held


@router.get(
    "/claims/{claim}",
    response_model_exclude={"papers": {"__all__": {"abstract", "finding"}}},
)
def claim(claim: ClaimKey, store: StoreDep, as_of: AsOf = None) -> ClaimDocument:
    """Show one claim with everything that bears on it."""
    return document(store.dossier(store.claim(claim).id, as_of=as_of), as_of)


@router.get("/claims/{claim}/evidence", response_model=Page[AnyEvidence])
def evidence(
    request: Request,
    response: Response,
    claim: ClaimKey,
    store: StoreDep,
    page: PageDep,
    stance: Annotated[Stance | None, Query(description="an experiment's outcome counts as the stance it means")] = None,
    as_of: AsOf = None,
) -> dict[str, Any]:
    """List the evidence on a claim, in the order that it was recorded."""
    found = store.evidence(store.claim(claim).id, as_of=as_of)
    if stance is not None:
        found = [e for e in found if _stance(e) == stance]
    cut = paged(found, page, request, response)
    cut["items"] = [with_id(e) for e in cut["items"]]
    return cut


def _stance(evidence: Evidence) -> Stance:
    if isinstance(evidence, PaperEvidence):
        return evidence.stance
    return STANCE_OF_OUTCOME.get(evidence.outcome, Stance.NEUTRAL)


@router.get("/claims/{claim}/experiments", response_model=Page[ExperimentView])
def experiments(
    request: Request, response: Response, claim: ClaimKey, store: StoreDep, page: PageDep, as_of: AsOf = None
) -> dict[str, Any]:
    """List the experiments on a claim, oldest first."""
    return paged(store.experiments(store.claim(claim).id, as_of), page, request, response)


@router.get("/claims/{claim}/verdicts", response_model=Page[HeldVerdict])
def verdicts(
    request: Request, response: Response, claim: ClaimKey, store: StoreDep, page: PageDep, as_of: AsOf = None
) -> dict[str, Any]:
    """List the verdicts on a claim, oldest first; each supersedes the one before it."""
    return paged(store.verdicts(store.claim(claim).id, as_of=as_of), page, request, response)
