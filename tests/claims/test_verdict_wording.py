"""How a claim is worded is nothing to the rule: rewording keeps the verdict, negating swaps support and contradiction.

The pairs are ours. What a judge makes of a rewording is measured, not promised: `python -m tests.benchmarks.judge`.
"""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claims.evidence import PaperEvidence, Stance
from claims.family import family_of
from claims.verdict import VerdictKind, decide
from tests.dossiers import AS_OF, claim, paper, weighed


class Worded(NamedTuple):
    """One claim in three wordings."""

    text: str
    again: str
    denied: str


PAIRS = [
    Worded(
        "A thousand carefully chosen examples align a language model as well as far more data.",
        "To align a language model, 1,000 curated examples match many times more data.",
        "A thousand carefully chosen examples do not align a language model as well as far more data.",
    ),
    Worded(
        "DPO on correct and incorrect calls beats longer supervised tuning for function calling.",
        "For function calling, direct preference tuning on right and wrong calls outperforms more supervised tuning.",
        "DPO on correct and incorrect calls is no better than longer supervised tuning for function calling.",
    ),
    Worded(
        "Proxy-tuning at decoding time retains more knowledge than tuning the weights.",
        "A model that is proxy-tuned keeps knowledge that weight tuning loses.",
        "Proxy-tuning at decoding time does not retain more knowledge than tuning the weights.",
    ),
    Worded(
        "RL sharpens memorised templates, and reasoning collapses on unseen variants.",
        "Reinforcement learning reinforces memorisation: reasoning drops out of distribution.",
        "RL does not sharpen memorised templates, and reasoning generalises well to variants.",
    ),
    Worded(
        "Self-improvement is bounded by the gap between generation and verification.",
        "How well a model verifies sets the limit of its self-improvement.",
        "Self-improvement is not bounded by the gap between generation and verification.",
    ),
    Worded(
        "Different language models give strikingly similar answers to open-ended prompts.",
        "Across vendors, models converge on near-identical answers to open-ended questions.",
        "Different language models do not give strikingly similar answers to open-ended prompts.",
    ),
    Worded(
        "In-context alignment with a few examples can replace fine-tuning on alignment data.",
        "A few examples for in-context learning substitute for alignment fine-tuning.",
        "In-context alignment with a few examples cannot replace fine-tuning on alignment data.",
    ),
    Worded(
        "Chain-of-thought explanations are unfaithful to what a model computes.",
        "What a model writes as its chain of thought misstates its computation.",
        "Chain-of-thought explanations are faithful to what a model computes.",
    ),
    Worded(
        "Judges that are language models favour longer answers.",
        "Language models that judge prefer verbose answers over short ones.",
        "Judges that are language models do not favour longer answers.",
    ),
    Worded(
        "Repeating data for four epochs costs almost nothing.",
        "Up to four passes over the same data do about as well as fresh data.",
        "Repeating data for four epochs is costly.",
    ),
    Worded(
        "Models above 70B parameters no longer gain from few-shot examples.",
        "Few-shot examples stop helping once models exceed 70 billion parameters.",
        "Models above 70B parameters still gain from few-shot examples.",
    ),
    Worded(
        "Quantisation to 4 bits leaves reasoning intact.",
        "Reasoning survives when weights are stored in four bits.",
        "Quantisation to 4 bits damages reasoning.",
    ),
]
IDS = [" ".join(p.text.split()[:4]) for p in PAIRS]
SWAPPED = {Stance.SUPPORTS: Stance.CONTRADICTS, Stance.CONTRADICTS: Stance.SUPPORTS}

stances = st.lists(
    st.tuples(st.sampled_from(Stance), st.floats(0.3, 1.0), st.sampled_from(["Ada One", "Bo Two", "Cy Three"])),
    max_size=8,
)
Drawn = list[tuple[Stance, float, str]]


def evidence_of(drawn: Drawn, *, negated: bool = False) -> list[PaperEvidence]:
    return [
        weighed(
            paper(f"2501.{n:05}", "2025-01-05", authors=(author,)),
            SWAPPED.get(stance, stance) if negated else stance,
            confidence=confidence,
        )
        for n, (stance, confidence, author) in enumerate(drawn, start=1)
    ]


def papers(ids: tuple[str, ...], evidence: list[PaperEvidence]) -> set[str]:
    return {e.paper_id for e in evidence if e.id in ids}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PAIRS), stances)
def test_rewording_a_claim_changes_nothing_of_its_verdict(pair: Worded, drawn: Drawn) -> None:
    evidence = evidence_of(drawn)
    first, again = (decide(claim(text), evidence, AS_OF) for text in (pair.text, pair.again))
    told = ("kind", "confidence", "changed_by", "support", "against", "qualifying", "reason", "evidence_digest")
    assert [getattr(first, name) for name in told] == [getattr(again, name) for name in told]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PAIRS), stances)
def test_negating_a_claim_swaps_what_speaks_for_it_and_against_it(pair: Worded, drawn: Drawn) -> None:
    said, denied = evidence_of(drawn), evidence_of(drawn, negated=True)
    first, other = decide(claim(pair.text), said, AS_OF), decide(claim(pair.denied), denied, AS_OF)
    assert papers(first.support, said) == papers(other.against, denied)
    assert papers(first.against, said) == papers(other.support, denied)
    assert papers(first.qualifying, said) == papers(other.qualifying, denied)
    assert (first.kind is VerdictKind.UNTESTED) == (other.kind is VerdictKind.UNTESTED)


@pytest.mark.parametrize("pair", PAIRS, ids=IDS)
def test_what_two_voices_support_they_overturn_when_it_is_negated(pair: Worded) -> None:
    two: Drawn = [(Stance.SUPPORTS, 0.9, "Ada One"), (Stance.SUPPORTS, 0.9, "Bo Two")]
    assert decide(claim(pair.text), evidence_of(two), AS_OF).kind is VerdictKind.STANDS
    assert decide(claim(pair.denied), evidence_of(two, negated=True), AS_OF).kind is VerdictKind.OVERTURNED


@pytest.mark.parametrize("pair", PAIRS, ids=IDS)
def test_evidence_both_ways_contests_a_claim_and_its_negation_alike(pair: Worded) -> None:
    both: Drawn = [(Stance.SUPPORTS, 0.9, "Ada One"), (Stance.CONTRADICTS, 0.9, "Bo Two")]
    assert decide(claim(pair.text), evidence_of(both), AS_OF).kind is VerdictKind.CONTESTED
    assert decide(claim(pair.denied), evidence_of(both, negated=True), AS_OF).kind is VerdictKind.CONTESTED


@pytest.mark.parametrize("pair", PAIRS, ids=IDS)
def test_a_rewording_keeps_the_experiment_and_a_negation_never_borrows_it(pair: Worded) -> None:
    assert family_of(pair.again) == family_of(pair.text)
    assert family_of(pair.denied) is None
