"""What reports say where work narrows a claim: named though it changed nothing, and dated no finer than is known."""

import pytest

from claims.evidence import Stance
from claims.report import phrases, render
from claims.report.view import claim_view
from claims.verdict import VerdictKind
from tests.claims.test_report import Page, alone, plain
from tests.dossiers import AS_OF, FRIENDS, NARROWER, claim, dossier, paper, standing, weighed


@pytest.mark.parametrize("format", ["md", "html"])
def test_work_that_narrows_a_claim_is_named_though_it_changed_nothing(format: str) -> None:
    text = render(alone(standing()), format)
    told = Page(text).text if format == "html" else plain(text)
    said = "Nothing changed it; 1 paper narrows it, and what supports it outweighs that"
    assert said in told
    assert NARROWER.title in told[told.index(said) : told.index("What speaks for it")]
    assert "no newer evidence speaks against it" not in told


def test_nothing_is_said_to_narrow_a_claim_that_only_support_bears_on() -> None:
    friend = FRIENDS[0]
    view = claim_view(dossier(claim(), [weighed(friend, Stance.SUPPORTS)], [friend]), AS_OF)
    assert view.outweighed == ()
    assert phrases.unmoved(view) == "Nothing: no newer evidence speaks against it or narrows it."


@pytest.mark.parametrize("format", ["md", "html"])
def test_since_is_no_finer_than_the_dates_of_the_papers(format: str) -> None:
    view = claim_view(standing(), AS_OF)
    assert (str(view.since), view.since_dated) == ("2025-01-01", "2025-01")
    text = render(alone(standing()), format)
    told = Page(text).text if format == "html" else plain(text)
    assert "since 2025-01" in told
    assert "2025-01-01" not in told


def test_of_papers_that_may_be_of_one_day_the_vaguer_date_is_told() -> None:
    exact = paper("2501.00007", "2025-01-01")
    both = [weighed(exact, Stance.SUPPORTS), weighed(FRIENDS[0], Stance.SUPPORTS)]
    assert claim_view(dossier(claim(), both, [exact, FRIENDS[0]]), AS_OF).since_dated == "2025-01"
    assert claim_view(dossier(claim(), both[:1], [exact]), AS_OF).since_dated == "2025-01-01"


@pytest.mark.parametrize("stance", [Stance.QUALIFIES, Stance.CONTRADICTS])
def test_a_narrowed_sentence_is_not_given_as_its_own_durable_part(stance: Stance) -> None:
    text = "Curated examples align a model."
    bare = claim_view(dossier(claim(text), [weighed(NARROWER, stance)], [NARROWER]), AS_OF)
    assert bare.verdict
    assert bare.verdict.kind in (VerdictKind.RELAXED, VerdictKind.CONTESTED)
    assert "was not told apart: see what changed it" in phrases.durable(bare)
    parted = claim_view(dossier(claim(f"{text[:-1]} of 70B parameters."), [weighed(NARROWER, stance)], []), AS_OF)
    assert parted.verdict
    assert phrases.durable(parted) == parted.verdict.durable
    assert phrases.durable(claim_view(standing(), AS_OF)) == standing().claim.text
