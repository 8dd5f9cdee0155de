"""Shipped readings count for claims of their family, on the text they were given for, and below any real judge."""

import pytest

from agent.judges.readings import library_reading, library_ref
from claims.claim import Claim, Scope
from claims.dates import StatedDate
from claims.evidence import JUDGE_RANK, JudgeName, Stance
from claims.library import papers, readings

HELD = {paper.id: paper for paper in papers()}
TAKING = [reading for reading in readings() if reading.stance is not Stance.NEUTRAL]


def claim_of(family: str | None) -> Claim:
    return Claim(id="c", text="A claim.", asserted_on=StatedDate.parse("2024"), scope=Scope(family=family))


@pytest.mark.parametrize("reading", TAKING, ids=lambda r: r.paper_id)
def test_a_reading_rests_on_a_sentence_that_is_in_the_held_finding(reading: object) -> None:
    paper = HELD[reading.paper_id]  # type: ignore[attr-defined]
    assessment = library_reading(claim_of(reading.family), paper)  # type: ignore[attr-defined]
    assert assessment is not None
    assert assessment.quotes[0].is_in(paper)
    assert assessment.judge == library_ref()


def test_a_reading_says_nothing_on_a_claim_of_another_family_or_of_none() -> None:
    paper = HELD[TAKING[0].paper_id]
    assert library_reading(claim_of(None), paper) is None
    assert library_reading(claim_of("another-family"), paper) is None


def test_a_reading_does_not_count_where_another_finding_is_held() -> None:
    paper = HELD[TAKING[0].paper_id]
    claim = claim_of(TAKING[0].family)
    assert library_reading(claim, paper.model_copy(update={"finding": "Another sentence. And one more."})) is None
    assert library_reading(claim, paper.model_copy(update={"finding": None})) is None


def test_a_reading_outranks_the_local_judge_and_nobody_else() -> None:
    ranked = sorted(JudgeName, key=JUDGE_RANK.__getitem__)
    assert ranked == [JudgeName.LOCAL, JudgeName.LIBRARY, JudgeName.NLI, JudgeName.LLM, JudgeName.PERSON]
