"""Cuts a paper's texts into sentences that keep their place, so that a quote is a span and never a copy.

Total and bounded: any text gives sentences, and what lies beyond `MAX_CHARACTERS` of a field is not read.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from claims.paper import Paper, TextField

MAX_CHARACTERS = 8_000
"""Read of each field. Abstracts on arXiv end at 1,920 characters; a longer one is not an abstract."""
MAX_SENTENCES = 40
"""Judged of each paper, first ones first."""

_END = re.compile(
    r"(?<![A-Z]\.[A-Z]\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)(?<!\bcf\.)(?<!\bet al\.)(?<!\bresp\.)(?<!\bFig\.)"
    r"(?<=[.!?])[\"')\]}]*\s+(?=[\"'(\[{$\\]*[A-Z0-9$\\])"
)


class Sentence(NamedTuple):
    """One sentence of a paper, by its place."""

    field: TextField
    start: int
    """character offset in the field's stored text"""
    end: int
    """offset behind its last character"""
    text: str
    """`paper.text_of(field)[start:end]`"""


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Give the (start, end) offsets of each sentence of a text, outer white space left out."""
    text = text[:MAX_CHARACTERS]
    last = 0
    for match in _END.finditer(text):
        yield from _trimmed(text, last, match.start())
        last = match.end()
    yield from _trimmed(text, last, len(text))


def sentences(paper: Paper) -> list[Sentence]:
    """Give the sentences of title, abstract and finding, in this order."""
    found: list[Sentence] = []
    if paper.title.strip():
        start, end = next(_trimmed(paper.title[:MAX_CHARACTERS], 0, len(paper.title[:MAX_CHARACTERS])))
        found.append(Sentence(TextField.TITLE, start, end, paper.title[start:end]))
    for field in (TextField.ABSTRACT, TextField.FINDING):
        text = paper.text_of(field)
        found.extend(Sentence(field, start, end, text[start:end]) for start, end in spans(text))
    return found[:MAX_SENTENCES]


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = text[start:end]
    stripped = part.strip()
    if stripped:
        first = start + part.index(stripped)
        yield first, first + len(stripped)
