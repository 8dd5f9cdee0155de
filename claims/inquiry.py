"""An inquiry document, read into an `Inquiry`. Pure and total; text is data and is never obeyed."""

from pydantic import BaseModel, ConfigDict

from claims.claim import Anchor, Claim


class ParseWarning(BaseModel):
    """A line that could not be placed, or was placed with doubt. Nothing is dropped silently."""

    model_config = ConfigDict(frozen=True)

    line: int
    """from 1"""
    text: str
    """the line, cut at 200 characters"""
    why: str


class SourceNote(BaseModel):
    """A note under the document's "Sources"."""

    model_config = ConfigDict(frozen=True)

    title: str
    """the note's heading, often a question"""
    text: str
    line: int


class Task(BaseModel):
    """A numbered task of the document."""

    model_config = ConfigDict(frozen=True)

    number: int
    text: str
    line: int


class ResearchQuestion(BaseModel):
    """A lettered research question of the document."""

    model_config = ConfigDict(frozen=True)

    letter: str
    text: str
    line: int


class Inquiry(BaseModel):
    """A document with one open question, dated claims, anchor papers and tasks."""

    model_config = ConfigDict(frozen=True)

    id: str
    """`inq-` and 12 hex digits of the text, line ends and outer white space aside"""
    question: str | None
    """the open question; None (with a warning) when the document has none"""
    claims: tuple[Claim, ...]
    anchors: tuple[Anchor, ...]
    """all anchor papers, whether or not a claim could be tied to them"""
    notes: tuple[SourceNote, ...] = ()
    tasks: tuple[Task, ...] = ()
    questions: tuple[ResearchQuestion, ...] = ()
    flag_ungrounded: bool = False
    """whether the document asks to flag what cannot be grounded"""
    warnings: tuple[ParseWarning, ...] = ()
