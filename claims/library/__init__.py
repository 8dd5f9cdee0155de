"""The starter library: real papers around the shipped inquiry, with which the main job runs without a network.

`papers.jsonl` holds one paper a line: facts (id, title, authors, date, categories, withdrawal) and a `finding` of two
sentences in our own words, written from reading the abstract. It holds no abstract and never pretends to. A date has
the precision in which it is known: the day of v1, or the month of the id. Versions are left out, because what is
newest ages. A `reading` is what we make of the paper for a family of claims, with the sentence of the finding that it
rests on. Readings are strict: a paper that confirms only a premise, or that measures something else than the claim
speaks of, is neutral.
"""

import json
import re
from datetime import date
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field

from claims.dates import StatedDate
from claims.evidence import Stance
from claims.ids import PaperId
from claims.paper import Paper, Source

READ_BY = "retest maintainers"
READ_ON = date(2026, 11, 23)
"""When the readings were last given."""


class Reading(BaseModel):
    """What we make of a starter paper for a family of claims, after reading its abstract."""

    model_config = ConfigDict(frozen=True)

    paper_id: PaperId
    family: str
    stance: Stance
    """for the two research questions: supports says yes, contradicts says no"""
    confidence: float = Field(ge=0, le=1)
    """0.6, 0.75 or 0.9: our own degree of belief, not calibrated on labels"""
    quote_start: int
    """where in the finding the sentence begins that it rests on"""
    quote_end: int
    because: str
    """in one clause"""


@cache
def readings() -> tuple[Reading, ...]:
    """Give the shipped readings, in the order of the papers."""
    text = resources.files(__name__).joinpath("papers.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return tuple(_reading(row["id"], row["finding"], row["reading"]) for row in rows if row.get("reading"))


def sentence_spans(finding: str) -> list[tuple[int, int]]:
    """Give the (start, end) of each sentence of a finding."""
    return [match.span() for match in re.finditer(r"\S.*?[.!?](?=\s+[A-Z]|$)", finding)]


def _reading(paper_id: str, finding: str, row: dict[str, object]) -> Reading:
    start, end = sentence_spans(finding)[int(str(row["sentence"]))]
    return Reading.model_validate(
        {k: row[k] for k in ("family", "stance", "confidence", "because")}
        | {"paper_id": paper_id, "quote_start": start, "quote_end": end}
    )


@cache
def papers() -> tuple[Paper, ...]:
    """Read the shipped papers, sorted by the seed claim that they were chosen for and then by date."""
    text = resources.files(__name__).joinpath("papers.jsonl").read_text(encoding="utf-8")
    return tuple(_paper(json.loads(line)) for line in text.splitlines())


@cache
def example_inquiry() -> str:
    """Read the shipped inquiry document, which `retest run` takes when it is given none."""
    return resources.files(__name__).joinpath("example_inquiry.txt").read_text(encoding="utf-8")


def _paper(row: dict[str, object]) -> Paper:
    return Paper.model_validate(
        {
            "id": row["id"],
            "title": row["title"],
            "authors": row["authors"],
            "published": StatedDate.parse(str(row["published"])),
            "categories": row["categories"],
            "finding": row["finding"],
            "withdrawn": row["withdrawn"],
            "source": Source.LIBRARY,
        }
    )
