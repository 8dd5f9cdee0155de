"""What a question says about time: a past day that it asks about, or a span of days that work has to be from."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from claims.dates import DATE_IN_TEXT, Precision, StatedDate
from claims.errors import MalformedDate
from claims.report.view import WINDOW_MONTHS, months_before


class How(StrEnum):
    """How a question puts a date."""

    IN = "in"
    """in 2025, on 2026-03-01"""
    BY = "by"
    """as of March 2026, until then, before it"""
    SINCE = "since"
    """since March 2026"""


class Days(NamedTuple):
    """What a question says about time."""

    rest: str
    """the question without it"""
    how: How | None = None
    """None when no date is named"""
    first: date = date.min
    last: date = date.max
    named: str = ""
    """the date with the precision that it was named in"""
    months: int | None = None
    """of `the last N months`; None when no such span is named"""
    ever: bool = False
    """whether it asks over all time in so many words"""
    words: str = ""
    """the date as it stands in the question, with the words that put it"""


class Window(NamedTuple):
    """The days that work has to be dated in, with both ends."""

    first: date
    last: date
    why: str
    """a sentence that says where the window comes from; empty when it is all time"""


OLDEST = 1990
"""Year before which a number is no date of a paper here."""

_MONTHS = re.compile(
    r"\b(?:(?:in|over|within|during|from|of)\s+)?(?:the\s+)?(?:last|past|previous)\s+(?:~\s*)?"
    r"(?P<n>\w+)?\s*(?P<unit>month|year|week)s?\b",
    re.IGNORECASE,
)
_COUNT = {w: n for n, w in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), 1)}
_EVER = re.compile(r"\b(?:ever|at all|(?:of )?all[ -]time|at any time|whenever it was)\b", re.IGNORECASE)
_BEFORE = re.compile(
    r"(?:\b(?P<since>since|after|later than|newer than)|\b(?P<by>as (?:of|at)|as it was (?:on|in|at)|until|till|up to|"
    r"by|before|prior to)|\b(?P<in>(?:back )?(?:in|on|at|during|within|around|of|from)|between))\s+"
    r"(?:(?:the\s+)?(?P<edge>end|close|start|beginning|middle)\s+of\s+|(?P<part>early|mid|late)[ -])?"
    r"(?:the\s+year\s+)?$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\s+(?:\w+\s+)?(?:examples|samples|steps|pairs|tokens|prompts|demonstrations|instructions|problems|queries|tasks|"
    r"words|models|hours|times)\b",
    re.IGNORECASE,
)
_AGO = re.compile(r"\b(?P<n>an?|\w+)\s+(?P<unit>month|year|week)s?\s+ago\b", re.IGNORECASE)
_NOW = re.compile(r"\b(?:as of|by|until) (?:now|today)\b", re.IGNORECASE)


def days(question: str, today: date) -> Days:
    """Read what a question says about time. A number that may be a count is no date."""
    rest = question
    months = None
    span = _MONTHS.search(rest)
    if span:
        months = _months(span)
        rest = f"{rest[: span.start()]} {rest[span.end() :]}"
    ever = _EVER.search(rest) is not None
    rest = _NOW.sub(" ", _EVER.sub(" ", rest))
    ago = _AGO.search(rest)
    if ago:
        day = months_before(today, _months(ago))
        return Days(
            _tidy(f"{rest[: ago.start()]} {rest[ago.end() :]}"), How.BY, day, day, str(day), months, ever, ago[0]
        )
    for start, end, how, stated, edge in _dated(rest):
        put = rest[start:end].lower()
        first, last = stated.start, stated.end
        if edge in ("start", "beginning", "early"):
            last = first
        if put.startswith(("before", "prior")):
            last = first - timedelta(days=1)
        if put.startswith(("after", "later", "newer")):
            first = last + timedelta(days=1)
        words = rest[start:end]
        rest = _tidy(f"{rest[:start]} {rest[end:]}")
        return Days(rest, how, min(first, today), min(last, today), str(stated), months, ever, words)
    if re.search(r"\bthis year\b", rest, re.IGNORECASE):
        without = re.sub(r"(?i)\b(?:in |during )?this year\b", " ", rest)
        return Days(
            _tidy(without), How.SINCE, date(today.year, 1, 1), today, str(today.year), months, ever, "this year"
        )
    return Days(_tidy(rest), months=months, ever=ever)


def _tidy(text: str) -> str:
    return re.sub(r"\s+([,.;:?!])", r"\1", " ".join(text.split()))


def _months(span: re.Match[str]) -> int:
    word = (span["n"] or "one").lower()
    n = int(word) if word.isdigit() else _COUNT.get(word, 1)
    return min(max({"month": n, "year": 12 * n, "week": -(-n // 4)}[span["unit"].lower()], 1), 12 * 100)


def _dated(text: str) -> Iterator[tuple[int, int, How, StatedDate, str]]:
    """Give each date with the words before it: where they begin and end, how they put it, and `end of` and the like."""
    for match in DATE_IN_TEXT.finditer(text):
        before = _BEFORE.search(text[: match.start()])
        try:
            stated = StatedDate.parse(match[0])
        except MalformedDate:
            continue
        bare = stated.precision is Precision.YEAR
        if stated.start.year < OLDEST or (bare and (before is None or _COUNTED.match(text[match.end() :]))):
            continue
        end = match.end()
        if before is not None and before["in"] and before["in"].lower() == "between":
            other = re.match(rf"\s+and\s+({DATE_IN_TEXT.pattern})", text[end:], re.IGNORECASE)
            if other:
                try:
                    stated = StatedDate.parse(f"{match[0]} - {other[1]}")
                except MalformedDate:
                    continue
                end += other.end()
        start = before.start() if before else match.start()
        how = How.IN if before is None or before["in"] else How.SINCE if before["since"] else How.BY
        onwards = re.match(r"\s+on(?:wards?)?(?=\s*(?:[,.?!;]|$))", text[end:], re.IGNORECASE)
        if onwards:
            how, end = How.SINCE, end + onwards.end()
        if how is How.SINCE and stated.precision is Precision.RANGE:
            how = How.IN
        edge = ((before["edge"] or before["part"] or "") if before else "").lower()
        yield start, end, how, stated, edge


def window(asked: Days, until: date, *, usual: int | None = WINDOW_MONTHS) -> Window:
    """Give the days that work must be from: those that are named, else the usual months up to `until`.

    `until` is the last day that the verdict looked at; without `usual` the time is unlimited when none is named.
    """
    looked = f"up to {until}, the last day that the verdict looked at"
    if asked.how is How.IN:
        return Window(asked.first, min(asked.last, until), f"The window is {asked.named}, as asked.")
    if asked.how is How.SINCE:
        return Window(asked.first, until, f"The window is from {asked.first} {looked}.")
    if asked.months is not None:
        n = "month" if asked.months == 1 else f"{asked.months} months"
        return Window(months_before(until, asked.months), until, f"The window is the {n} {looked}.")
    if asked.ever or usual is None:
        return Window(date.min, until, "")
    why = f"No time was named, so the window is the usual one: the {usual} months {looked}. “Ever” asks over all time."
    return Window(months_before(until, usual), until, why)
