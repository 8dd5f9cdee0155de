"""Inquiries, claims, groundings, searches and notes in the store."""

from datetime import timedelta

import pytest

from claims.clock import FrozenClock
from claims.errors import InputError, NotHeld
from claims.grounding import GroundingStatus
from claims.paper import Source
from claims.store import Store
from tests.factories import NOON, a_claim, a_grounding, a_paper, a_search, an_anchor, an_inquiry

INQUIRY = "inq-000000000001"


def test_an_inquiry_comes_back_with_its_claims_in_order(store: Store) -> None:
    claims = [a_claim(f"{word}-00000{n}", inquiry_id=INQUIRY) for n, word in enumerate("zeta alpha mid".split())]
    inquiry = an_inquiry(*claims)
    store.put_inquiry(inquiry, document="the text\r\n")
    store.put_inquiry(inquiry)
    assert store.inquiry(INQUIRY) == inquiry
    assert store.inquiries() == [inquiry]
    assert store.inquiry_text(INQUIRY) == "the text\r\n"
    assert store.claims(INQUIRY) == claims
    assert sorted(c.id for c in store.claims()) == sorted(c.id for c in claims)


def test_one_claim_may_stand_in_two_inquiries(store: Store) -> None:
    claim = a_claim()
    store.put_inquiry(an_inquiry(claim))
    store.put_inquiry(an_inquiry(claim, id="inq-000000000002"))
    assert store.claims(INQUIRY) == store.claims("inq-000000000002") == [claim]
    assert len(store.claims()) == 1


def test_a_claim_is_found_by_a_beginning_that_only_it_has(store: Store) -> None:
    store.put_claim(a_claim("dpo-beats-sft-000001"))
    store.put_claim(a_claim("dpo-beats-sft-000002"))
    store.put_claim(a_claim("dpo-beats-sft"))
    store.put_claim(a_claim("under_score-000001"))
    assert store.claim("under").id == "under_score-000001"
    assert store.claim("dpo-beats-sft").id == "dpo-beats-sft"
    with pytest.raises(InputError, match="dpo-beats-sft-000001, dpo-beats-sft-000002"):
        store.claim("dpo-beats-sft-")
    for absent in ("under%", "", "nothing"):
        with pytest.raises(NotHeld):
            store.claim(absent)


def test_what_is_said_newly_about_a_claim_replaces_what_was_said(store: Store) -> None:
    store.put_claim(a_claim())
    store.put_claim(a_claim(note="see the second source"))
    assert [c.note for c in store.claims()] == ["see the second source"]


def test_an_inquiry_that_is_not_held_is_named(store: Store) -> None:
    for ask in (store.inquiry, store.inquiry_text, store.inquiry_dossier):
        with pytest.raises(NotHeld, match="inquiry"):
            ask("inq-nope")


def test_the_newest_grounding_of_a_citation_is_read_and_the_past_can_be(store: Store) -> None:
    store.put_inquiry(an_inquiry())
    lost = a_grounding(status=GroundingStatus.UNCHECKED, could_not_look={"arxiv": "HTTP 503"})
    found = a_grounding()
    other = a_grounding(anchor=an_anchor("2309.00001"), claim_id=a_claim().id)
    assert store.put_groundings(INQUIRY, [lost, other]) == 2
    store.clock = FrozenClock(NOON + timedelta(days=1))
    assert store.put_groundings(INQUIRY, [found, other]) == 1
    assert store.put_groundings(INQUIRY, [found, other]) == 0
    assert store.groundings(inquiry_id=INQUIRY) == [found, other]
    assert store.groundings(inquiry_id=INQUIRY, as_of=NOON) == [lost, other]
    assert store.groundings(claim_id=a_claim().id) == [other]
    assert store.groundings(inquiry_id="inq-other") == []


def test_an_old_answer_that_returns_is_the_newest_again(store: Store) -> None:
    lost = a_grounding(status=GroundingStatus.UNCHECKED)
    for grounding in (a_grounding(), lost, a_grounding()):
        store.put_groundings(None, [grounding])
    assert store.groundings() == [a_grounding()]


def test_a_search_is_held_once_and_its_newest_answer_is_read(store: Store) -> None:
    store.put_claim(a_claim())
    failed = a_search(source=Source.ARXIV, n_found=None, could_not_look="HTTP 429")
    again = a_search(source=Source.ARXIV, n_found=0, searched_at=NOON + timedelta(hours=1))
    store.add_searches([failed, a_search()])
    store.clock = FrozenClock(NOON + timedelta(hours=1))
    store.add_searches([failed, again])
    assert store.searches(a_claim().id) == [a_search(), again]
    assert store.searches(a_claim().id, everything=True) == [failed, a_search(), again]
    assert store.searches(a_claim().id, NOON) == [failed, a_search()]
    assert store.searches("no-such-claim") == []


def test_nothing_can_be_held_for_a_claim_that_is_not(store: Store) -> None:
    store.put_papers([a_paper()])
    with pytest.raises(NotHeld):
        store.add_searches([a_search()])
    with pytest.raises(NotHeld):
        store.put_groundings(None, [a_grounding(claim_id=a_claim().id)])
    with pytest.raises(NotHeld):
        store.note_no_experiment(a_claim().id, "no protocol")


def test_the_newest_reason_for_no_experiment_is_given_as_of_a_day(store: Store) -> None:
    store.put_claim(a_claim())
    store.note_no_experiment(a_claim().id, "--no-lab")
    store.clock = FrozenClock(NOON + timedelta(days=1))
    store.note_no_experiment(a_claim().id, "no protocol")
    store.note_no_experiment(a_claim().id, "no protocol")
    assert store.dossier(a_claim().id).no_experiment_because == "no protocol"
    assert store.dossier(a_claim().id, as_of=NOON.date()).no_experiment_because == "--no-lab"
