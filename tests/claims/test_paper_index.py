"""The full-text index: what is found, in which window, and what happens to it on a bad day."""

import os
import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claims.dates import StatedDate
from claims.errors import CouldNotLook, StoreLocked
from claims.paper_index import MAX_TERMS, SCHEMA, PaperIndex, terms_of, title_key
from tests.factories import a_paper

PAPERS = [
    a_paper(
        "2305.11206", title="LIMA: Less Is More for Alignment", abstract="A thousand curated prompts suffice.",
        published=StatedDate.parse("2023-05-18"), authors=("Chunting Zhou", "Omer Levy"), categories=("cs.CL",),
    ),
    a_paper(
        "2404.00001", title="Reward models drift", abstract="Preference optimization of reward models drifts.",
        published=StatedDate.parse("2024-04-10"), authors=("José Núñez",), categories=("cs.LG", "stat.ML"),
    ),
    a_paper(
        "2406.00002", title="A survey", abstract="We mention less alignment. Models of reward are many.",
        published=StatedDate.parse("2024-06"), categories=("cs.AI",),
    ),
    a_paper(
        "2501.00003", title="Less is more, or not", abstract="More data helps function calling with reward models.",
        published=StatedDate.parse("2025-01-03"), categories=("cs.CL",),
    ),
    a_paper("2502.00004", title="Ours", abstract=None, finding="Curated sets fall behind.", categories=()),
]  # fmt: skip


@pytest.fixture(scope="module")
def index():
    return PaperIndex.in_memory(PAPERS)


def ids(hits):
    return [hit.paper_id for hit in hits]


def test_words_are_found_in_title_abstract_and_finding_in_any_form(index):
    assert ids(index.search("curation")) == ids(index.search("CURATED")) == ["2502.00004", "2305.11206"]
    assert ids(index.search("drifting")) == ["2404.00001"]


def test_a_word_of_the_title_counts_more_than_one_of_the_abstract(index):
    assert ids(index.search("alignment")) == ["2305.11206", "2406.00002"]


def test_a_quoted_phrase_lifts_the_papers_that_have_it(index):
    assert ids(index.search('"reward models" "function calling"'))[0] == "2501.00003"
    assert ids(index.search_terms({"function calling": 1.0})) == ["2501.00003"]
    assert ids(index.search_terms({"calling function": 1.0})) == []


def test_weights_turn_the_ranking(index):
    assert ids(index.search_terms({"drift": 1.0, "curated": 0.01}))[0] == "2404.00001"
    assert ids(index.search_terms({"drift": 0.01, "curated": 1.0}))[0] != "2404.00001"


def test_needed_words_shut_papers_out(index):
    assert ids(index.search_terms({"reward": 1.0}, must=["function calling"])) == ["2501.00003"]
    assert ids(index.search_terms({}, must=["curated", "prompts"])) == ["2305.11206"]


def test_fields_can_be_weighted_and_authors_searched(index):
    assert ids(index.search("nunez", weights={"authors": 1.0})) == ["2404.00001"]
    assert set(ids(index.search("alignment", weights={"title": 1.0}))) == {"2305.11206"}


def test_categories_shut_papers_out(index):
    assert ids(index.search("reward models", categories=["stat.ML", "cs.AI"])) == ["2404.00001", "2406.00002"]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, {"2404.00001", "2406.00002", "2501.00003"}),
        (date(2024, 4, 10), date(2024, 4, 10), {"2404.00001"}),
        (date(2024, 4, 11), None, {"2406.00002", "2501.00003"}),
        (None, date(2024, 6, 1), {"2404.00001", "2406.00002"}),
        (date(2024, 6, 30), date(2025, 1, 2), {"2406.00002"}),  # known to the month: it may lie in the window
        (date(2024, 7, 1), date(2025, 1, 2), set()),
        (date(2025, 2, 1), date(2024, 1, 1), set()),
    ],
)
def test_a_window_keeps_both_ends_and_months_that_may_lie_in_it(index, since, until, expected):
    assert set(ids(index.search("reward", since=since, until=until))) == expected


def test_a_window_does_not_change_scores(index):
    free = {hit.paper_id: hit.score for hit in index.search("reward models")}
    dated = index.search("reward models", since=date(2020, 1, 1), until=date(2030, 1, 1))
    assert {hit.paper_id: hit.score for hit in dated} == pytest.approx(free)


def test_the_quick_way_through_a_window_gives_what_the_plain_one_does(monkeypatch):
    day = date(2024, 1, 1)
    papers = [
        a_paper(
            f"2401.{n:05}",
            title="Reward" if n % 3 else "Models of reward",
            abstract="reward " * (n % 17) + "filler " * (n % 23),
            published=StatedDate.day(day + timedelta(days=n * 7 % 400)),
        )
        for n in range(1, 400)
    ]
    index = PaperIndex.in_memory(papers)
    windows = [
        (day + timedelta(days=a), day + timedelta(days=b)) for a, b in ((0, 400), (50, 300), (0, 150), (390, 400))
    ]
    asked = [(*w, limit) for w in [*windows, (None, windows[1][1]), (windows[1][0], None)] for limit in (1, 10, 500)]

    def answers():
        return [index.search("reward models", since=a, until=b, limit=limit) for a, b, limit in asked]

    quick = answers()
    monkeypatch.setattr("claims.paper_index.WIDE", 2.0)
    for one, other in zip(quick, answers(), strict=True):
        assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other])
    assert len(quick[0]) == 1 and len(quick[2]) == 399


def test_the_limit_is_kept_and_best_comes_first(index):
    hits = index.search("reward models alignment", limit=2)
    assert len(hits) == 2 and hits[0].score >= hits[1].score
    assert index.search("reward", limit=0) == []


def test_a_title_is_found_by_its_whole_its_short_name_and_its_words(index):
    assert ids(index.find_title("lima: less is more for alignment!"))[0] == "2305.11206"
    assert ids(index.find_title("LIMA")) == ["2305.11206"]
    assert ids(index.find_title("Less is more, or not"))[0] == "2501.00003"
    assert ids(index.find_title("alignments"))[0] == "2305.11206"
    assert index.find_title("???") == index.find_title("zebrafish") == []


def test_accents_and_case_fold_in_titles():
    assert title_key("  Schrödinger’s  CAT: a Study ") == "schrodinger s cat a study"


@pytest.mark.parametrize(
    "hostile",
    ["", '"', '""', "AND OR NOT", "title:reward^9", "reward*", "(((", "'; DROP TABLE papers; --", "\x00", "\ud800",
     "reward\u202e", "a" * 100_000, "[1 TO 9]", "+reward -models", "/re.*/", '"unclosed phrase', "field:\\"],
)  # fmt: skip
def test_no_text_is_a_syntax_error(index, hostile):
    index.search(hostile)
    index.search_terms({hostile: 1.0}, must=[hostile])
    index.find_title(hostile)
    index.search("reward", categories=[hostile])


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_any_text_is_a_query(text):
    hits = _SMALL.search(text)
    assert set(ids(hits)) <= {paper.id for paper in PAPERS}


_SMALL = PaperIndex.in_memory(PAPERS)


def test_a_pasted_megabyte_is_cut_to_its_first_words(index):
    text = "reward models " + " ".join(f"word{n}" for n in range(100_000))
    assert ids(index.search(text))[0] in {"2404.00001", "2501.00003"}
    assert len(terms_of(text)) > MAX_TERMS


def test_terms_and_how_rare_they_are(index):
    assert terms_of("The Models' rewards, and THE models") == ["model", "reward"]
    assert index.n_papers_with("reward") == 3
    assert index.n_papers_with("zebrafish") == 0


def test_adding_a_paper_again_replaces_it():
    index = PaperIndex.in_memory(PAPERS)
    index.add([PAPERS[0].model_copy(update={"abstract": "Penguins."}), PAPERS[0], PAPERS[0]])
    index.add([PAPERS[1].model_copy(update={"abstract": "Penguins."})])
    assert index.count() == len(PAPERS)
    assert ids(index.search("penguins")) == ["2404.00001"]
    assert ids(index.search("curated prompts"))[0] == "2305.11206"


def test_a_removed_paper_is_found_no_more():
    index = PaperIndex.in_memory(PAPERS)
    index.remove(["2404.00001", "2999.00001"])
    assert index.count() == len(PAPERS) - 1
    assert "2404.00001" not in ids(index.search("reward"))
    assert not index.holds("2404.00001") and index.holds("2305.11206")


def test_it_is_there_again_when_it_is_opened_again(tmp_path):
    index = PaperIndex.open(tmp_path)
    assert (index.count(), index.mark(), index.stale_because) == (0, None, None)
    index.add(PAPERS)
    index.set_mark("seen until noon")
    again = PaperIndex.open(tmp_path)
    assert (again.count(), again.mark(), again.stale_because) == (len(PAPERS), "seen until noon", None)
    assert ids(again.search("drift")) == ["2404.00001"]
    assert again.disk_bytes() > 0


def test_a_rebuild_replaces_everything_and_one_that_fails_changes_nothing(tmp_path):
    index = PaperIndex.open(tmp_path)
    index.add(PAPERS)

    def broken():
        yield PAPERS[0]
        raise RuntimeError("the table went away")

    with pytest.raises(RuntimeError):
        index.rebuild(broken())
    assert index.count() == len(PAPERS)
    assert index.rebuild(PAPERS[:2]) == 2
    assert index.count() == PaperIndex.open(tmp_path).count() == 2


def test_an_addition_that_fails_changes_nothing(tmp_path):
    index = PaperIndex.open(tmp_path)
    with pytest.raises(RuntimeError), index.writing() as batch:
        batch.add(PAPERS)
        raise RuntimeError("stop")
    assert index.count() == 0
    assert index.add(PAPERS) == len(PAPERS)


@pytest.mark.parametrize("damage", ["meta", "segments", "missing"])
def test_a_damaged_index_says_so_and_can_be_rebuilt(tmp_path, damage):
    PaperIndex.open(tmp_path).add(PAPERS)
    folder = tmp_path / f"schema-{SCHEMA}"
    if damage == "meta":
        (folder / "meta.json").write_text('{"segments": [')
    for path in [p for p in folder.iterdir() if p.suffix in {".idx", ".term", ".store", ".fast", ".pos"}]:
        if damage == "segments":
            path.write_bytes(path.read_bytes()[:10])
        elif damage == "missing":
            path.unlink()
    index = PaperIndex.open(tmp_path)
    assert index.stale_because is not None and index.count() == 0 and index.mark() is None
    index.rebuild(PAPERS)
    assert index.stale_because is None
    assert PaperIndex.open(tmp_path).count() == len(PAPERS)


def test_a_sound_index_is_not_thrown_away_for_a_trouble_of_the_machine(tmp_path):
    PaperIndex.open(tmp_path).add(PAPERS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 1, hard))  # one file at a time, which is too few
    try:
        with pytest.raises(CouldNotLook):
            PaperIndex.open(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    again = PaperIndex.open(tmp_path)
    assert (again.count(), again.stale_because) == (len(PAPERS), None)


def test_processes_may_begin_an_index_at_the_same_moment(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: PaperIndex.open(tmp_path / "index"), range(8)))
    opened[0].add(PAPERS)
    assert PaperIndex.open(tmp_path / "index").count() == len(PAPERS)
    assert {index.stale_because for index in opened} == {None}


def test_another_schema_is_set_aside_and_said(tmp_path):
    (tmp_path / "schema-0").mkdir()
    index = PaperIndex.open(tmp_path)
    assert index.stale_because is not None and "schema-0" in index.stale_because


def test_a_second_writer_waits_and_then_says_who_is_in_the_way(tmp_path):
    first, second = PaperIndex.open(tmp_path), PaperIndex.open(tmp_path, lock_wait_s=0.2)
    with first.writing() as batch:
        batch.add(PAPERS[:1])
        with pytest.raises(StoreLocked, match="writing the paper index"):
            second.add(PAPERS)
        assert second.count() == 0
    patient = PaperIndex.open(tmp_path, lock_wait_s=30)
    with first.writing() as batch:
        waiting = threading.Thread(target=patient.add, args=(PAPERS[2:],))
        waiting.start()
        batch.add(PAPERS[:2])
    waiting.join(30)
    assert PaperIndex.open(tmp_path).count() == len(PAPERS)


def test_two_that_write_in_turn_see_each_others_papers(tmp_path):
    one, other = PaperIndex.open(tmp_path), PaperIndex.open(tmp_path)
    for _ in range(3):
        one.add(PAPERS)
        other.add(PAPERS)
    one.set_mark("noon")
    assert other.mark() == "noon"
    assert one.count() == other.count() == PaperIndex.open(tmp_path).count() == len(PAPERS)


def test_threads_read_while_one_writes():
    index = PaperIndex.in_memory(PAPERS)

    def read(n):
        return {i for _ in range(20) for i in ids(index.search("reward models", limit=3))}

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read, n) for n in range(4)]
        for n in range(5):
            index.add([a_paper(f"2607.{n + 1:05}", title="Zebrafish")])
        assert all(reader.result() <= {paper.id for paper in PAPERS} for reader in readers)
    assert index.count() == len(PAPERS) + 5


@pytest.mark.slow
def test_what_a_killed_writer_did_not_commit_is_gone_and_its_lock_with_it(tmp_path):
    child = (
        "import os, signal, sys; from pathlib import Path; from claims.paper_index import PaperIndex\n"
        "from tests.factories import a_paper\n"
        "index = PaperIndex.open(Path(sys.argv[1])); index.add([a_paper('2401.00001')])\n"
        "with index.writing() as batch:\n"
        "    batch.add([a_paper('2401.00002')]); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", child, str(tmp_path)], timeout=60).returncode == -9
    index = PaperIndex.open(tmp_path, lock_wait_s=5)
    assert index.count() == 1 and index.stale_because is None
    index.add([a_paper("2401.00002")])
    assert index.count() == 2


def test_many_threads_note_how_far_one_index_has_seen_and_none_stumbles_over_another(tmp_path) -> None:
    index = PaperIndex.open(tmp_path / "index")
    marks = [f"2026-08-{day:02}" for day in range(1, 9)]

    def note(mark: str) -> None:
        for _ in range(100):
            index.set_mark(mark)

    with ThreadPoolExecutor(len(marks)) as pool:
        list(pool.map(note, marks))
    assert PaperIndex.open(tmp_path / "index").mark() in marks
    assert [f.name for f in index.folder.iterdir() if f.name.startswith("seen")] == ["seen"], "nothing is left behind"
