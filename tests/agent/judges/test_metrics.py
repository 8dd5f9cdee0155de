"""Figures agree with a slower, plainer count, and say when there is nothing to divide."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from agent.judges.metrics import figures, leave_one_out_majority, macro_f1, majority, per_class, wilson

LABELS = ("n", "s", "q", "c")
PAIRS = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=60)


@settings(max_examples=25, deadline=None)
@given(PAIRS)
def test_per_class_figures_equal_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    truth, said = [t for t, _ in pairs], [s for _, s in pairs]
    for c in per_class(truth, said, LABELS):
        args = {"labels": [c.label], "average": None, "zero_division": 0}
        assert c.f1 == pytest.approx(f1_score(truth, said, **args)[0])
        assert (c.precision or 0) == pytest.approx(precision_score(truth, said, **args)[0])
        assert (c.recall or 0) == pytest.approx(recall_score(truth, said, **args)[0])
        assert (c.precision is None) == (c.called == 0)


@settings(max_examples=25, deadline=None)
@given(PAIRS)
def test_macro_f1_averages_over_the_labels_that_occur(pairs: list[tuple[str, str]]) -> None:
    truth, said = [t for t, _ in pairs], [s for _, s in pairs]
    expected = f1_score(truth, said, labels=sorted(set(truth)), average="macro", zero_division=0)
    assert macro_f1(truth, said, LABELS) == pytest.approx(expected)


def test_silence_has_no_precision() -> None:
    quiet = figures("quiet", ["s", "n"], ["n", "n"], LABELS, silent="n")
    assert (quiet.called, quiet.called_precision, quiet.called_precision_interval) == (0, None, None)
    assert quiet.called_recall == 0.0


def test_a_call_of_the_wrong_stance_is_a_wrong_call() -> None:
    f = figures("f", ["s", "s", "n", "c"], ["s", "c", "s", "n"], LABELS, silent="n")
    assert (f.called, f.called_correct) == (3, 1)
    assert f.called_recall == pytest.approx(1 / 3)


def test_figures_of_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 labels and 1 predictions"):
        figures("f", ["s", "n"], ["s"], LABELS)


def test_wilson_interval_matches_published_values() -> None:
    low, high = wilson(7, 10)  # R's prop.test(7, 10, correct = FALSE): 0.3968 to 0.8922
    assert (low, high) == (pytest.approx(0.3968, abs=1e-3), pytest.approx(0.8922, abs=1e-3))
    assert wilson(0, 5).low == 0.0 and wilson(5, 5).high == 1.0
    with pytest.raises(ValueError, match="nothing"):
        wilson(0, 0)


def test_the_year_alone_is_predicted_without_the_claim_itself() -> None:
    truth = ["stands", "untested", "untested", "stands"]
    assert leave_one_out_majority(truth, list("abcd"), [2024, 2026, 2026, 2023]) == [
        "untested",
        "untested",
        "untested",
        "untested",
    ]
    assert majority(["b", "a"]) == "a"


def test_the_bootstrap_interval_holds_the_score_and_is_the_same_every_time() -> None:
    truth = ["s", "n", "c", "n", "q"] * 8
    said = ["s", "n", "n", "s", "n"] * 8
    groups = [i // 7 for i in range(40)]
    first = figures("f", truth, said, LABELS, silent="n", groups=groups)
    assert first == figures("f", truth, said, LABELS, silent="n", groups=groups)
    assert first.macro_f1_interval is not None
    low, high = first.macro_f1_interval
    assert low < first.macro_f1 < high
