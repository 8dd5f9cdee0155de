"""Stated dates: read with their precision, printed and read again, compared without pretending to more."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claims.dates import DATE_IN_TEXT, Precision, StatedDate
from claims.errors import MalformedDate

DAYS = st.dates(date(1990, 1, 1), date(2049, 12, 31))
STATED = st.one_of(
    DAYS.map(lambda d: d.isoformat()),
    DAYS.map(lambda d: d.strftime("%Y-%m")),
    DAYS.map(lambda d: d.strftime("%b %Y")),
    DAYS.map(lambda d: d.strftime("%d %B %Y")),
    DAYS.map(lambda d: d.strftime("%B %d, %Y")),
    DAYS.map(lambda d: str(d.year)),
    st.tuples(DAYS, DAYS).map(lambda p: f"{min(p).year}-{max(p).year}"),
    st.tuples(DAYS, DAYS).map(lambda p: f"{min(p).strftime('%b %Y')} to {max(p).strftime('%b %Y')}"),
).flatmap(lambda t: st.sampled_from([t, f"~{t}", f"({t})", f"circa {t}"]))


@given(STATED)
def test_a_date_survives_print_and_parse(text: str) -> None:
    read = StatedDate.parse(text)
    assert StatedDate.parse(str(read)) == read
    assert StatedDate.model_validate_json(read.model_dump_json()) == read


@given(STATED, STATED)
def test_of_two_dates_exactly_one_relation_holds(left: str, right: str) -> None:
    a, b = StatedDate.parse(left), StatedDate.parse(right)
    assert [a.agrees_with(b), a.is_after(b), b.is_after(a)].count(True) == 1


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_our_own_error(text: str) -> None:
    try:
        StatedDate.parse(text)
    except MalformedDate as exc:
        assert exc.text == text


@pytest.mark.parametrize(
    ("text", "start", "end", "precision"),
    [
        ("2023-05-18", date(2023, 5, 18), date(2023, 5, 18), Precision.DAY),
        ("18 May 2023", date(2023, 5, 18), date(2023, 5, 18), Precision.DAY),
        ("Sept. 2024", date(2024, 9, 1), date(2024, 9, 30), Precision.MONTH),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29), Precision.MONTH),
        ("2023", date(2023, 1, 1), date(2023, 12, 31), Precision.YEAR),
        ("2023–2025", date(2023, 1, 1), date(2025, 12, 31), Precision.RANGE),
        ("2023-25", date(2023, 1, 1), date(2025, 12, 31), Precision.RANGE),
        ("2023..2025", date(2023, 1, 1), date(2025, 12, 31), Precision.RANGE),
        ("Oct 2024 to 2025-02", date(2024, 10, 1), date(2025, 2, 28), Precision.RANGE),
    ],
)
def test_a_date_means_its_first_to_its_last_day(text: str, start: date, end: date, precision: Precision) -> None:
    read = StatedDate.parse(text)
    assert (read.start, read.end, read.precision) == (start, end, precision)


@pytest.mark.parametrize(
    "text", ["", "soon", "2024-13", "2023-02-30", "2025-2023", "24", "1824", "2024 examples", "20245"]
)
def test_what_is_no_date_is_malformed(text: str) -> None:
    with pytest.raises(MalformedDate):
        StatedDate.parse(text)


def test_a_year_is_only_surely_after_another_year() -> None:
    assert StatedDate.parse("2024").is_after(StatedDate.parse("2023"))
    assert not StatedDate.parse("2024-06").is_after(StatedDate.parse("2024"))
    assert StatedDate.parse("2024-06").agrees_with(StatedDate.parse("~2024"))


@given(DAYS, st.integers(1, 4000))
def test_a_later_day_is_after_an_earlier_one(day: date, later: int) -> None:
    assert StatedDate.day(day + timedelta(days=later)).is_after(StatedDate.day(day))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("asserted in May 2023.", ["May 2023"]),
        ("findings span 2023–2025, most of ~2024", ["2023–2025", "~2024"]),
        ("arXiv:2024.12345 and 3.2024 and 20241", []),
        ("version 2.2024.1", []),
    ],
)
def test_dates_are_found_in_running_text_and_ids_are_none(text: str, found: list[str]) -> None:
    assert [m[0] for m in DATE_IN_TEXT.finditer(text)] == found
