"""Refitting: thresholds keep their promise on left-out claims, and a person's labels count."""

import numpy as np
import pytest

from agent.judges import features
from agent.judges.fit import Pairs, PersonLabel, fit_stance, left_out, refit, shipped_pairs, thresholds
from agent.judges.model import ENCODER_NAMES, NEVER, STANCES, shipped_model
from claims.evidence import Stance
from tests.factories import a_claim, a_paper


def separable(n_groups: int = 30, per_group: int = 12, noise: float = 0.3) -> Pairs:
    """Pairs whose first three numbers tell the stance, through noise."""
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(n_groups), per_group)
    y = rng.integers(0, 4, len(group))
    x = rng.normal(size=(len(group), 5)) * noise
    for s in (1, 2, 3):
        x[y == s, s - 1] += 1.0
    return Pairs(x, y, np.ones(len(y)), group, np.ones(len(y), dtype=bool))


NAMES = tuple("abcde")


def test_what_can_be_told_is_told_on_left_out_claims() -> None:
    pairs = separable()
    shares = left_out(pairs, NAMES, strength=1.0)
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(pairs.y)))
    assert (shares.argmax(axis=1) == pairs.y).mean() > 0.9
    assert all(t < NEVER for t in thresholds(shares, pairs.y).values())


def test_calls_above_a_threshold_have_the_wanted_precision() -> None:
    pairs = separable(noise=0.8)
    shares = left_out(pairs, NAMES, strength=1.0)
    limits = thresholds(shares, pairs.y, wanted=0.8)
    best = 1 + shares[:, 1:].argmax(axis=1)
    for s, stance in enumerate(STANCES[1:], start=1):
        called = (best == s) & (shares[:, s] >= limits[stance] - 5e-5)
        assert not called.any() or (pairs.y[called] == s).mean() >= 0.8 - 1 / called.sum()


def test_labels_that_tell_nothing_give_a_judge_that_never_calls() -> None:
    pairs = separable()
    shuffled = pairs._replace(y=np.random.default_rng(1).permutation(pairs.y))
    limits = thresholds(left_out(shuffled, NAMES), shuffled.y)
    assert all(limits[s] == NEVER for s in STANCES[1:])


def test_a_stance_without_labels_cannot_be_fitted() -> None:
    pairs = separable()
    with pytest.raises(ValueError, match="every stance"):
        fit_stance(pairs._replace(y=np.minimum(pairs.y, 2)), NAMES)


def test_what_ships_was_fitted_on_these_features() -> None:
    shipped = shipped_pairs()
    model = shipped_model()
    assert shipped.x.shape == (len(shipped.y), len(model.stance.names))
    assert model.stance.names in (features.NAMES, features.NAMES + ENCODER_NAMES)
    assert np.isfinite(shipped.x).all() and set(shipped.y.tolist()) == {0, 1, 2, 3}


@pytest.mark.slow
def test_a_persons_labels_move_the_judge_towards_them() -> None:
    claim = a_claim(text="Small curated sets of instructions match far larger ones.")
    papers = [
        a_paper(f"2401.{i:05}", abstract=f"We study set {i}. We find that zeugmatic tuning challenges the belief.")
        for i in range(1, 9)
    ]
    labels = [PersonLabel(claim, p, Stance.CONTRADICTS) for p in papers]
    before, after = refit([]), refit(labels)
    assert refit(labels) == after
    assert (after.n_person, before.n_person) == (8, 0)
    assert before.model.version != after.model.version

    from agent.judges.local import LocalJudge
    from agent.judges.terms import shipped_rarity

    def share(model) -> float:
        judge = LocalJudge(model, shipped_rarity())
        _, x = judge.numbers(claim.text, judge.read(claim.text, papers))
        return float(model.probabilities(x)[:, STANCES.index(Stance.CONTRADICTS)].mean())

    assert share(after.model) > share(before.model)
