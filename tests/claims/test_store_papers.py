"""Papers in the store: merging, streaming, counting, and the texts that old quotes need."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from claims.clock import FrozenClock
from claims.dates import StatedDate
from claims.errors import NotHeld
from claims.paper import PaperVersion, Source
from claims.store import PutCounts, Store
from tests.factories import NOON, a_claim, a_paper, paper_evidence


def test_putting_the_same_papers_again_changes_nothing(store: Store) -> None:
    papers = [a_paper(f"2401.{n:05d}") for n in range(1, 31)]
    assert store.put_papers(papers) == PutCounts(new=30, changed=0, unchanged=0)
    assert store.put_papers(papers) == PutCounts(new=0, changed=0, unchanged=30)
    assert list(store.iter_papers(chunk=7)) == papers


def test_one_paper_twice_in_one_call_is_one_paper(store: Store) -> None:
    first = a_paper(comment="one")
    second = a_paper(comment="two")
    assert store.put_papers([first, second, first, second]) == PutCounts(1, 0, 0)
    assert store.paper(first.id).comment == "two"


def test_a_paper_that_is_not_held_is_named(store: Store) -> None:
    with pytest.raises(NotHeld, match=r"no paper '2401\.99999'"):
        store.paper("2401.99999")
    assert store.papers(["2401.99999"]) == {}


def test_the_library_finding_stays_beside_the_mirror_abstract_in_either_order(store: Store) -> None:
    ours = a_paper(source=Source.LIBRARY, abstract=None, finding="Our words.", published=StatedDate.parse("2024-01"))
    theirs = a_paper()
    other_ours = ours.model_copy(update={"id": "2401.00002"})
    other_theirs = a_paper("2401.00002")
    store.put_papers([ours, theirs])
    store.put_papers([other_theirs, other_ours])
    for paper, abstract in (
        (store.paper(ours.id), theirs.abstract),
        (store.paper("2401.00002"), other_theirs.abstract),
    ):
        assert (paper.finding, paper.abstract, paper.source) == ("Our words.", abstract, Source.MIRROR)
        assert paper.published == StatedDate.day(date(2024, 1, 2))
    assert store.count_papers() == {Source.ARXIV: 0, Source.MIRROR: 2, Source.LIBRARY: 2}


def test_a_paper_stays_in_the_mirror_when_arxiv_gives_it_too(store: Store) -> None:
    store.put_papers([a_paper()])
    live = a_paper(source=Source.ARXIV, comment="12 pages")
    assert store.put_papers([live]) == PutCounts(0, 1, 0)
    assert store.put_papers([a_paper()]) == PutCounts(0, 0, 1)
    assert [p.comment for p in store.iter_papers(source=Source.MIRROR)] == ["12 pages"]
    assert store.paper(live.id).source is Source.ARXIV


@pytest.mark.parametrize("newer_first", [True, False])
def test_the_newer_version_wins_whoever_tells_it_and_whenever(store: Store, newer_first: bool) -> None:
    old = a_paper(source=Source.ARXIV, versions=(PaperVersion(number=1, submitted_on=date(2024, 1, 2)),))
    new = a_paper(
        source=Source.MIRROR,
        abstract="Revised: it does not.",
        updated_on=date(2025, 3, 4),
        versions=(PaperVersion(number=2, submitted_on=date(2025, 3, 4)),),
    )
    store.put_papers([new, old] if newer_first else [old, new])
    held = store.paper(old.id)
    assert (held.abstract, held.updated_on) == ("Revised: it does not.", date(2025, 3, 4))
    assert [v.number for v in held.versions] == [1, 2]


def test_a_text_that_was_superseded_can_still_be_read_by_its_digest(store: Store) -> None:
    first = a_paper()
    second = a_paper(abstract="Revised.", updated_on=date(2025, 1, 1))
    store.put_papers([first])
    store.put_papers([second])
    assert store.paper_text(first.id, first.text_digest) == first
    assert store.paper_text(first.id, second.text_digest) == second
    assert store.paper_text(first.id, "sha256:unknown") is None


def test_a_record_that_was_merged_can_still_be_read_as_it_was_given(store: Store) -> None:
    ours = a_paper(source=Source.LIBRARY, abstract=None, finding="Our words.")
    theirs = a_paper()
    store.put_papers([theirs, ours])
    assert store.paper_text(theirs.id, theirs.text_digest) == theirs
    assert store.paper_text(ours.id, ours.text_digest) == ours
    assert store.paper_text(ours.id, store.paper(ours.id).text_digest) == store.paper(ours.id)


def test_a_withdrawal_stays_until_a_newer_record_takes_it_back(store: Store) -> None:
    gone = a_paper(withdrawn=True, withdrawn_because="withdrawn by the authors", updated_on=date(2024, 6, 1))
    store.put_papers([a_paper()])
    store.put_papers([gone])
    store.put_papers([a_paper(), a_paper(source=Source.ARXIV, updated_on=date(2024, 6, 1))])
    store.put_papers([a_paper(source=Source.LIBRARY, updated_on=date(2026, 1, 1))])
    assert store.paper(gone.id).withdrawn
    assert store.paper(gone.id).withdrawn_because == "withdrawn by the authors"
    assert store.withdrawals(NOON) == {gone.id: True}
    store.put_papers([a_paper(updated_on=date(2024, 7, 1))])
    assert not store.paper(gone.id).withdrawn
    assert store.withdrawals(NOON) == {gone.id: False}


def test_a_walk_by_change_gives_exactly_what_changed_since(store: Store) -> None:
    store.put_papers(a_paper(f"2401.{n:05d}") for n in range(1, 6))
    seen = store.last_change()
    store.clock = FrozenClock(NOON + timedelta(hours=1))
    store.put_papers([a_paper("2401.00003", comment="now with code"), a_paper("2402.00001"), a_paper("2401.00001")])
    since = NOON + timedelta(minutes=1)
    assert [p.id for p in store.iter_papers(changed_since=since, chunk=1)] == ["2401.00003", "2402.00001"]
    assert seen == NOON
    assert len(list(store.iter_papers(changed_since=seen, chunk=2))) == 6


def test_a_clock_that_goes_back_hides_no_change(store: Store) -> None:
    store.put_papers([a_paper("2401.00001")])
    seen = store.last_change()
    assert seen is not None
    store.clock = FrozenClock(datetime(2020, 1, 1, tzinfo=UTC))
    store.put_papers([a_paper("2401.00002")])
    assert "2401.00002" in [p.id for p in store.iter_papers(changed_since=seen)]


def test_a_walk_sees_papers_of_one_source_only(store: Store) -> None:
    store.put_papers([a_paper("2401.00001"), a_paper("2401.00002", source=Source.LIBRARY)])
    assert [p.id for p in store.iter_papers(source=Source.LIBRARY)] == ["2401.00002"]
    assert list(store.iter_papers(source=Source.ARXIV)) == []


def test_any_text_that_a_paper_may_have_comes_back_byte_for_byte(store: Store) -> None:
    odd = a_paper(title="NUL \x00 and \u2028 and \U0001f600", abstract="tab\tline\r\nend \ufeff", authors=("Ł. Ö",))
    store.put_papers([odd])
    assert store.paper(odd.id) == odd
    with store.engine.connect() as connection:
        title = connection.scalar(sa.text("SELECT title FROM papers"))
    assert "\x00" not in title


def test_papers_are_found_by_the_words_of_their_title_newest_first(store: Store) -> None:
    first = a_paper("2401.00001", title="Few 100% curated examples")
    second = a_paper("2402.00002", title="Curated examples, again", published=StatedDate.day(date(2024, 2, 2)))
    store.put_papers([first, second, a_paper("2403.00003", title="On song")])
    assert store.find_papers(["CURATED", "examples"]) == ([second, first], 2)
    assert store.find_papers(["curated"], limit=1, offset=1) == ([first], 2)
    assert store.find_papers(["100%"]) == ([first], 1)
    assert store.find_papers(["100_"]) == ([], 0)
    assert store.find_papers(weighed=True) == ([], 0)
    store.put_claim(a_claim())
    store.add_evidence([paper_evidence(first)])
    assert store.find_papers(weighed=True) == ([first], 1)
