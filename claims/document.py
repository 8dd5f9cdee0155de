"""The shape of an inquiry document: bytes into text, text into blocks that know their section and their lines.

Nothing is dropped here: every line that is not blank stands in exactly one block. What a block means is decided in
`claims.inquiry`. All work is linear in the length of the document.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from claims.dates import DATE_IN_TEXT
from claims.errors import UnreadableDocument
from claims.ids import ArxivId

_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"PK\x03\x04": "a zip archive or an office document",
    b"\x1f\x8b": "a gzip archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x7fELF": "a program",
    b"SQLite format 3": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old office document",
}
_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_REPLACED = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_BINARY_SHARE = 0.1
"""more control characters than this, and it is no text"""


class Decoded(NamedTuple):
    """A document's text and what had to be replaced in it."""

    text: str
    """line ends are `\\n`"""
    damaged: dict[int, str]
    """line from 1 to what was wrong with its bytes"""


class Section(StrEnum):
    """The part of a document that a block stands in."""

    OPENING = "opening"
    """question and essay"""
    SOURCES = "sources"
    """notes"""
    PROMPT = "prompt"
    """the instruction's first words"""
    CLAIMS = "claims"
    ANCHORS = "anchors"
    TASKS = "tasks"
    QUESTIONS = "questions"
    """research questions under a heading of their own"""
    TRAILER = "trailer"
    """what a web page puts behind the document"""


class Line(NamedTuple):
    """One line."""

    number: int
    """from 1"""
    text: str
    """outer white space stripped"""


class Block(NamedTuple):
    """Lines that belong together: a heading, one bullet with its continuation, or a paragraph."""

    section: Section
    kind: str
    """`heading`, `bullet` or `prose`"""
    marker: str
    """the bullet's number or letter, or `-`; empty for others"""
    lines: tuple[Line, ...]
    """the first without its bullet"""

    @property
    def text(self) -> str:
        """All lines, white space folded."""
        return " ".join(" ".join(line.text.split()) for line in self.lines)

    def line_at(self, offset: int) -> int:
        """Give the number of the line that a character offset of `text` falls into."""
        end = 0
        for line in self.lines:
            end += len(" ".join(line.text.split())) + 1
            if offset < end:
                return line.number
        return self.lines[-1].number


def decode(data: bytes | str, *, origin: str = "the document") -> Decoded:
    """Make text of what was given. Raises UnreadableDocument for binary files and for nothing at all."""
    if isinstance(data, bytes):
        data = _text_of(data, origin)
    text = data.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise UnreadableDocument(f"{origin} is empty")
    damaged: dict[int, str] = {}
    bad = len(_REPLACED.findall(text))
    if bad > _BINARY_SHARE * len(text):
        raise UnreadableDocument(f"{origin} holds binary data, not text")
    if bad or "\ufffd" in text:
        for number, line in enumerate(text.split("\n"), start=1):
            if _REPLACED.search(line):
                damaged[number] = "control characters were replaced"
            elif "\ufffd" in line:
                damaged[number] = "bytes that are not UTF-8 were replaced"
        text = _REPLACED.sub("\ufffd", text)
    return Decoded(text, damaged)


def _text_of(data: bytes, origin: str) -> str:
    if b"%PDF-" in data[:1024]:
        raise UnreadableDocument(f"{origin} is a PDF; save it as plain text first (for instance with pdftotext)")
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return data.decode(codec, "replace")
    for magic, what in _MAGIC.items():
        if data.startswith(magic):
            raise UnreadableDocument(f"{origin} is {what}; give a plain text file")
    head = data[:4096]
    if len(head) >= 4 and head[1::2].count(0) > 0.4 * len(head) / 2 and head[::2].count(0) < 0.1 * len(head):
        return data.decode("utf-16-le", "replace")
    if len(head) >= 4 and head[::2].count(0) > 0.4 * len(head) / 2 and head[1::2].count(0) < 0.1 * len(head):
        return data.decode("utf-16-be", "replace")
    return data.decode("utf-8", "replace")


_BULLET = re.compile(
    r"\s*(?:(?P<dot>[•‣◦▪●○∙■□➤►])\s*|(?P<dash>[·–—*+-])\s+|\(?(?P<number>\d{1,3})[.)]\s+|"
    r"(?:\((?P<letter>[a-z])\)|(?P<bare>[a-z])\))\s+)(?=\S)"
)
_TAIL = r"(?:\s*[(\[][^()\[\]]{0,120}[)\]])?\s*:?"
_HEADINGS: tuple[tuple[Section, re.Pattern[str]], ...] = tuple(
    (section, re.compile(pattern + _TAIL, re.IGNORECASE))
    for section, pattern in (
        (Section.OPENING, r"(?:inquiring line|(?:line of )?inquiry|(?:the )?(?:open |central |main )?question)"),
        (Section.SOURCES, r"(?:sources?|source notes|notes)(?:\s+\d{1,4}(?:\s+notes?)?)?"),
        (Section.PROMPT, r"research prompt\b[^.?!:]{0,60}"),
        (Section.CLAIMS, r"what [^.?!:]{0,60}\b(?:found|knew|holds?|says?)\b[^.?!:()]{0,30}"),
        (
            Section.CLAIMS,
            r"(?:the )?(?:dated |earlier |known |indexed |seed |key |main )?(?:claims?|constraints|findings)",
        ),
        (
            Section.ANCHORS,
            r"(?:key |the )?(?:anchors?|anchor(?:ing)? (?:papers?|works?)|papers|references|bibliography)",
        ),
        (Section.TASKS, r"(?:your |the )?(?:tasks?|assignments?)"),
        (Section.QUESTIONS, r"(?:the |two |three )?(?:research|follow-?up) questions?"),
        (Section.TRAILER, r"(?:next|related|more) (?:inquiring |inquiry )?(?:lines?|inquiries|questions|reading)"),
    )
)
_WITH_CONTENT = (Section.CLAIMS, Section.ANCHORS, Section.TASKS, Section.QUESTIONS)
"""sections whose content may begin on the heading's own line"""
_PROMPT_START = re.compile(r"you are (?:a|an|the)\b", re.IGNORECASE)
_QUOTED = re.compile(r"^(?:\s*>)+ ?")
"""marks of a quoted message"""
_LONGEST_HEADING = 160
_HEADING_START = re.compile(
    r"[#\s*_]*(?:inquir|line of|the\b|open|central|main|question|source|note|research|what|dated|earlier|known|"
    r"indexed|seed|claim|constraint|finding|key|anchor|paper|reference|bibliograph|your|task|assign|two|three|"
    r"follow|next|related|more)",
    re.IGNORECASE,
)
"""what every heading above starts with; one look spares most lines the whole list"""


def heading_of(text: str) -> Section | None:
    """Tell which section a line opens, or None when it is no heading that we know."""
    if len(text) > _LONGEST_HEADING or not _HEADING_START.match(text):
        return None
    bare = " ".join(text.strip().lstrip("#").strip().strip("*_").replace("↓", "").split()).strip("*_ ")
    return next((section for section, pattern in _HEADINGS if pattern.fullmatch(bare)), None)


def _wrapped_heading(text: str, following: str) -> Section | None:
    """Tell which section two lines open together, when neither does alone."""
    if not following.strip() or not _HEADING_START.match(text) or _BULLET.match(following):
        return None
    if heading_of(following) is not None:
        return None
    return heading_of(f"{text} {following.strip()}")


def split_heading(text: str) -> tuple[Section, str] | None:
    """Part `Anchor papers: arXiv:2305.11206` into its section and what stands behind the colon, or give None."""
    label, colon, rest = text[:_LONGEST_HEADING].partition(":")
    rest = text[len(label) + 1 :].strip()
    if not colon or not rest or "?" in label:
        return None
    section = heading_of(label)
    return (section, rest) if section in _WITH_CONTENT else None


def ends_dated(text: str) -> bool:
    """Tell whether a line ends in parentheses that hold a date."""
    tail = text.rstrip(" .;,*_")[-160:]
    if not tail.endswith((")", "]")):
        return False
    opening = max(tail.rfind("("), tail.rfind("["))
    return opening >= 0 and DATE_IN_TEXT.search(tail[opening:]) is not None


def read_blocks(text: str) -> list[Block]:
    """Cut a document into blocks. Every line that is not blank stands in exactly one of them."""
    blocks: list[Block] = []
    section = Section.OPENING
    open_lines: list[Line] = []
    kind, marker = "prose", ""

    def close() -> None:
        if open_lines:
            blocks.append(Block(section, kind, marker, tuple(open_lines)))
            open_lines.clear()

    rows = [_QUOTED.sub("", row) for row in text.split("\n")]
    wrapped = False
    for number, raw in enumerate(rows, start=1):
        stripped = raw.strip()
        if not stripped:
            close()
            continue
        if wrapped:  # the second line of the heading that was just read
            wrapped = False
            blocks[-1] = blocks[-1]._replace(lines=(*blocks[-1].lines, Line(number, stripped)))
            continue
        bullet = _BULLET.match(raw)
        opened = None if bullet else heading_of(stripped)
        if opened is None and not bullet and number < len(rows):
            opened = _wrapped_heading(stripped, rows[number])
            wrapped = opened is not None
        if opened is not None:
            close()
            section = opened
            blocks.append(Block(section, "heading", "", (Line(number, stripped),)))
            continue
        if bullet:
            close()
            kind = "bullet"
            marker = bullet["number"] or bullet["letter"] or bullet["bare"] or "-"
            open_lines.append(Line(number, raw[bullet.end() :].strip()))
            continue
        inline = split_heading(stripped)
        if inline:
            close()
            section, stripped = inline
        if open_lines and _is_new(open_lines, raw, stripped, section, kind):
            close()
        if not open_lines:
            kind, marker = "prose", ""
            if _PROMPT_START.match(stripped):
                section = Section.PROMPT
        open_lines.append(Line(number, stripped))
    close()
    return blocks


def _is_new(so_far: list[Line], raw: str, text: str, section: Section, kind: str) -> bool:
    """Tell whether a line that follows without a blank line begins something of its own."""
    last = so_far[-1].text
    if section is Section.ANCHORS:
        return _has_id(text) and any(_has_id(line.text) for line in so_far)
    if _PROMPT_START.match(text) and last.endswith((".", "?", "!", ":")):
        return True
    if section in (Section.OPENING, Section.SOURCES) and kind == "prose" and last.endswith("?"):
        return True
    if section in (Section.OPENING, Section.CLAIMS) and ends_dated(last):
        return not (raw[:1].isspace() or text[:1].islower())
    return section is Section.CLAIMS and kind == "prose" and last.endswith(":")


def _has_id(text: str) -> bool:
    return next(ArxivId.find_all(text), None) is not None
