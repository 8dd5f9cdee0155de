"""Grounding on 226 labelled citations, with the shared snapshots as the only source."""

import pytest

from tests.benchmarks.grounding import CITED, SNAPSHOTS, UNSEEN, Row, check, table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CITED.exists() or not all(p.exists() for p in SNAPSHOTS), reason="the shared citations are not here"
    ),
]

TRUE_AFTER_ALL = {
    # Labelled as made up, while the label's own explanation says that title, authors and year are the real ones.
    ("1706.03762", "swapped_authors"),
    ("2005.14165", "swapped_authors"),
    ("2203.02155", "plausible_fabrication"),
    # One hyphen less in the title: punctuation is no difference.
    ("2602.12279", "near_miss_title"),
}


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return check()


def test_no_made_up_citation_passes_and_few_true_ones_are_blamed(rows: list[Row]) -> None:
    print(table(rows))
    passed = {
        (r.record["arxiv_id"], r.record["hallucination_type"])
        for r in rows
        if r.held and r.is_hallucinated and r.verdict == "ok" and r.record["hallucination_type"] not in UNSEEN
    }
    assert passed <= TRUE_AFTER_ALL
    # A kind that may differ only in venue or DOI, which the file lacks, passes only where all that is stated agrees.
    for row in rows:
        if row.verdict == "ok":
            assert not [p for p in row.said.problems if p.serious]
    valid = [r for r in rows if r.held and not r.is_hallucinated]
    blamed = [r for r in valid if r.verdict in ("fabricated", "misdescribed")]
    assert len(blamed) <= 0.05 * len(valid)


def test_a_source_that_does_not_hold_everything_calls_nothing_fabricated_that_it_lacks(rows: list[Row]) -> None:
    assert {r.verdict for r in rows if not r.held} == {"could not check"}
