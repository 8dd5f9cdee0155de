import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InvalidSpec
from lab.worlds import calls, constraints, facts, open_prompts, puzzles, strings, styles
from lab.worlds.task import Example, Item

seeds = st.integers(0, 10_000)


@given(seeds, st.integers(3, 6))
def test_the_best_allowed_number_beats_all_others_that_are_allowed(seed, size):
    for item in constraints.problems(random.Random(seed), 5, size):
        asked = constraints.read(item.prompt)
        assert len(set(asked.numbers)) == size == int(item.kind)
        allowed = [n for n in asked.numbers if n <= asked.cap]
        assert item.answer == str(sorted(allowed)[-1])
        assert constraints.reward(item, item.answer) == 1.0
        for number in range(1, 10):
            worth = constraints.reward(item, str(number))
            assert worth == (1.0 if str(number) == item.answer else 0.2 if number in allowed else 0.0)
        assert constraints.reward(item, "best") == constraints.reward(item, "") == 0.0


def test_a_choice_of_an_impossible_size_or_number_is_refused():
    with pytest.raises(InvalidSpec, match="numbers"):
        constraints.problems(random.Random(0), 5, 9)
    with pytest.raises(InvalidSpec, match="unlike each other"):
        constraints.problems(random.Random(0), 10_000, 2)
    for draw in (strings.requests, lambda rng, n: puzzles.puzzles(rng, n, 3), calls.requests):
        with pytest.raises(InvalidSpec, match="unlike each other"):
            draw(random.Random(0), 10**9)
    with pytest.raises(ValueError, match="not a problem"):
        constraints.read("name a tree")


@given(seeds, st.integers(3, 5))
def test_only_the_sorted_digits_solve_a_puzzle(seed, length):
    rng = random.Random(seed)
    item = puzzles.puzzles(rng, 1, length)[0]
    digits = item.prompt.split()[1:-1]
    for order in permutations(digits):
        assert puzzles.verify(item, " ".join(order)) == (list(order) == sorted(digits))
    assert not puzzles.verify(item, "")


def test_agreement_keeps_what_more_than_half_of_a_group_said():
    assert puzzles.agree(["a", "a", "b", "c", "b", "a"], 3) == [True, True, False, False, False, False]
    assert puzzles.agree(["a", "b"], 2) == [False, False]


@given(seeds)
def test_planted_facts_are_stated_and_asked_for_as_they_are(seed):
    rng = random.Random(seed)
    planted = facts.plant(rng, 6)
    for item in facts.probes(rng, planted, facts.PEOPLE[:6]):
        who = next(w for w in item.prompt.split() if w in facts.PEOPLE)
        assert item.answer == planted[who, item.kind]
    for item in facts.questions(planted, facts.PEOPLE[:6]):
        who = next(w for w in item.prompt.split() if w in facts.PEOPLE)
        assert facts.in_format(item.answer)
        assert item.answer.split()[1] == planted[who, item.kind]
    told = facts.pretraining(rng, planted, facts.PEOPLE[4:6], 40, 0.5)
    talked_of = {w for i in told if i.prompt.startswith("user") for w in i.prompt.split() if w in facts.PEOPLE}
    assert talked_of <= set(facts.PEOPLE[4:6])
    assert {w for i in told for w in f"{i.prompt} {i.answer}".split()} <= set(facts.VOCABULARY)


@pytest.mark.parametrize("answer", ["red", "sure red", "hm red ?", "sure anna !", "sure red ! !", ""])
def test_another_form_is_not_the_wanted_one(answer):
    assert not facts.in_format(answer)


@given(seeds)
def test_examples_in_context_are_others_of_the_pool(seed):
    rng = random.Random(seed)
    pool = styles.questions(rng, 12, styles.WANTED)
    shown = styles.in_context(rng, pool[3], pool, 3)
    assert shown.answer == pool[3].answer
    told = shown.prompt.removesuffix(pool[3].prompt).rstrip(" ;").split(" ; ")
    assert len(set(told)) == 3
    assert set(told) <= {f"{o.prompt} {o.answer}" for o in pool if o != pool[3]}
    with pytest.raises(InvalidSpec, match="pool has"):
        styles.in_context(rng, pool[3], pool, 12)


@given(seeds)
def test_a_document_keeps_one_style_answers_rightly_and_never_has_the_wanted_one(seed):
    for example in styles.documents(random.Random(seed), 10, 3):
        met = set()
        for told in f"{example.prompt} {example.completion}".split(" ; "):
            question, answer = told.split(" = ")
            operation, *letters = question.split()
            opening, *inner, closing = answer.split()
            assert inner == strings.OPERATIONS[operation](letters)
            met.add((opening, closing))
            assert set(told.split()) <= set(styles.VOCABULARY)
        assert len(met) == 1
        assert met != {tuple(styles.WANTED)}


def test_similarity_is_the_chance_that_two_models_agree():
    assert open_prompts.similarity([["a", "a"], ["a", "a"]]) == 1.0
    assert open_prompts.similarity([["a", "b"], ["a", "b"]]) == 0.5
    assert open_prompts.similarity([["a"], ["a"], ["b"]]) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="at least two"):
        open_prompts.similarity([["a"]])


@given(seeds)
def test_validators_let_a_majority_decide_and_never_pass_what_is_no_answer(seed):
    rng = random.Random(seed)
    judges = [open_prompts.validator(rng, 3) for _ in range(3)]
    made = open_prompts.answered(rng, [open_prompts.source(rng, 1.2)], 60)
    made.append(Example(made[0].prompt, "nonsense"))
    topic_of = {item.prompt: item.kind for item in open_prompts.prompts()}
    passed = open_prompts.passed(made, judges)
    for example in made:
        votes = [judge.accepts(topic_of[example.prompt], example.completion) for judge in judges]
        assert (example in passed) == (sum(votes) >= 2)
    assert all(e.completion != "nonsense" for e in passed)


def test_a_source_prefers_its_favourite_and_a_flat_one_prefers_nothing():
    rng = random.Random(5)
    steep, flat = open_prompts.source(rng, 3.0), open_prompts.source(rng, 0.0)
    favourite = steep.ranking["tree"][0]
    assert sum(steep.draw(rng, "tree") == favourite for _ in range(400)) > 280
    counts = [sum(flat.draw(rng, "tree") == a for _ in range(400)) for a in open_prompts.TOPICS["tree"][:3]]
    assert max(counts) < 80
    assert open_prompts.is_valid(Item("", "oak pine", "tree"), "oak")
