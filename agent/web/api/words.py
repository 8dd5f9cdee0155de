"""The shapes of the API's answers, where they are not the words of `claims` themselves."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, computed_field

from agent.web.journal import Job
from agent.web.problems import Problem
from claims.claim import Claim
from claims.dossier import Dossier, HeldVerdict
from claims.errors import NotHeld
from claims.evidence import Evidence, ExperimentEvidence, PaperEvidence
from claims.experiment import ExperimentView
from claims.grounding import Grounding
from claims.paper import Paper
from claims.report.view import evidence_since
from claims.search import SearchRecord

ClaimKey = Annotated[str, Path(max_length=200, description="a claim's id, or the beginning of one")]
AsOf = Annotated[date | None, Query(description="what was held at the end of that day (UTC); now when left out")]

PROBLEM = {"content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}
ERRORS: dict[int | str, dict[str, Any]] = {
    401: {**PROBLEM, "description": "not signed in"},
    403: {**PROBLEM, "description": "sent by another site's page, or without the form token"},
    404: {**PROBLEM, "description": "not held here"},
    422: {**PROBLEM, "description": "the input cannot be used"},
    429: {**PROBLEM, "description": "too many requests; `Retry-After` says how long to wait"},
    503: {**PROBLEM, "description": "not possible now; the same request may work later"},
}
"""What any operation may answer besides its result."""


class HeldPaperEvidence(PaperEvidence):
    """A paper's stance with its id."""

    @computed_field  # type: ignore[prop-decorator] # pydantic's own way to write a computed field
    @property
    def id(self) -> str:
        """`ev-` and hex digits of the content."""
        return PaperEvidence.id.fget(self)  # type: ignore[attr-defined,no-any-return]


class HeldExperimentEvidence(ExperimentEvidence):
    """An experiment's outcome with its id."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def id(self) -> str:
        """`ev-` and hex digits of the content."""
        return ExperimentEvidence.id.fget(self)  # type: ignore[attr-defined,no-any-return]


AnyEvidence = HeldPaperEvidence | HeldExperimentEvidence


def with_id(evidence: Evidence) -> AnyEvidence:
    """Give evidence with its id as a field."""
    kind = HeldPaperEvidence if isinstance(evidence, PaperEvidence) else HeldExperimentEvidence
    return kind.model_construct(_fields_set=evidence.model_fields_set, **dict(evidence))


class Line(BaseModel):
    """One claim in the list."""

    id: str
    text: str
    asserted_on: str
    """as stated: `~2024`, `2023-05-18`, `2023..2025`"""
    inquiry_id: str | None
    verdict: str | None
    """of the current verdict; null when the claim was never decided"""
    confidence: float | None
    since: date | None
    """first day as of which we found this verdict, without another kind since; `evidence_since` of the claim itself
    tells from which date its evidence gives it"""
    n_evidence: int
    n_support: int | None
    """what counted for it; null, as the next two, when it was never decided"""
    n_against: int | None
    n_narrowing: int | None
    last_checked: datetime | None
    due: list[str] | None = None
    """why the next refresh goes over it; null for a past day"""


class ClaimDocument(BaseModel):
    """Everything that is held about one claim. Abstracts are with the papers (`/papers/{id}`)."""

    model_config = ConfigDict(frozen=True)

    claim: Claim
    as_of: date | None
    current: HeldVerdict | None
    """the newest verdict; null when the claim was never decided"""
    evidence_since: str | None
    """the date from which the evidence held now gives this verdict, as exactly as it is known (`2025-01`); null when no
    day does. `since` in the list of claims is another thing: the first day as of which we found it"""
    history: tuple[HeldVerdict, ...]
    """oldest first"""
    evidence: tuple[AnyEvidence, ...]
    superseded: tuple[AnyEvidence, ...]
    """stances on earlier texts of those papers, where a revision brought another one"""
    papers: dict[str, Paper]
    experiments: tuple[ExperimentView, ...]
    no_experiment_because: str | None
    groundings: tuple[Grounding, ...]
    searches: tuple[SearchRecord, ...]


def document(dossier: Dossier, as_of: date | None) -> ClaimDocument:
    """Give a dossier in the API's shape. Raises NotHeld when the claim was not held on that day."""
    return ClaimDocument(
        claim=dossier.claim,
        as_of=as_of,
        current=dossier.current,
        evidence_since=evidence_since(dossier),
        history=dossier.history,
        evidence=tuple(with_id(e) for e in dossier.evidence),
        superseded=tuple(with_id(e) for e in dossier.superseded),
        papers=dossier.papers,
        experiments=dossier.experiments,
        no_experiment_because=dossier.no_experiment_because,
        groundings=dossier.groundings,
        searches=dossier.searches,
    )


class PaperDocument(BaseModel):
    """A paper as it is held, and the claims for which it was weighed."""

    paper: Paper
    url: str
    claims: list[str]


class StartedJob(BaseModel):
    """A long action: how it is, and where it tells."""

    job: Job
    is_new: bool
    """false when the same was asked for before and is not over"""
    events: str
    """address of its server-sent events"""


def no_night(text: str) -> NotHeld:
    """Say that there was no refresh on a day."""
    return NotHeld("digest of", text)
