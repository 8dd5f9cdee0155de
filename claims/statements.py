"""Single statements of an inquiry: a claim with its date, an anchor with what is said beside it, lettered questions.

Pure text work on one folded line; nothing here knows about documents.
"""

import re
from typing import NamedTuple

from claims.claim import Anchor
from claims.dates import DATE_IN_TEXT, Precision, StatedDate
from claims.errors import MalformedDate, MalformedId
from claims.ids import ArxivId


class Statement(NamedTuple):
    """A sentence with the date that stands beside it."""

    text: str
    """without its bullet, emphasis and dates in parentheses at its end"""
    date: StatedDate | None
    """None when no date is stated"""
    anchors: tuple[Anchor, ...]
    """ids named in it"""
    doubt: str | None
    """why a reader should check the date, when it was not stated plainly"""


class Lettered(NamedTuple):
    """One lettered question inside a text."""

    letter: str
    text: str
    offset: int
    """of its letter in the text"""


_DATE_WORDS = re.compile(
    r"(?:as of|since|from|until|early|late|mid|spring|summer|autumn|fall|winter|q[1-4]|onwards?|ongoing|present|now|"
    r"dated?|published|asserted|claim|arxiv|preprint|updated?|revised|and|to|in|v\d{1,3}|[\s,;:.~/|\[\]+?≈–—-])*",
    re.IGNORECASE,
)
_LEADING_DATE = re.compile(r"[(\[]?(?P<date>[^()\[\]:]{4,40}?)[)\]]?\s*(?::|—|–|-)\s+(?=\S)")
_BARE_CUE = re.compile(
    r"(?:\b(?:in|since|of|from|by|until|during|early|late|mid|year|published|as of|dated)[\s-]+|[,;—–(\[]\s*)$", re.I
)
_URL_LEFT = re.compile(
    r"(?:https?://)?(?:www\.|export\.|dx\.)?(?:doi\.org/|arxiv\.org/(?:abs|pdf|html|format)/)?(?:\barxiv\s*:\s*)?$",
    re.IGNORECASE,
)
_ID_LIKE = re.compile(r"(?:arxiv\s*:\s*|arxiv\.org/(?:abs|pdf|html|format)/)(?P<id>[^\s,;()\[\]]{1,60})", re.IGNORECASE)
_SEPARATORS = " \t—–-:;,.|·→>*_`"


def read_dates(text: str) -> StatedDate | None:
    """Join all dates of a text into one: the only one, or the range from first to last. None when there is none.

    Things that look like a date and are none (month 13) are passed over.
    """
    found: list[StatedDate] = []
    for match in DATE_IN_TEXT.finditer(text):
        try:
            found.append(StatedDate.parse(match[0]))
        except MalformedDate:
            continue
    if len(found) <= 1:
        return found[0] if found else None
    start, end = min(d.start for d in found), max(d.end for d in found)
    same = next((d for d in found if (d.start, d.end) == (start, end)), None)
    if same is not None:
        return same
    return StatedDate(start=start, end=end, precision=Precision.RANGE, circa=any(d.circa for d in found))


def read_statement(text: str, *, line: int | None = None) -> Statement:
    """Read a claim: its sentence, its date and the ids in it."""
    folded = _plain(text)
    ids = list(ArxivId.find_all(folded))
    anchors = tuple(dict.fromkeys(Anchor(arxiv_id=i.base, stated_version=i.version, line=line) for _, _, i in ids))
    body, tail_dates = _without_date_tail(folded)
    if tail_dates is not None:
        return Statement(body, tail_dates, anchors, None)
    leading = _LEADING_DATE.match(folded)
    if leading and _only_dates(leading["date"]) and (date := read_dates(leading["date"])):
        return Statement(folded[leading.end() :], date, anchors, None)
    blanked = _blank_ids(folded, ids)
    inner = [g for g in re.findall(r"[(\[]([^()\[\]]{4,120})[)\]]", blanked) if DATE_IN_TEXT.search(g)]
    if inner and (date := read_dates(" ; ".join(inner))):
        return Statement(folded, date, anchors, None)
    spoken = [m for m in DATE_IN_TEXT.finditer(blanked) if _is_spoken(blanked, m)]
    date = read_dates(" ; ".join(m[0] for m in spoken))
    doubt = f"the date {date} was read from the sentence itself" if date else None
    return Statement(folded, date, anchors, doubt)


_LINK = re.compile(r"\[([^\[\]]{0,200})\]\((https?://[^\s()]{1,300})\)")


def _plain(text: str) -> str:
    folded = _LINK.sub(r"\1 \2", " ".join(text.split()))
    for mark in ("**", "__"):
        folded = folded.replace(mark, "")
    return folded


def _blank_ids(text: str, ids: list[tuple[int, int, ArxivId]]) -> str:
    parts, at = [], 0
    for start, end, _ in ids:
        parts += [text[at:start], " " * (end - start)]
        at = end
    return "".join([*parts, text[at:]])


def _only_dates(text: str) -> bool:
    """Tell whether nothing but dates, ids and words that go with dates stands in a text."""
    rest = DATE_IN_TEXT.sub(" ", _blank_ids(text, list(ArxivId.find_all(text))))
    return _DATE_WORDS.fullmatch(rest) is not None


def _has_date_or_id(text: str) -> bool:
    return DATE_IN_TEXT.search(text) is not None or next(ArxivId.find_all(text), None) is not None


def _without_date_tail(text: str) -> tuple[str, StatedDate | None]:
    """Take date parentheses off the end, however many there are, and keep the sentence's own full stop."""
    body, dates = text, []
    while True:
        bare = body.rstrip(" .;,")
        if not bare.endswith((")", "]")):
            break
        opening = max(bare.rfind("("), bare.rfind("["))
        group = bare[opening + 1 : -1]
        if opening <= 0 or len(group) > 160 or not _has_date_or_id(group) or not _only_dates(group):
            break
        without_ids = _blank_ids(group, list(ArxivId.find_all(group)))
        dates.append(without_ids)
        stop = "." if body.rstrip().endswith(".") and not bare[:opening].rstrip().endswith((".", "!", "?")) else ""
        body = bare[:opening].rstrip() + stop
    date = read_dates(" ; ".join(dates))
    return (body, date) if date and body.strip(" .;,") else (text, None)


def _is_spoken(text: str, match: re.Match[str]) -> bool:
    """Tell a year that is spoken of as a date from a plain number (`2000 examples`)."""
    if match["circa"] or match["last"] or not match["first"].isdigit():
        return True
    return _BARE_CUE.search(text[max(0, match.start() - 12) : match.start()]) is not None or match.end() >= len(
        text.rstrip(" .")
    )


def read_anchors(text: str, *, line: int | None = None) -> list[Anchor]:
    """Read one line of an anchor list: each id in it with the date and topic beside it, or a title without an id.

    Words before the first id are its title, words behind an id are its topic.
    """
    folded = _plain(text)
    ids: list[tuple[int, int, ArxivId]] = []
    for start, end, found in ArxivId.find_all(folded):
        if (
            ids and ids[-1][2].base == found.base and not _words_between(folded[ids[-1][1] : start])
        ):  # a link whose text is the id that it leads to
            ids[-1] = (ids[-1][0], end, found if found.version else ids[-1][2])
        else:
            ids.append((start, end, found))
    if not ids:
        return _without_id(folded, line)
    anchors = []
    for n, (start, end, found) in enumerate(ids):
        before = folded[:start] if n == 0 else ""
        before = before[: _url_start(before)]
        after_end = ids[n + 1][0] if n + 1 < len(ids) else len(folded)
        after = folded[end:after_end]
        after = after[: _url_start(after)] if n + 1 < len(ids) else after
        after = after.removeprefix(".pdf")
        title, date_before = _apart(before)
        topic, date_after = _apart(after)
        anchors.append(
            Anchor(
                arxiv_id=found.base,
                stated_version=found.version,
                stated_title=title,
                stated_date=date_after or date_before,
                stated_topic=topic,
                line=line,
            )
        )
    return anchors


def _words_between(text: str) -> bool:
    return re.search(r"\w", text[: _url_start(text)]) is not None


def _url_start(text: str) -> int:
    match = _URL_LEFT.search(text, max(0, len(text) - 60))
    return match.start() if match else len(text)


def _without_id(text: str, line: int | None) -> list[Anchor]:
    like = _ID_LIKE.search(text)
    malformed = None
    if like:
        malformed = like["id"].rstrip(".")
        text = text[: like.start()] + " " + text[like.end() :]
    words, date = _apart(text)
    if malformed is None and not words:
        return []
    title, topic = (words, None) if malformed is None else (None, words)
    if title and (cut := re.split(r"\s+[—–|]\s+", title, maxsplit=1)) and len(cut) == 2:
        title, topic = cut[0].strip(_SEPARATORS) or None, cut[1].strip(_SEPARATORS) or None
    return [Anchor(stated_title=title, stated_topic=topic, stated_date=date, malformed_id=malformed, line=line)]


def _apart(text: str) -> tuple[str | None, StatedDate | None]:
    """Part what stands beside an id into words and date."""
    dates = []
    for group in re.findall(r"[(\[][^()\[\]]{0,120}[)\]]", text):
        if DATE_IN_TEXT.search(group) and _only_dates(group[1:-1]):
            dates.append(group)
            text = text.replace(group, " ", 1)
    leading = DATE_IN_TEXT.match(text.lstrip(_SEPARATORS))
    if not dates and leading:
        dates.append(leading[0])
        text = text.lstrip(_SEPARATORS)[leading.end() :]
    words = " ".join(text.split()).strip(_SEPARATORS)
    words = re.sub(r"^\(\s*\)|\(\s*\)$|^[)\]]+|[(\[]+$", "", words).strip(_SEPARATORS)
    return words if re.search(r"\w", words) else None, read_dates(" ; ".join(dates))


_LETTER = re.compile(r"(?<![\w(])\((?P<letter>[a-z])\)\s+(?=\S)")


def read_lettered(text: str, *, first: str = "a") -> list[Lettered]:
    """Find `(a) … (b) …` in a text: letters in order from `first`, each up to the next one."""
    marks: list[re.Match[str]] = []
    for match in _LETTER.finditer(text):
        if match["letter"] == chr(ord(first) + len(marks)):
            marks.append(match)
    ends = [*(m.start() for m in marks[1:]), *([len(text)] if marks else [])]
    return [
        Lettered(m["letter"], text[m.end() : end].strip(), m.start())
        for m, end in zip(marks, ends, strict=True)
        if text[m.end() : end].strip()
    ]


def malformed_ids(text: str) -> list[str]:
    """Find what stands behind `arXiv:` or in an arXiv address and is no arXiv id."""
    bad = []
    for match in _ID_LIKE.finditer(text):
        try:
            ArxivId.parse(match["id"].rstrip(".:/*_’'\""))
        except MalformedId:
            if any(c.isdigit() for c in match["id"]):
                bad.append(match["id"])
    return bad
