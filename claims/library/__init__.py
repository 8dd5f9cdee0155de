"""The starter library: real papers around the shipped inquiry, with which the main job runs without a network.

`papers.jsonl` holds one paper a line: facts (id, title, authors, date, categories, withdrawal) and a `finding` of two
sentences in our own words, written from reading the abstract. It holds no abstract and never pretends to. A date has
the precision in which it is known: the day of v1, or the month of the id. Versions are left out, because what is
newest ages. `family` and `side` say why a paper was chosen; no judge is shown them.
"""

import json
from functools import cache
from importlib import resources

from claims.dates import StatedDate
from claims.paper import Paper, Source


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
