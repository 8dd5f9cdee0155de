"""Grounding words: is a cited id real, and is it the paper that the text says it is."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from claims.claim import Anchor
from claims.ids import ClaimId, PaperId


class GroundingStatus(StrEnum):
    """What looking a citation up gave. *Fabricated*, *misdescribed* and *could not check* are three things."""

    OK = "ok"
    """a source has the paper, and nothing stated disagrees with it"""
    MISMATCH = "mismatch"
    """the paper is real, and something stated about it is not so: see the problems"""
    WITHDRAWN = "withdrawn"
    """the paper is real and was withdrawn"""
    NOT_FOUND = "not_found"
    """a source that would have it answered, and does not"""
    MALFORMED = "malformed"
    """what was given is not an arXiv id: its form, or a month that is still to come"""
    UNCHECKED = "unchecked"
    """no source that could tell was reached"""


class Problem(BaseModel):
    """One disagreement between what was stated and what the source says."""

    model_config = ConfigDict(frozen=True)

    field: str
    """`title`, `authors`, `date`, `venue`, `version`, `id` or `withdrawal`"""
    stated: str
    actual: str
    message: str
    """for a person: `stated ~2024, arXiv says 2023-05-18`"""
    serious: bool = True
    """False for a finding that does not make it another paper: a stated date that is off, for instance"""


class Grounding(BaseModel):
    """What was found out about one citation."""

    model_config = ConfigDict(frozen=True)

    anchor: Anchor
    """what was stated"""
    claim_id: ClaimId | None = None
    """the claim that it is the ground of, when there is one"""
    status: GroundingStatus
    problems: tuple[Problem, ...] = ()
    paper_id: PaperId | None = None
    """the paper that a source holds; None when none was found"""
    how: str = ""
    """`id`, `title search`, or why it could not be resolved"""
    looked_in: tuple[str, ...] = ()
    """sources that answered"""
    could_not_look: dict[str, str] = {}
    """source to what happened"""
