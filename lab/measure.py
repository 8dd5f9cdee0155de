"""Measuring: answers of a model, and scores of answers as measurements."""

import statistics
from collections.abc import Iterable, Sequence

from claims.experiment import Measurement
from lab.models import Loaded


def answers(
    loaded: Loaded,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = 256,
    logits_processor: object = None,
) -> list[str]:
    """Let the model continue each prompt to its end token or `max_new_tokens`. Temperature 0 is greedy.

    Sampling takes its own seed, so that arms sampled with one seed are paired.
    """
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    tokenizer = loaded.tokenizer
    tokenizer.padding_side = "left"
    how = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=temperature > 0,
        temperature=temperature if temperature > 0 else None,
        top_k=0 if temperature > 0 else None,
        top_p=1.0 if temperature > 0 else None,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        use_cache=True,
    )
    processors = LogitsProcessorList([logits_processor] if logits_processor else [])
    texts: list[str] = []
    loaded.model.eval()
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for start in range(0, len(prompts), batch_size):
            batch = tokenizer(list(prompts[start : start + batch_size]), return_tensors="pt", padding=True)
            batch = batch.to(loaded.model.device)
            out = loaded.model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                generation_config=how,
                logits_processor=processors,
            )
            new = out[:, batch["input_ids"].shape[1] :]
            texts += [" ".join(t.split()) for t in tokenizer.batch_decode(new, skip_special_tokens=True)]
    return texts


def share(name: str, arm: str, hits: Iterable[bool | float]) -> Measurement:
    """Give the mean of per-item scores in [0, 1] as a measurement with its item spread."""
    scores = [float(hit) for hit in hits]
    if not scores:
        return Measurement(name=name, arm=arm, value=None, n=0, missing_because="no item")
    return Measurement(
        name=name,
        arm=arm,
        value=statistics.fmean(scores),
        n=len(scores),
        item_sd=statistics.stdev(scores) if len(scores) > 1 else None,
    )
