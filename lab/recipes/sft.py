"""Supervised fine-tuning through TRL's SFTTrainer: next-token loss on the completion alone.

Pre-training of tiny bases goes through it too. Departs from LIMA (arXiv:2305.11206, section 3): no residual dropout,
cosine instead of linear decay, steps instead of epochs, and LoRA for models too large to be trained whole.
"""

from collections.abc import Sequence
from pathlib import Path

from lab.errors import InvalidSpec
from lab.models import Loaded, copy_of
from lab.steps import Steps, Tell, Trained
from lab.training import adapter, arguments, settle, train
from lab.worlds.task import Example


def run(
    start: Loaded,
    examples: Sequence[Example],
    steps: Steps,
    *,
    seed: int,
    out: Path,
    tell: Tell,
    arm: str,
    phase: str = "train",
) -> Trained:
    """Train a copy of `start` on the examples for exactly `steps.steps` steps, going round as often as that takes.

    Raises InvalidSpec when there is no example.
    """
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    if not examples:
        raise InvalidSpec(f"arm {arm!r} has no example to train on")
    settle(start)
    own = copy_of(start)
    rows = [_row(example, own) for example in examples]
    trainer = SFTTrainer(
        model=own.model,
        args=arguments(
            SFTConfig, out, steps, seed, own, max_length=None, dataset_kwargs={"skip_prepare_dataset": True}
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=own.tokenizer,
        peft_config=adapter(own, steps),
    )
    return train(trainer, own, tell, arm, phase)


def _row(example: Example, loaded: Loaded) -> dict[str, list[int]]:
    """Give token ids with labels; the prompt's labels are -100, which the loss leaves out."""
    prompt = loaded.tokenizer(example.prompt)["input_ids"]
    completion = loaded.tokenizer(f" {example.completion}", add_special_tokens=False)["input_ids"]
    completion = [*completion, loaded.tokenizer.eos_token_id]
    return {"input_ids": [*prompt, *completion], "labels": [-100] * len(prompt) + completion}
