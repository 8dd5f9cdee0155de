"""What a chat answer is made of. A finding without evidence cannot be built."""

from datetime import date
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


class Kind(StrEnum):
    """What a sentence does."""

    FINDING = "finding"
    """says what evidence says; carries the ids of that evidence"""
    NOTE = "note"
    """says what is held, what was not looked at, or what can be done; states nothing about the world"""


class Voice(StrEnum):
    """Whose words a sentence is in."""

    STORE = "store"
    """put together from what is held"""
    MODEL = "model"
    """a language model's, checked against the evidence that it cites"""


MODEL = "model:"
"""Stands before a model's sentence wherever an answer is shown."""


class Sentence(BaseModel):
    """One line of an answer."""

    model_config = ConfigDict(frozen=True)

    text: str
    evidence: tuple[str, ...] = ()
    """ids of the evidence that it rests on; never empty for a finding"""
    kind: Kind = Kind.NOTE
    by: Voice = Voice.STORE

    @model_validator(mode="after")
    def _a_finding_has_ground(self) -> Self:
        if self.kind is Kind.FINDING and not self.evidence:
            raise ValueError(f"a finding without evidence: {self.text[:80]!r}")
        return self

    def __str__(self) -> str:
        text = f"{MODEL} {self.text}" if self.by is Voice.MODEL else self.text
        return f"{text} [{', '.join(self.evidence)}]" if self.evidence else text


class Ground(BaseModel):
    """A piece of evidence that an answer cites, with the paper or the experiment behind it."""

    model_config = ConfigDict(frozen=True)

    evidence_id: str
    claim_id: str
    stance: str
    """of the judge, or what the experiment's outcome means"""
    told: str
    """the same as a reader is told it: what an unsure judge leans to, with its chances"""
    unsure: bool = False
    confidence: float | None = None
    """calibrated, of a judge; None for an experiment, which has an interval"""
    judge: str | None = None
    on: date
    """the first day that the date may mean"""
    dated: str
    """the date with the precision that it is known in"""
    paper_id: str | None = None
    title: str | None = None
    url: str | None = None
    quote: str | None = None
    """part of the stored text; an id in it that is not held was taken out"""
    whose_words: str | None = None
    experiment_id: str | None = None
    interval: str | None = None
    """of an experiment, with coverage and seeds"""

    def __str__(self) -> str:
        """Write one line for a reference list."""
        if self.experiment_id:
            return f"[{self.evidence_id}] our experiment {self.experiment_id} ({self.dated}): {self.told}"
        paper = f"{self.title or 'no title'}, arXiv:{self.paper_id} ({self.dated}) {self.url or ''}"
        return f"[{self.evidence_id}] {self.told}: {paper}"


class Held(BaseModel):
    """The verdict on a claim that an answer is about, for programs."""

    model_config = ConfigDict(frozen=True)

    claim_id: str
    verdict: str
    as_of: date
    """evidence after this day was not looked at; the day that was asked about where that is earlier"""
    confidence: float
    evidence_since: str | None
    """the date from which the evidence held gives this verdict, as exactly as it is known (`2025-01`)"""
    record_since: date | None
    """the day on which it was first recorded without another kind since; None for a past day"""


class Reply(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)

    question: str
    sentences: tuple[Sentence, ...]
    grounds: tuple[Ground, ...] = ()
    """what the sentences cite, in the order of first mention"""
    claim_ids: tuple[str, ...] = ()
    """claims that it is about; empty when none is held on the question"""
    verdicts: tuple[Held, ...] = ()
    """on those claims, as far as they were decided"""
    held: bool = True
    """False when no held claim bears on the question"""
    bibtex: str = ""
    how: str = "store"
    """`store` for retrieval and templates, else the name of the model"""
    dropped: dict[str, int] = {}
    """why sentences of a model were not let through, with counts"""
    usd: float = 0.0

    def text(self) -> str:
        """Write the answer, its reference list and its BibTeX entries as plain text."""
        parts = ["\n".join(str(s) for s in self.sentences)]
        if self.grounds:
            parts.append("\n".join(str(g) for g in self.grounds))
        if self.bibtex:
            parts.append(self.bibtex.rstrip())
        return "\n\n".join(parts)
