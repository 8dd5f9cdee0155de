"""The harvest against an OAI-PMH repository on loopback that pages, expires its tokens and fails."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from agent.errors import SourceBusy, SourceRefused, SourceUnreachable, SourceUnreadable
from agent.sources.oai import DELETED, cursor_of, harvest
from agent.sources.oai_records import parse_oai
from agent.sources.unread import MOST, TRIES
from claims.dates import StatedDate
from claims.errors import InputError
from claims.paper import Source
from claims.paper_index import PaperIndex
from claims.store import Store
from tests import oai_server as played
from tests.oai_server import OaiServer, Record

FIRST = date(2026, 8, 3)
RECORDS = [
    Record(f"2608.{n:05}", on=FIRST + timedelta(days=n // 4), title=f"Reward models, part {n}") for n in range(1, 41)
]
"""Forty papers over eleven days, to 2026-08-13."""
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "oai"


@pytest.fixture
def store(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'retest.db'}") as store:
        yield store


@pytest.fixture
def index():
    return PaperIndex.in_memory()


def run(server, store, index, **given):
    given = {"since": FIRST, "sets": ("cs",), "pace": lambda: None, "sleep": server.note_sleep} | given
    return harvest(store, index, base_url=server.url, **given)


def held(store):
    return sorted(paper.id for paper in store.iter_papers(source=Source.MIRROR))


def test_a_harvest_holds_and_indexes_every_page(store, index):
    with OaiServer(RECORDS, page_size=7) as server:
        done = run(server, store, index)
    assert (done.n_records, done.n_new, done.n_requests, done.n_unreadable) == (40, 40, 6, 0)
    assert held(store) == [r.id for r in RECORDS]
    assert index.count() == 40
    assert {hit.paper_id for hit in index.search("reward models part 7")} >= {"2608.00007"}
    paper = store.papers(["2608.00005"])["2608.00005"]
    assert paper.authors == ("Ada Lovelace", "Bo Li")
    assert paper.published == StatedDate.day(date(2026, 8, 4))
    assert paper.abstract == "We study small models."
    assert paper.categories == ("cs.CL", "cs.LG")


def test_the_next_harvest_begins_where_the_last_one_ended_and_changes_nothing_twice(store, index):
    with OaiServer(RECORDS, page_size=7) as server:
        run(server, store, index)
        assert cursor_of(store, server.url, "cs") == date(2026, 8, 20)  # the repository's last whole day
        again = run(server, store, index, since=None)
        assert server.requests[-1]["from"] == "2026-08-20"
        assert (again.n_records, again.n_new, again.n_changed) == (0, 0, 0)
        server.records.append(Record("2608.09999", on=date(2026, 8, 20)))
        assert run(server, store, index, since=None).n_new == 1
        repeated = run(server, store, index, since=FIRST)
        assert (repeated.n_new, repeated.n_changed, repeated.n_unchanged) == (0, 0, 41)


def test_a_first_harvest_must_be_told_where_to_begin(store, index):
    with OaiServer(RECORDS) as server, pytest.raises(InputError, match="--since"):
        run(server, store, index, since=None)


def test_nothing_new_is_an_answer(store, index):
    with OaiServer([]) as server:
        done = run(server, store, index)
    assert (done.n_records, done.n_sets_done) == (0, 1)
    assert done.cursor["cs"] == date(2026, 8, 20)


def test_a_revision_updates_its_paper_and_keeps_the_day_of_v1(store, index):
    with OaiServer(RECORDS) as server:
        run(server, store, index)
        server.records[4] = RECORDS[4]._replace(
            on=date(2026, 8, 20),
            created=date(2026, 8, 4),
            updated=date(2026, 8, 19),
            title="Penguins, revised",
            abstract="Now about penguins.",
        )
        done = run(server, store, index, since=None)
    assert (done.n_new, done.n_changed) == (0, 1)
    paper = store.papers(["2608.00005"])["2608.00005"]
    assert (paper.title, paper.updated_on) == ("Penguins, revised", date(2026, 8, 19))
    assert paper.published == StatedDate.day(date(2026, 8, 4))
    assert [hit.paper_id for hit in index.search("penguins")] == ["2608.00005"]
    assert index.count() == 40


def test_a_withdrawal_comment_and_a_deleted_record_withdraw_the_paper(store, index):
    with OaiServer(RECORDS) as server:
        run(server, store, index)
        server.records[0] = RECORDS[0]._replace(
            on=date(2026, 8, 20), updated=date(2026, 8, 20), comment="Withdrawn by the authors: the proof has a gap"
        )
        server.records[1] = RECORDS[1]._replace(on=date(2026, 8, 20), deleted=True)
        server.records.append(Record("2608.00999", on=date(2026, 8, 20), deleted=True))
        done = run(server, store, index, since=None)
    papers = store.papers(["2608.00001", "2608.00002", "2608.00003"])
    assert [papers[i].withdrawn for i in sorted(papers)] == [True, True, False]
    assert papers["2608.00001"].withdrawn_because == "Withdrawn by the authors: the proof has a gap"
    assert papers["2608.00002"].withdrawn_because == DELETED
    assert papers["2608.00002"].title == "Reward models, part 2"
    assert (done.n_deleted, done.n_new) == (1, 0)


def test_an_expired_token_begins_again_at_the_last_stored_day(store, index):
    with OaiServer(RECORDS, page_size=7) as server:
        server.before_page = lambda n: server.expire() if n == 4 else None
        done = run(server, store, index)
        assert held(store) == [r.id for r in RECORDS]
        assert done.n_restarts == 1
        fresh = [r for r in server.requests if "from" in r]
        assert [r["from"] for r in fresh] == ["2026-08-03", "2026-08-08"]


def test_a_repository_without_order_begins_again_at_the_start_and_moves_no_cursor_before_the_end(store, index):
    with OaiServer(RECORDS, page_size=7, in_order=False) as server:
        seen = []
        server.before_page = lambda n: seen.append(cursor_of(store, server.url)) or (n == 4 and server.expire())
        done = run(server, store, index)
        assert held(store) == [r.id for r in RECORDS]
        assert {r["from"] for r in server.requests if "from" in r} == {"2026-08-03"}
        assert seen[:4] == [None, FIRST, FIRST, FIRST]
        assert done.cursor["cs"] == date(2026, 8, 20)


def test_tokens_that_always_expire_still_get_a_harvest_day_by_day_to_its_end(store, index):
    with OaiServer(RECORDS, page_size=7) as server:
        server.before_page = lambda n: server.expire()
        run(server, store, index)
        assert held(store) == [r.id for r in RECORDS]


def test_tokens_that_expire_within_one_day_are_a_failure_and_not_an_end(store, index):
    with OaiServer([r._replace(on=FIRST) for r in RECORDS], page_size=7) as server:
        server.before_page = lambda n: server.expire()
        with pytest.raises(SourceUnreadable, match="expire"):
            run(server, store, index)
        assert len(server.requests) < 20
        assert held(store) == [r.id for r in RECORDS[:7]]


def test_a_failure_keeps_what_was_stored_and_the_cursor_stays_behind_it(store, index):
    with OaiServer(RECORDS, page_size=7) as server:
        server.play(None, None, *[played.refuse(503, retry_after="30")] * 9)
        with pytest.raises(SourceBusy) as caught:
            run(server, store, index, tries=3)
        assert caught.value.retry_after_s == 30
        assert server.sleeps == [30.0, 30.0]
        assert held(store) == [r.id for r in RECORDS[:14]]
        assert cursor_of(store, server.url) == date(2026, 8, 6)  # paper 14's day, of which 12 to 15 may be missing
        server._faults.clear()
        assert run(server, store, index, since=None).n_new == 26
    assert held(store) == [r.id for r in RECORDS]


@pytest.mark.parametrize("fault", [played.refuse(503, retry_after="4"), played.truncated, played.closed])
def test_a_passing_failure_costs_a_try_and_no_record(store, index, fault):
    with OaiServer(RECORDS, page_size=7) as server:
        server.play(None, fault, fault)
        assert run(server, store, index).n_new == 40
        assert len(server.requests) == 8


def test_lasting_failures_have_names(store, index):
    for fault, error in (
        (played.truncated, SourceUnreadable),
        (played.closed, SourceUnreachable),
        (played.refuse(500), SourceUnreachable),
        (played.refuse(429), SourceBusy),
        (played.refuse(404), SourceRefused),
        (played.error("badArgument", "no such set"), SourceRefused),
        (played.error("badVerb", "what"), SourceRefused),
    ):
        with OaiServer(RECORDS) as server:
            server.play(*[fault] * 9)
            with pytest.raises(error):
                run(server, store, index, tries=2)
            assert cursor_of(store, server.url) is None
    assert held(store) == []


def test_an_unreadable_record_is_counted_and_its_neighbours_are_held(store, index):
    records = [
        *RECORDS[:3],
        Record("2608.00100", on=FIRST, raw="<other>what</other>"),
        Record("2608.00101", on=FIRST, title=" "),
        Record("not-an-id", on=FIRST),
    ]
    with OaiServer(records) as server:
        done = run(server, store, index)
    assert (done.n_new, done.n_unreadable) == (3, 3)
    assert "unknown format <other>" in " ".join(done.problems)


def test_an_unreadable_record_is_asked_for_again_until_it_can_be_read(store, index):
    broken = Record("2608.00100", on=FIRST, raw="<other>what</other>")
    with OaiServer([*RECORDS, broken]) as server:
        assert run(server, store, index).n_unreadable == 1
        again = run(server, store, index, since=None)
        assert (again.n_unreadable, "2608.00100" in again.problems[0]) == (1, True)
        server.records[-1] = broken._replace(raw=None)
        mended = run(server, store, index, since=None)
        assert (mended.n_new, mended.n_unreadable) == (1, 0)
        asked = len(server.requests)
        run(server, store, index, since=None)
        assert [r["verb"] for r in server.requests[asked:]] == ["ListRecords"]
    assert "2608.00100" in held(store)


def test_an_unreadable_record_that_is_gone_or_never_readable_is_given_up(store, index):
    broken = [Record(f"2608.0010{n}", on=FIRST, raw="<other>what</other>") for n in (1, 2)]
    with OaiServer(broken) as server:
        run(server, store, index)
        del server.records[0]
        given_up = [run(server, store, index, since=None).given_up for _ in range(TRIES)]
        asked = [r["identifier"][-10:] for r in server.requests if r["verb"] == "GetRecord"]
    assert sorted(asked) == ["2608.00101"] + ["2608.00102"] * TRIES
    assert given_up[0] == ["oai:arXiv.org:2608.00101"]
    assert given_up[-1] == ["oai:arXiv.org:2608.00102"]


def test_a_few_unreadable_records_of_many_hold_nothing_up(store, index):
    broken = [Record(f"2608.{n:05}", on=FIRST, raw="<other>what</other>") for n in range(501, 502 + MOST)]
    many = [Record(f"2608.{n:05}", on=FIRST) for n in range(1, 2 * MOST)]
    with OaiServer([*many, *broken, *RECORDS[-1:]]) as server:
        done = run(server, store, index)
    assert (done.n_unreadable, done.cursor["cs"]) == (MOST + 1, date(2026, 8, 20))


def test_a_list_that_turns_out_to_have_no_order_takes_the_cursor_back(store, index):
    late = [r._replace(on=FIRST) for r in RECORDS[20:]]
    with OaiServer([*RECORDS[:20], *late], page_size=7, as_held=True) as server:
        server.play(None, None, None, played.refuse(404))
        with pytest.raises(SourceRefused):
            run(server, store, index)
        assert cursor_of(store, server.url) == FIRST
        run(server, store, index, since=None)
    assert held(store) == [r.id for r in RECORDS]


def test_a_repository_that_speaks_otherwise_is_a_failure_and_no_list_of_unreadable_records(store, index):
    broken = [Record(f"2608.{n:05}", on=FIRST, raw="<other>what</other>") for n in range(1, MOST + 2)]
    with (
        OaiServer([*broken, *RECORDS]) as server,
        pytest.raises(SourceUnreadable, match=f"{MOST + 1} of {MOST + 41} records"),
    ):
        run(server, store, index)
    assert cursor_of(store, server.url) == FIRST


def test_a_harvest_that_leaves_a_gap_does_not_move_the_cursor(store, index):
    with OaiServer(RECORDS) as server:
        run(server, store, index, until=date(2026, 8, 5))
        assert cursor_of(store, server.url) == date(2026, 8, 5)
        done = run(server, store, index, since=date(2026, 8, 10))
        assert done.n_new > 0
        assert cursor_of(store, server.url) == date(2026, 8, 5)
        run(server, store, index, since=date(2026, 8, 4), until=date(2026, 8, 4))
        assert cursor_of(store, server.url) == date(2026, 8, 5)


def test_a_first_harvest_that_begins_after_the_mirrors_end_moves_no_cursor_and_names_the_gap(store, index):
    with OaiServer(RECORDS) as server:
        done = run(server, store, index, since=date(2026, 8, 10), complete_to=date(2026, 8, 2))
        assert done.n_new > 0
        assert (done.gaps, done.cursor) == ({"cs": date(2026, 8, 2)}, {"cs": None})
        assert cursor_of(store, server.url) is None
        closed = run(server, store, index, since=date(2026, 8, 2), complete_to=date(2026, 8, 2))
        assert (closed.gaps, cursor_of(store, server.url)) == ({}, date(2026, 8, 20))


def test_every_set_has_a_cursor_of_its_own(store, index):
    both = [*RECORDS, Record("2608.00500", on=FIRST, set="stat", categories="stat.ML")]
    with OaiServer(both) as server:
        run(server, store, index, sets=("cs",))
        assert cursor_of(store, server.url, "stat") is None
        assert run(server, store, index, sets=("cs", "stat")).n_new == 1
        assert cursor_of(store, server.url, "stat") == date(2026, 8, 20)


def test_every_request_waits_its_turn(store, index):
    turns = []
    with OaiServer(RECORDS, page_size=7) as server:
        server.play(played.refuse(503))
        done = run(server, store, index, pace=lambda: turns.append(1))
        assert len(turns) == len(server.requests) == done.n_requests == 7


_CHILD = """
import sys
from datetime import date
from agent.sources.oai import harvest
from claims.paper_index import PaperIndex
from claims.store import Store
home, url = sys.argv[1:]
with Store.open(f"sqlite:///{home}/retest.db") as store:
    since = None if store.get_cursor("oai:127.0.0.1:cs") else date(2026, 8, 3)
    harvest(store, PaperIndex.open(__import__("pathlib").Path(home) / "index"), base_url=url, since=since,
            pace=lambda: None)
"""


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [1, 4, 6])
def test_a_harvest_killed_anywhere_goes_on_and_ends_as_if_it_had_not_been(tmp_path, killed_at):
    with OaiServer(RECORDS, page_size=7) as server:
        child = [sys.executable, "-c", _CHILD, str(tmp_path), server.url]
        first = subprocess.Popen(child)
        server.before_page = lambda n: first.kill() if n == killed_at else None
        assert first.wait(60) == -9
        n_before = len(server.requests)
        server.before_page = lambda n: None
        subprocess.run(child, check=True, timeout=60)
        n_after = len(server.requests) - n_before
    with Store.open(f"sqlite:///{tmp_path}/retest.db") as store:
        assert held(store) == [r.id for r in RECORDS]
        index = PaperIndex.open(tmp_path / "index")
        assert index.count() == 40
    assert n_after <= 6 - (killed_at - 2 if killed_at > 1 else 0)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded OAI-PMH answers beside the repository")
def test_every_recorded_answer_parses():
    papers = {}
    for path in sorted(RECORDED.glob("*.xml")):
        page = parse_oai(path.read_bytes())
        assert page.records and not page.errors, path.name
        for record in page.records:
            assert record.problem is None and record.paper is not None, path.name
            assert record.paper.title and record.paper.authors and record.paper.abstract
            assert record.paper.id == record.paper_id
            papers[record.paper.id] = record.paper
    assert len(papers) == 27
    raw = papers["1810.09584"]
    assert [(v.number, v.submitted_on) for v in raw.versions] == [(1, date(2018, 10, 22)), (2, date(2019, 1, 13))]
    assert raw.published == StatedDate.day(date(2018, 10, 22))


@pytest.mark.parametrize(
    "body", [b"", b"<html/>", b"Retry later", b"<OAI-PMH/>", b"<!DOCTYPE x [<!ENTITY a 'b'>]><OAI-PMH>&a;</OAI-PMH>"]
)
def test_an_answer_that_is_no_oai_is_unreadable(body):
    with pytest.raises(SourceUnreadable):
        parse_oai(body)


def test_versions_come_from_arxivraw_and_names_from_dublin_core():
    raw = parse_oai(
        b"<record><header><identifier>oai:arXiv.org:2401.00007</identifier></header><metadata><arXivRaw>"
        b"<id>2401.00007</id><version version='v1'><date>Tue, 2 Jan 2024 10:00:00 GMT</date></version>"
        b"<version version='v2'><date>Fri, 1 Mar 2024 10:00:00 GMT</date></version><title>T</title>"
        b"<authors>Ada Lovelace, Bo Li and C. Diaz</authors><categories>cs.CL</categories><abstract> A </abstract>"
        b"</arXivRaw></metadata></record>"
    ).records[0]
    assert raw.paper.latest_version == 2
    assert raw.paper.authors == ("Ada Lovelace", "Bo Li", "C. Diaz")
    plain = parse_oai(
        b"<record><header><identifier>oai:arXiv.org:hep-th/9901001</identifier></header><metadata><dc>"
        b"<title>T</title><creator>Lovelace, Ada</creator><description>A</description>"
        b"<description>Comment: Withdrawn</description><date>1999-01-02</date><date>1999-03-04</date>"
        b"</dc></metadata></record>"
    ).records[0]
    assert plain.paper.authors == ("Ada Lovelace",)
    assert (plain.paper.published, plain.paper.updated_on) == (StatedDate.parse("1999-01-02"), date(1999, 3, 4))
    assert plain.paper.withdrawn
