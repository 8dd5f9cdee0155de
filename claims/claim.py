"""A claim: one testable sentence that was asserted on a date, with the papers that an inquiry names as its ground."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from claims.dates import StatedDate
from claims.errors import InputError
from claims.ids import ArxivId, ClaimId, PaperId, claim_slug

MAX_TEXT = 2000
"""Characters of a claim that a person adds by itself."""


class Anchor(BaseModel):
    """A paper that an inquiry names as the ground of a claim."""

    model_config = ConfigDict(frozen=True)

    arxiv_id: PaperId | None = None
    """the id that was stated, without version; None when the document names the paper without one (LIMA)"""
    stated_version: int | None = None
    """the version that was stated (`v2` gives 2)"""
    stated_title: str | None = None
    """the title or short name that was stated"""
    stated_authors: tuple[str, ...] = ()
    """the authors that were stated"""
    stated_date: StatedDate | None = None
    """the date beside it in the document"""
    stated_topic: str | None = None
    """what the document says it is about"""
    stated_venue: str | None = None
    """the journal, conference or publisher that was stated"""
    malformed_id: str | None = None
    """what stands where an arXiv id should, when it is none; `arxiv_id` is None then"""
    line: int | None = None
    """line of the document, from 1"""


class Scale(StrEnum):
    """How large the models are that a statement speaks of."""

    TOY = "toy"
    """below 50 million parameters: a laboratory animal"""
    SMALL = "small"
    """50 million to 3 billion parameters"""
    LARGE = "large"
    """above 3 billion parameters, or language models in general"""


class Scope(BaseModel):
    """What a claim or an experiment speaks of. Scope is compared, not assumed."""

    model_config = ConfigDict(frozen=True)

    scale: Scale = Scale.LARGE
    """of the models"""
    family: str | None = None
    """the protocol family, `data-quantity` and so on; None when the claim belongs to none"""

    def covers(self, claim: "Scope") -> bool:
        """Tell whether a result in this scope speaks about the whole of a claim's scope."""
        order = list(Scale)
        return self.family == claim.family and order.index(self.scale) >= order.index(claim.scale)


class Claim(BaseModel):
    """One testable sentence with its date. Newer means certainly after `asserted_on`."""

    model_config = ConfigDict(frozen=True)

    id: ClaimId
    text: str = Field(min_length=1)
    """the sentence, white space folded, without its trailing date"""
    asserted_on: StatedDate
    """when it was asserted, with the precision that was given"""
    anchors: tuple[Anchor, ...] = ()
    """the papers the inquiry names for it; may be empty"""
    note: str | None = None
    """what the inquiry's sources section says about it"""
    scope: Scope = Scope()
    """what it speaks of"""
    inquiry_id: str | None = None
    """the inquiry it came from"""
    line: int | None = None
    """line of the document, from 1"""


def stated_claim(text: str, asserted_on: str, anchors: Iterable[str] = (), *, today: date | None = None) -> Claim:
    """Read a claim that no document has as an inquiry's line would be read.

    anchors: arXiv ids; today: the last day on which it can have been asserted. Raises InputError, MalformedDate,
    MalformedId.
    """
    from claims.family import family_of, scale_of  # patterns that nobody pays for who only reads claims

    folded = " ".join(text.split())
    if not any(c.isalpha() for c in folded):
        raise InputError("the claim is empty: give one testable sentence")
    if len(folded) > MAX_TEXT:
        raise InputError(f"the claim has {len(folded):,} characters; one testable sentence has at most {MAX_TEXT:,}")
    stated = StatedDate.parse(asserted_on)
    if today is not None and stated.start > today:
        raise InputError(f"asserted on {stated}, which is after today ({today}): give the day it was published")
    ids = [ArxivId.parse(a) for a in anchors]
    scale = scale_of(folded)
    return Claim(
        id=claim_slug(folded, str(stated)),
        text=folded,
        asserted_on=stated,
        anchors=tuple(Anchor(arxiv_id=i.base, stated_version=i.version) for i in dict.fromkeys(ids)),
        scope=Scope(family=family_of(folded), scale=Scale(scale) if scale else Scale.LARGE),
    )
