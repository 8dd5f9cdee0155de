"""Recipes train real tiny models, and are told by what moved."""

import random

import pytest

from lab.errors import InvalidSpec
from lab.worlds import strings
from lab.worlds.task import Example, Item, Pair

torch = pytest.importorskip("torch", reason="the lab's extra is not installed")
pytestmark = pytest.mark.slow


def quiet(**_: object) -> None:
    """Hear progress and say nothing."""


@pytest.fixture(scope="module")
def start():
    from lab import models

    return models.build_tiny(models.Shape(width=32, layers=1, heads=2, context=32), strings.VOCABULARY, 1)


def steps(n, batch=8, rate=3e-3):
    from lab.steps import Steps

    return Steps(steps=n, batch_size=batch, learning_rate=rate, warmup_steps=1)


def unmoved(one, other):
    pairs = zip(one.model.named_parameters(), other.model.named_parameters(), strict=True)
    return [name for (name, a), (_, b) in pairs if torch.equal(a, b)]


def logprob(loaded, prompt, completion):
    """Log-probability of a completion, one token at a time: the plain way."""
    ids = loaded.tokenizer(prompt)["input_ids"]
    total = 0.0
    for token in [*loaded.tokenizer(completion)["input_ids"], loaded.tokenizer.eos_token_id]:
        with torch.no_grad():
            logits = loaded.model(input_ids=torch.tensor([ids])).logits[0, -1]
        total += torch.log_softmax(logits, -1)[token].item()
        ids = [*ids, token]
    return total


def test_sft_lowers_the_loss_moves_every_weight_and_leaves_its_start_alone(start, tmp_path):
    from lab import models
    from lab.recipes import sft

    before = models.copy_of(start)
    told = []
    examples = [Example(i.prompt, i.answer) for i in strings.requests(random.Random(0), 24)]
    trained = sft.run(
        start, examples, steps(20), seed=5, out=tmp_path, tell=lambda **k: told.append(k), arm="a", phase="train"
    )
    assert unmoved(start, trained.loaded) == []
    assert len(unmoved(start, before)) == len(list(start.model.parameters()))
    assert trained.curve[-1].loss < trained.curve[0].loss
    assert told[-1]["arm"] == "a"
    assert told[-1]["step"] == told[-1]["steps"] == 20
    assert told[-1]["seconds_left"] == pytest.approx(0.0, abs=1e-6)
    assert not list(tmp_path.rglob("*.bin"))


def test_sft_is_repeated_by_its_seed(start, tmp_path):
    from lab.recipes import sft

    examples = [Example(i.prompt, i.answer) for i in strings.requests(random.Random(0), 24)]
    runs = [sft.run(start, examples, steps(4), seed=s, out=tmp_path, tell=quiet, arm="a") for s in (5, 5, 6)]
    assert runs[0].curve == runs[1].curve
    assert len(unmoved(runs[0].loaded, runs[1].loaded)) == len(list(start.model.parameters()))
    assert unmoved(runs[0].loaded, runs[2].loaded) == []


def test_the_loss_of_sft_is_that_of_the_completion_alone(start, tmp_path):
    from lab.recipes import sft

    example = Example("turn around a b c", "c b a")
    trained = sft.run(start, [example], steps(1, batch=1, rate=1e-9), seed=1, out=tmp_path, tell=quiet, arm="a")
    plain = -logprob(start, example.prompt, example.completion) / 4
    assert trained.curve[0].loss == pytest.approx(plain, abs=2e-3)


def test_dpo_moves_every_weight_and_widens_the_gap_between_chosen_and_rejected(start, tmp_path):
    from lab.recipes import dpo

    pairs = [
        Pair(i.prompt, i.answer, " ".join(reversed(i.answer.split())) + " h")
        for i in strings.requests(random.Random(1), 19)
    ]
    trained = dpo.run(start, pairs, steps(12), beta=0.1, seed=2, out=tmp_path, tell=quiet, arm="dpo").loaded
    assert unmoved(start, trained) == []

    def gap(model):
        return sum(logprob(model, p.prompt, p.chosen) - logprob(model, p.prompt, p.rejected) for p in pairs)

    assert gap(trained) > gap(start)


def test_grpo_makes_what_is_rewarded_more_frequent(start, tmp_path):
    from lab import measure
    from lab.recipes import grpo

    items = [Item(i.prompt, "a", i.kind) for i in strings.requests(random.Random(2), 16)]
    seen = []

    def reward(item, answer):
        seen.append((item, answer))
        return float(answer.split()[:1] == ["a"])

    trained = grpo.run(
        start, items, reward, steps(15, batch=32, rate=1e-2), group=8, max_new_tokens=2, beta=0.0, seed=3,
        out=tmp_path, tell=quiet, arm="grpo",
    )  # fmt: skip
    assert len(seen) == 15 * 32
    assert {item.prompt for item, _ in seen} <= {item.prompt for item in items}

    def rate(model):
        said = measure.answers(model, [i.prompt for i in items] * 8, max_new_tokens=2, temperature=1.0, seed=1)
        return sum(answer.split()[:1] == ["a"] for answer in said) / len(said)

    assert rate(trained.loaded) > rate(start) + 0.1


def test_a_batch_that_is_no_multiple_of_the_group_and_no_data_are_refused(start, tmp_path):
    from lab.recipes import dpo, grpo, sft

    with pytest.raises(InvalidSpec, match="multiple"):
        grpo.run(
            start, [Item("a", "b", "")], lambda *_: 0.0, steps(1, batch=6), group=4, max_new_tokens=1, beta=0.0,
            seed=0, out=tmp_path, tell=quiet, arm="x",
        )  # fmt: skip
    with pytest.raises(InvalidSpec, match="no example"):
        sft.run(start, [], steps(1), seed=0, out=tmp_path, tell=quiet, arm="x")
    with pytest.raises(InvalidSpec, match="no pair"):
        dpo.run(start, [], steps(1), beta=0.1, seed=0, out=tmp_path, tell=quiet, arm="x")


def test_equal_experts_or_no_strength_change_nothing(start):
    from lab import measure, models
    from lab.recipes.proxy_tuning import ProxyTuning, VocabularyMismatch, proxy_logits

    generator = torch.Generator().manual_seed(0)
    base, expert, anti = (torch.randn(3, 7, generator=generator) for _ in range(3))
    assert torch.equal(proxy_logits(base, expert, expert, alpha=0.7), base)
    assert torch.equal(proxy_logits(base, expert, anti, alpha=0.0), base)
    plain = [
        [b + 0.5 * (e - a) for b, e, a in zip(*rows, strict=True)] for rows in zip(base, expert, anti, strict=True)
    ]
    assert torch.allclose(proxy_logits(base, expert, anti, alpha=0.5), torch.tensor(plain))
    with pytest.raises(VocabularyMismatch):
        proxy_logits(base, expert[:, :5], anti)
    small = models.build_tiny(models.Shape(width=16, layers=1, heads=2, context=32), strings.VOCABULARY, 2)
    prompts = [i.prompt for i in strings.requests(random.Random(3), 12)]
    bare = measure.answers(start, prompts, max_new_tokens=4)
    assert measure.answers(start, prompts, max_new_tokens=4, logits_processor=ProxyTuning(small, small)) == bare


def test_steering_with_the_model_itself_as_antiexpert_gives_the_expert(start):
    from lab import measure, models
    from lab.recipes.proxy_tuning import ProxyTuning

    expert = models.build_tiny(models.Shape(width=16, layers=1, heads=2, context=32), strings.VOCABULARY, 9)
    # Prompts of unequal length, so that padding is steered rightly too.
    prompts = ["turn around a b c", "a", "user say again d e f assistant", "b c"]
    steered = measure.answers(start, prompts, max_new_tokens=4, logits_processor=ProxyTuning(expert, start))
    assert steered == measure.answers(expert, prompts, max_new_tokens=4)


def test_padding_changes_no_answer(start):
    from lab import measure

    prompts = ["a b", "user say again d e f assistant", "c"]
    together = measure.answers(start, prompts, max_new_tokens=4)
    assert together == [measure.answers(start, [p], max_new_tokens=4)[0] for p in prompts]
