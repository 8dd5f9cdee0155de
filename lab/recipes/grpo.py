"""Group relative policy optimisation through TRL's GRPOTrainer, after Shao et al. 2024 (arXiv:2402.03300, section 4.1).

The reward is a verifier's. Departs from the paper: no reference model (beta 0 is TRL's default), TRL's default token
normalisation, and one update for each group of samples.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lab.errors import InvalidSpec
from lab.models import Loaded, copy_of
from lab.steps import Steps, Tell, Trained
from lab.training import adapter, arguments, settle, train
from lab.worlds.task import Item

Reward = Callable[[Item, str], float]
"""What an answer to an item is worth."""


def run(
    start: Loaded,
    items: Sequence[Item],
    reward: Reward,
    steps: Steps,
    *,
    group: int,
    max_new_tokens: int,
    beta: float,
    seed: int,
    out: Path,
    tell: Tell,
    arm: str,
) -> Trained:
    """Train a copy of `start` on its own sampled answers. `steps.batch_size` counts answers, `group` of them a prompt.

    beta: weight of the divergence from the reference, 0 for none. Raises InvalidSpec when there is no item, or the
    batch is not a multiple of the group.
    """
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    if not items:
        raise InvalidSpec(f"arm {arm!r} has no item to train on")
    if steps.batch_size % group:
        raise InvalidSpec(f"a batch of {steps.batch_size} answers is no multiple of groups of {group}")
    settle(start)
    own = copy_of(start)
    by_prompt = {item.prompt: item for item in items}

    def rewards(prompts: list[str], completions: list[str], **_: Any) -> list[float]:
        pairs = zip(prompts, completions, strict=True)
        return [reward(by_prompt[prompt], " ".join(completion.split())) for prompt, completion in pairs]

    trainer = GRPOTrainer(
        model=own.model,
        reward_funcs=rewards,
        args=arguments(
            GRPOConfig,
            out,
            steps,
            seed,
            own,
            num_generations=group,
            max_completion_length=max_new_tokens,
            beta=beta,
            temperature=1.0,
        ),
        train_dataset=Dataset.from_list([{"prompt": item.prompt} for item in items]),
        processing_class=own.tokenizer,
        peft_config=adapter(own, steps),
    )
    return train(trainer, own, tell, arm, "train")
