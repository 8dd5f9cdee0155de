"""arXiv ids in every spelling, and names that stay the same."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from claims import ids
from claims.errors import MalformedId
from claims.ids import ArxivId, ClaimId, claim_slug, digest

NEW = st.builds(
    lambda yy, mm, n, v: ArxivId(f"{yy:02}{mm:02}.{n:0{4 if yy < 15 else 5}}", v),
    st.integers(8, 40),
    st.integers(1, 12),
    st.integers(1, 9999),
    st.none() | st.integers(1, 99),
)
OLD = st.builds(
    lambda archive, yy, mm, n, v: ArxivId(f"{archive}/{yy:02}{mm:02}{n:03}", v),
    st.sampled_from(["hep-ex", "cs", "math", "cond-mat", "cmp-lg"]),
    st.integers(0, 6) | st.integers(92, 99),
    st.integers(1, 12),
    st.integers(1, 999),
    st.none() | st.integers(1, 20),
)


@given(NEW | OLD)
def test_an_id_survives_print_and_parse(id: ArxivId) -> None:
    assert ArxivId.parse(str(id)) == id
    assert ArxivId.parse(id.url) == id
    assert ArxivId.parse(f" arXiv:{id} ") == id


@given(st.lists(NEW | OLD, max_size=6))
def test_ids_are_found_in_running_text_in_order(ids: list[ArxivId]) -> None:
    text = "see " + ", and also ".join(f"arXiv:{i}" for i in ids) + "."
    assert [found for _, _, found in ArxivId.find_all(text)] == ids


@given(st.text(max_size=60))
def test_any_text_is_an_id_or_our_own_error(text: str) -> None:
    try:
        ArxivId.parse(text)
    except MalformedId as exc:
        assert exc.text == text
    list(ArxivId.find_all(text))


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "2413.12345",
        "2410.1234",
        "0703.1234",
        "1412.12345",
        "2410.00000",
        "foo/1234567",
        "cs/9913001",
        "cs/2712001",
        "12.5",
        "v2",
    ],
)
def test_what_arxiv_never_gave_out_is_malformed(bad: str) -> None:
    with pytest.raises(MalformedId):
        ArxivId.parse(bad)


@pytest.mark.parametrize(
    "pasted",
    [
        "https://arxiv.org/abs/2305.11206",
        "https://arxiv.org/pdf/2305.11206.pdf",
        "http://www.arxiv.org/html/2305.11206/",
        "https://arxiv.org/abs/2305.11206?context=cs#refs",
        "<https://arxiv.org/abs/2305.11206>.",
        "https://huggingface.co/papers/2305.11206",
        "https://ar5iv.labs.arxiv.org/html/2305.11206",
        "10.48550/arXiv.2305.11206",
        "doi:10.48550/arXiv.2305.11206",
        "https://doi.org/10.48550/arxiv.2305.11206.",
        "arXiv:arXiv:2305.11206",
        "ARXIV: 2305.11206",
        "arXiv 2305.11206",
        "arXiv:2305.11206 [cs.CL]",
        "(arXiv:2305.11206),",
        "[2305.11206]",
        "2305.11206;",
    ],
)
def test_an_id_is_read_as_people_paste_it(pasted: str) -> None:
    assert ArxivId.parse(pasted) == ArxivId("2305.11206")


def test_a_version_may_stand_in_capitals() -> None:
    assert ArxivId.parse("ARXIV:2305.11206V2") == ArxivId("2305.11206", 2)


@pytest.mark.parametrize("text", [" " * 300 + "[" * 100_000, "arXiv:" * 100_000, "https://evil.org/abs/2305.11206"])
def test_a_long_or_foreign_text_is_no_id(text: str) -> None:
    with pytest.raises(MalformedId):
        ArxivId.parse(text)


def test_an_id_tells_its_month() -> None:
    assert ArxivId.parse("2305.11206v2").month == (2023, 5)
    assert ArxivId.parse("hep-th/9901001").month == (1999, 1)
    assert ArxivId.parse("cs/0601001").month == (2006, 1)


@pytest.mark.parametrize(
    "text", ["12410.18890", "2410.188901", "2410.18890.5", "x2410.18890", "1.2410.18890", "2410.18890x"]
)
def test_numbers_around_an_id_do_not_make_one(text: str) -> None:
    assert list(ArxivId.find_all(text)) == []


def test_an_id_with_prefix_is_found_once_from_its_prefix_on() -> None:
    text = "at https://arxiv.org/abs/2305.11206v2, arXiv:2410.18890."
    spans = list(ArxivId.find_all(text))
    assert [text[s:e] for s, e, _ in spans] == ["arxiv.org/abs/2305.11206v2", "arXiv:2410.18890"]


def test_sixteen_times_as_many_ids_on_one_line_are_sixteen_times_the_work() -> None:
    def lines_run(n: int) -> int:
        text = " ".join(f"arXiv:2410.{k % 99999 + 1:05}" for k in range(n))
        counted = 0

        def count(frame: FrameType, event: str, arg: object) -> Any:
            nonlocal counted
            counted += event == "line"
            return count if frame.f_code.co_filename == ids.__file__ else None

        before = sys.gettrace()
        sys.settrace(count)
        try:
            found = sum(1 for _ in ArxivId.find_all(text))
        finally:
            sys.settrace(before)
        assert found == n
        return counted

    assert lines_run(8_000) < 17 * lines_run(500)


def test_a_claims_name_is_stable_and_short() -> None:
    assert claim_slug("Small  sets\nsuffice.", "2023") == claim_slug("Small sets suffice.", "2023")
    assert claim_slug("Small sets suffice.", "2023") != claim_slug("Small sets suffice.", "2024")
    assert claim_slug("漢字だけ", "2023").startswith("claim-")


@given(st.text(min_size=1, max_size=300))
def test_every_text_gives_a_valid_claim_name(text: str) -> None:
    # Five words of sixteen letters used to give a name longer than a claim id may be.
    TypeAdapter(ClaimId).validate_python(claim_slug(text, "2023"))
    TypeAdapter(ClaimId).validate_python(claim_slug(" ".join(["extraordinarily" * 2] * 6), "2023"))


def test_a_digest_ignores_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
