"""Sentences keep their place, whatever the text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.judges.sentences import MAX_CHARACTERS, MAX_SENTENCES, sentences, spans
from claims.dates import StatedDate
from claims.paper import Paper, Source, TextField


def _paper(title: str, abstract: str | None, finding: str | None = None) -> Paper:
    return Paper(
        id="2401.00001",
        title=title,
        abstract=abstract,
        finding=finding,
        published=StatedDate.parse("2024-01"),
        source=Source.MIRROR,
    )


def test_abbreviations_and_decimals_do_not_end_a_sentence() -> None:
    text = "We train models, e.g. GPT-2, by 3.5 points vs. the baseline. Smith et al. report less. Is it so? Yes."
    assert [text[a:b] for a, b in spans(text)] == [
        "We train models, e.g. GPT-2, by 3.5 points vs. the baseline.",
        "Smith et al. report less.",
        "Is it so?",
        "Yes.",
    ]


def test_title_comes_first_and_the_finding_is_read_where_there_is_no_abstract() -> None:
    cut = sentences(_paper("On Tuning", None, "Ours says one thing. And another."))
    assert [(s.field, s.text) for s in cut] == [
        (TextField.TITLE, "On Tuning"),
        (TextField.FINDING, "Ours says one thing."),
        (TextField.FINDING, "And another."),
    ]


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=400), st.text(max_size=60))
def test_every_sentence_is_a_byte_exact_part_of_its_field(abstract: str, title: str) -> None:
    paper = _paper(title, abstract)
    for s in sentences(paper):
        assert paper.text_of(s.field)[s.start : s.end] == s.text
        assert s.text.strip() == s.text != ""


def test_a_text_of_a_megabyte_is_read_to_its_limit_only() -> None:
    cut = sentences(_paper("Long", "Word and word. " * 70_000))
    assert len(cut) == MAX_SENTENCES
    assert max(s.end for s in cut) <= MAX_CHARACTERS
