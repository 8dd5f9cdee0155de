"""How near texts are by the word vectors that ship."""

import random

import numpy as np
import pytest

from agent.judges.model import shipped_model
from agent.word_vectors import KEPT_PAPERS, WordVectors, shipped_word_vectors
from claims.claim import Claim
from claims.dates import StatedDate
from claims.paper import Paper, Source

CLAIM = Claim(id="c", text="Low-rank adapters forget less.", asserted_on=StatedDate.parse("2024-05"))


def paper(number: int, title: str, abstract: str | None) -> Paper:
    return Paper(
        id=f"2501.{number:05}",
        title=title,
        abstract=abstract,
        published=StatedDate.parse("2025-01-02"),
        source=Source.MIRROR,
    )


ON_IT = paper(1, "Parameter-efficient tuning", "LoRA preserves what a model knew; catastrophic erasure is rare.")
BESIDE = paper(2, "Diffusion for image synthesis", "A sampler draws pictures of birds in fewer steps.")
WORDLESS = paper(3, "\u4e2d\u6587", None)


def test_a_paper_that_shares_no_word_with_a_claim_is_nearer_than_one_on_another_matter() -> None:
    on_it, beside = shipped_word_vectors().nearness(CLAIM, [], [ON_IT, BESIDE])
    assert on_it > beside + 0.2


def test_what_a_claim_rests_on_pulls_papers_near() -> None:
    vectors = shipped_word_vectors()
    alone, with_anchor = (vectors.nearness(CLAIM, anchors, [ON_IT, BESIDE]) for anchors in ([], [BESIDE]))
    assert with_anchor[1] - alone[1] == pytest.approx(0.5, abs=2e-4)
    assert with_anchor[1] - alone[1] > with_anchor[0] - alone[0]


def test_a_text_of_no_known_word_is_near_nothing_and_breaks_nothing() -> None:
    vectors = shipped_word_vectors()
    assert vectors.nearness(CLAIM, [], [WORDLESS, ON_IT, WORDLESS])[0] == 0.0
    assert vectors.nearness(CLAIM, [WORDLESS], []) == []
    assert vectors.of_papers([]).shape == vectors.of([]).shape == (0, 128)
    assert not vectors.of(["", "\ud800", "?!"]).any()


def test_vectors_are_the_plain_sum_of_distinct_words_and_of_length_one() -> None:
    vectors = WordVectors({"bird": 0, "sing": 1}, np.array([[3.0, 0.0], [0.0, 4.0]], dtype=np.float32), "v")
    assert np.allclose(vectors.of(["Birds sing, birds!", "sing", "stones"]), [[0.6, 0.8], [0, 1], [0, 0]])


def test_company_and_order_change_no_answer() -> None:
    vectors = shipped_word_vectors()
    papers = [paper(n, f"Reward models {n}", "A study of preference and verification. " * n) for n in range(1, 30)]
    texts = [f"{p.title} {p.abstract}" for p in papers]
    alone = {text: vectors.of([text])[0] for text in texts}
    mixed = random.Random(0).sample([*texts, "", *texts], 2 * len(texts) + 1)
    for text, vector in zip(mixed, vectors.of(mixed), strict=True):
        assert np.allclose(vector, alone.get(text, 0.0), atol=1e-6)


def test_what_lies_far_behind_in_a_text_is_not_read() -> None:
    vectors = shipped_word_vectors()
    long = "reward model " * 1000
    assert np.array_equal(vectors.of([long]), vectors.of([long + "penguins " * 100_000]))


def test_the_judge_was_fitted_with_the_vectors_that_ship() -> None:
    assert shipped_model().word_vectors == shipped_word_vectors().version


def test_a_paper_read_before_is_read_anew_when_its_text_changes() -> None:
    vectors = shipped_word_vectors()
    before = vectors.nearness(CLAIM, [], [BESIDE])
    assert vectors.nearness(CLAIM, [], [BESIDE.model_copy(update={"abstract": ON_IT.abstract})]) > before


def test_what_stays_in_memory_has_an_end() -> None:
    vectors = WordVectors({"bird": 0}, np.ones((1, 2), dtype=np.float32), "v")
    for start in range(1, KEPT_PAPERS + 3000, 1000):
        vectors.of_papers([paper(n, f"Bird {n}", None) for n in range(start, start + 1000)])
    assert len(vectors._papers) == KEPT_PAPERS
