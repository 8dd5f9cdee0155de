"""One record of the Kaggle arXiv snapshot, made a paper. Pure.

Two habits of such files matter. `authors_parsed` is `[family, given, suffix, ...]`, and a shortened list carries
"et al." as an author. A record may say in `x_date_kind` how it knows the date of v1: `month` means the month of the id
(written as its first day), and `listed` the day it was announced; then its version list is a placeholder, not a fact.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Any, Final

from agent.sources.withdrawal import withdrawal_of
from claims.dates import Precision, StatedDate
from claims.errors import MalformedId
from claims.ids import ArxivId
from claims.paper import Paper, PaperVersion, Source

_MONTHS: Final = {m: i for i, m in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_CREATED: Final = re.compile(r"(?:\w{3},\s*)?(\d{1,2})\s+(\w{3})\w*\s+(\d{4})")
LONE_OR_NUL: Final = re.compile("[\ud800-\udfff\x00]")
_ET_AL: Final = re.compile(r"[\s,]*\bet\.?\s*al\.?\s*$", re.IGNORECASE)
_BETWEEN_AUTHORS: Final = re.compile(r" ?(?:, ?(?:and )?|; ?| and )(?![^()]{0,400}\))")
"""On folded text, and looking for a closing bracket no further than an affiliation is long: linear in its length."""


class BadRecord(ValueError):
    """A record that is not of a paper; the message says why."""


def paper_of(record: dict[str, Any]) -> Paper:
    """Make a paper of one snapshot record. Raises BadRecord."""
    try:
        arxiv_id = ArxivId.parse(_text(record, "id") or "").base
    except MalformedId as exc:
        raise BadRecord(str(exc)) from exc
    title = " ".join((_text(record, "title") or "").split())
    if not title:
        raise BadRecord(f"{arxiv_id} has no title")
    abstract = (_text(record, "abstract") or "").strip() or None
    comment = " ".join((_text(record, "comments") or "").split()) or None
    kind = record.get("x_date_kind")
    versions = _versions(record)
    known = versions if kind not in ("listed", "month") else ()
    because = withdrawal_of(comment=comment, abstract=abstract, title=title)
    # The fields are checked above; building without pydantic's second check doubles the import rate.
    return Paper.model_construct(
        id=arxiv_id,
        title=title,
        authors=_authors(record),
        published=_published(arxiv_id, versions, kind),
        updated_on=_updated(known),
        categories=tuple((_text(record, "categories") or "").split()),
        abstract=abstract,
        finding=None,
        versions=known,
        comment=comment,
        journal_ref=(_text(record, "journal-ref") or "").strip() or None,
        doi=(_text(record, "doi") or "").strip() or None,
        withdrawn=because is not None,
        withdrawn_because=because,
        source=Source.MIRROR,
    )


def _text(record: dict[str, Any], key: str) -> str | None:
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRecord(f"{key!r} is not a text but a {type(value).__name__}")
    return value if value.isascii() and "\x00" not in value else LONE_OR_NUL.sub("\ufffd", value)


def _versions(record: dict[str, Any]) -> tuple[PaperVersion, ...]:
    listed = record.get("versions") or []
    if not isinstance(listed, list):
        raise BadRecord("'versions' is not a list")
    versions = []
    for version in listed:
        try:
            day, month, year = _CREATED.match(version["created"]).groups()  # type: ignore[union-attr]  # caught below
            number = int(version["version"].removeprefix("v"))
            on = date(int(year), _MONTHS[month], int(day))
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise BadRecord(f"a version that cannot be read: {version!r:.80}") from exc
        versions.append(_version(number, on))
    return tuple(sorted(versions, key=lambda version: version.number))


def _published(arxiv_id: str, versions: tuple[PaperVersion, ...], kind: object) -> StatedDate:
    if not versions:
        return month_of_id(arxiv_id)
    return _dated(versions[0].submitted_on, is_day=kind != "month")


# Millions of papers share a few thousand days: the frozen words for them are made once.
@lru_cache(maxsize=20_000)
def _dated(on: date, *, is_day: bool) -> StatedDate:
    if is_day:
        return StatedDate.model_construct(start=on, end=on, precision=Precision.DAY, circa=False)
    return StatedDate.month(on.year, on.month)


@lru_cache(maxsize=50_000)
def _version(number: int, on: date) -> PaperVersion:
    return PaperVersion.model_construct(number=number, submitted_on=on)


def _updated(versions: tuple[PaperVersion, ...]) -> date | None:
    """Give the newest version's day; a later version dated like the first is a placeholder."""
    if not versions or (len(versions) > 1 and versions[-1].submitted_on == versions[0].submitted_on):
        return None
    return versions[-1].submitted_on


def month_of_id(arxiv_id: str) -> StatedDate:
    """Give the month in which arXiv gave this id: all that an id alone says of a paper's date."""
    digits = arxiv_id.rpartition("/")[2]
    year = int(digits[:2])
    return StatedDate.month(year + (1900 if year > 90 else 2000), int(digits[2:4]))


def _authors(record: dict[str, Any]) -> tuple[str, ...]:
    parsed = record.get("authors_parsed")
    if isinstance(parsed, list) and parsed:
        if any(type(parts) is not list for parts in parsed):
            raise BadRecord(f"an author that cannot be read: {parsed!r:.80}")
        try:
            names = [" ".join((*parts[1:2], *parts[:1], *parts[2:3])) for parts in parsed]
        except TypeError as exc:
            raise BadRecord(f"an author that cannot be read: {parsed!r:.80}") from exc
    else:
        names = _BETWEEN_AUTHORS.split(" ".join((_text(record, "authors") or "").split()))
    return tuple(bare for name in names if (bare := clean_author(name)))


def clean_author(name: str) -> str:
    """Fold white space and drop a trailing "et al.", which is nobody; empty when nothing is left."""
    folded = " ".join(name.split())
    if not folded.isascii() or "\x00" in folded:
        folded = LONE_OR_NUL.sub("\ufffd", folded)
    return _ET_AL.sub("", folded) if "al" in folded[-4:] else folded
