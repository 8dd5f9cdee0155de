"""One pace over all processes: a gap between requests, and a pause for all when one of them was throttled."""

from datetime import date
from pathlib import Path

import pytest

from agent.errors import SourceBusy
from agent.sources.oai import harvest
from agent.sources.pacing import LONGEST_HOLD_S, CountedPace, SharedPace, hold_others
from claims.paper_index import PaperIndex
from claims.store import Store
from tests.oai_server import OaiServer, refuse


def test_a_pause_keeps_everybody_waiting_and_is_never_shortened(store: Store) -> None:
    assert store.reserve_slot("arxiv", 3.0) == pytest.approx(0.0, abs=0.1)
    store.hold_slots("arxiv", 60.0)
    store.hold_slots("arxiv", 5.0)
    assert store.reserve_slot("arxiv", 3.0) == pytest.approx(60.0, abs=1.0)
    assert store.reserve_slot("oai", 3.0) == 0.0


def test_a_pause_is_not_longer_than_a_person_would_wait(store: Store) -> None:
    SharedPace(store, "arxiv", 3.0).hold(9_999.0)
    assert store.reserve_slot("arxiv", 3.0) == pytest.approx(LONGEST_HOLD_S, abs=1.0)


def test_a_throttled_harvest_holds_the_requests_of_all_processes(store: Store, tmp_path: Path) -> None:
    with OaiServer(today=date(2026, 8, 21)) as server:
        server.play(refuse(503, retry_after="40"), refuse(503, retry_after="40"))

        # The second try would wait for the pause of the first one, so this pace reserves without waiting.
        class Reserving(SharedPace):
            def __call__(self) -> None:
                store.reserve_slot("arxiv", 0.0)

        pace = CountedPace(Reserving(store, "arxiv", 0.0))
        with pytest.raises(SourceBusy):
            harvest(
                store,
                PaperIndex.open(tmp_path / "index"),
                pace=pace,
                base_url=server.url,
                since=date(2026, 8, 20),
                tries=2,
                sleep=server.note_sleep,
            )
    assert pace.n == 2
    assert store.reserve_slot("arxiv", 3.0) == pytest.approx(40.0, abs=2.0)


def test_a_pace_of_one_process_alone_holds_nobody() -> None:
    hold_others(lambda: None, 60.0)
