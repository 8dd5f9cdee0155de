"""Dates as people state them: a day, a month, a year or a range of these, perhaps approximate.

A date is kept with the precision that it was given in; comparing two of them never pretends to more.
"""

import calendar
import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_serializer, model_validator

from claims.errors import MalformedDate


class Precision(StrEnum):
    """How exactly a date was stated."""

    DAY = "day"
    """2023-05-18"""
    MONTH = "month"
    """2023-05, May 2023"""
    YEAR = "year"
    """2023"""
    RANGE = "range"
    """2023-2025, or any other span"""


_MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_abbr) if name}
_MONTH_WORD = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_YEAR = r"(?:19|20)\d{2}"
_ONE = (
    rf"(?:{_YEAR}-\d{{1,2}}-\d{{1,2}}|{_YEAR}[-/]\d{{1,2}}(?!\d)|\d{{1,2}}\s+{_MONTH_WORD}\.?,?\s+{_YEAR}|"
    rf"{_MONTH_WORD}\.?\s+\d{{1,2}},?\s+{_YEAR}|{_MONTH_WORD}\.?,?\s+{_YEAR}|{_YEAR})"
)
_CIRCA = r"(?:~|≈|∼|c\.|ca\.?|circa|about|around|approx\.?|approximately)"
DATE_IN_TEXT = re.compile(
    rf"(?<![\w.:])(?P<circa>{_CIRCA}\s*)?(?P<first>{_ONE})(?:\s*(?:-|–|—|to)\s*(?P<last>{_ONE}))?(?![\w]|\.\d)",
    re.IGNORECASE,
)
"""A stated date anywhere in running text; `StatedDate.parse` reads what it matches."""


class StatedDate(BaseModel):
    """A date with the precision that it was stated in. Serialises as its text: `2023-05-18`, `~2024`, `2023..2025`."""

    model_config = ConfigDict(frozen=True)

    start: date
    """The first day that it may mean."""
    end: date
    """The last day that it may mean, included."""
    precision: Precision
    """How exactly it was stated."""
    circa: bool = False
    """Whether the text marked it as approximate (`~2024`)."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, date):
            return {"start": value, "end": value, "precision": Precision.DAY}
        if isinstance(value, str):
            parsed = _read(value)
            return dict(zip(("start", "end", "precision", "circa"), parsed, strict=True))
        return value

    @model_validator(mode="after")
    def _ordered(self) -> "StatedDate":
        if self.end < self.start:
            raise ValueError(f"a date range ends ({self.end}) before it starts ({self.start})")
        return self

    @model_serializer
    def _as_text(self) -> str:
        return str(self)

    @classmethod
    def parse(cls, text: str) -> "StatedDate":
        """Read `2023-05-18`, `2023-05`, `May 2023`, `18 May 2023`, `2023`, `~2024` or a range. Raises MalformedDate."""
        start, end, precision, circa = _read(text)
        return cls(start=start, end=end, precision=precision, circa=circa)

    @classmethod
    def day(cls, on: date) -> "StatedDate":
        """Give a day-precise date."""
        return cls(start=on, end=on, precision=Precision.DAY)

    @classmethod
    def month(cls, year: int, month: int) -> "StatedDate":
        """Give a month-precise date."""
        start, end = _month(year, month)
        return cls(start=start, end=end, precision=Precision.MONTH)

    def __str__(self) -> str:
        return ("~" if self.circa else "") + {
            Precision.DAY: self.start.isoformat(),
            Precision.MONTH: self.start.strftime("%Y-%m"),
            Precision.YEAR: f"{self.start.year:04}",
            Precision.RANGE: f"{_short(self.start, self.end, first=True)}..{_short(self.start, self.end, first=False)}",
        }[self.precision]

    def agrees_with(self, other: "StatedDate") -> bool:
        """Tell whether both may mean the same day."""
        return self.start <= other.end and other.start <= self.end

    def is_after(self, other: "StatedDate") -> bool:
        """Tell whether this is certainly later: its first day lies beyond the other's last day."""
        return self.start > other.end


def _short(start: date, end: date, *, first: bool) -> str:
    it = start if first else end
    if (start.month, start.day, end.month, end.day) == (1, 1, 12, 31):
        return f"{it.year:04}"
    if start.day == 1 and end.day == calendar.monthrange(end.year, end.month)[1]:
        return it.strftime("%Y-%m")
    return it.isoformat()


def _month(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def _read(text: str) -> tuple[date, date, Precision, bool]:
    bare = text.strip().strip("()[]").strip()
    bare = bare.replace("..", " - ") if ".." in bare else bare
    match = DATE_IN_TEXT.fullmatch(bare)
    if match is None:
        raise MalformedDate(text)
    try:
        start, end, precision = _read_one(match["first"])
        if match["last"]:
            end = _read_one(match["last"])[1]
            precision = Precision.RANGE
    except ValueError as exc:
        raise MalformedDate(text) from exc
    if end < start:
        raise MalformedDate(text)
    return start, end, precision, bool(match["circa"])


def _read_one(text: str) -> tuple[date, date, Precision]:
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    word = re.search(r"[a-z]{3,}", text, re.IGNORECASE)
    if word:
        month = _MONTHS[word[0][:3].lower()]
        year = numbers[-1]
        if len(numbers) == 2:
            day = date(year, month, numbers[0])
            return day, day, Precision.DAY
        return *_month(year, month), Precision.MONTH
    if len(numbers) == 3:
        day = date(*numbers)
        return day, day, Precision.DAY
    if len(numbers) == 2:
        year, second = numbers
        if second > max(12, year % 100):  # 2023-25 is a span of years
            return date(year, 1, 1), date(year - year % 100 + second, 12, 31), Precision.RANGE
        return *_month(year, second), Precision.MONTH
    return date(numbers[0], 1, 1), date(numbers[0], 12, 31), Precision.YEAR


Dated = Annotated[StatedDate, BeforeValidator(lambda v: v)]
"""A stated date as a model field: accepts its text, a `date`, or the object."""
