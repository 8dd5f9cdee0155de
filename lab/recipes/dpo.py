"""Direct preference optimisation through TRL's DPOTrainer, after Rafailov et al. 2023 (arXiv:2305.18290, equation 7).

The reference is the model that training starts from. Departs from the paper: AdamW with cosine decay instead of
RMSprop, steps instead of epochs, and LoRA for models too large to be trained whole.
"""

from collections.abc import Sequence
from pathlib import Path

from lab.errors import InvalidSpec
from lab.models import Loaded, copy_of
from lab.steps import Steps, Tell, Trained
from lab.training import adapter, arguments, settle, train
from lab.worlds.task import Pair


def run(
    start: Loaded, pairs: Sequence[Pair], steps: Steps, *, beta: float, seed: int, out: Path, tell: Tell, arm: str
) -> Trained:
    """Train a copy of `start` to prefer each pair's chosen completion. `steps.batch_size` counts pairs.

    beta: how strongly the policy is held to the reference, no unit. Raises InvalidSpec when there is no pair.
    """
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    if not pairs:
        raise InvalidSpec(f"arm {arm!r} has no pair to train on")
    settle(start)
    own = copy_of(start)
    lora = adapter(own, steps)
    rows = [{"prompt": p.prompt, "chosen": f" {p.chosen}", "rejected": f" {p.rejected}"} for p in pairs]
    trainer = DPOTrainer(
        model=own.model,
        # Given by hand: left to itself, TRL loads the reference from the path of the model, and a tiny one has none.
        # With LoRA the reference is the model without its adapter.
        ref_model=None if lora else copy_of(start).model,
        args=arguments(DPOConfig, out, steps, seed, own, max_length=None, beta=beta),
        train_dataset=Dataset.from_list(rows),
        processing_class=own.tokenizer,
        peft_config=lora,
    )
    return train(trainer, own, tell, arm, "train")
