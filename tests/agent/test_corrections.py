"""A BibTeX file after grounding: what a record tells is mended, the rest noted, and nothing else is touched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.citations import read_bibtex
from agent.corrections import Corrected, corrected
from agent.grounding import ground_all
from claims.dates import StatedDate
from claims.errors import UnreadableDocument
from claims.paper import Paper, Source
from tests.fakes import ListSource

PROXY = Paper(
    id="2401.08565",
    title="Tuning Language Models by Proxy",
    authors=("Alisa Liu", "Xiaochuang Han", "Yizhong Wang"),
    published=StatedDate.parse("2024-01-16"),
    source=Source.MIRROR,
)
GONE = PROXY.model_copy(update={"id": "2402.00001", "title": "A Withdrawn Study", "withdrawn": True})
HOSTILE = PROXY.model_copy(update={"id": "2402.00002", "title": "Braces } and @misc{x, title={y}} in Titles of Work"})


def after(text: str) -> Corrected:
    cited = read_bibtex(text).citations
    source = ListSource([PROXY, GONE, HOSTILE], complete=True)
    said = ground_all([c.anchor for c in cited], [source])
    return corrected(text, list(zip(cited, said, strict=True)), {p.id: p for p in (PROXY, GONE, HOSTILE)})


RIGHT = "@Article{right,\n  Title =   {Tuning Language Models by {P}roxy},\n eprint={2401.08565} }"


def test_what_is_right_stays_as_it_was_with_all_that_stands_between() -> None:
    text = f'% mine\n@string{{n = "NeurIPS"}}\n\n{RIGHT}\n\n@comment{{kept}}\nwords\n'
    assert after(text) == Corrected(text, 0, 0)


def test_authors_that_are_not_the_papers_are_replaced_and_the_entries_around_kept() -> None:
    wrong = (
        "@misc{wrong, title={Tuning Language Models by Proxy}, author={Doe, Jane}, month = jan, eprint={2401.08565}}"
    )
    done = after(f"{RIGHT}\n{wrong}\n{RIGHT.replace('right', 'again')}\n")
    assert (done.n_corrected, done.n_noted) == (1, 0)
    assert done.text == (
        f"{RIGHT}\n"
        "@misc{wrong,\n"
        "  title = {Tuning Language Models by Proxy},\n"
        "  author = {Alisa Liu and Xiaochuang Han and Yizhong Wang},\n"
        "  month = jan,\n"
        "  eprint = {2401.08565},\n"
        "  annote = {retest: corrected: not among the authors: Doe, Jane},\n"
        "}\n"
        f"{RIGHT.replace('right', 'again')}\n"
    )
    assert after(done.text).n_corrected == 0, "once is enough"


def test_a_title_with_other_words_becomes_the_papers() -> None:
    done = after("@misc{k, TITLE={Tuning Small Language Models by Proxy}, eprint={2401.08565}, note={mine}}")
    assert "TITLE = {{Tuning Language Models by Proxy}}" in done.text and "note = {mine}" in done.text


def test_an_entry_without_id_gets_that_of_the_paper_with_its_title() -> None:
    done = after("@misc{k, title={Tuning Language Models by Proxy}, author={Liu, Alisa and others}}")
    assert "eprint = {2401.08565}" in done.text and "annote" not in done.text


@pytest.mark.parametrize(
    ("entry", "noted"),
    [
        ("title={Giraffes of the Savannah}, eprint={2401.08565}", "retest: mismatch: 2401.08565 is another paper"),
        ("title={T}, eprint={2313.99999}, annote={mine}", "mine; retest: malformed: "),
        ("title={T}, eprint={2301.00001}", "retest: not\\_found: "),
        ("title={A Withdrawn Study}, eprint={2402.00001}", "retest: withdrawn: withdrawn"),
    ],
)
def test_what_nobody_can_mend_is_noted_and_left(entry: str, noted: str) -> None:
    done = after(f"@misc{{k, {entry}}}")
    assert (done.n_corrected, done.n_noted) == (0, 1)
    assert noted in done.text
    before, now = read_bibtex(f"@misc{{k, {entry}}}").citations[0], read_bibtex(done.text).citations[0]
    assert (before.anchor.stated_title, before.anchor.arxiv_id) == (now.anchor.stated_title, now.anchor.arxiv_id)


def test_a_records_own_braces_open_no_entry() -> None:
    done = after("@misc{k, title={Braces and @misc x title y in Many Titles of Work}, eprint={2402.00002}}\n" + RIGHT)
    assert done.n_corrected == 1
    assert [c.key for c in read_bibtex(done.text).citations] == ["k", "right"]


def test_joined_values_are_not_put_into_braces() -> None:
    done = after('@misc{k, title={T}, month = "16~" # jan, eprint={2313.99999}}')
    assert 'month = "16~" # jan,' in done.text


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                RIGHT,
                "@misc{a, title={T}, eprint={2301.00001}}",
                "@misc{a, title={T}, eprint={2301.00001}}",
                "@misc{b, title={Tuning Big Language Models by Proxy}, eprint={2401.08565}, eprint={2401.08565}}",
                "@misc{broken, title={",
                "@string{x = {y}}",
                "words @ words",
                "\r\n",
            ]
        ),
        max_size=7,
    )
)
def test_no_entry_is_lost_or_made_up(parts: list[str]) -> None:
    text = "\n".join(parts)
    try:
        before = read_bibtex(text)
    except UnreadableDocument:
        return
    now = read_bibtex(after(text).text)
    assert [c.key for c in now.citations] == [c.key for c in before.citations]


def test_what_is_no_bibtex_is_refused() -> None:
    with pytest.raises(UnreadableDocument):
        after("[1] words")
