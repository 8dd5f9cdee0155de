"""Slots and cursors."""

import itertools
import subprocess
import sys

import pytest

from claims.clock import FrozenClock, SystemClock
from claims.store import Store
from tests.factories import NOON


def test_slots_of_one_name_lie_exactly_a_gap_apart(sqlite_url: str) -> None:
    with Store.open(sqlite_url, clock=FrozenClock(NOON)) as store:
        assert [store.reserve_slot("arxiv", 3.0) for _ in range(4)] == [0.0, 3.0, 6.0, 9.0]
        assert store.reserve_slot("oai", 3.0) == 0.0


def test_a_slot_reserved_under_a_clock_that_was_wrong_is_not_waited_for(sqlite_url: str) -> None:
    with Store.open(sqlite_url, clock=FrozenClock(NOON.replace(year=2030))) as store:
        store.reserve_slot("arxiv", 3.0)
        store.clock = FrozenClock(NOON)
        assert store.reserve_slot("arxiv", 3.0) == 0.0


def test_a_slot_that_is_long_past_is_not_saved_up(database_url: str) -> None:
    with Store.open(database_url) as store:
        assert store.reserve_slot("arxiv", 0.0) == 0.0
        assert store.reserve_slot("arxiv", 100.0) == pytest.approx(0.0, abs=0.01)
        assert 99.0 < store.reserve_slot("arxiv", 100.0) <= 100.0
        assert 190.0 < store.reserve_slot("arxiv", 100.0) <= 200.0


RESERVE = """
import sys
from claims.clock import SystemClock
from claims.store import Store
with Store.open(sys.argv[1]) as store:
    for _ in range(25):
        wait = store.reserve_slot("arxiv", 500.0)
        print(repr(SystemClock().now().timestamp() + wait), flush=True)
"""


@pytest.mark.slow
def test_four_processes_never_get_slots_closer_than_the_gap(database_url: str) -> None:
    Store.open(database_url, clock=SystemClock()).close()
    asking = [
        subprocess.Popen([sys.executable, "-c", RESERVE, database_url], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    granted = sorted(float(line) for process in asking for line in process.communicate(timeout=120)[0].split())
    assert [process.returncode for process in asking] == [0] * 4
    assert len(granted) == 100
    gaps = [later - sooner for sooner, later in itertools.pairwise(granted)]
    # The clock is read a little after the slot was computed, and two processes are not delayed alike.
    # With so large a gap no delay of a busy machine can hide or feign a slot that was granted twice.
    assert all(gap == pytest.approx(500.0, abs=200.0) for gap in gaps)
    assert granted[-1] - granted[0] == pytest.approx(99 * 500.0, abs=200.0)


def test_a_cursor_is_what_was_last_set(store: Store) -> None:
    assert store.get_cursor("harvest") is None
    store.set_cursor("harvest", "2026-08-20")
    store.set_cursor("harvest", "2026-08-21")
    store.set_cursor("other", "x")
    assert store.get_cursor("harvest") == "2026-08-21"
