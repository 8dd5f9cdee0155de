"""The verdict rule: from evidence to a dated verdict, with no model and no clock."""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from claims.ids import ClaimId


class VerdictKind(StrEnum):
    """Does the claim still hold."""

    STANDS = "stands"
    """independent newer support, no credible contradiction"""
    RELAXED = "relaxed"
    """credible qualification, core not contradicted"""
    OVERTURNED = "overturned"
    """independent direct contradictions that outweigh support"""
    CONTESTED = "contested"
    """credible evidence both ways"""
    UNTESTED = "untested"
    """nothing newer takes a stand"""


class Verdict(BaseModel):
    """What the evidence says about a claim as of a day. Never edited: a new one supersedes it."""

    model_config = ConfigDict(frozen=True)

    claim_id: ClaimId
    kind: VerdictKind
    as_of: date
    """evidence after this day was not looked at"""
    confidence: float = Field(ge=0, le=1)
    changed_by: tuple[str, ...] = ()
    """evidence ids that made it this and not `untested` or `stands`; strongest first"""
    support: tuple[str, ...] = ()
    """evidence ids that counted for the claim"""
    against: tuple[str, ...] = ()
    """evidence ids that counted as contradiction"""
    qualifying: tuple[str, ...] = ()
    """evidence ids that counted as qualification"""
    not_counted: dict[str, str] = Field(default_factory=dict)
    """evidence id to the reason why it did not count"""
    durable: str = ""
    """the part of the claim that does not hang on numbers, names or sizes"""
    perishable: tuple[str, ...] = ()
    """thresholds, named models, sizes: what ages first"""
    rests_on_unsure: bool = False
    """whether unsure stances could change it"""
    read_first: tuple[str, ...] = ()
    """evidence ids that a person or a model judge should read first"""
    reason: str
    """the rule that fired, in a sentence with counts"""
    evidence_digest: str
    """of the evidence set it was decided from"""
    rule_version: str
    """changes whenever the rule or a threshold does"""
