"""A paper: an arXiv record, its versions and whether it was withdrawn.

`abstract` is the paper's own text. `finding` is ours (starter library) and never pretends to be an abstract.
"""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from claims.dates import StatedDate
from claims.ids import PaperId, text_digest


class Source(StrEnum):
    """Where a paper's record came from."""

    ARXIV = "arxiv"
    """the live API"""
    MIRROR = "mirror"
    """the local index, filled by import or harvest"""
    LIBRARY = "library"
    """the shipped starter set: facts, and a finding in our own words"""


class TextField(StrEnum):
    """The texts of a paper that a quote can be part of."""

    TITLE = "title"
    """the paper's title"""
    ABSTRACT = "abstract"
    """the paper's abstract"""
    FINDING = "finding"
    """our own two sentences about the paper (starter library); shown as ours, never as the paper's words"""


class PaperVersion(BaseModel):
    """One version of a paper."""

    model_config = ConfigDict(frozen=True)

    number: int
    """1 for `v1`"""
    submitted_on: date
    """the day it was submitted (UTC)"""


class Paper(BaseModel):
    """An arXiv record. Preprint v1 and v2 are one paper."""

    model_config = ConfigDict(frozen=True)

    id: PaperId
    """arXiv id without version"""
    title: str
    """one line, as arXiv gives it, white space folded"""
    authors: tuple[str, ...] = ()
    """`Given Family`, in order; empty when the source has none"""
    published: StatedDate
    """the date of v1, with the precision that the source knows it in"""
    updated_on: date | None = None
    """the day of the newest version, or None when the source does not say"""
    categories: tuple[str, ...] = ()
    """primary first; empty when the source has none"""
    abstract: str | None = None
    """the abstract, outer white space stripped and otherwise byte for byte; None when the source has none"""
    finding: str | None = None
    """our own words (starter library)"""
    versions: tuple[PaperVersion, ...] = ()
    """oldest first; empty when the source does not list them"""
    comment: str | None = None
    """the authors' comment line"""
    journal_ref: str | None = None
    doi: str | None = None
    withdrawn: bool = False
    """whether the paper was withdrawn, as far as the record says"""
    withdrawn_because: str | None = None
    """the words that say so"""
    source: Source

    @property
    def url(self) -> str:
        """The abstract page."""
        return f"https://arxiv.org/abs/{self.id}"

    @property
    def latest_version(self) -> int | None:
        """The newest version's number, or None when the source does not list versions."""
        return self.versions[-1].number if self.versions else None

    @property
    def text_digest(self) -> str:
        """Names what a judge reads: changes exactly when title, abstract or finding change."""
        return text_digest("\x1f".join((self.title, self.abstract or "", self.finding or "")))

    def text_of(self, field: TextField) -> str:
        """Give the text of one field; empty when the source has none."""
        return {TextField.TITLE: self.title, TextField.ABSTRACT: self.abstract, TextField.FINDING: self.finding}[
            field
        ] or ""
