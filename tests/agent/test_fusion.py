"""Several ranked answers made one."""

import itertools
import random

from agent.fusion import OFFSET, RankedAnswer, fuse, standardised


def test_what_several_answers_name_comes_before_what_one_names_first() -> None:
    assert fuse([RankedAnswer(["a", "both"]), RankedAnswer(["b", "both"])])[0] == "both"


def test_the_order_of_the_answers_changes_nothing() -> None:
    answers = [RankedAnswer(["a", "b", "c"]), RankedAnswer(["c", "a"], 0.5), RankedAnswer(["d"], 2.0)]
    assert len({tuple(fuse(order)) for order in itertools.permutations(answers)}) == 1


def test_a_heavier_answer_counts_for_more() -> None:
    assert fuse([RankedAnswer(["a"]), RankedAnswer(["b"], 2.0)]) == ["b", "a"]


def test_a_nearer_paper_passes_others_that_rank_alike_and_not_one_that_ranks_far_ahead() -> None:
    ranked = [RankedAnswer(["first", "second", "third", "fourth"]), RankedAnswer(["first"], 9.0)]
    assert fuse(ranked, {"first": 0.4, "second": 0.1, "third": 0.1, "fourth": 0.6}) == [
        "first",
        "fourth",
        "second",
        "third",
    ]


def test_an_id_whose_nearness_is_not_known_is_as_near_as_the_mean() -> None:
    ranked = [RankedAnswer([one]) for one in ("far", "near", "unknown")]
    assert fuse(ranked, {"near": 0.9, "far": 0.1}) == ["near", "unknown", "far"]
    assert fuse(ranked, {}) == fuse(ranked)


def test_equal_nearness_leaves_the_order_of_the_ranks() -> None:
    answers = [RankedAnswer(["a", "b"]), RankedAnswer(["b", "c"])]
    assert fuse(answers, dict.fromkeys("abc", 0.3)) == fuse(answers)


def test_the_order_of_the_answers_changes_nothing_beside_nearness_either() -> None:
    ids = list("abcdefg")
    answers = [RankedAnswer(ids[n:] + ids[:n], 0.7) for n in range(len(ids))]
    near = {one: 0.1 * n for n, one in enumerate(ids)}
    orders = [random.Random(n).sample(answers, len(answers)) for n in range(30)]
    assert {tuple(fuse(order, near)) for order in orders} == {tuple(ids[::-1])}


def test_equal_values_are_no_deviations_apart() -> None:
    assert standardised([0.1] * 3) == standardised([0.0009] * 7)[:3] == [0.0, 0.0, 0.0]
    assert standardised([]) == []
    alike = [RankedAnswer([one]) for one in "abcd"]
    assert fuse(alike, {"a": 0.1, "b": 0.1, "c": 0.1}) == list("abcd")


def test_an_id_named_twice_by_one_answer_counts_once() -> None:
    assert fuse([RankedAnswer(["a", "b", "b", "b"])]) == ["a", "b"]


def test_it_ranks_as_the_plain_sum_does() -> None:
    answers = [RankedAnswer([str(i * step % 31) for i in range(1, 31)], step / 7) for step in (2, 3, 5)]
    plain = {one: sum(w / (OFFSET + 1 + list(ids).index(one)) for ids, w in answers) for one in answers[0].ids}
    assert fuse(answers) == sorted(plain, key=lambda one: (-round(plain[one], 15), one))


def test_no_answer_gives_nothing() -> None:
    assert fuse([]) == []
