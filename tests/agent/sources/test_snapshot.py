"""Importing snapshots: every packing, bad lines, broken files, again, and after kill -9."""

import gzip
import json
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import pytest

from agent.sources.record import BadRecord, month_of_id, paper_of
from agent.sources.snapshot import MAX_LINE_BYTES, import_snapshot, read_snapshot
from claims.dates import StatedDate
from claims.errors import UnreadableDocument
from claims.paper import Source
from claims.paper_index import PaperIndex
from claims.store import Store
from tests.snapshots import a_record, records, write

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "arxiv"


@pytest.fixture
def store(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'retest.db'}") as store:
        yield store


@pytest.fixture
def index():
    return PaperIndex.in_memory()


def held(store):
    return sorted(paper.id for paper in store.iter_papers(source=Source.MIRROR))


@pytest.mark.parametrize("name", ["s.jsonl", "s.json.gz", "s.jsonl.xz", "archive.zip", "s.bz2"])
def test_every_packing_gives_the_same_papers(tmp_path, store, index, name):
    done = import_snapshot([write(tmp_path / name, records(30))], store, index)
    assert (done.n_lines, done.n_new, done.n_malformed, done.n_files) == (30, 30, 0, 1)
    assert len(held(store)) == index.count() == 30
    assert len(index.search("reward models", limit=99)) == 30


def test_a_file_is_what_its_bytes_say_and_not_its_name(tmp_path, store, index):
    packed = write(tmp_path / "s.gz", records(3)).rename(tmp_path / "s.json")
    assert import_snapshot([packed], store, index).n_new == 3


def test_a_record_becomes_the_paper_that_it_describes():
    paper = paper_of(
        a_record(
            "hep-th/9901001",
            versions=[
                {"version": "v2", "created": "Fri, 12 Mar 1999 20:00:00 GMT"},
                {"version": "v1", "created": "Mon, 4 Jan 1999 01:00:00 GMT"},
            ],
            authors_parsed=[["Núñez", "C.", "Jr.", "Some University"], ["ATLAS Collaboration", "", ""]],
            doi="10.1/x",
            **{"journal-ref": "J. 1"},
        )
    )
    assert paper.id == "hep-th/9901001"
    assert paper.title == "On reward models, part hep-th/9901001"
    assert paper.abstract == "We study hep-th/9901001. Small curated sets match larger ones."
    assert paper.authors == ("C. Núñez Jr.", "ATLAS Collaboration")
    assert paper.published == StatedDate.day(date(1999, 1, 4))
    assert (paper.updated_on, paper.latest_version) == (date(1999, 3, 12), 2)
    assert paper.categories == ("cs.CL", "cs.LG")
    assert (paper.comment, paper.doi, paper.journal_ref) == ("10 pages", "10.1/x", "J. 1")
    assert paper.source is Source.MIRROR and not paper.withdrawn
    assert type(paper).model_validate_json(paper.model_dump_json()) == paper


def test_a_date_is_kept_as_exactly_as_it_is_known():
    first = [{"version": "v1", "created": "Mon, 01 Jan 2024 00:00:00 GMT"}]
    by_kind = {
        kind: paper_of(a_record(versions=first, x_date_kind=kind)) for kind in ("month", "listed", "submitted", None)
    }
    assert by_kind["month"].published == StatedDate.month(2024, 1)
    assert by_kind["listed"].published == StatedDate.day(date(2024, 1, 1))
    assert by_kind[None].published == by_kind["submitted"].published == StatedDate.day(date(2024, 1, 1))
    # A placeholder list must not say that v2 does not exist.
    assert by_kind["month"].versions == by_kind["listed"].versions == ()
    assert by_kind["submitted"].latest_version == 1
    assert by_kind["month"].updated_on is None
    assert paper_of(a_record("2312.00001", versions=[])).published == StatedDate.month(2023, 12)
    assert month_of_id("math/9912001") == StatedDate.month(1999, 12)
    assert month_of_id("math/0703001") == StatedDate.month(2007, 3)


def test_a_later_version_dated_like_the_first_is_not_taken_for_its_day():
    same = [{"version": f"v{n}", "created": "Thu, 26 Mar 2009 08:32:33 GMT"} for n in (1, 2)]
    paper = paper_of(a_record(versions=same, x_date_kind="submitted"))
    assert (paper.latest_version, paper.updated_on) == (2, None)


def test_a_shortened_author_list_has_no_author_called_et_al():
    assert paper_of(a_record(authors_parsed=[["al.", "Daniel Fried et", ""]])).authors == ("Daniel Fried",)
    short = a_record(authors="Ada Lovelace, Bo Li and Al Pacino et al.", authors_parsed=[])
    assert paper_of(short).authors == ("Ada Lovelace", "Bo Li", "Al Pacino")
    assert paper_of(a_record(authors="", authors_parsed=[])).authors == ()


def test_a_withdrawal_is_read_from_the_comment():
    paper = paper_of(a_record(comments="Withdrawn by the authors"))
    assert paper.withdrawn and paper.withdrawn_because == "Withdrawn by the authors"


def test_text_that_no_database_holds_is_replaced_and_the_rest_is_kept(store, index, tmp_path):
    line = json.dumps(a_record(title="A \ud800 B \x00 C", abstract="x\x00y \udfff z", comments="\ud83d"))
    done = import_snapshot([write(tmp_path / "s.jsonl", [line])], store, index)
    assert done.n_new == 1
    paper = store.papers(["2401.00001"])["2401.00001"]
    assert (paper.title, paper.abstract) == ("A \ufffd B \ufffd C", "x\ufffdy \ufffd z")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{not json", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ("17", "not a JSON object"),
        ("[" * 5000, "not JSON"),
        ('{"title": "no id"}', "not an arXiv id"),
        (json.dumps(a_record(id="2401.1")), "not an arXiv id"),
        (json.dumps(a_record(id=["2401.00001"])), "not a text"),
        (json.dumps(a_record(title="  ")), "no title"),
        (json.dumps(a_record(title={"a": 1})), "not a text"),
        (json.dumps(a_record(versions=[{"version": "v1", "created": "yesterday"}])), "version"),
        (json.dumps(a_record(versions=[{"version": "v1", "created": "Tue, 32 Jan 2024"}])), "version"),
        (json.dumps(a_record(versions="v1")), "versions"),
        (json.dumps(a_record(authors_parsed=[["Lovelace", 7]])), "author"),
        (json.dumps(a_record(authors_parsed=["Ada Lovelace"])), "author"),
        (json.dumps(a_record(authors_parsed=[{"family": "Lovelace"}])), "author"),
        ("\x00\x01\x02", "not JSON"),
    ],
)
def test_a_malformed_line_is_counted_by_number_and_stops_nothing(tmp_path, store, index, bad, why):
    lines = [records(3)[0], "", bad, *records(3)[1:]]
    done = import_snapshot([write(tmp_path / "s.jsonl", lines)], store, index)
    assert (done.n_new, done.n_malformed, done.n_lines) == (3, 1, 4)
    assert (done.problems[0].file, done.problems[0].line) == ("s.jsonl", 3)
    assert why in done.problems[0].why


def test_a_line_without_end_is_skipped_without_being_held(tmp_path):
    path = tmp_path / "s.jsonl"
    good = json.dumps(a_record()).encode()
    path.write_bytes(good + b"\n" + b"x" * (2 * MAX_LINE_BYTES + 7) + b"\n" + good)
    lines = list(read_snapshot(path))
    assert [line.number for line in lines] == [1, 2, 3]
    assert [line.paper is not None for line in lines] == [True, False, True]


def test_a_file_that_breaks_off_keeps_what_came_before(tmp_path, store, index):
    noise = [a_record(f"2401.{i:05}", abstract=str(hash((i, "x"))) * 40) for i in range(1, 400)]
    for name in ("s.jsonl.gz", "s.jsonl.xz"):
        whole = write(tmp_path / name, noise)
        whole.write_bytes(whole.read_bytes()[:-40])
        done = import_snapshot([whole], store, index)
        assert done.broken_off.keys() == {name}
        assert 0 < done.n_papers < 399
    assert 0 < len(held(store)) < 399


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"%PDF-1.7 binary \x00\xff", b"{}\n{}\n", b"PK\x05\x06" + b"\0" * 18]
)
def test_a_file_without_a_single_record_is_an_error_and_not_an_empty_import(tmp_path, store, index, content):
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    with pytest.raises(UnreadableDocument, match=r"s\.jsonl"):
        import_snapshot([path], store, index)


def test_an_archive_without_records_is_an_error(tmp_path, store, index):
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README.txt", "nothing here")
    with pytest.raises(UnreadableDocument, match=r"no \.json"):
        import_snapshot([path], store, index)


def test_a_missing_file_is_an_error_before_any_other_is_begun(tmp_path, store, index):
    good = write(tmp_path / "s.jsonl", records(3))
    with pytest.raises(UnreadableDocument, match="missing"):
        import_snapshot([good, tmp_path / "missing.gz"], store, index)
    assert held(store) == []


def test_importing_again_changes_nothing(tmp_path, store, index):
    first = write(tmp_path / "a.jsonl", records(30))
    again = write(tmp_path / "b.jsonl.gz", [*records(30), a_record("2402.00001")])
    import_snapshot([first], store, index)
    done = import_snapshot([first, again], store, index)
    assert (done.n_new, done.n_changed, done.n_unchanged) == (1, 0, 60)
    assert len(held(store)) == index.count() == 31


def test_a_newer_snapshot_updates_its_papers(tmp_path, store, index):
    import_snapshot([write(tmp_path / "a.jsonl", records(5))], store, index)
    revised = a_record(
        "2401.00003",
        abstract="Now about penguins.",
        versions=[
            {"version": "v1", "created": "Tue, 2 Jan 2024 10:00:00 GMT"},
            {"version": "v2", "created": "Fri, 1 Mar 2024 10:00:00 GMT"},
        ],
    )
    done = import_snapshot([write(tmp_path / "b.jsonl", [*records(2), revised])], store, index)
    assert (done.n_new, done.n_changed) == (0, 1)
    assert [hit.paper_id for hit in index.search("penguins")] == ["2401.00003"]
    assert store.papers(["2401.00003"])["2401.00003"].latest_version == 2
    assert index.count() == 5


def test_progress_is_told_as_it_goes(tmp_path, store, index):
    told = []
    path = write(tmp_path / "s.jsonl", records(25))
    import_snapshot([path], store, index, lambda done: told.append(done.n_lines), chunk=10)
    assert told == [10, 20, 25]


_CHILD = """
import os, signal, sys
from pathlib import Path
from agent.sources.snapshot import import_snapshot
from claims.paper_index import PaperIndex
from claims.store import Store
home, path, fatal = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
def report(done):
    print(done.n_lines, flush=True)
    if done.n_lines == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
with Store.open(f"sqlite:///{home}/retest.db") as store:
    done = import_snapshot([path], store, PaperIndex.open(home / "index"), report, chunk=50, commit_every=100)
    print("resumed", *done.resumed_from.values(), done.n_new, done.n_unchanged)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("fatal", "resumed"), [(50, 0), (250, 200), (400, 400)])
def test_an_import_killed_anywhere_goes_on_and_ends_as_if_it_had_not_been(tmp_path, fatal, resumed):
    path = write(tmp_path / "s.jsonl.gz", records(430))
    child = [sys.executable, "-c", _CHILD, str(tmp_path), str(path)]
    assert subprocess.run([*child, str(fatal)], capture_output=True, timeout=60).returncode == -9
    last = subprocess.run([*child, "0"], capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()[-1]
    assert last == f"resumed {resumed} {430 - fatal} {fatal - resumed}"
    with Store.open(f"sqlite:///{tmp_path}/retest.db") as store:
        assert len(held(store)) == 430
    assert PaperIndex.open(tmp_path / "index").count() == 430


def test_a_gzip_bomb_of_one_line_is_one_malformed_line(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"[" * (3 * MAX_LINE_BYTES)))
    (line,) = read_snapshot(path)
    assert line.problem is not None and "longer than" in line.problem


def test_a_bad_record_says_which_paper_it_is():
    with pytest.raises(BadRecord, match=r"2401\.00009 has no title"):
        paper_of(a_record("2401.00009", title=None))


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared snapshots beside the repository")
def test_the_first_thousand_real_records_are_read_without_loss():
    for name in ("snapshot-topical.jsonl.gz", "snapshot-more.jsonl.xz"):
        for line, _ in zip(read_snapshot(SHARED / name), range(1000), strict=False):
            assert line.problem is None
            assert line.paper is not None
            assert line.paper == type(line.paper).model_validate(line.paper.model_dump())
