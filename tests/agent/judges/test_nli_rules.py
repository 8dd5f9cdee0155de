"""What the nli judge makes of a model's chances, and how it is opened and told apart from one that is gone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.errors import LabRefused
from agent.graph.parts import Parts
from agent.graph.weigh import weigh
from agent.judges.nli import CALL_FROM, NliJudge
from agent.settings import Settings
from agent.wiring import open_judge
from claims.clock import FrozenClock
from claims.entailment import Answer, Chances, Pair
from claims.errors import InputError
from claims.evidence import Stance
from claims.served import ServedModel
from claims.store import Store
from tests.entailers import CLAIM as WORDS
from tests.entailers import train_entailer
from tests.factories import NOON, a_claim, a_paper
from tests.labs import TOKEN, LabUnderTest, kill

CLAIM = a_claim(text=WORDS, inquiry_id=None)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabUnderTest]:
    pytest.importorskip("torch", reason="the extra lab is not installed")
    home = tmp_path_factory.mktemp("nli")
    train_entailer(home / "entailer")
    with LabUnderTest(home / "home", nli_model=str(home / "entailer")) as served:
        served.serve()
        yield served


class Scripted:
    """Answers by words in the premise, in place of a model."""

    def __init__(self, **by_word: tuple[float, float]) -> None:
        self.by_word = by_word
        self.named = ServedModel(name="scripted", version="1")
        self.asked: list[Pair] = []

    def entailment_model(self) -> ServedModel:
        return self.named

    def entail(self, pairs: Sequence[Pair]) -> Answer:
        self.asked += pairs
        given = [next((v for w, v in self.by_word.items() if w in p.premise), (0.02, 0.02)) for p in pairs]
        return Answer(
            model=self.named,
            chances=tuple(Chances(entailment=e, contradiction=c, neutral=round(1 - e - c, 4)) for e, c in given),
        )


@pytest.mark.parametrize(
    ("abstract", "stance", "leaning"),
    [
        ("We find that pruning wins.", Stance.SUPPORTS, None),
        ("We find that pruning loses.", Stance.CONTRADICTS, None),
        ("We find that pruning probably wins.", Stance.NEUTRAL, Stance.SUPPORTS),
        ("We find that pruning wins. We find that pruning loses.", Stance.NEUTRAL, Stance.SUPPORTS),
        ("Recent work commonly assumes that pruning wins.", Stance.NEUTRAL, None),
        ("We count birds.", Stance.NEUTRAL, None),
    ],
)
def test_only_a_sentence_of_the_papers_own_that_is_sure_and_unopposed_is_a_stance(
    abstract: str, stance: Stance, leaning: Stance | None
) -> None:
    lab = Scripted(probably=(CALL_FROM - 0.01, 0.0), wins=(0.97, 0.01), loses=(0.01, 0.96))
    paper = a_paper(title="On pruning", abstract=abstract)
    (said,) = NliJudge(lab).assess(CLAIM, [paper])
    assert (said.stance, said.leaning, said.unsure) == (stance, leaning, leaning is not None)
    assert all(q.is_in(paper) for q in said.quotes)
    assert bool(said.quotes) == (stance is not Stance.NEUTRAL or leaning is not None)
    assert {p.hypothesis for p in lab.asked} == {CLAIM.text}


def test_a_paper_without_text_is_unsure_and_asks_nothing() -> None:
    lab = Scripted()
    (said,) = NliJudge(lab).assess(CLAIM, [a_paper(title=" ", abstract=None)])
    assert (said.unsure, lab.asked) == (True, [])


def test_a_lab_that_serves_another_model_now_is_refused() -> None:
    lab = Scripted(wins=(0.97, 0.01))
    judge = NliJudge(lab)
    lab.named = ServedModel(name="scripted", version="2")
    with pytest.raises(LabRefused, match="scripted@2 now"):
        judge.assess(CLAIM, [a_paper()])


def test_half_a_surrogate_in_a_text_is_sent_as_a_question_mark() -> None:
    lab = Scripted()
    NliJudge(lab).assess(CLAIM, [a_paper(abstract="We find \ud800 things.")])
    assert "We find ? things." in {p.premise for p in lab.asked}


def test_without_a_model_and_a_lab_the_judge_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="RETEST_NLI_MODEL"):
        open_judge("nli", Settings(home=tmp_path))


@pytest.mark.slow
def test_the_configured_lab_is_asked_and_another_model_than_the_configured_one_is_refused(
    tmp_path: Path, lab: LabUnderTest
) -> None:
    with lab.client() as client:
        url = client.url
    settings = Settings(home=tmp_path, lab_url=url, lab_token=TOKEN)
    assert open_judge("nli", settings).ref.version.startswith("entailer@")
    with pytest.raises(InputError, match="serves 'entailer'"):
        open_judge("nli", settings.model_copy(update={"nli_model": "somebody/another"}))
    with pytest.raises(LabRefused, match="RETEST_LAB_TOKEN"):
        open_judge("nli", Settings(home=tmp_path, lab_url=url, lab_token="wrong"))


@pytest.mark.slow
def test_a_lab_that_goes_away_is_told_as_could_not_judge_and_leaves_no_evidence(
    tmp_path: Path, lab: LabUnderTest
) -> None:
    with (
        LabUnderTest(tmp_path / "gone", nli_model=str(lab.home.parent / "entailer")) as other,
        Store.open(f"sqlite:///{tmp_path / 's.sqlite3'}", clock=FrozenClock(NOON)) as store,
    ):
        process = other.serve()
        paper = a_paper(abstract="We find that pruning improves accuracy.")
        store.put_claim(CLAIM)
        store.put_papers([paper])
        with other.client() as client:
            parts = Parts(store=store, sources={}, judge=NliJudge(client), clock=FrozenClock(NOON))
            kill(process)
            done = weigh({"claim_id": CLAIM.id, "paper_ids": [paper.id]}, parts)
            assert (done["n_judged"], done["n_unjudged"]) == (0, 1)
            assert "lab" in str(done["problems"])
            assert store.evidence(CLAIM.id, everything=True) == []
