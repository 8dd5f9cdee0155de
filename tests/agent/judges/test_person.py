"""A person weighs what the local judge is unsure of."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.judges.person import KEYS, answer, held_before, numbered, taken_back, weighed_by, words_of, worth_asking
from claims.errors import InputError, QuoteMismatch
from claims.evidence import Assessment, JudgeName, Stance
from claims.paper import TextField
from tests.factories import LOCAL, PERSON, a_paper

DAY = date(2026, 8, 21)


def _said(confidence: float, *, unsure: bool = False, stance: Stance = Stance.NEUTRAL) -> Assessment:
    return Assessment(stance=stance, confidence=confidence, unsure=unsure, judge=LOCAL)


def test_a_persons_stance_carries_name_date_reason_and_exact_words() -> None:
    paper = a_paper()
    given = answer(
        paper, KEYS["s"], person=" Ada  Lovelace ", reason="their table\n2", on=DAY, words="match far larger ones"
    )
    assert given.judge.name is JudgeName.PERSON and given.judge.version == "Ada Lovelace"
    assert given.explanation == "Ada Lovelace, 2026-08-21: their table 2"
    assert [q.text for q in given.quotes] == ["match far larger ones"]
    assert all(q.is_in(paper) for q in given.quotes)


def test_words_that_are_not_in_the_paper_are_refused() -> None:
    with pytest.raises(QuoteMismatch):
        answer(a_paper(), Stance.SUPPORTS, person="Ada", reason="", on=DAY, words="small sets never suffice")


def test_a_person_without_a_name_is_refused() -> None:
    with pytest.raises(InputError):
        answer(a_paper(), Stance.NEUTRAL, person="  ", reason="", on=DAY)


def test_without_words_a_stand_rests_on_the_title_and_no_stand_needs_none() -> None:
    paper = a_paper()
    assert answer(paper, Stance.QUALIFIES, person="Ada", reason="", on=DAY).quotes[0].field is TextField.TITLE
    assert answer(paper, Stance.NEUTRAL, person="Ada", reason="", on=DAY).quotes == ()


def test_the_pair_nearest_to_a_coin_toss_is_asked_first() -> None:
    papers = [a_paper(f"2401.0000{i}") for i in range(1, 5)]
    assessed = [_said(0.97), _said(0.55, unsure=True), _said(0.8, unsure=True), _said(0.55)]
    asked = worth_asking(papers, assessed)
    assert [q.paper.id for q in asked] == ["2401.00002", "2401.00003", "2401.00004", "2401.00001"]
    assert [q.paper.id for q in worth_asking(papers, assessed, limit=1)] == ["2401.00002"]


def test_a_pair_that_no_judge_could_judge_is_asked_first_where_there_is_a_text_to_read() -> None:
    papers = [a_paper("2401.00001"), a_paper("2401.00002"), a_paper("2401.00003", abstract=None)]
    assessed = [_said(0.5, unsure=True), _said(0.0, unsure=True), _said(0.0, unsure=True)]
    asked = worth_asking(papers, assessed)
    assert [q.paper.id for q in asked] == ["2401.00001", "2401.00002", "2401.00003"]
    assert [q.worth for q in asked] == [1.0, 1.0, 0.0]


def test_taking_back_brings_the_persons_earlier_word_or_none_and_never_takes_back_nothing() -> None:
    first, second = (answer(a_paper(), s, person="Ada", reason="", on=DAY) for s in (Stance.SUPPORTS, Stance.NEUTRAL))
    none = taken_back(person="Ada", on=DAY)
    assert held_before([first, second], person="Ada", on=DAY) == first
    assert held_before([first], person="Ada", on=DAY) == none
    assert held_before([first, none, second], person="Ada", on=DAY) == none, "what was taken back stays so"
    for own in ([], [first, none]):
        with pytest.raises(InputError, match="Ada holds no stance"):
            held_before(own, person="Ada", on=DAY)


def test_a_person_names_a_sentence_by_the_number_that_it_is_shown_with() -> None:
    paper = a_paper(abstract="We study birds.  (They sing.)\nFew data suffice, as Fig. 2 shows")
    assert numbered(paper) == [
        paper.title,
        "We study birds.",
        "(They sing.)",
        "Few data suffice, as Fig. 2 shows",
    ]
    said = answer(paper, Stance.SUPPORTS, person="Ada", reason="", on=DAY, words="2")
    assert [q.text for q in said.quotes] == ["(They sing.)"] and said.quotes[0].is_in(paper)
    assert words_of(paper, "0").field is TextField.TITLE
    with pytest.raises(QuoteMismatch, match="no sentence 4, the last is 3"):
        words_of(paper, "4")


def test_words_that_were_copied_from_a_screen_are_found_across_line_breaks_and_cut_byte_for_byte() -> None:
    paper = a_paper(abstract="Small curated\n  sets match\nfar larger ones.")
    quote = words_of(paper, "curated sets match far")
    assert quote.text == "curated\n  sets match\nfar" and quote.is_in(paper)


@given(st.text(max_size=300))
def test_every_text_is_shown_whole(abstract: str) -> None:
    shown = "".join(numbered(a_paper(abstract=abstract))[1:])
    assert "".join(shown.split()) == "".join(abstract.split())


def test_what_a_person_weighed_is_given_again_to_that_person_alone() -> None:
    papers = [a_paper("2401.00001"), a_paper("2401.00002")]
    said = [Assessment(stance=Stance.NEUTRAL, confidence=1.0, judge=PERSON), _said(0.5)]
    assert [q.paper.id for q in weighed_by("Ada", papers, said)] == ["2401.00001"]
    assert weighed_by("Ben", papers, said) == []


def test_what_a_person_has_weighed_is_not_asked_again() -> None:
    done = Assessment(stance=Stance.NEUTRAL, confidence=1.0, judge=PERSON)
    assert worth_asking([a_paper()], [done]) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=8), st.booleans())
def test_worth_lies_between_nothing_and_everything(confidences: list[float], unsure: bool) -> None:
    papers = [a_paper(f"2401.{i:05}") for i in range(1, len(confidences) + 1)]
    asked = worth_asking(papers, [_said(c, unsure=unsure) for c in confidences])
    assert all(0 <= q.worth <= 1 for q in asked)
    assert [q.worth for q in asked] == sorted((q.worth for q in asked), reverse=True)
