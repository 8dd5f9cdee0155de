"""Withdrawn, or only speaking of a withdrawal."""

import json
import time
from pathlib import Path

import pytest

from agent.sources.withdrawal import withdrawal_of

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "arxiv" / "withdrawn.jsonl"


@pytest.mark.parametrize(
    "comment",
    [
        "Withdrawn",
        "withdrawn by the authors",
        "[withdrawn]",
        "This paper has been withdrawn due to an error in Lemma 2",
        "Withdrawn; superseded by arXiv:2401.12345",
        "This submission has been withdrawn by arXiv administrators due to plagiarism",
        "The manuscript was withdrawn because of a licence problem with the data",
        "10 pages; paper withdrawn pending approval of the company",
        "We decided to retract this preprint, a bug in the evaluation inflates the scores",
        "Withdrawn due to errors found after review",
        "The authors have requested withdrawal of this article",
        "arXiv admin note: this version has been removed by arXiv administrators because of copyright",
        "Withdrawn from arXiv as the co-authors disagree",
        "This article is superseded by arXiv:2401.12345 and has been withdrawn",
        "paper withdrawn. Accepted at NeurIPS 2024",
        "Please note that the paper is temporarily withdrawn for corrections",
        "This work was withdrawn by the author because the proof of Theorem 1 is wrong",
        "The ground truth of this report's main table is wrong and the report must be retracted",
    ],
)
def test_these_comments_withdraw_the_paper(comment):
    told = withdrawal_of(comment=comment, abstract=None)
    assert told is not None
    assert told in comment


@pytest.mark.parametrize(
    "comment",
    [
        None,
        "",
        "12 pages, 3 figures. Accepted at ACL 2026",
        "Withdrawn from ICLR 2025",
        "Submitted to NeurIPS 2024, withdrawn from the review process of that conference",
        "Accepted at a workshop; poster withdrawn as nobody could travel",
        "Accepted to ACL 2025 (withdrawn due to visa issues before presentation)",
        "20 pages. Was accepted at EMNLP, withdrawn before publication",
        "No results were retracted in this version",
        "This paper is not withdrawn",
        "Nothing is withdrawn relative to v1",
        "12 pages; replaces arXiv:2401.12345, which has been withdrawn",
        "Supersedes the withdrawn preprint arXiv:2301.00001",
        "An earlier version of this paper was withdrawn; this one fixes the proof",
        "A study of retracted papers in medicine",
        "Data set of 3,000 retracted articles",
        "Theorem 3 withdrawn from this paper",
        "The claim on scaling in Section 4 is withdrawn",
        "Withdrawal symptoms dataset, 10 pages",
    ],
)
def test_these_comments_do_not(comment):
    assert withdrawal_of(comment=comment, abstract=None) is None


@pytest.mark.parametrize(
    ("abstract", "is_withdrawn"),
    [
        ("This paper has been withdrawn by the author due to a crucial sign error in equation 1.", True),
        ("This article was retracted at the request of its authors.", True),
        ("Withdrawn.", True),
        (
            "We study how models cite a paper after it was retracted, and that they miss that it has been withdrawn.",
            False,
        ),
        ("Opioid withdrawal is common. We predict withdrawal from notes.", False),
        ("We find that models often retract their own answers under pressure.", False),
        ("Withdrawn behaviour in agents is measured. " * 20, False),
    ],
)
def test_an_abstract_counts_only_when_it_speaks_of_itself(abstract, is_withdrawn):
    assert (withdrawal_of(comment=None, abstract=abstract) is not None) is is_withdrawn


def test_a_title_may_say_so():
    assert withdrawal_of(comment=None, abstract="We study.", title="WITHDRAWN: On rewards") is not None
    assert withdrawal_of(comment=None, abstract="We study.", title="Withdrawn papers on arXiv") is None


@pytest.mark.parametrize("filler", ["this paper ", "withdrawn ", "no ", "(", "supersedes ", "the the earlier version "])
def test_a_hostile_comment_of_a_megabyte_does_not_hold_us_up(filler):
    started = time.process_time()
    withdrawal_of(comment=filler * (1_000_000 // len(filler)) + " retract", abstract=filler * 1000)
    assert time.process_time() - started < 20  # a pattern that explodes takes hours


@pytest.mark.skipif(not SHARED.is_file(), reason="no shared withdrawal notes beside the repository")
def test_twelve_real_notes_are_told_apart():
    not_plain = {"2510.08779", "2607.26159", "2608.03863", "2608.18109"}
    told = {}
    for line in SHARED.read_text().splitlines():
        note = json.loads(line)
        why = withdrawal_of(comment=note["comment"], abstract=note["abstract"], title=note["title"])
        told[note["arxiv_id"]] = why is not None
    assert len(told) == 12
    assert {paper_id for paper_id, is_withdrawn in told.items() if not is_withdrawn} == not_plain
