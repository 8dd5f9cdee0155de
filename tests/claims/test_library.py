"""The starter library: its facts are well formed, and agree with the shared arXiv records where those are present."""

import gzip
import json
import lzma
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from claims.dates import StatedDate
from claims.ids import ArxivId
from claims.library import papers
from claims.paper import Source

SHARED = Path(__file__).parents[3] / "shared" / "data" / "arxiv"
FAMILIES = {
    "data-quantity",
    "contrastive-pairs",
    "proxy-tuning",
    "rl-generalisation",
    "verification-gap",
    "homogeneity",
    "in-context-alignment",
    "heterogeneous-pipelines",
}
ANCHORS = {"2305.11206", "2401.08565", "2410.18890", "2412.02674", "2504.07912", "2510.22954"}
LISTED_LATE = timedelta(days=5)


def rows() -> list[dict[str, str]]:
    text = resources.files("claims.library").joinpath("papers.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_about_a_hundred_papers_span_2022_to_2026_and_hold_the_anchors() -> None:
    ids = {paper.id for paper in papers()}
    assert 100 <= len(papers()) <= 130
    assert len(ids) == len(papers())
    assert ids >= ANCHORS
    assert {paper.published.start.year for paper in papers()} == {2022, 2023, 2024, 2025, 2026}


def test_every_paper_gives_facts_and_a_finding_but_no_abstract() -> None:
    for paper in papers():
        assert paper.source is Source.LIBRARY
        assert paper.abstract is None
        assert paper.authors
        assert all(author.strip() == author and "et al" not in author for author in paper.authors), paper.id
        assert paper.title == " ".join(paper.title.split())
        assert paper.finding


def test_a_new_style_id_and_the_stated_date_are_at_most_a_month_apart() -> None:
    for paper in papers():
        base = ArxivId.parse(paper.id).base
        month = StatedDate.month(2000 + int(base[:2]), int(base[2:4]))
        assert month.start - timedelta(days=31) <= paper.published.start <= month.end, paper.id
        assert paper.published.end <= date(2026, 8, 31)


def test_a_finding_is_two_sentences_of_moderate_length() -> None:
    for paper in papers():
        finding = paper.finding or ""
        assert len(re.findall(r"[.!?](?=\s|$)", finding)) == 2, (paper.id, finding)
        assert 20 <= len(finding.split()) <= 75, (paper.id, finding)
        assert finding.endswith(".")


def test_every_seed_claim_and_question_has_papers_from_more_than_one_side() -> None:
    sides: dict[str, set[str]] = defaultdict(set)
    for row in rows():
        sides[row["family"]].add(row["side"])
    assert set(sides) == FAMILIES
    for family, found in sides.items():
        assert found >= {"supports", "contradicts", "qualifies"}, (family, found)
        assert found <= {"supports", "contradicts", "qualifies", "neighbour"}


def records(ids: set[str]) -> Iterator[dict[str, object]]:
    # The id stands at the front of each record; parsing only what is wanted keeps this at a few seconds.
    for name, opener in (("snapshot-topical.jsonl.gz", gzip.open), ("snapshot-more.jsonl.xz", lzma.open)):
        with opener(SHARED / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                if line[8:40].split('"', 1)[0] in ids:
                    yield json.loads(line)


def eight_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {tuple(words[i : i + 8]) for i in range(len(words) - 7)}


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared arXiv records are not here")
def test_facts_agree_with_the_shared_records_and_no_finding_repeats_eight_words_of_its_abstract() -> None:
    held = {paper.id: paper for paper in papers()}
    seen = set()
    for record in records(set(held)):
        paper = held[str(record["id"])]
        seen.add(paper.id)
        assert paper.title.casefold() == " ".join(str(record["title"]).split()).casefold(), paper.id
        assert list(paper.authors) == str(record["authors"]).split(", "), paper.id
        assert list(paper.categories) == str(record["categories"]).split(), paper.id
        versions = record["versions"]
        assert isinstance(versions, list)
        recorded = datetime.strptime(versions[0]["created"][5:16], "%d %b %Y").date()
        if record["x_date_kind"] in {"submitted", "verified"}:
            assert paper.published == StatedDate.day(recorded), paper.id
        elif record["x_date_kind"] == "month":
            assert paper.published == StatedDate.month(recorded.year, recorded.month), paper.id
        else:
            assert paper.published.start <= recorded <= paper.published.end + LISTED_LATE, paper.id
        assert not eight_grams(paper.finding or "") & eight_grams(str(record["abstract"])), paper.id
    assert seen == set(held)
