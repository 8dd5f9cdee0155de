"""Does in-context alignment replace fine-tuning data?

The base can answer, in any style, and keeps to the style that it sees. Wanted is one style that it never met. It either
gets k examples in front of every question, or it is tuned on the N examples from which those were drawn.
"""

from typing import Any, ClassVar

from pydantic import Field

from claims.experiment import Measurement, PreRegistration
from lab import measure
from lab.models import Loaded
from lab.protocols.design import ALPHA, HUB, MAX_SEEDS, Contrast, Count, Design, Parameters
from lab.protocols.workbench import Workbench
from lab.worlds import styles
from lab.worlds.task import Example, Item, as_examples, exact, stream


class InContextAlignmentParameters(Parameters):
    """Sizes of the pool and of the context."""

    n_pool: Count = Field(default=48, ge=12)
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
        null_arm="in-context-again - in-context: another draw of examples for each question.",
        threats=(
            "The base was pre-trained on documents that keep one style, so it may be better at context than others.",
            "Wanted is a style, which URIAL also asks for; a new skill may not be taught in context.",
            "Both arms reach the ceiling at `tiny`, where they cannot differ: such an outcome stays inconclusive.",
            "A system prompt in words has no counterpart here.",
        ),
        departs_from="After the research question on in-context alignment; arXiv:2312.01552 section 4 (URIAL) puts "
        "three stylistic examples before a 7B to 70B base and has a model rate the answers. Here: three examples, "
        "exact match.",
    )  # fmt: skip
    profiles = {
        "tiny": InContextAlignmentParameters(pretrain_steps=700, learning_rate=1e-3, tune_steps=60),
        "small": InContextAlignmentParameters(**HUB),
    }
    seconds_per_seed = {"tiny": 4.0}
    base_seconds = {"tiny": 68.0}
    no_room = {"tiny": "both arms lay at the ceiling"}
    primary = Contrast("accuracy", "in-context", "tuned", _MARGIN, bound=_BOUND)
    positive = Contrast("accuracy", "in-context", "base", 0.0, bound=_BOUND)
    null = Contrast("accuracy", "in-context-again", "in-context", 0.0, bound=_BOUND)
    secondary = (
        Contrast("accuracy", "in-context", "tuned-4x", _MARGIN, bound=_BOUND),
        Contrast("accuracy", "tuned", "base", 0.05, bound=_BOUND),
        Contrast("accuracy", "in-context", "in-context-1", 0.0, bound=_BOUND),
    )

    def measure(self, params: Any, bench: Workbench) -> list[Measurement]:
        """Score the base bare and with examples in front, and two tuned models, on the same held-out questions."""
        p: InContextAlignmentParameters = params
        base = _base(p, bench)
        drawn = styles.questions(stream(bench.seed, "questions"), 4 * p.n_pool + p.n_items, styles.WANTED)
        pool, large, held_out = drawn[: p.n_pool], drawn[: 4 * p.n_pool], drawn[4 * p.n_pool :]
        bench.note_data("held-out", held_out)

        def shown(purpose: str, k: int) -> list[Item]:
            rng = stream(bench.seed, purpose)
            return [styles.in_context(rng, item, pool, k) for item in held_out]

        def score(arm: str, model: Loaded, items: list[Item]) -> Measurement:
            found = measure.share("accuracy", arm, _hits(model, items))
            bench.tell(found)
            return found

        found = [
            score("base", base, held_out),
            score("in-context", base, shown("context", p.k)),
            score("in-context-again", base, shown("context again", p.k)),
            score("in-context-1", base, shown("context of one", 1)),
        ]
        for arm, examples in {"tuned": pool, "tuned-4x": large}.items():
            found.append(score(arm, bench.tune(arm, base, as_examples(examples)), held_out))
        return found


def _base(params: InContextAlignmentParameters, bench: Workbench) -> Loaded:
    """Give the base that answers in any style and keeps to the one that it sees."""

    def corpus() -> list[Example]:
        n = params.pretrain_steps * params.pretrain_batch
        return styles.documents(stream(params.base_seed, "corpus"), n, params.k)

    rng = stream(params.base_seed, "probe")
    met = styles.Style(styles.OPENINGS[1], styles.CLOSINGS[1])
    asked = styles.questions(rng, 200, met)
    shown = [styles.in_context(rng, item, asked, params.k) for item in asked]

    def probe(base: Loaded) -> dict[str, float]:
        said = measure.answers(base, [item.prompt for item in asked], max_new_tokens=8)
        inner = [item.answer.split()[1:-1] == a.split()[1:-1] for item, a in zip(asked, said, strict=True)]
        return {"answers in any style": sum(inner) / len(inner), "keeps to a style it has met": _right(base, shown)}

    return bench.base(styles.VOCABULARY, corpus, probe)


def _hits(base: Loaded, items: list[Item]) -> list[bool]:
    return exact(items, measure.answers(base, [item.prompt for item in items], max_new_tokens=8))


def _right(base: Loaded, items: list[Item]) -> float:
    hits = _hits(base, items)
    return sum(hits) / len(hits)
