"""Citations out of BibTeX and JSON lines: nothing lost silently, and broken parts named by their line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.citations import read_bibtex, read_citations, read_jsonl
from claims.errors import UnreadableDocument

ENTRY = r"""
@string{nips = "Advances in Neural Information Processing Systems"}

@inproceedings{zhou2023lima,
  title     = {{LIMA}: Less Is More for Alignment},
  author    = {Zhou, Chunting and Liu, Pengfei and others},
  booktitle = nips,
  year      = 2023,
  month     = may,
  eprint    = {2305.11206v1},
  archivePrefix = {arXiv},
}
"""


def test_an_entry_gives_what_it_states() -> None:
    (citation,) = read_bibtex(ENTRY).citations
    anchor = citation.anchor
    assert citation.key == "zhou2023lima"
    assert (anchor.arxiv_id, anchor.stated_version) == ("2305.11206", 1)
    assert anchor.stated_title == "{LIMA}: Less Is More for Alignment"
    assert anchor.stated_authors == ("Zhou, Chunting", "Liu, Pengfei", "others")
    assert str(anchor.stated_date) == "2023-05"
    assert anchor.stated_venue == "Advances in Neural Information Processing Systems"
    assert anchor.line == 4


@pytest.mark.parametrize(
    "field",
    [
        "eprint = {2305.11206}",
        "eprint = {arXiv:2305.11206}",
        "url = {https://arxiv.org/abs/2305.11206}",
        "url = {http://arxiv.org/pdf/2305.11206v1.pdf}",
        "journal = {arXiv preprint arXiv:2305.11206}",
        "journal = {CoRR}, volume = {abs/2305.11206}",
        "doi = {10.48550/arXiv.2305.11206}",
        "howpublished = {\\url{https://arxiv.org/abs/2305.11206}}",
        "note = {arXiv:2305.11206 [cs.CL]}",
    ],
)
def test_the_id_is_found_wherever_people_put_it(field: str) -> None:
    (citation,) = read_bibtex(f"@misc{{k, title={{T}}, {field}}}").citations
    assert citation.anchor.arxiv_id == "2305.11206"


def test_an_entry_without_id_is_still_a_citation() -> None:
    (citation,) = read_bibtex("@misc{k, title={Some Title}, eprint={123456}, archiveprefix={HAL}}").citations
    assert (citation.anchor.arxiv_id, citation.anchor.malformed_id) == (None, None)
    assert citation.anchor.stated_title == "Some Title"


def test_what_stands_for_an_id_and_is_none_is_kept_as_malformed() -> None:
    for field in ("eprint = {2313.99999}, archivePrefix={arXiv}", "journal = {arXiv preprint arXiv:2313.99999}"):
        (citation,) = read_bibtex(f"@misc{{k, title={{T}}, {field}}}").citations
        assert (citation.anchor.arxiv_id, citation.anchor.malformed_id) == (None, "2313.99999")


def test_a_broken_entry_is_named_by_its_line_and_the_others_are_read() -> None:
    text = "@misc{a, title={A}, year={2020}}\n@misc{broken, title={Oops, year={2021}\n@misc{b, title={B}}\n"
    read = read_bibtex(text)
    assert {c.key for c in read.citations} == {"a", "b"}
    assert [(p.line, "broken" in p.text) for p in read.problems] == [(2, True)]
    assert "Unexpected block start" in read.problems[0].why


def test_doubled_keys_and_fields_are_read_and_told() -> None:
    text = "@misc{a, title={A}}\n@misc{a, title={Again}}\n@misc{c, title={C}, title={D}}\n"
    read = read_bibtex(text)
    assert len(read.citations) == 3
    assert [p.line for p in read.problems] == [2, 3]


def test_a_year_that_is_none_is_told() -> None:
    read = read_bibtex("@misc{a, title={A}, year={in press}}")
    assert read.citations[0].anchor.stated_date is None
    assert [p.text for p in read.problems] == ["in press"]


def test_a_file_of_broken_entries_only_is_refused_with_its_first_line() -> None:
    with pytest.raises(UnreadableDocument, match="line 2"):
        read_citations("\n@misc{broken, title={Oops\n", origin="refs.bib")


@pytest.mark.parametrize("text", ["", "  \n", "just words", "# not bibtex"])
def test_what_is_neither_kind_is_refused(text: str) -> None:
    with pytest.raises(UnreadableDocument, match=r"refs\.bib"):
        read_citations(text, origin="refs.bib")


def test_json_lines_give_what_they_state() -> None:
    lines = [
        {
            "arxiv_id": "2305.11206",
            "version": "v2",
            "title": "LIMA",
            "author": "Chunting Zhou and Pengfei Liu",
            "year": "2023",
        },
        {"id": "hep-th/9901001", "authors": ["A. One", "B. Two"], "year": 1999, "venue": "PRL"},
        {"url": "https://arxiv.org/abs/2410.18890", "authors": "A. One, B. Two, C. Three", "date": "2024-10-24"},
        {"title": "No id at all", "authors": [{"name": "A. One"}]},
    ]
    read = read_citations("\n".join(json.dumps(line) for line in lines))
    anchors = [c.anchor for c in read.citations]
    assert [a.arxiv_id for a in anchors] == ["2305.11206", "hep-th/9901001", "2410.18890", None]
    assert [len(a.stated_authors) for a in anchors] == [2, 2, 3, 1]
    assert [str(a.stated_date) for a in anchors] == ["2023", "1999", "2024-10-24", "None"]
    assert (anchors[0].stated_version, anchors[1].stated_venue) == (2, "PRL")
    assert [a.line for a in anchors] == [1, 2, 3, 4]
    assert read.problems == []


@pytest.mark.parametrize(
    "record",
    [
        {  # CSL-JSON, as Zotero and Pandoc write it
            "id": "zhou2023",
            "type": "article",
            "title": "LIMA: Less Is More for Alignment",
            "author": [{"family": "Zhou", "given": "Chunting"}, {"literal": "Pengfei Liu"}],
            "issued": {"date-parts": [[2023, 5, 18]]},
            "number": "arXiv:2305.11206",
        },
        {  # Crossref
            "key": "zhou2023",
            "title": ["LIMA: Less Is More for Alignment"],
            "author": [{"given": "Chunting", "family": "Zhou", "sequence": "first"}, {"name": "Pengfei Liu"}],
            "issued": {"date-parts": [["2023", "05", "18"]]},
            "DOI": "10.48550/ARXIV.2305.11206",
            "container-title": [],
        },
        {  # Zotero's own
            "citation-key": "zhou2023",
            "title": "LIMA: Less Is More for Alignment",
            "creators": [
                {"creatorType": "author", "firstName": "Chunting", "lastName": "Zhou"},
                {"creatorType": "author", "name": "Pengfei Liu"},
                {"creatorType": "editor", "firstName": "Some", "lastName": "Editor"},
            ],
            "date": "2023-05-18",
            "url": "https://arxiv.org/abs/2305.11206",
        },
    ],
)
def test_records_of_reference_managers_are_read(record: dict[str, object]) -> None:
    (citation,) = read_citations(json.dumps([record])).citations
    anchor = citation.anchor
    assert (citation.key, anchor.arxiv_id) == ("zhou2023", "2305.11206")
    assert anchor.stated_title == "LIMA: Less Is More for Alignment"
    assert anchor.stated_authors == ("Chunting Zhou", "Pengfei Liu")
    assert (str(anchor.stated_date), anchor.stated_venue) == ("2023-05-18", None)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["author", "authors", "creators", "title", "issued", "id", "container-title", "number"]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["family", "given", "date-parts"]), inner)
            ),
        ),
    )
)
def test_a_record_of_any_shape_is_read_or_told(record: dict[str, object]) -> None:
    read_citations(json.dumps([record]))


def test_a_broken_line_is_named_and_the_others_are_read() -> None:
    read = read_jsonl('{"arxiv_id": "2305.11206"}\n{"arxiv_id": \n\n[1]\n')
    assert len(read.citations) == 1
    assert [p.line for p in read.problems] == [2, 4]


def test_a_json_array_is_read_too() -> None:
    assert len(read_citations('[{"title": "A"}, {"title": "B"}]').citations) == 2


@settings(max_examples=120, deadline=None)
@given(
    st.text(max_size=200)
    | st.text(alphabet='@{}(),="misc\\\n #%', max_size=200).map(lambda t: "@misc{a, title={A}}\n" + t)
)
def test_any_text_is_citations_or_our_own_error(text: str) -> None:
    try:
        read = read_citations(text)
    except UnreadableDocument:
        return
    assert read.citations
