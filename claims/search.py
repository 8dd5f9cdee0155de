"""Search words: what was asked where, and whether the place answered. An empty answer and no answer are two things."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from claims.ids import ClaimId, PaperId
from claims.paper import Source


class Query(BaseModel):
    """One search, in words that every source understands."""

    model_config = ConfigDict(frozen=True)

    text: str = Field(min_length=1)
    """words and "quoted phrases"; operators are not interpreted, so hostile text cannot break a query"""
    aim: str = "same"
    """why it is asked: `same` words, `methods`, `negation`, `contrary` vocabulary, `dense`"""
    weight: float = 1.0
    """in fusion with the claim's other queries"""


class SearchRecord(BaseModel):
    """One search as it was done: kept, so that a report can say where nobody looked."""

    model_config = ConfigDict(frozen=True)

    claim_id: ClaimId | None
    source: Source
    query: str
    aim: str = "same"
    since: date | None = None
    """first day asked for, included"""
    until: date | None = None
    """last day asked for, included"""
    n_found: int | None
    """papers it gave; None when the source could not be asked"""
    could_not_look: str | None = None
    """what happened, when the source could not be asked"""
    unreadable: int = 0
    """entries in the answer that could not be read"""
    searched_at: datetime


class Hit(BaseModel):
    """A paper that a search gave, with its score."""

    model_config = ConfigDict(frozen=True)

    paper_id: PaperId
    score: float
    """larger is better; comparable within one answer only"""
