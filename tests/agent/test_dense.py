"""Text vectors as a second opinion: encoded once, asked of a real lab, and never in the way when they fail."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent import wiring
from agent.dense import Nearness
from agent.errors import LabRefused, LabUnreachable
from agent.settings import Settings
from agent.sources.mirror import MirrorSource
from claims.claim import Claim
from claims.clock import FrozenClock
from claims.dates import StatedDate
from claims.errors import InputError
from claims.paper import Paper, Source
from claims.paper_index import PaperIndex
from claims.served import ServedModel
from claims.store import Store
from claims.vectors import MOST_TEXTS, Texts, Vectors, as_text, packed
from tests.encoders import make_encoder
from tests.factories import NOON, a_paper
from tests.labs import TOKEN, LabUnderTest, kill

CLAIM = Claim(id="c", text="Adapters cause no forgetting.", asserted_on=StatedDate.parse("2024-01"))


class Counting:
    """An encoder that counts letters, and what it was asked."""

    def __init__(self) -> None:
        self.named = ServedModel(name="letters", version="1")
        self.asked: list[str] = []
        self.is_gone = False

    def encoder(self) -> ServedModel:
        """Name the model."""
        return self.named

    def encode(self, texts: Texts) -> Vectors:
        """Give shares of the letters a to z."""
        if self.is_gone:
            raise LabUnreachable("the lab is gone")
        self.asked += texts.texts
        counts = [np.array([text.lower().count(chr(97 + n)) + 0.01 for n in range(26)]) for text in texts.texts]
        vectors = tuple(as_text(packed((v / np.linalg.norm(v)).astype(np.float32))) for v in counts)
        return Vectors(model=self.named, vectors=vectors)


def paper(n: int, title: str, abstract: str) -> Paper:
    """A paper after the claim."""
    return a_paper(id=f"2503.{n:05}", title=title, abstract=abstract, sources=frozenset({Source.MIRROR}))


def test_a_text_is_encoded_once_also_by_the_next_process(tmp_path: Path) -> None:
    papers = [paper(n, f"Paper {n}", "zz" * (n + 1)) for n in range(1, MOST_TEXTS + 4)]
    first = Counting()
    near = Nearness(first, tmp_path)
    said = near(CLAIM, [], papers)
    assert len(first.asked) == len(papers) + 1
    assert near(CLAIM, [], papers[::-1]) == pytest.approx(said[::-1], abs=1e-6)
    assert len(first.asked) == len(papers) + 1
    near.close()
    second = Counting()
    assert Nearness(second, tmp_path)(CLAIM, [], papers) == pytest.approx(said, abs=1e-6)
    assert second.asked == []
    third = Counting()
    third.named = ServedModel(name="letters", version="2")
    Nearness(third, tmp_path)(CLAIM, [], papers)
    assert len(third.asked) == len(papers) + 1, "another version's vectors are not mixed in"


def test_what_a_claim_rests_on_draws_papers_near(tmp_path: Path) -> None:
    near = Nearness(Counting(), tmp_path)
    quizzes, plain = paper(1, "Quizzes", "quizzes"), paper(2, "Moons", "moons")
    alone = near(CLAIM, [], [quizzes, plain])
    with_anchor = near(CLAIM, [paper(3, "Quiz", "quiz")], [quizzes, plain])
    assert with_anchor[0] - alone[0] > with_anchor[1] - alone[1]


def test_a_file_of_vectors_that_is_broken_costs_time_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "vectors.sqlite3").write_bytes(b"no database" * 100)
    encoder = Counting()
    near = Nearness(encoder, tmp_path)
    assert near(CLAIM, [], [paper(1, "One", "one")]) == near(CLAIM, [], [paper(1, "One", "one")])
    assert len(encoder.asked) == 4


def test_a_lab_that_serves_another_encoder_now_or_answers_nonsense_is_refused(tmp_path: Path) -> None:
    encoder = Counting()
    near = Nearness(encoder, tmp_path)
    encoder.named = ServedModel(name="letters", version="2")
    with pytest.raises(LabRefused, match="letters@2 now"):
        near(CLAIM, [], [paper(1, "One", "one")])


def test_half_a_surrogate_in_a_text_is_sent_as_a_question_mark(tmp_path: Path) -> None:
    encoder = Counting()
    Nearness(encoder, tmp_path)(CLAIM, [], [paper(1, "One", "half \ud800 a pair")])
    assert "One. half ? a pair" in encoder.asked


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Store, MirrorSource]]:
    """A mirror in which the words' favourite speaks of the weather, and what the encoder prefers of far things."""
    with Store.open(f"sqlite:///{tmp_path / 's.sqlite3'}", clock=FrozenClock(NOON)) as store:
        filler = [paper(n, f"Balloons {n}", "adapters of rain, proteins, oceans, galaxies") for n in range(10, 16)]
        words = paper(1, "Adapters, no, adapters", "We find adapters: no tuning, continual, weather, rain.")
        matter = paper(2, "LoRA", "We find adapters: lost, erased galaxies, proteins, planets, oceans.")
        store.put_papers([*filler, words, matter])
        source = MirrorSource(store, PaperIndex.open(tmp_path / "index"))
        yield store, source


@pytest.mark.slow
def test_the_configured_encoder_reorders_a_search_and_a_lab_that_goes_away_leaves_the_order_without_it(
    tmp_path: Path, mirror: tuple[Store, MirrorSource]
) -> None:
    pytest.importorskip("sentence_transformers", reason="the extra lab is not installed")
    store, source = mirror
    make_encoder(tmp_path / "meanings")

    def look(settings: Settings) -> tuple[list[str], str]:
        search = wiring.claim_searches({Source.MIRROR: source}, store, settings)[Source.MIRROR]
        found = search(CLAIM, anchors=[], since=None, until=None, limit=2)
        return [one.id for one, _ in found.papers], found.note

    plain = Settings(home=tmp_path / "home")
    assert look(plain) == (["2503.00001", "2503.00002"], "")
    with LabUnderTest(tmp_path / "lab", dense_model=str(tmp_path / "meanings")) as lab:
        server = lab.serve("--no-worker")
        with lab.client() as client:
            reached = {"lab_url": client.url, "lab_token": TOKEN, "http_timeout_s": 5}
        settings = Settings(home=tmp_path / "home", dense_model="meanings", **reached)
        assert look(settings) == (["2503.00002", "2503.00001"], "")
        with pytest.raises(InputError, match="RETEST_DENSE_MODEL is 'somebody/another'"):
            look(Settings(home=tmp_path / "other", dense_model="somebody/another", **reached))
        kill(server)
        (tmp_path / "home" / "vectors.sqlite3").unlink()
        kept = wiring._DENSE.pop((settings.home, settings.lab_url, settings.dense_model))
        kept._kept.close()
        wiring._DENSE[settings.home, settings.lab_url, settings.dense_model] = kept
        ids, note = look(settings)
        assert ids == ["2503.00001", "2503.00002"]
        assert "without the sentence encoder, which failed" in note
