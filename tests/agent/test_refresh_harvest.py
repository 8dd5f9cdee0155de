"""The harvest of a night: where the first one begins, and what becomes of records that come late or cannot be read."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from claims.dates import StatedDate
from claims.paper import Source
from claims.report.digest import render_digest
from claims.store import Store
from tests.nights import Library, claim_about, paper_about
from tests.oai_server import OaiServer, Record, refuse

SNAPSHOT_END = date(2026, 6, 29)
NIGHT = date(2026, 11, 28)
CAME = [Record(f"26{7 + n // 3:02d}.{n + 1:05d}", SNAPSHOT_END + timedelta(days=10 * (n + 1))) for n in range(15)]
"""Fifteen papers that arXiv has since the snapshot, from July to November."""


@pytest.fixture
def library(sqlite_url: str, tmp_path: Path) -> Iterator[Library]:
    """A mirror with the papers of ten days, and one paper of November that somebody added."""
    with Store.open(sqlite_url) as store:
        made = Library(store, tmp_path).at(NIGHT)
        store.put_claim(claim_about("curated"))
        for n in range(1, 21):
            day = StatedDate.day(SNAPSHOT_END - timedelta(days=(n - 1) // 2))
            made.put(paper_about("curated", "Neutral", n, published=day))
        made.put(paper_about("curated", "Supports", 99, published=StatedDate.day(date(2026, 11, 20))))
        yield made


def held(library: Library) -> set[str]:
    return {paper.id for paper in library.store.iter_papers(source=Source.MIRROR)}


def test_a_paper_added_by_hand_does_not_move_where_the_first_harvest_begins(library: Library) -> None:
    with OaiServer(CAME, today=NIGHT) as server:
        digest = library.night(NIGHT, oai_url=server.url)
        assert server.requests[0]["from"] == "2026-06-27"
    assert held(library) >= {record.id for record in CAME}
    (assumed,) = digest.assumed
    assert "complete to 2026-06-29" in assumed
    for format in ("md", "html"):
        assert "What was taken for granted" in render_digest(digest, format)


def test_what_is_assumed_is_said_only_where_no_harvest_is_known(library: Library) -> None:
    with OaiServer(CAME, today=NIGHT) as server:
        library.night(NIGHT - timedelta(days=1), oai_url=server.url)
        digest = library.at(NIGHT).night(NIGHT, oai_url=server.url)
    assert digest.assumed == ()
    assert "granted" not in render_digest(digest)


def test_a_first_harvest_that_breaks_off_in_a_list_without_order_is_made_up_whole(library: Library) -> None:
    with OaiServer(CAME, today=NIGHT, page_size=3, in_order=False) as server:
        server.play(None, refuse(503), refuse(503))
        broken = library.night(NIGHT - timedelta(days=1), oai_url=server.url, harvest_tries=2)
        assert [p.where for p in broken.problems] == ["arXiv"]
        made_up = library.at(NIGHT).night(NIGHT, oai_url=server.url)
    assert made_up.problems == ()
    assert held(library) >= {record.id for record in CAME}


def test_records_that_cannot_be_read_are_told_by_name_and_asked_for_again(library: Library) -> None:
    broken = Record("2611.00007", date(2026, 11, 20), raw="<other>what</other>")
    with OaiServer([*CAME, broken], today=NIGHT) as server:
        first = library.night(NIGHT - timedelta(days=1), oai_url=server.url)
        (problem,) = first.problems
        assert "oai:arXiv.org:2611.00007" in problem.what
        assert "unknown format" in problem.what
        server.records[-1] = broken._replace(raw=None)
        assert library.at(NIGHT).night(NIGHT, oai_url=server.url).problems == ()
    assert broken.id in held(library)
