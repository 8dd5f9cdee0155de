"""Texts of papers, models and inquiries, made harmless and honest for a page.

All of them are hostile until shown otherwise: control and direction characters are made visible, length is bounded,
and an arXiv id that no held paper has is marked as ungrounded and is never a link.
"""

import re
import unicodedata
from collections.abc import Container
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from claims.ids import ArxivId

MAX_CHARS = 1500
"""Characters of one foreign text that a report shows; what was cut is said."""

MARK = "⟦ungrounded⟧"
"""Stands behind an id that is in a text and that no held paper has."""

_LOOSE_ID = re.compile(r"(?<![\w.])\d{4}\.\d{4,6}(?:v\d+)?(?![\w]|\.\d)|(?i:arxiv\s*:\s*)[\w./-]*\d[\w./-]*", re.ASCII)


class SpanKind(StrEnum):
    """What a stretch of text is."""

    PLAIN = "plain"
    PAPER = "paper"
    """the id of a paper that a source gave"""
    UNGROUNDED = "ungrounded"
    """something that reads like an arXiv id, and that no held paper has"""


class Span(NamedTuple):
    """A stretch of visible text."""

    text: str
    kind: SpanKind
    paper_id: str = ""
    """for `paper`: the id without version"""


def visible(text: str, limit: int = MAX_CHARS) -> str:
    """Fold white space, name control, direction, zero-width, lone surrogate and no characters, cut at `limit`."""
    cut = text[: limit * 2]
    out: list[str] = []
    for char, run in groupby(" ".join(cut.split())):
        n = sum(1 for _ in run)
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or _is_no_character(char):
            out.append(f"⟨U+{ord(char):04X}{f'×{n}' if n > 1 else ''}⟩")
        elif unicodedata.combining(char) and n > 2:
            out.append(char * 2)
        else:
            out.append(char * n)
    shown = "".join(out)
    if len(shown) > limit or len(text) > len(cut):
        return f"{shown[:limit].rstrip()} … ⟨cut, {len(text):,} characters in all⟩"
    return shown


def _is_no_character(char: str) -> bool:
    """Tell the code points that Unicode keeps for nobody; U+FFFE and U+FFFF may not stand in XML."""
    return ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF


def spans(text: str, papers: Container[str]) -> list[Span]:
    """Take a foreign text apart into plain text, ids of held papers, and ids that are not grounded."""
    shown = visible(text)
    found = [(s, e, i.base) for s, e, i in ArxivId.find_all(shown)]
    for match in _LOOSE_ID.finditer(shown):
        if not any(s < match.end() and match.start() < e for s, e, _ in found):
            found.append((match.start(), match.end(), ""))
    out: list[Span] = []
    at = 0
    for start, end, base in sorted(found):
        if start > at:
            out.append(Span(shown[at:start], SpanKind.PLAIN))
        held = bool(base) and base in papers
        out.append(Span(shown[start:end], SpanKind.PAPER if held else SpanKind.UNGROUNDED, base if held else ""))
        at = end
    if at < len(shown):
        out.append(Span(shown[at:], SpanKind.PLAIN))
    return out


_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$@])")
_AT_START = re.compile(r"^(?:([#+=>-])|(\d{1,9})([.)]))")
_AUTOLINK = re.compile(r"(?i)(https?|ftp|mailto|xmpp)(:)|(www)(\.)")


def escape_markdown(text: str, *, begins: bool = True) -> str:
    """Make a text plain in CommonMark and GitHub Markdown: no markup, no HTML, no links, no images, one line.

    begins: whether it may stand at the beginning of a line, where `#` or `1.` would be markup.
    """
    escaped = _SPECIAL.sub(r"\\\1", visible(text))
    escaped = _AUTOLINK.sub(lambda m: f"{m[1] or m[3]}\\{m[2] or m[4]}", escaped)
    if not begins:
        return escaped
    return _AT_START.sub(lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}", escaped)


def marked(text: str, papers: Container[str], limit: int = MAX_CHARS) -> str:
    """Make a foreign text visible, with ids that no held paper has marked. Not escaped for any format."""
    kinds = {SpanKind.UNGROUNDED: f" {MARK}"}
    return "".join(span.text + kinds.get(span.kind, "") for span in spans(text[: limit * 2], papers))


def markdown(text: str, papers: Container[str], *, link: bool = True) -> str:
    """Escape a foreign text for Markdown, with ids of held papers as links and the other ids marked."""
    out = []
    for span in spans(text, papers):
        inner = span.text.strip()
        if not inner:
            out.append(span.text)
            continue
        at = span.text.index(inner)
        plain = escape_markdown(inner, begins=not out)
        if span.kind is SpanKind.PAPER and link:
            plain = f"[{plain}](https://arxiv.org/abs/{span.paper_id})"
        elif span.kind is SpanKind.UNGROUNDED:
            plain = f"{plain} {MARK}"
        out.append(f"{span.text[:at]}{plain}{span.text[at + len(inner) :]}")
    return "".join(out)
