"""A cron expression in a named time zone: when nights are due, and how many were missed."""

from datetime import UTC, datetime

import pytest

from agent.service.timetable import Timetable
from claims.errors import InputError


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_the_time_zone_counts_and_not_the_machine_s() -> None:
    table = Timetable("30 4 * * *", "America/New_York")
    assert table.next_after(utc(2026, 1, 10)) == utc(2026, 1, 10, 9, 30)
    assert table.next_after(utc(2026, 7, 10)) == utc(2026, 7, 10, 8, 30)


def test_a_night_in_the_hour_that_clocks_leave_out_takes_place_all_the_same() -> None:
    table = Timetable("30 2 * * *", "Europe/Berlin")
    assert table.next_after(utc(2026, 3, 28, 12)) == utc(2026, 3, 29, 1)
    assert table.n_between(utc(2026, 3, 27, 12), utc(2026, 3, 31, 12)) == 4


def test_a_due_moment_is_itself_the_last_one_and_not_the_next() -> None:
    table = Timetable("0 4 * * 1", "UTC")
    assert table.last_until(utc(2026, 8, 17, 4)) == utc(2026, 8, 17, 4)
    assert table.last_until(utc(2026, 8, 17, 3, 59)) == utc(2026, 8, 10, 4)
    assert table.next_after(utc(2026, 8, 17, 4)) == utc(2026, 8, 24, 4)


def test_only_scheduled_nights_count_as_missed() -> None:
    weekly = Timetable("0 4 * * 1", "UTC")
    assert weekly.n_between(utc(2026, 8, 17, 5), utc(2026, 8, 23)) == 0
    assert weekly.n_between(utc(2026, 8, 17, 5), utc(2026, 9, 8)) == 3


@pytest.mark.parametrize("cron", ["", "* * * *", "* * * * * *", "61 * * * *", "every night"])
def test_what_is_no_cron_expression_is_named(cron: str) -> None:
    with pytest.raises(InputError, match="RETEST_REFRESH_CRON"):
        Timetable(cron, "UTC")


def test_what_is_never_due_is_said() -> None:
    with pytest.raises(InputError, match="never due"):
        Timetable("0 0 30 2 *", "UTC").next_after(utc(2026, 1, 1))


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../../etc/passwd"])
def test_an_unknown_time_zone_is_named(zone: str) -> None:
    with pytest.raises(InputError, match="RETEST_REFRESH_TZ"):
        Timetable("30 4 * * *", zone)
