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
from claims.evidence import Stance
from claims.ids import ArxivId
from claims.library import READ_BY, READ_ON, papers, readings
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


def test_every_paper_has_one_reading_on_the_family_that_it_was_chosen_for() -> None:
    read = {reading.paper_id: reading.family for reading in readings()}
    assert len(read) == len(readings())
    assert read == {row["id"]: row["family"] for row in rows()}
    assert set(read.values()) == FAMILIES


def test_a_reading_rests_on_exactly_one_whole_sentence_of_the_finding() -> None:
    findings = {paper.id: paper.finding or "" for paper in papers()}
    for reading in readings():
        finding = findings[reading.paper_id]
        assert 0 <= reading.quote_start < reading.quote_end <= len(finding), reading
        quote = finding[reading.quote_start : reading.quote_end]
        assert quote == quote.strip()
        assert quote[0].isupper(), reading
        assert re.findall(r"[.!?](?=\s|$)", quote) == ["."], reading
        before, after = finding[: reading.quote_start], finding[reading.quote_end :]
        assert before == "" or before.endswith(". "), reading
        assert after == "" or after.startswith(" "), reading
        assert bool(before) != bool(after), reading


def test_a_reading_says_how_sure_it_is_and_why() -> None:
    for reading in readings():
        assert reading.confidence in {0.6, 0.75, 0.9}, reading
        assert 5 <= len(reading.because.split()) <= 20, reading
        assert not reading.because.endswith("."), reading


def test_every_seed_claim_and_question_has_a_reading_that_takes_a_stand_and_one_that_does_not() -> None:
    stances: dict[str, set[Stance]] = defaultdict(set)
    for reading in readings():
        stances[reading.family].add(reading.stance)
    for family, found in stances.items():
        assert Stance.NEUTRAL in found, family
        assert found & {Stance.SUPPORTS, Stance.QUALIFIES, Stance.CONTRADICTS}, family


@pytest.mark.parametrize(
    ("paper_id", "stance"),
    [
        ("2404.10719", Stance.NEUTRAL),  # PPO above DPO says nothing of DPO above supervised tuning on calls
        ("2409.00608", Stance.NEUTRAL),  # tuning without pairs does well; pairs are not compared
        ("2401.05605", Stance.NEUTRAL),  # confirms a premise only
        ("2501.18101", Stance.NEUTRAL),  # variety inside a model is not sameness between models
        ("2410.03717", Stance.CONTRADICTS),
        ("2607.10601", Stance.SUPPORTS),
        ("2510.22954", Stance.SUPPORTS),
    ],
)
def test_a_reading_takes_a_stand_only_where_the_paper_tested_the_claim(paper_id: str, stance: Stance) -> None:
    assert {r.paper_id: r.stance for r in readings()}[paper_id] is stance


def test_readings_are_dated_after_every_paper_that_was_read() -> None:
    assert READ_BY
    assert all(paper.published.end <= READ_ON for paper in papers())


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
    because = {reading.paper_id: reading.because for reading in readings()}
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
        for ours in (paper.finding or "", because[paper.id]):
            assert not eight_grams(ours) & eight_grams(str(record["abstract"])), paper.id
    assert seen == set(held)
