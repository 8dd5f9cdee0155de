"""Do pairs of right and wrong calls teach function calling better than more imitation? After arXiv:2410.18890.

The base can turn a terse record into a call. Tuning teaches it to do so from a user's words. One model, tuned on N
requests, is then trained on: with DPO on right and spoilt calls for the same requests, or with more imitation.
"""

from functools import partial
from typing import Any, ClassVar

from pydantic import Field

from claims.experiment import Measurement, PreRegistration
from lab import measure
from lab.models import Loaded
from lab.protocols.design import ALPHA, HUB, MAX_SEEDS, Contrast, Count, Design, Parameters
from lab.protocols.workbench import Workbench, accuracy
from lab.worlds import calls
from lab.worlds.task import Item, as_examples, stream


class ContrastivePairsParameters(Parameters):
    """Sizes, and how DPO is run."""

    n_examples: Count = Field(default=32, ge=4)
    """N: requests that the arms of equal data share"""
    second_steps: Count = Field(default=40, ge=1)
    """steps of the second stage: DPO on pairs, or more imitation at twice the examples a step"""
    second_learning_rate: float = Field(default=1e-4, gt=0, le=1)
    """of DPO; more imitation goes on at the first stage's rate"""
    beta: float = Field(default=0.1, gt=0)
    """of DPO"""
    max_new_tokens: int = Field(default=24, ge=8, le=4096)


_SMALLEST = 0.05
_BOUND = 0.15


class ContrastivePairs(Design):
    """SFT then DPO on pairs, against more SFT, from one tuned model."""

    name = "contrastive-pairs"
    title = "Right and wrong calls against imitation alone"
    family = "DPO on paired right and wrong function calls beats supervised fine-tuning for function calling."
    registration: ClassVar[PreRegistration] = PreRegistration(
        hypothesis="For function calling, contrastive pairs teach what imitation leaves untouched: DPO on right and "
        "wrong calls after SFT beats SFT alone at equal data.",
        prediction="SFT+DPO minus longer SFT on the same requests lies above 0.05 in exact valid calls.",
        arms=("base", "sft", "sft-longer", "sft-longer-again", "sft+dpo", "sft-2x"),
        primary_metric="valid calls",
        contrast="sft+dpo - sft-longer",
        smallest_effect=_SMALLEST,
        smallest_effect_because="One call in twenty is the least that would make a user choose the more costly recipe.",
        alpha=ALPHA,
        max_seeds=MAX_SEEDS,
        equalised="Data and sequences: `sft+dpo` and `sft-longer` see the same N requests, take the same number of "
        "second-stage steps, and read as many completions a step (a pair counts as two). `sft-2x` has twice the "
        "requests and the same steps as `sft-longer`.",
        positive_control="sft - base: imitation must teach the format at all.",
        null_arm="sft-longer-again - sft-longer: both stages once more on the same data in another order.",
        threats=(
            "Wrong calls are made by rule from the right ones, not sampled from a large teacher as in the paper.",
            "One DPO learning rate and one beta, set on two pilot seeds that are not among the seeds reported.",
            "DPO reads the reference as well, so it costs more compute than the imitation that it is compared with.",
        ),
        departs_from="arXiv:2410.18890 sections 3 and 4 tune a 7B model with DPO on chains of calls that a large "
        "teacher made for logical and mathematical tasks; here single calls of five functions, verified exactly.",
    )  # fmt: skip
    profiles = {
        "tiny": ContrastivePairsParameters(n_items=200, tune_steps=80),
        "small": ContrastivePairsParameters(**HUB, n_items=200, second_learning_rate=2e-5, max_new_tokens=48),
    }
    seconds_per_seed = {"tiny": 18.0}
    base_seconds = {"tiny": 42.0}
    seed_sd = {"tiny": 0.033}
    primary = Contrast("valid calls", "sft+dpo", "sft-longer", _SMALLEST, bound=_BOUND)
    positive = Contrast("valid calls", "sft", "base", 0.0, bound=0.3)
    null = Contrast("valid calls", "sft-longer-again", "sft-longer", 0.0, bound=_BOUND)
    secondary = (
        Contrast("valid calls", "sft+dpo", "sft-2x", 0.0, bound=0.3),
        Contrast("format errors", "sft-longer", "sft+dpo", 0.0, bound=_BOUND),
        Contrast("wrong answers", "sft-longer", "sft+dpo", 0.0, bound=_BOUND),
        Contrast("valid calls", "sft-longer", "sft", 0.0, bound=_BOUND),
    )

    def measure(self, params: Any, bench: Workbench) -> list[Measurement]:
        """Tune once, go on from there in four ways, and score all on the same held-out requests."""
        p: ContrastivePairsParameters = params
        base = calls_base(p, bench)
        drawn = calls.requests(stream(bench.seed, "requests"), p.n_items + 2 * p.n_examples)
        held_out, n = drawn[: p.n_items], p.n_examples
        shared, double = drawn[p.n_items : p.n_items + n], drawn[p.n_items :]
        bench.note_data("held-out", held_out)
        rng = stream(bench.seed, "spoil")
        pairs = [calls.spoil(rng, item) for item in shared for _ in range(4)]

        sft = bench.tune("sft", base, as_examples(shared))
        other = bench.tune("sft-longer-again", base, as_examples(shared), shuffle="again")
        longer = partial(
            bench.tune, steps=p.second_steps, batch_size=2 * p.batch_size, learning_rate=p.learning_rate / 3,
            shuffle="longer",
        )  # fmt: skip
        arms = {
            "base": base,
            "sft": sft,
            "sft-longer": longer("sft-longer", sft, as_examples(shared)),
            "sft-longer-again": longer("sft-longer-again", other, as_examples(shared)),
            "sft+dpo": bench.prefer(
                "sft+dpo", sft, pairs, beta=p.beta, steps=p.second_steps, learning_rate=p.second_learning_rate
            ),
        }
        first = bench.tune("sft-2x", base, as_examples(double))
        arms["sft-2x"] = longer("sft-2x", first, as_examples(double))
        return [m for arm, model in arms.items() for m in _score(bench, arm, model, held_out, p.max_new_tokens)]


def _score(bench: Workbench, arm: str, model: Loaded, items: list[Item], max_new_tokens: int) -> list[Measurement]:
    """Give the shares of valid calls, of format errors and of wrong answers; they add up to one."""
    said = measure.answers(model, [item.prompt for item in items], max_new_tokens=max_new_tokens)
    faults = [calls.verify(item, answer) for item, answer in zip(items, said, strict=True)]
    valid = measure.share("valid calls", arm, [fault is calls.Fault.NONE for fault in faults])
    bench.tell(valid)
    return [
        valid,
        measure.share("format errors", arm, [fault.is_format_error for fault in faults]),
        measure.share("wrong answers", arm, [fault is calls.Fault.WRONG for fault in faults]),
    ]


def calls_base(params: ContrastivePairsParameters, bench: Workbench) -> Loaded:
    """Give the base that can turn a terse record into a call."""

    def corpus() -> list[Any]:
        rng = stream(params.base_seed, "corpus")
        return as_examples(calls.native(rng, params.pretrain_steps * params.pretrain_batch))

    probes = calls.native(stream(params.base_seed, "probe"), 200)
    return bench.base(
        calls.VOCABULARY,
        corpus,
        lambda base: {"native accuracy": accuracy(base, probes, max_new_tokens=params.max_new_tokens)},
    )
