"""The mirror and the library as sources, and how the mirror's index keeps up with the store."""

from datetime import date

import pytest

from agent.sources.arxiv_api import ArxivSource
from agent.sources.library import LibrarySource
from agent.sources.mirror import MirrorSource, catch_up, mirror_status
from claims.dates import StatedDate
from claims.errors import Unmirrored
from claims.paper import Source
from claims.paper_index import SCHEMA, PaperIndex
from claims.search import Query
from claims.store import Store
from tests.arxiv_server import ArxivServer
from tests.factories import a_paper

PAPERS = [
    a_paper("2305.11206", title="LIMA: Less Is More for Alignment", published=StatedDate.parse("2023-05-18")),
    a_paper("2404.00001", title="Reward models drift", published=StatedDate.parse("2024-04-10")),
    a_paper("2501.00003", title="Reward models for calls", published=StatedDate.parse("2025-01-03")),
]


@pytest.fixture
def store(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'retest.db'}") as store:
        yield store


@pytest.fixture(params=[Source.MIRROR, Source.LIBRARY, Source.ARXIV])
def source(request, store):
    """Every source, holding the same papers."""
    if request.param is Source.MIRROR:
        store.put_papers(PAPERS)
        yield MirrorSource(store, PaperIndex.in_memory())
    elif request.param is Source.LIBRARY:
        yield LibrarySource(tuple(PAPERS))
    else:
        with ArxivServer(PAPERS) as server:
            yield ArxivSource(pace=lambda: None, url=server.url, sleep=server.note_sleep)


def search(source, text, since=None, until=None, limit=10):
    found = source.search(Query(text=text), since=since, until=until, limit=limit)
    return [paper.id for paper, _ in found.papers]


def test_every_source_finds_by_words_in_a_window_up_to_a_limit(source):
    assert set(search(source, "reward models")) == {"2404.00001", "2501.00003"}
    assert search(source, "reward models", since=date(2024, 4, 11)) == ["2501.00003"]
    assert search(source, "reward models", until=date(2024, 4, 10)) == ["2404.00001"]
    assert len(search(source, "reward models", limit=1)) == 1
    assert search(source, "zebrafish") == []


def test_every_source_scores_best_first(source):
    scores = [score for _, score in source.search(Query(text="reward drift"), since=None, until=None, limit=9).papers]
    assert scores == sorted(scores, reverse=True)


def test_every_source_finds_a_short_name(source):
    assert source.find_title("LIMA").papers[0][0].id == "2305.11206"
    assert source.find_title("zebrafish atlas").papers == []


def test_only_the_source_that_has_everything_says_that_a_paper_does_not_exist(source):
    found = source.look_up(["2305.11206", "2401.09999"])
    assert list(found.papers) == ["2305.11206"]
    assert found.papers["2305.11206"].title == "LIMA: Less Is More for Alignment"
    assert found.unanswered == (frozenset() if source.name is Source.ARXIV else {"2401.09999"})


@pytest.mark.parametrize(
    "text", ['reward" OR "', "title:reward AND (", "reward'; DROP TABLE papers; --", "reward \x00"]
)
def test_no_query_text_breaks_a_source(source, text):
    search(source, text)
    source.find_title(text)


def test_an_empty_mirror_could_not_look(store):
    source = MirrorSource(store, PaperIndex.in_memory())
    for ask in (
        lambda: search(source, "reward"),
        lambda: source.look_up(["2305.11206"]),
        lambda: source.find_title("x"),
    ):
        with pytest.raises(Unmirrored):
            ask()


def test_papers_of_other_sources_do_not_fill_the_mirror(store):
    store.put_papers([PAPERS[0].model_copy(update={"source": Source.ARXIV})])
    with pytest.raises(Unmirrored):
        search(MirrorSource(store, PaperIndex.in_memory()), "alignment")


def test_a_search_sees_what_was_put_away_and_never_indexed(store, tmp_path):
    index = PaperIndex.open(tmp_path / "index")
    source = MirrorSource(store, index)
    store.put_papers(PAPERS[:2])
    assert search(source, "reward") == ["2404.00001"]
    store.put_papers(PAPERS[2:])
    assert not mirror_status(store, index).is_current
    assert set(search(source, "reward")) == {"2404.00001", "2501.00003"}
    status = mirror_status(store, index)
    assert (status.is_current, status.n_papers, status.n_indexed) == (True, 3, 3)
    assert status.index_bytes > 0


def test_papers_of_other_sources_do_not_make_the_index_old(store):
    index = PaperIndex.in_memory()
    store.put_papers(PAPERS)
    catch_up(store, index)
    store.put_papers([a_paper("2607.00009", source=Source.ARXIV)])
    assert mirror_status(store, index).is_current


def test_a_changed_paper_is_found_by_its_new_words(store):
    index = PaperIndex.in_memory()
    source = MirrorSource(store, index)
    store.put_papers(PAPERS)
    search(source, "reward")
    store.put_papers([PAPERS[1].model_copy(update={"abstract": "Penguins.", "updated_on": date(2026, 1, 1)})])
    assert search(source, "penguins") == ["2404.00001"]
    assert index.count() == 3


def test_an_index_that_was_lost_or_damaged_is_built_anew(store, tmp_path):
    store.put_papers(PAPERS)
    assert len(search(MirrorSource(store, PaperIndex.open(tmp_path / "index")), "reward")) == 2
    (tmp_path / "index" / f"schema-{SCHEMA}" / "meta.json").write_text("gone")
    index = PaperIndex.open(tmp_path / "index")
    assert mirror_status(store, index).stale_because is not None
    assert len(search(MirrorSource(store, index), "reward")) == 2
    assert mirror_status(store, index).stale_because is None


def test_an_index_of_another_database_is_built_anew(store, tmp_path):
    index = PaperIndex.open(tmp_path / "index")
    with Store.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        other.put_papers([a_paper("2607.00001", title="Reward of another"), *PAPERS[:2]])
        assert len(search(MirrorSource(other, index), "reward")) == 2
    store.put_papers(PAPERS)
    assert set(search(MirrorSource(store, index), "reward")) == {"2404.00001", "2501.00003"}


def test_a_search_does_not_wait_for_a_running_import(store, tmp_path):
    index = PaperIndex.open(tmp_path / "index")
    source = MirrorSource(store, index)
    store.put_papers(PAPERS[:2])
    assert search(source, "reward") == ["2404.00001"]
    with PaperIndex.open(tmp_path / "index").writing():
        store.put_papers(PAPERS[2:])
        assert search(source, "reward") == ["2404.00001"]
    assert len(search(source, "reward")) == 2


def test_catching_up_with_nothing_new_writes_nothing(store, tmp_path):
    index = PaperIndex.open(tmp_path / "index")
    store.put_papers(PAPERS)
    catch_up(store, index)
    before = {p.name: p.stat().st_mtime_ns for p in index.folder.iterdir()}
    catch_up(store, index)
    assert {p.name: p.stat().st_mtime_ns for p in index.folder.iterdir()} == before


def test_the_shipped_library_answers_without_a_network():
    found = LibrarySource().search(Query(text="curated data alignment"), since=None, until=None, limit=5)
    assert len(found.papers) == 5
    assert all(paper.source is Source.LIBRARY and paper.finding for paper, _ in found.papers)
