"""A list says what is due and why: the same from the quick path, the store and a night's plan."""

from datetime import date, timedelta

from claims.claim import Anchor
from claims.clock import FrozenClock
from claims.overview import overview
from claims.paper import Paper
from claims.store import Store
from tests.factories import NOON, a_claim, a_paper, paper_evidence

DAY = NOON.date()
LATER = NOON + timedelta(hours=1)


def a_mirrored(id: str, **fields: object) -> Paper:
    return a_paper(id, abstract="We measure it.", **fields)


def gone_over(store: Store, claim_id: str, day: date = DAY, *, full: bool = True) -> None:
    seen = store.last_change()
    store.claim_refreshed(claim_id, day, checked_to=seen, seen_to=seen, full=full)


def test_every_reason_is_told_the_same_by_the_list_and_by_the_store(database_url: str) -> None:
    held, changed, withdrawn = (a_mirrored(f"2401.0000{n}") for n in (1, 2, 3))
    anchored = a_claim("anchored-000001", anchors=(Anchor(arxiv_id=held.id),))
    others = [a_claim(f"{name}-000001") for name in ("fresh", "forced", "paused", "done", "quoting", "aged")]
    with Store.open(database_url, clock=FrozenClock(NOON)) as store:
        store.put_papers([held, changed, withdrawn])
        for claim in (anchored, *others):
            store.put_claim(claim)
        store.add_evidence(paper_evidence(p, claim_id="quoting-000001") for p in (changed, withdrawn))
        for name in ("anchored", "forced", "paused", "quoting"):
            gone_over(store, f"{name}-000001")
        gone_over(store, "aged-000001", DAY - timedelta(days=31))
        store.take_care("forced-000001", forced=True, pinned=True)
        store.take_care("paused-000001", paused=True)
        store.clock = FrozenClock(LATER)
        store.put_papers(
            [
                a_mirrored(held.id, title="Another title"),
                a_mirrored(changed.id, title="Another title"),
                a_mirrored(withdrawn.id, withdrawn=True, withdrawn_because="an error"),
            ]
        )
        gone_over(store, "done-000001")
        lines = store.overview(night=DAY)
        assert {line.claim_id.partition("-")[0]: line.due for line in lines} == {
            "anchored": ("1 of its papers changed",),
            "fresh": ("never refreshed",),
            "forced": ("forced", "pinned"),
            "paused": (),
            "done": (),
            "quoting": ("1 of its papers withdrawn", "1 of its papers changed"),
            "aged": ("last matched in full 31 days ago",),
        }
        assert [line.claim_id for line in lines if line.paused] == ["paused-000001"]
        assert overview(database_url, night=DAY) == lines
        tomorrow = {line.claim_id: line.due for line in overview(database_url, night=DAY + timedelta(days=1))}
        assert tomorrow["done-000001"] == (f"once a night; nothing held is new since {DAY}",)
        store.clock = FrozenClock(LATER + timedelta(hours=1))
        store.put_papers([a_mirrored("2401.00009")])
        again = {line.claim_id: line.due for line in overview(database_url, night=DAY)}
        assert again["done-000001"] == ("papers came in or changed",)


def test_without_a_day_nothing_is_said_about_being_due(database_url: str) -> None:
    with Store.open(database_url, clock=FrozenClock(NOON)) as store:
        store.put_claim(a_claim())
        (line,) = store.overview()
    assert (line.due, line.paused) == (None, None)
    assert overview(database_url, as_of=DAY)[0].due is None
