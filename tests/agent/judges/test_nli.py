"""The nli judge against a real lab on loopback that serves a small model, trained on the spot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import LabRefused, LabUnreachable
from agent.judges.nli import NliJudge, batches
from claims.entailment import MOST_PAIRS, Pair
from claims.evidence import JudgeName, Stance
from tests.entailers import CLAIM as WORDS
from tests.entailers import train_entailer
from tests.factories import a_claim, a_paper
from tests.labs import LabUnderTest

pytest.importorskip("torch", reason="the extra lab is not installed")

CLAIM = a_claim(text=WORDS)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabUnderTest]:
    home = tmp_path_factory.mktemp("nli")
    loss = train_entailer(home / "entailer")
    assert loss < 0.05, f"the model for the test did not learn its task: loss {loss:.3f}"
    with LabUnderTest(home / "home", nli_model=str(home / "entailer")) as served:
        served.serve()
        yield served


@pytest.mark.slow
def test_what_the_model_says_becomes_a_stance_with_the_sentence_that_carries_it(lab: LabUnderTest) -> None:
    papers = [
        a_paper("2401.00001", abstract="We find that pruning improves accuracy."),
        a_paper("2401.00002", abstract="We find that pruning harms accuracy."),
        a_paper("2401.00003", abstract="We show that annealing harms accuracy."),
    ]
    with lab.client() as client:
        judge = NliJudge(client)
        said = judge.assess(CLAIM, papers)
    assert [a.stance for a in said] == [Stance.SUPPORTS, Stance.CONTRADICTS, Stance.NEUTRAL]
    assert [a.quotes[0].text for a in said[:2]] == [p.abstract for p in papers[:2]]
    assert all(q.is_in(p) for a, p in zip(said, papers, strict=True) for q in a.quotes)
    assert judge.ref.name is JudgeName.NLI
    assert judge.ref.version.startswith("entailer@")


@pytest.mark.slow
def test_a_lab_that_is_gone_raises_and_never_says_neutral(tmp_path: Path, lab: LabUnderTest) -> None:
    with LabUnderTest(tmp_path / "gone", nli_model=str(lab.home.parent / "entailer")) as other:
        process = other.serve()
        with other.client() as client:
            judge = NliJudge(client)
            process.kill()
            process.wait(30)
            with pytest.raises(LabUnreachable):
                judge.assess(CLAIM, [a_paper()])


@pytest.mark.slow
def test_a_lab_without_a_model_refuses_and_says_what_to_set(tmp_path: Path) -> None:
    with LabUnderTest(tmp_path) as other:
        other.serve()
        with other.client() as client, pytest.raises(LabRefused, match="RETEST_NLI_MODEL"):
            NliJudge(client)


def test_questions_are_bounded_in_number_and_in_bytes() -> None:
    many = [Pair(premise=f"p {n}", hypothesis="h") for n in range(MOST_PAIRS + 1)]
    assert [len(b) for b in batches(many)] == [MOST_PAIRS, 1]
    wide = [Pair(premise="\N{GRINNING FACE}" * 1500, hypothesis="h")] * 60
    assert [len(b) for b in batches(wide)] == [33, 27]
