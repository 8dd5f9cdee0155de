"""Does in-context alignment replace fine-tuning data?

The base has learned to do what examples in its context show. Asked in a chat format that it never met, it either gets
k examples in front of every request, or it is tuned on the N examples from which those were drawn.
"""

from typing import Any, ClassVar

from pydantic import Field

from claims.experiment import Measurement, PreRegistration
from lab.protocols.design import ALPHA, HUB, MAX_SEEDS, Contrast, Design, Parameters
from lab.protocols.workbench import Workbench, accuracy
from lab.worlds import strings
from lab.worlds.task import Item, as_examples, stream


class InContextAlignmentParameters(Parameters):
    """Sizes of the pool and of the context."""

    n_pool: int = Field(default=48, ge=12)
    """N: examples that the tuned arm learns from and the contexts are drawn from"""
    k: int = Field(default=3, ge=1, le=8)
    """examples before a request, and the most that an episode of pre-training shows"""


_MARGIN = -0.05
_BOUND = 0.3


class InContextAlignment(Design):
    """k examples in context against tuning on the N that they come from."""

    name = "in-context-alignment"
    title = "Examples in context against tuning on them"
    family = "In-context alignment (examples or instructions in the prompt) replaces fine-tuning data."
    registration: ClassVar[PreRegistration] = PreRegistration(
        hypothesis="Examples in the prompt align a base as well as fine-tuning on the data they come from.",
        prediction="k examples in context minus tuned on N lies above -0.05 in held-out score (it replaces tuning).",
        arms=("base", "in-context", "in-context-again", "in-context-1", "tuned", "tuned-4x"),
        primary_metric="accuracy",
        contrast="in-context - tuned",
        smallest_effect=_MARGIN,
        smallest_effect_because="`Replaces` is a claim of no loss, so this is a margin of non-inferiority: five "
        "points, about twice the item error of one seed.",
        alpha=ALPHA,
        max_seeds=MAX_SEEDS,
        equalised="Data: the contexts are drawn from the very N examples that the tuned arm sees. Compute is not "
        "equal: tuning costs training steps, context costs longer prompts.",
        positive_control="in-context - base: a base that cannot learn from its context tests nothing.",
        null_arm="in-context-again - in-context: another draw of examples for each request.",
        threats=(
            "The base was pre-trained on episodes made of examples, so it may be better at context than a base of its "
            "size that was not.",
            "The examples in context are of the operation that is asked for: the choice of examples is given for free.",
            "A system prompt in words has no counterpart here.",
        ),
        departs_from="After the research question on in-context alignment; arXiv:2312.01552 section 4 (URIAL) puts "
        "three stylistic examples before a 7B to 70B base and has a model rate the answers. Here: three examples, "
        "exact match.",
    )  # fmt: skip
    profiles = {
        "tiny": InContextAlignmentParameters(pretrain_steps=800, pretrain_batch=32, pretrain_learning_rate=4e-3),
        "small": InContextAlignmentParameters(**HUB),
    }
    primary = Contrast("accuracy", "in-context", "tuned", _MARGIN, bound=_BOUND)
    positive = Contrast("accuracy", "in-context", "base", 0.05, bound=_BOUND)
    null = Contrast("accuracy", "in-context-again", "in-context", 0.0, bound=_BOUND)
    secondary = (
        Contrast("accuracy", "in-context", "tuned-4x", _MARGIN, bound=_BOUND),
        Contrast("accuracy", "tuned", "base", 0.05, bound=_BOUND),
        Contrast("accuracy", "in-context", "in-context-1", 0.0, bound=_BOUND),
    )

    def measure(self, params: Any, bench: Workbench) -> list[Measurement]:
        """Score the base bare and with examples in front, and two tuned models, on the same held-out requests."""
        p: InContextAlignmentParameters = params
        base = _base(p, bench)
        drawn = strings.requests(stream(bench.seed, "requests"), 4 * p.n_pool + p.n_items)
        pool, large, held_out = drawn[: p.n_pool], drawn[: 4 * p.n_pool], drawn[4 * p.n_pool :]
        bench.note_data("held-out", held_out)

        def shown(purpose: str, k: int) -> list[Item]:
            rng = stream(bench.seed, purpose)
            return [strings.in_context(rng, item, pool, k) for item in held_out]

        found = [
            bench.score("base", base, held_out),
            bench.score("in-context", base, shown("context", p.k)),
            bench.score("in-context-again", base, shown("context again", p.k)),
            bench.score("in-context-1", base, shown("context of one", 1)),
        ]
        for arm, examples in {"tuned": pool, "tuned-4x": large}.items():
            found.append(bench.score(arm, bench.tune(arm, base, as_examples(examples)), held_out))
        return found


def _base(params: InContextAlignmentParameters, bench: Workbench) -> Any:
    """Give the base that knows the operations, by name and by example."""

    def corpus() -> list[Any]:
        rng = stream(params.base_seed, "corpus")
        return strings.lessons(rng, params.pretrain_steps * params.pretrain_batch, params.k)

    named = strings.native(stream(params.base_seed, "probe"), 200)
    told = [i for i in strings.episodes(stream(params.base_seed, "probe"), 600, params.k) if i.prompt.count("then") > 1]
    return bench.base(
        strings.EPISODE_VOCABULARY,
        corpus,
        lambda base: {"by name": accuracy(base, named), "by two or more examples": accuracy(base, told)},
    )
