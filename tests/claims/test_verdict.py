"""The verdict rule: what counts, how voices are counted, and what it never does."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claims.claim import Anchor, Scale
from claims.evidence import Evidence, ExperimentEvidence, JudgeName, JudgeRef, PaperEvidence, Quote, Stance
from claims.experiment import Outcome
from claims.paper import TextField
from claims.verdict import THRESHOLDS, Verdict, VerdictKind, decide
from claims.voices import normal_name, voices
from tests.claims.verdict_table import BEGIN, CLAIM, END, PAGE, C, Q, S, large, papers, table, toy
from tests.dossiers import AS_OF, NOW, claim, estimate, measured, paper, weighed

N = Stance.NEUTRAL


def kind(evidence: list[Evidence], as_of: date = AS_OF) -> VerdictKind:
    return decide(CLAIM, evidence, as_of).kind


def one(stance: Stance, *, on: str = "2025-06-01", id: str = "2506.10000", **more: object) -> PaperEvidence:
    authors = more.pop("authors", ("Carla Testwood",))
    return weighed(paper(id, on, authors=authors, withdrawn=more.pop("withdrawn", False)), stance, **more)


# What counts


def test_the_documented_table_is_what_the_rule_decides() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.split(BEGIN)[1].split(END)[0].strip() == table()


def test_the_documented_thresholds_are_the_ones_in_use() -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    for told in (
        f"below {THRESHOLDS.confidence_floor:.2f} it counts as unsure",
        f"at least {THRESHOLDS.outweigh:g} times the weight of the support",
        f"at least {THRESHOLDS.contest_share:.2f} of the support's weight",
        f"qualifications of {THRESHOLDS.absorbing:g} times",
        f"at least {THRESHOLDS.relax_share:.2f} of the support's weight",
    ):
        assert told in page


def test_a_withdrawn_paper_no_longer_counts() -> None:
    standing = [*papers(S), one(C), one(C, id="2506.10001", authors=("Dora Other",))]
    gone = [*papers(S), one(C, withdrawn=True), one(C, id="2506.10001", authors=("Dora Other",), withdrawn=True)]
    assert kind(standing) is VerdictKind.CONTESTED
    verdict = decide(CLAIM, gone, AS_OF)
    assert verdict.kind is VerdictKind.STANDS
    assert set(verdict.not_counted.values()) == {"the paper was withdrawn"}
    assert verdict.evidence_digest == decide(CLAIM, papers(S), AS_OF).evidence_digest


def test_an_old_record_of_a_paper_does_not_hide_its_withdrawal() -> None:
    before, after = one(C), one(C, withdrawn=True)
    assert kind([before, after]) is kind([after, before]) is VerdictKind.UNTESTED


def test_a_paper_that_may_be_older_than_the_claim_does_not_count() -> None:
    same_month = one(C, on="2023-05-30")
    same_year = one(C, on="2023", id="2306.10001")
    verdict = decide(CLAIM, [same_month, same_year], AS_OF)
    assert verdict.kind is VerdictKind.UNTESTED
    assert all("not certainly after" in why for why in verdict.not_counted.values())


def test_a_paper_after_the_day_asked_about_does_not_count() -> None:
    later = one(C, on="2026-08-22")
    assert decide(CLAIM, [later], date(2026, 8, 21)).not_counted == {
        later.id: "its date 2026-08-22 is after 2026-08-21"
    }
    assert kind([later], date(2026, 8, 22)) is VerdictKind.CONTESTED


def test_the_claims_own_anchor_is_not_evidence_for_it() -> None:
    anchored = CLAIM.model_copy(update={"anchors": (Anchor(arxiv_id="2506.10000"),)})
    verdict = decide(anchored, [one(S)], AS_OF)
    assert verdict.kind is VerdictKind.UNTESTED
    assert list(verdict.not_counted.values()) == ["it is the claim's own anchor"]


def test_a_stance_whose_quotes_were_all_discarded_does_not_count() -> None:
    verdict = decide(CLAIM, [one(C, quoted=False), one(S, id="2506.10001")], AS_OF)
    assert verdict.kind is VerdictKind.STANDS
    assert list(verdict.not_counted.values()) == ["no quote of the stored text stands behind it"]


def test_evidence_on_another_claim_does_not_count() -> None:
    assert kind([one(C, claim_id="something-else")]) is VerdictKind.UNTESTED


@pytest.mark.parametrize("outcome", [Outcome.INVALID, Outcome.INCONCLUSIVE])
def test_an_experiment_that_says_nothing_does_not_count(outcome: Outcome) -> None:
    item = measured(outcome)
    verdict = decide(CLAIM, [item], AS_OF)
    assert verdict.kind is VerdictKind.UNTESTED
    assert item.id in verdict.not_counted


def test_an_experiment_that_became_inconclusive_with_more_seeds_takes_its_word_back() -> None:
    early = measured(Outcome.REFUTES, scale=Scale.LARGE, estimate=estimate(n=4))
    late = measured(Outcome.INCONCLUSIVE, scale=Scale.LARGE, estimate=estimate(n=9))
    assert kind([early]) is VerdictKind.CONTESTED
    assert kind([late, early]) is kind([early, late]) is VerdictKind.UNTESTED


def test_an_experiment_on_another_family_does_not_count() -> None:
    assert kind([measured(Outcome.REFUTES, family="homogeneity")]) is VerdictKind.UNTESTED


def test_a_person_outranks_every_other_judge() -> None:
    person = JudgeRef(name=JudgeName.PERSON, version="Ada")
    machine = JudgeRef(name=JudgeName.LLM, version="m")
    local, llm, by_hand = one(C), one(C, judge=machine), one(S, judge=person, judged_at=NOW - timedelta(days=9))
    verdict = decide(CLAIM, [by_hand, llm, local], AS_OF)
    assert verdict.support == (by_hand.id,)
    assert set(verdict.not_counted) == {local.id, llm.id}


def test_of_one_judge_the_latest_word_counts() -> None:
    old = one(C, judge=JudgeRef(name=JudgeName.LOCAL, version="1"), judged_at=NOW - timedelta(days=1))
    new = one(S, judge=JudgeRef(name=JudgeName.LOCAL, version="2"))
    assert kind([old, new]) is kind([new, old]) is VerdictKind.STANDS


def test_a_guess_below_the_confidence_floor_is_unsure_and_not_counted() -> None:
    guess = one(C, confidence=0.49)
    verdict = decide(CLAIM, [guess, *papers(S)], AS_OF)
    assert verdict.kind is VerdictKind.STANDS
    assert verdict.rests_on_unsure and verdict.read_first == (guess.id,)


# Unsure stances


def test_an_unsure_contradiction_that_would_change_the_verdict_is_read_first() -> None:
    unsure = one(N, unsure=True, leaning=C)
    verdict = decide(CLAIM, [unsure, *papers(S)], AS_OF)
    assert (verdict.kind, verdict.rests_on_unsure, verdict.read_first) == (VerdictKind.STANDS, True, (unsure.id,))


def test_of_unsure_stances_the_likeliest_to_be_one_is_read_first_and_the_least_likely_is_cut_off() -> None:
    most = THRESHOLDS.read_first
    silent = [0.97 - 0.03 * n for n in range(most + 2)]
    leaning = [
        one(N, unsure=True, leaning=(S, C)[n % 2], confidence=c, id=f"25{n + 1:02}.10000", authors=(f"N {n}",))
        for n, c in enumerate(silent)
    ]
    verdict = decide(CLAIM, leaning, AS_OF)
    assert verdict.read_first == tuple(u.id for u in reversed(leaning))[:most]


def test_a_judge_that_could_not_judge_hides_no_other_judges_word() -> None:
    broken = one(N, unsure=True, confidence=0.0, judge=JudgeRef(name=JudgeName.LLM, version="1"))
    verdict = decide(CLAIM, [one(S), broken], AS_OF)
    assert (verdict.kind, verdict.not_counted) == (VerdictKind.STANDS, {})


def test_unsure_stances_that_could_change_nothing_are_not_read_first() -> None:
    verdict = decide(CLAIM, [one(N, unsure=True, leaning=S), *papers(S)], AS_OF)
    assert (verdict.rests_on_unsure, verdict.read_first) == (False, ())


def test_unsure_stances_that_matter_only_together_are_found() -> None:
    leaning = [one(N, unsure=True, leaning=Q, id=f"2506.1000{n}", authors=(f"Name {'abc'[n]}",)) for n in range(3)]
    verdict = decide(CLAIM, [*leaning, *papers(S, S, S)], AS_OF)
    assert verdict.kind is VerdictKind.STANDS
    assert set(verdict.read_first) == {u.id for u in leaning}


# Voices


def test_papers_that_share_an_author_are_one_voice_under_any_spelling() -> None:
    lists = [("José Núñez", "A B"), ("C D", "jose  nunez"), ("Nunez, Jose",), ("E F",)]
    assert voices(lists) == [0, 0, 0, 3]


def test_an_abbreviated_name_ties_with_the_full_name_that_it_may_stand_for() -> None:
    assert voices([("John Q. Smith",), ("J. Smith",), ("Jane Doe",), ("K. Smith",)]) == [0, 0, 2, 3]


def test_papers_without_known_authors_are_one_voice_together() -> None:
    assert voices([(), ("et al.",), ("A B",), ()]) == [0, 0, 2, 0]


def test_two_consortium_papers_that_share_a_name_by_chance_are_two_voices() -> None:
    many = [f"Given{i} Family{i}" for i in range(60)]
    assert voices([many, [*reversed(many[:10]), *(f"Other{i} Name{i}" for i in range(60))]]) == [0, 1]
    assert voices([many, [many[0], *(f"Other{i} Name{i}" for i in range(60))]]) == [0, 0]


def test_et_al_is_no_author() -> None:
    assert normal_name("Daniel Fried et al.") == "daniel fried"
    assert voices([("Daniel Fried et al.",), ("Xi Wu et al.",)]) == [0, 1]


def test_two_contradictions_of_one_group_do_not_overturn() -> None:
    assert kind(papers(C, C, same_authors=True)) is VerdictKind.CONTESTED
    assert kind(papers(C, C)) is VerdictKind.OVERTURNED


# Property tests

STANCES = st.sampled_from([S, C, Q])


@st.composite
def weighings(draw: st.DrawFn, max_size: int = 8) -> list[Evidence]:
    out: list[Evidence] = []
    for n in range(draw(st.integers(0, max_size))):
        on = date(2023, 1, 1) + timedelta(days=draw(st.integers(0, 1200)))
        authors = tuple(f"Name {'abcdefghij'[a]}" for a in draw(st.sets(st.integers(0, 9), max_size=3)))
        it = paper(f"2401.{n + 1:05}", on.isoformat(), authors=authors, withdrawn=draw(st.booleans()) and n % 3 == 0)
        unsure = draw(st.booleans()) and n % 2 == 0
        stance = draw(STANCES)
        confidence = draw(st.sampled_from([0.4, 0.7, 0.9, 1.0]))
        out.append(
            weighed(
                it, N if unsure else stance, unsure=unsure, leaning=stance if unsure else None, confidence=confidence
            )
        )
    if draw(st.booleans()):
        scale = draw(st.sampled_from(list(Scale)))
        out.append(measured(draw(st.sampled_from(list(Outcome))), scale=scale))
    return out


def essence(verdict: Verdict) -> tuple[object, ...]:
    return verdict.kind, verdict.confidence, verdict.evidence_digest, verdict.changed_by, verdict.reason


@given(weighings(), st.randoms())
@settings(max_examples=30, deadline=None)
def test_order_and_duplicates_change_nothing(evidence: list[Evidence], shuffler) -> None:
    again = [*evidence, *evidence[::2]]
    shuffler.shuffle(again)
    assert decide(CLAIM, again, AS_OF) == decide(CLAIM, evidence, AS_OF)


@given(weighings(), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_neutral_papers_change_nothing(evidence: list[Evidence], n: int) -> None:
    neutral = [weighed(paper(f"2501.{i:05}", "2025-01-01", authors=("Name a", "Name b")), N) for i in range(1, n + 1)]
    assert decide(CLAIM, [*neutral, *evidence], AS_OF) == decide(CLAIM, evidence, AS_OF)


@given(weighings(), st.dates(date(2023, 1, 1), date(2026, 8, 1)))
@settings(max_examples=30, deadline=None)
def test_what_comes_after_the_day_asked_about_never_matters(evidence: list[Evidence], as_of: date) -> None:
    known = [e for e in evidence if (e.published.start if e.kind == "paper" else e.measured_on) <= as_of]
    assert essence(decide(CLAIM, evidence, as_of)) == essence(decide(CLAIM, known, as_of))


@given(weighings(), st.dates(date(2023, 1, 1), date(2026, 8, 1)), st.integers(0, 400))
@settings(max_examples=30, deadline=None)
def test_what_counted_on_a_day_counts_on_every_later_day(evidence: list[Evidence], as_of: date, days: int) -> None:
    def counted(day: date) -> set[str]:
        verdict = decide(CLAIM, evidence, day)
        return {*verdict.support, *verdict.against, *verdict.qualifying}

    assert counted(as_of) <= counted(as_of + timedelta(days=days))


SWAPPED = {S: C, C: S, Q: Q, N: N}


@given(weighings())
@settings(max_examples=30, deadline=None)
def test_swapping_support_and_contradiction_swaps_the_sides(evidence: list[Evidence]) -> None:
    only_papers = [e for e in evidence if isinstance(e, PaperEvidence)]
    swapped = [_with_stance(e, SWAPPED[e.stance]) for e in only_papers]
    verdict, mirrored = decide(CLAIM, only_papers, AS_OF), decide(CLAIM, swapped, AS_OF)
    assert (len(verdict.support), len(verdict.against)) == (len(mirrored.against), len(mirrored.support))
    if verdict.kind is VerdictKind.OVERTURNED:
        assert mirrored.kind in (VerdictKind.STANDS, VerdictKind.RELAXED, VerdictKind.CONTESTED)
    if verdict.kind is VerdictKind.STANDS:
        assert mirrored.kind in (VerdictKind.OVERTURNED, VerdictKind.CONTESTED)
    assert (verdict.kind is VerdictKind.UNTESTED) == (mirrored.kind is VerdictKind.UNTESTED)


def _with_stance(e: PaperEvidence, stance: Stance) -> PaperEvidence:
    judged = e.assessment.model_copy(update={"stance": stance, "leaning": SWAPPED.get(e.assessment.leaning)})
    return e.model_copy(update={"assessment": judged})


@given(st.lists(st.sampled_from(list(Outcome)), max_size=6), st.sampled_from([Scale.TOY, Scale.SMALL]))
@settings(max_examples=25, deadline=None)
def test_smaller_experiments_alone_never_overturn_a_claim_about_large_models(
    outcomes: list[Outcome], scale: Scale
) -> None:
    evidence: list[Evidence] = [
        measured(outcome, scale=scale, experiment_id=f"exp-{n:012}") for n, outcome in enumerate(outcomes)
    ]
    assert kind(evidence) in (VerdictKind.UNTESTED, VerdictKind.CONTESTED)
    assert kind([*evidence, one(C)]) is not VerdictKind.OVERTURNED


@given(weighings(max_size=6))
@settings(max_examples=30, deadline=None)
def test_one_more_paper_of_the_same_authors_never_overturns(evidence: list[Evidence]) -> None:
    before = decide(CLAIM, evidence, AS_OF)
    against = [e for e in evidence if e.id in before.against and isinstance(e, PaperEvidence)]
    for e in against:
        sibling = e.model_copy(update={"paper_id": "2402.00099"})
        if before.kind is not VerdictKind.OVERTURNED:
            assert decide(CLAIM, [*evidence, sibling], AS_OF).kind is not VerdictKind.OVERTURNED


@given(weighings())
@settings(max_examples=25, deadline=None)
def test_withdrawing_every_paper_leaves_only_the_experiment(evidence: list[Evidence]) -> None:
    gone = [e.model_copy(update={"withdrawn": True}) if isinstance(e, PaperEvidence) else e for e in evidence]
    ours = [e for e in evidence if isinstance(e, ExperimentEvidence)]
    assert essence(decide(CLAIM, gone, AS_OF)) == essence(decide(CLAIM, ours, AS_OF))


# Experiments and scope


def test_one_paper_and_an_experiment_at_the_claims_scale_overturn_together() -> None:
    assert kind([*papers(C), large(Outcome.REFUTES)]) is VerdictKind.OVERTURNED
    assert kind([*papers(C), toy(Outcome.REFUTES)]) is VerdictKind.CONTESTED


def test_support_by_a_toy_experiment_alone_does_not_let_a_claim_about_large_models_stand() -> None:
    verdict = decide(CLAIM, [toy(Outcome.SUPPORTS)], AS_OF)
    assert verdict.kind is VerdictKind.UNTESTED
    assert "does not cover the claim" in verdict.reason
    about_toys = claim(scope={"scale": "toy", "family": "data-quantity"})
    assert decide(about_toys, [toy(Outcome.SUPPORTS)], AS_OF).kind is VerdictKind.STANDS


def test_two_of_our_own_experiments_are_one_voice() -> None:
    twice = [measured(Outcome.REFUTES, scale=Scale.LARGE, experiment_id=f"exp-{n:012}") for n in range(2)]
    assert kind(twice) is VerdictKind.CONTESTED


# What a verdict tells


def test_a_verdict_names_what_changed_it_strongest_first() -> None:
    weak = one(C, confidence=0.6, id="2506.10001", authors=("Dora Other",))
    strong = one(C, confidence=0.95)
    assert decide(CLAIM, [weak, strong], AS_OF).changed_by == (strong.id, weak.id)


def test_a_verdict_carries_the_durable_and_the_perishable_part() -> None:
    verdict = decide(claim("Only 1,000 curated examples match far more data."), [], AS_OF)
    assert verdict.perishable == ("Only 1,000 curated examples",)
    assert "1,000" not in verdict.durable


def test_more_agreeing_voices_make_a_verdict_surer() -> None:
    sure = [decide(CLAIM, papers(*[S] * n), AS_OF).confidence for n in (1, 2, 3)]
    assert sure == sorted(sure) and sure[0] < sure[2]


def test_a_quote_needs_its_text_to_be_evidence() -> None:
    held = paper("2506.10000", "2025-06-01")
    assert Quote.cut(held, TextField.ABSTRACT, 0, 5).is_in(held)
    assert kind([one(S)]) is VerdictKind.STANDS
