"""An inquiry document, read into an `Inquiry`. Pure and total; text is data and is never obeyed.

Every line that is not blank is accounted for: it is held in a field, is a heading that we know, or comes back as a
warning. `read_inquiry` gives that account beside the inquiry.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from claims.anchoring import tie
from claims.claim import Anchor, Claim, Scale, Scope
from claims.dates import StatedDate
from claims.document import Block, Section, decode, ends_dated, read_blocks
from claims.family import family_of, scale_of
from claims.ids import ArxivId, claim_slug, text_digest
from claims.statements import malformed_ids, read_anchors, read_dates, read_lettered, read_statement


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


class Passage(BaseModel):
    """Prose of the document that is no claim, note or task: its essay, and what it tells the reader to do."""

    model_config = ConfigDict(frozen=True)

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
    body: tuple[Passage, ...] = ()
    """the essay and other prose, in order"""
    tasks: tuple[Task, ...] = ()
    questions: tuple[ResearchQuestion, ...] = ()
    flag_ungrounded: bool = False
    """whether the document asks to flag what cannot be grounded"""
    warnings: tuple[ParseWarning, ...] = ()


class Where(StrEnum):
    """Where a line of the document went."""

    QUESTION = "question"
    CLAIM = "claim"
    ANCHOR = "anchor"
    NOTE = "note"
    TASK = "task"
    RESEARCH_QUESTION = "research question"
    INSTRUCTION = "instruction"
    """the requirement to flag what cannot be grounded; held in `body` too"""
    BODY = "body"
    HEADING = "heading"
    """a heading that the parser knows; held nowhere"""
    WARNING = "warning"


class Reading(NamedTuple):
    """An inquiry with the account of its lines."""

    inquiry: Inquiry
    where: dict[int, Where]
    """line from 1 to where it went; every line that is not blank is in it"""


def parse_inquiry(data: bytes | str, *, origin: str = "the document") -> Inquiry:
    """Read an inquiry document. Raises UnreadableDocument for what is no text; `origin` names it in the message."""
    return read_inquiry(data, origin=origin).inquiry


def read_inquiry(data: bytes | str, *, origin: str = "the document") -> Reading:
    """Read an inquiry document and say for each line where it went. Raises UnreadableDocument for what is no text."""
    text, damaged = decode(data, origin=origin)
    blocks = read_blocks(text)
    reader = _Reader("inq-" + text_digest(text.strip()).removeprefix("sha256:")[:12], blocks)
    lines = text.split("\n") if damaged else []
    for number, why in damaged.items():
        reader.warn(number, lines[number - 1], why)
    for block in blocks:
        reader.place(block)
    return Reading(reader.finish(), reader.where)


_LONGEST_CLAIM = 4000
_OPEN = re.compile(r"\bquestion\b[^:?]{0,60}:\s*[*_\"“]*(?P<question>[^?]{3,600}\?)", re.IGNORECASE)
_QUESTION_LABEL = re.compile(
    r"(?:(?:open|central|main|the) )?(?:question|inquiry|inquiring line)\s*:\s*(?=\S)", re.IGNORECASE
)
_NOT = r"(?:cannot|can't|can not|could not|not|no|without|lack(?:s|ing)?|missing|unable)\b"
_GROUND = r"(?:ground(?:ed)?|verif(?:y|ied)|real (?:paper|source|citation)s?)\b"
_FLAG = re.compile(
    rf"\b(?:flag|mark|point out|call out|list)\b[^.?!]{{0,100}}\b(?:{_NOT}[^.?!]{{0,60}}\b{_GROUND}|"
    rf"(?:ungrounded|unverified)\b)|"
    rf"\b(?:{_NOT}[^.?!]{{0,60}}\b{_GROUND}|ungrounded\b)[^.?!]{{0,60}}\bflag(?:ged)?\b"
)
_ESSAY = (Section.OPENING, Section.PROMPT)


def _asks_to_flag(block: Block) -> bool:
    # Line by line where a block is long: the pattern's cost grows with what stands between two full stops.
    parts = [block.text] if len(block.text) <= _LONGEST_CLAIM else [line.text[:_LONGEST_CLAIM] for line in block.lines]
    return any(_FLAG.search(part.lower().replace("’", "'")) for part in parts)


def _starts_with_id(block: Block) -> bool:
    first = next(ArxivId.find_all(block.text[:200]), None)
    return first is not None and re.search(r"[^\W\d_]{3,}\s", block.text[: first[0]]) is None


class _Reader:
    """Places blocks one after the other."""

    def __init__(self, inquiry_id: str, blocks: list[Block]) -> None:
        self._id = inquiry_id
        self._has_claims_section = any(b.section is Section.CLAIMS for b in blocks)
        self.where: dict[int, Where] = {}
        self._warnings: list[ParseWarning] = []
        self._question: str | None = None
        self._claims: dict[str, Claim] = {}
        self._anchors: dict[str, Anchor] = {}
        self._listed: set[str] = set()
        self._notes: list[SourceNote] = []
        self._body: list[Passage] = []
        self._tasks: list[Task] = []
        self._questions: list[ResearchQuestion] = []
        self._flag = False
        self._span: StatedDate | None = None

    def warn(self, line: int, text: str, why: str) -> None:
        self._warnings.append(ParseWarning(line=line, text=" ".join(text.split())[:200], why=why))

    def place(self, block: Block) -> None:
        """Put a block where it belongs and note it for each of its lines."""
        went = self._place(block)
        for line in block.lines:
            self.where[line.number] = went
        if went is not Where.HEADING:
            for bad in dict.fromkeys(malformed_ids(block.text[:_LONGEST_CLAIM])):
                self.warn(block.lines[0].number, block.text, f"{bad[:40]!r} is not an arXiv id")

    def _place(self, block: Block) -> Where:
        if block.kind == "heading":
            return Where.HEADING
        if block.section in _ESSAY:
            return self._essay(block)
        if block.section is Section.SOURCES:
            return self._note(block)
        if block.section is Section.ANCHORS or (block.section is Section.CLAIMS and _starts_with_id(block)):
            return self._anchor(block)
        if block.section is Section.CLAIMS:
            return self._claim(block)
        if block.section in (Section.TASKS, Section.QUESTIONS):
            return self._task(block)
        return self._unplaced(block, "it stands behind the document, and was not read")

    def _unplaced(self, block: Block, why: str) -> Where:
        for line in block.lines:
            self.warn(line.number, line.text, why)
        return Where.WARNING

    def _essay(self, block: Block) -> Where:
        text, line = block.text, block.lines[0].number
        asked = _OPEN.search(text[:_LONGEST_CLAIM])
        if asked:
            self._ask(asked["question"].strip('*_"“” '), line)
            self._body.append(Passage(text=text, line=line))
            return Where.QUESTION
        label = _QUESTION_LABEL.match(text)
        bare = text[label.end() :] if label else text
        if self._question is None and block.kind == "prose" and (label or (bare.endswith("?") and len(bare) <= 600)):
            self._ask(bare.strip('*_#"“” '), line)
            return Where.QUESTION
        if _asks_to_flag(block):
            return self._instruction(block)
        if not self._has_claims_section and (block.kind == "bullet" or ends_dated(text)):
            return self._claim_or(block)
        if not self._has_claims_section and block.kind == "bullet":
            return self._claim(block)
        self._mention(block)
        self._body.append(Passage(text=text, line=line))
        return Where.BODY

    def _claim_or(self, block: Block) -> Where:
        """In a document without sections: a bullet that starts with an id is an anchor, a dated one a claim."""
        if _starts_with_id(block):
            return self._anchor(block)
        if block.marker.isdigit() and not ends_dated(block.text) and read_statement(block.text).date is None:
            return self._task(block)
        return self._claim(block)

    def _ask(self, question: str, line: int) -> None:
        if self._question is None:
            self._question = question
        elif _folded(question) != _folded(self._question):
            self.warn(line, question, "another question than the one at the top, which was kept")

    def _instruction(self, block: Block) -> Where:
        self._flag = True
        self._body.append(Passage(text=block.text, line=block.lines[0].number))
        return Where.INSTRUCTION

    def _note(self, block: Block) -> Where:
        text, line = block.text, block.lines[0].number
        head, mark, rest = text.partition("?") if "?" in text[:200] else ("", "", text)
        rest = rest.strip()
        if mark and not rest:
            self._notes.append(SourceNote(title=text, text="", line=line))
        elif mark and block.kind == "bullet":
            self._notes.append(SourceNote(title=head + mark, text=rest, line=line))
        elif self._notes and not self._notes[-1].text:
            self._notes[-1] = self._notes[-1].model_copy(update={"text": text})
        elif len(text) <= 120 and not text.endswith((".", ":", ";")) and block.kind == "prose":
            self._notes.append(SourceNote(title=text, text="", line=line))
        else:
            self._notes.append(SourceNote(title="", text=text, line=line))
        self._mention(block)
        return Where.NOTE

    def _claim(self, block: Block) -> Where:
        text, line = block.text, block.lines[0].number
        if len(text) > _LONGEST_CLAIM:
            return self._unplaced(block, f"too long for a claim ({len(text)} characters, at most {_LONGEST_CLAIM})")
        if block.kind == "prose" and not ends_dated(text) and self._has_claims_section:
            if _asks_to_flag(block):
                return self._instruction(block)
            if text.endswith(":") or (not self._claims and read_dates(text)):
                self._span = read_dates(text) or self._span
                self._body.append(Passage(text=text, line=line))
                return Where.BODY
            return self._unplaced(block, "neither a bullet nor a sentence with its date in parentheses")
        statement = read_statement(text, line=line)
        date, doubt = statement.date, statement.doubt
        if date is None and self._span is not None:
            date, doubt = self._span, f"no date is stated; {self._span} is that of the whole list"
        if date is None:
            return self._unplaced(block, "no date is stated, so nothing can be newer: write for instance (2024)")
        if doubt:
            self.warn(line, text, doubt)
        claim_id = claim_slug(statement.text, str(date))
        if claim_id in self._claims:
            return self._unplaced(block, f"the same claim as in line {self._claims[claim_id].line}")
        for anchor in statement.anchors:
            self._hold(anchor, block)
        scale = scale_of(statement.text)
        self._claims[claim_id] = Claim(
            id=claim_id,
            text=statement.text,
            asserted_on=date,
            anchors=statement.anchors,
            scope=Scope(family=family_of(statement.text), scale=Scale(scale) if scale else Scale.LARGE),
            inquiry_id=self._id,
            line=line,
        )
        return Where.CLAIM

    def _anchor(self, block: Block) -> Where:
        text, line = block.text, block.lines[0].number
        if _asks_to_flag(block) and next(ArxivId.find_all(text), None) is None:
            return self._instruction(block)
        found = read_anchors(text[:_LONGEST_CLAIM], line=line)
        if (
            not found
            or len(text) > _LONGEST_CLAIM
            or (block.kind == "prose" and found[0].arxiv_id is None and not _dated(found))
        ):
            return self._unplaced(block, "no arXiv id and no dated title")
        for anchor in found:
            self._hold(anchor, block, listed=True)
        return Where.ANCHOR

    def _hold(self, anchor: Anchor, block: Block, *, listed: bool = False) -> None:
        """Keep an anchor; of two that name one paper the first is kept, filled up with what only the second says."""
        key = anchor.arxiv_id or f"line {block.lines[0].number}"
        held = self._anchors.setdefault(key, anchor)
        if held is not anchor:
            stated = {k: v for k, v in dict(anchor).items() if v and k not in ("arxiv_id", "line")}
            known = {k: v for k, v in dict(held).items() if v}
            self._anchors[key] = held.model_copy(update={k: v for k, v in stated.items() if k not in known})
            if any(known.get(k, v) != v for k, v in stated.items()):
                why = f"{key} is named twice, with different things said about it; line {held.line} was kept"
                self._unplaced(block, why)
            elif listed and key in self._listed:
                self._unplaced(block, f"{key} is named twice; first in line {held.line}")
        if listed:
            self._listed.add(key)

    def _mention(self, block: Block) -> None:
        """Hold the ids that running text names."""
        for line in block.lines:
            for _, _, found in ArxivId.find_all(line.text):
                if found.base not in self._anchors:
                    anchor = Anchor(arxiv_id=found.base, stated_version=found.version, line=line.number)
                    self._anchors[found.base] = anchor

    def _task(self, block: Block) -> Where:
        text, line = block.text, block.lines[0].number
        if block.section is Section.QUESTIONS or block.marker.isalpha():
            if block.kind == "prose" and not text.endswith("?"):
                return self._unplaced(block, "not a question")
            letter = block.marker if block.marker.isalpha() else chr(ord("a") + len(self._questions) % 26)
            lead = f"({letter}) "
            for q in read_lettered(lead + text, first=letter):
                at = block.line_at(max(0, q.offset - len(lead)))
                self._questions.append(ResearchQuestion(letter=q.letter, text=q.text, line=at))
            return Where.RESEARCH_QUESTION
        if block.kind == "prose":
            if _asks_to_flag(block):
                return self._instruction(block)
            return self._unplaced(block, "neither a task with its number nor the instruction to flag")
        number = int(block.marker) if block.marker.isdigit() else len(self._tasks) + 1
        self._tasks.append(Task(number=number, text=text, line=line))
        self._flag = self._flag or _asks_to_flag(block)
        self._questions += [
            ResearchQuestion(letter=q.letter, text=q.text, line=block.line_at(q.offset)) for q in read_lettered(text)
        ]
        self._mention(block)
        return Where.TASK

    def finish(self) -> Inquiry:
        if self._question is None:
            self.warn(1, "", "no open question was found")
        if not self._claims:
            self.warn(1, "", "no dated claim was found")
        anchors, notes = tuple(self._anchors.values()), [(n.title, n.text) for n in self._notes]
        return Inquiry(
            id=self._id,
            question=self._question,
            claims=tuple(tie(list(self._claims.values()), anchors, notes)),
            anchors=anchors,
            notes=tuple(self._notes),
            body=tuple(self._body),
            tasks=tuple(self._tasks),
            questions=tuple(self._questions),
            flag_ungrounded=self._flag,
            warnings=tuple(sorted(self._warnings, key=lambda w: w.line)),
        )


def _folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _dated(anchors: list[Anchor]) -> bool:
    return any(a.stated_date is not None or a.malformed_id is not None for a in anchors)
