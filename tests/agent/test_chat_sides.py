"""A model's sentence may not take a side that its evidence does not take, nor give a claim another verdict."""

import pytest

from agent.chat.model import Checker, excerpts
from claims.dossier import Dossier
from claims.evidence import Stance
from claims.report.view import claim_view
from tests.dossiers import AS_OF, FRIENDS, NARROWER, claim, dossier, paper, standing, weighed

FOE = paper("2502.00008", "2025-02", authors=("Fay Foe",))


def checker(of: Dossier) -> Checker:
    return excerpts([claim_view(of, AS_OF)])[1]


def evidence_on(of: Dossier, paper_id: str) -> str:
    return next(e.id for e in of.evidence if e.kind == "paper" and e.paper_id == paper_id)


def passed(of: Dossier, said: str, *paper_ids: str) -> bool:
    ids = ", ".join(evidence_on(of, id) for id in paper_ids)
    return checker(of).check(f"{said} [{ids}]") is not None


def overturned() -> Dossier:
    foes = [FOE, paper("2502.00010", "2025-02", authors=("Finn Foe",))]
    return dossier(claim(), [weighed(p, Stance.CONTRADICTS) for p in foes], foes)


@pytest.mark.parametrize(
    "said",
    [
        "LIMA does not hold any more and was refuted by larger studies.",
        "LIMA doesn’t hold up.",
        "The claim no longer holds.",
        "The claim is no longer valid.",
        "LIMA fails on larger models.",
        "LIMA was debunked.",
        "LIMA was re\u200bfuted.",
        "LIMA was ｒefuted.",
        "The claim has been shown to be false.",
        "The claim is false.",
        "It is not true.",
        "This paper supports LIMA strongly.",
        "This paper “supports” LIMA.",
        "This paper does not support LIMA.",
        "No study confirms LIMA.",
        "This paper contradicts LIMA.",
        "This paper undermines LIMA.",
        "LIMA is contested.",
        "This is not new. It was refuted.",
        "Nobody says that it was not refuted.",
    ],
)
def test_a_paper_that_only_narrows_a_claim_is_no_ground_for_either_side(said: str) -> None:
    assert not passed(standing(), said, NARROWER.id)


@pytest.mark.parametrize(
    "said",
    [
        "A later paper narrows it.",
        "The training settings matter.",
        "The claim stands, and one paper narrows it.",
        "The paper says “we find that the effect holds in most settings”.",
        "Nothing here contradicts it.",
    ],
)
def test_what_a_narrowing_paper_does_say_comes_through(said: str) -> None:
    assert passed(standing(), said, NARROWER.id)


@pytest.mark.parametrize(
    ("said", "comes_through"),
    [
        ("This paper supports it.", True),
        ("The claim still holds.", True),
        ("It has not been refuted.", True),
        ("This paper does not support it.", False),
        ("This paper contradicts it.", False),
        ("The claim no longer holds.", False),
        ("Two papers narrow it, and this one narrows it most.", False),
    ],
)
def test_a_supporting_paper_is_ground_for_support_alone(said: str, comes_through: bool) -> None:
    assert passed(standing(), said, FRIENDS[0].id) is comes_through


@pytest.mark.parametrize(
    ("said", "comes_through"),
    [
        ("This paper contradicts it.", True),
        ("The claim was refuted.", True),
        ("It does not hold any more.", True),
        ("The claim still holds.", False),
        ("The claim is true.", False),
        ("It was never refuted.", False),
        ("This paper does not contradict it.", False),
        ("This paper supports it.", False),
    ],
)
def test_of_an_overturned_claim_only_its_fall_is_said(said: str, comes_through: bool) -> None:
    assert passed(overturned(), said, FOE.id) is comes_through


def test_a_sentence_over_both_sides_must_tell_both() -> None:
    foe = weighed(FOE, Stance.CONTRADICTS)
    both = dossier(claim(), [weighed(FRIENDS[0], Stance.SUPPORTS), foe], [FRIENDS[0], FOE])
    assert passed(both, "One paper supports it and another contradicts it.", FRIENDS[0].id, FOE.id)
    assert not passed(both, "Two papers support it.", FRIENDS[0].id, FOE.id)
    assert not passed(both, "Two papers contradict it.", FRIENDS[0].id, FOE.id)
