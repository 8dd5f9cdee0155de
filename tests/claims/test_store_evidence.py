"""Evidence and experiments in the store: appended, and chosen when read."""

from datetime import date, timedelta

import pytest

from claims.clock import FrozenClock
from claims.errors import NotHeld, QuoteMismatch
from claims.evidence import Assessment, JudgeName, JudgeRef, Quote, Stance
from claims.experiment import Outcome, RunState
from claims.paper import TextField
from claims.store import Store
from tests.factories import (
    LOCAL,
    NOON,
    PERSON,
    a_claim,
    a_paper,
    a_result,
    an_assessment,
    an_experiment,
    experiment_evidence,
    paper_evidence,
)

CLAIM = a_claim().id
LATER = NOON + timedelta(days=1)


@pytest.fixture
def held(store: Store) -> Store:
    """A store with one claim and two papers."""
    store.put_claim(a_claim())
    store.put_papers([a_paper(), a_paper("2401.00002")])
    return store


def no_word(judge: JudgeRef) -> Assessment:
    """What a judge says that could not judge."""
    return an_assessment(stance=Stance.NEUTRAL, confidence=0.0, unsure=True, judge=judge)


def test_the_same_evidence_is_held_once(held: Store) -> None:
    items = [paper_evidence(), paper_evidence(a_paper("2401.00002")), experiment_evidence()]
    assert held.add_evidence(items) == 3
    assert held.add_evidence([*items, items[0]]) == 0
    assert held.evidence(CLAIM, everything=True) == items
    assert held.evidence_by_id(items[2].id) == items[2]
    with pytest.raises(NotHeld):
        held.evidence_by_id("ev-000000000000")


def test_a_person_outranks_a_model_and_a_model_the_local_judge_whatever_came_last(held: Store) -> None:
    person = paper_evidence(stance=Stance.CONTRADICTS, judge=PERSON)
    llm = paper_evidence(stance=Stance.QUALIFIES, judge=JudgeRef(name=JudgeName.LLM, version="p1"))
    nli = paper_evidence(judge=JudgeRef(name=JudgeName.NLI, version="m1"))
    local = paper_evidence(stance=Stance.NEUTRAL)
    for expected, item in ((llm, llm), (person, person), (person, nli), (person, local)):
        held.add_evidence([item])
        assert held.evidence(CLAIM) == [expected]
    assert len(held.evidence(CLAIM, everything=True)) == 4


def test_within_a_rank_the_newest_stance_counts(held: Store) -> None:
    first = paper_evidence()
    second = paper_evidence(stance=Stance.NEUTRAL, judge=JudgeRef(name=JudgeName.LOCAL, version="2"))
    held.add_evidence([first])
    held.clock = FrozenClock(LATER)
    held.add_evidence([second])
    assert held.evidence(CLAIM) == [second]
    assert held.evidence(CLAIM, as_of=NOON) == [first]
    assert held.evidence(CLAIM, as_of=NOON - timedelta(seconds=1)) == []


def test_a_person_may_come_back_to_an_earlier_stance(held: Store) -> None:
    yes = paper_evidence(judge=PERSON)
    no = paper_evidence(stance=Stance.CONTRADICTS, judge=PERSON, judged_at=NOON + timedelta(hours=1))
    yes_again = paper_evidence(judge=PERSON, judged_at=NOON + timedelta(hours=2))
    assert [held.add_evidence([item]) for item in (yes, no, yes_again)] == [1, 1, 1]
    assert held.evidence(CLAIM) == [yes_again]
    assert held.evidence_by_id(yes.id) == yes_again


def test_a_person_may_give_the_same_stance_with_other_words_or_another_reason(held: Store) -> None:
    first = paper_evidence(judge=PERSON)
    said = an_assessment(judge=PERSON, explanation="Ada, 2026-08-21: their second table")
    better = paper_evidence(assessment=said, judged_at=NOON + timedelta(hours=1))
    assert [held.add_evidence([item]) for item in (first, better, better)] == [1, 1, 0]
    assert held.evidence(CLAIM) == [better]
    assert held.evidence(CLAIM, everything=True) == [first, better]


def test_a_judge_that_could_not_judge_takes_nothing_from_one_that_could(held: Store) -> None:
    sound = paper_evidence()
    broken = paper_evidence(
        assessment=no_word(JudgeRef(name=JudgeName.LLM, version="p1")), judged_at=NOON + timedelta(hours=1)
    )
    other = paper_evidence(a_paper("2401.00002"), assessment=no_word(JudgeRef(name=JudgeName.LLM, version="p1")))
    held.add_evidence([sound, other])
    held.add_evidence([broken])
    assert held.evidence(CLAIM) == [sound, other], "where nobody else judged, that it was not judged is all there is"


def test_a_stance_that_a_person_takes_back_gives_way_to_what_was_said_before(held: Store) -> None:
    local = paper_evidence()
    ben = paper_evidence(stance=Stance.QUALIFIES, judge=JudgeRef(name=JudgeName.PERSON, version="Ben"))
    ada = paper_evidence(stance=Stance.CONTRADICTS, judge=PERSON, judged_at=NOON + timedelta(hours=1))
    back = paper_evidence(assessment=no_word(PERSON), judged_at=NOON + timedelta(hours=2))
    for items, current in (([local], local), ([ben], ben), ([ada], ada), ([back], ben)):
        held.add_evidence(items)
        assert held.evidence(CLAIM) == [current]
    assert held.evidence(CLAIM, everything=True) == [local, ben, ada, back]


def test_going_back_to_a_version_of_a_judge_judges_again_and_counts_again(held: Store) -> None:
    refitted = JudgeRef(name=JudgeName.LOCAL, version="1+refit")
    first = paper_evidence()
    second = paper_evidence(stance=Stance.NEUTRAL, judge=refitted, judged_at=NOON + timedelta(hours=1))
    back = paper_evidence(judged_at=NOON + timedelta(hours=2))
    held.add_evidence([first])
    held.add_evidence([second])
    assert (held.judged(CLAIM, LOCAL), len(held.judged(CLAIM, refitted))) == (set(), 1)
    assert held.add_evidence([first]) == 0, "what was judged before is no way back"
    assert held.add_evidence([back]) == 1
    assert held.evidence(CLAIM) == [back]
    assert (len(held.judged(CLAIM, LOCAL)), held.judged(CLAIM, refitted)) == (1, set())
    assert held.add_evidence([back.model_copy(update={"judged_at": NOON + timedelta(hours=3)})]) == 0


def test_a_repeated_write_of_an_older_stance_does_not_undo_the_newer(held: Store) -> None:
    yes = paper_evidence(judge=PERSON)
    no = paper_evidence(stance=Stance.CONTRADICTS, judge=PERSON, judged_at=NOON + timedelta(hours=1))
    held.add_evidence([yes])
    held.add_evidence([no])
    assert held.add_evidence([yes]) == 0
    assert held.evidence(CLAIM) == [no]


def test_a_withdrawn_paper_is_shown_as_withdrawn_from_the_day_we_knew(held: Store) -> None:
    held.add_evidence([paper_evidence()])
    held.clock = FrozenClock(LATER)
    held.put_papers([a_paper(withdrawn=True, withdrawn_because="error", updated_on=date(2026, 8, 22))])
    assert [e.withdrawn for e in held.evidence(CLAIM)] == [True]
    assert [e.withdrawn for e in held.evidence(CLAIM, as_of=NOON)] == [False]
    assert held.evidence_by_id(paper_evidence().id).withdrawn
    for as_of, known in ((None, (True, "error")), (LATER, (True, "error")), (NOON, (False, None))):
        (paper,) = held.dossier(CLAIM, as_of=as_of).papers.values()
        assert (paper.withdrawn, paper.withdrawn_because) == known
    held.clock = FrozenClock(LATER + timedelta(days=1))
    held.put_papers([a_paper(withdrawn=False, updated_on=date(2026, 8, 30))])
    told = [next(iter(held.dossier(CLAIM, as_of=day).papers.values())).withdrawn for day in (NOON, LATER, None)]
    assert told == [False, True, False]


def test_a_quote_that_is_not_in_the_text_is_refused_and_nothing_is_written(held: Store) -> None:
    good = paper_evidence(a_paper("2401.00002"))
    forged = Quote(field=TextField.ABSTRACT, start=0, text="We show the opposite")
    bad = paper_evidence(assessment=an_assessment(quotes=(forged,)))
    with pytest.raises(QuoteMismatch, match="We show the opposite"):
        held.add_evidence([good, bad])
    assert held.evidence(CLAIM) == []


def test_a_quote_of_a_text_that_is_not_held_is_refused(held: Store) -> None:
    unseen = a_paper(abstract="A text that no source gave us.")
    with pytest.raises(QuoteMismatch, match="not held"):
        held.add_evidence([paper_evidence(unseen)])


def test_a_quote_of_a_superseded_text_still_holds(held: Store) -> None:
    judged = a_paper()
    held.put_papers([a_paper(abstract="Rewritten.", updated_on=date(2026, 1, 1))])
    assert held.add_evidence([paper_evidence(judged)]) == 1


def test_evidence_for_what_is_not_held_is_refused(held: Store) -> None:
    with pytest.raises(NotHeld, match=r"paper '2401\.00009'"):
        held.add_evidence([paper_evidence(a_paper("2401.00009"))])
    with pytest.raises(NotHeld, match="claim 'another'"):
        held.add_evidence([experiment_evidence(claim_id="another")])


def test_what_a_judge_has_judged_is_told_by_exact_version(held: Store) -> None:
    held.add_evidence([paper_evidence(), paper_evidence(a_paper("2401.00002"), Stance.NEUTRAL)])
    seen = {(p.id, p.text_digest) for p in (a_paper(), a_paper("2401.00002"))}
    assert held.judged(CLAIM, LOCAL) == seen
    assert held.judged(CLAIM, JudgeRef(name=JudgeName.LOCAL, version="2")) == set()
    assert held.judged("another", LOCAL) == set()


def test_an_experiment_counts_once_with_its_most_seeds(held: Store) -> None:
    four, eight = experiment_evidence(4), experiment_evidence(8, Outcome.SUPPORTS)
    held.add_evidence([eight])
    held.add_evidence([four])
    assert held.evidence(CLAIM) == [eight]
    assert held.evidence(CLAIM, everything=True) == [eight, four]


def test_an_experiment_is_read_as_it_was_last_seen(held: Store) -> None:
    queued = an_experiment(CLAIM)
    done = an_experiment(CLAIM, state=RunState.SUCCEEDED, result=a_result())
    free = an_experiment(None)
    held.put_experiment(queued)
    held.put_experiment(free)
    held.clock = FrozenClock(LATER)
    held.put_experiment(done)
    held.put_experiment(done)
    assert held.experiments() == [done, free]
    assert held.experiments(CLAIM) == [done]
    assert held.experiments(CLAIM, as_of=NOON) == [queued]
    assert held.experiment(done.id) == done
    with pytest.raises(NotHeld, match="experiment 'exp-0'"):
        held.experiment("exp-0")
    with pytest.raises(NotHeld):
        held.put_experiment(an_experiment("another"))
