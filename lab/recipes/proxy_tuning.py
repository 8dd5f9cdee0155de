"""Proxy-tuning: steer a large model at decoding time by what a small one learned. No weight of the large one changes.

Source: Liu et al. 2024, arXiv:2401.08565, section 2, equation 1. The three models share one vocabulary.
"""

from typing import Any

import torch
from transformers import LogitsProcessor

from lab.errors import InvalidSpec
from lab.models import Loaded


class VocabularyMismatch(InvalidSpec):
    """The models do not share a vocabulary, so their logits cannot be added."""


def proxy_logits(base: Any, expert: Any, antiexpert: Any, alpha: float = 1.0) -> Any:
    """Shift a large model's next-token logits by what a small one learned.

    base, expert, antiexpert: (batch, vocab), one tokenizer. alpha: no unit; 0 gives base back.
    Raises VocabularyMismatch when the last axes differ.
    """
    if not base.shape[-1] == expert.shape[-1] == antiexpert.shape[-1]:
        raise VocabularyMismatch(f"vocabularies of {base.shape[-1]}, {expert.shape[-1]} and {antiexpert.shape[-1]}")
    return base + alpha * (expert - antiexpert)


class ProxyTuning(LogitsProcessor):  # type: ignore[misc]  # transformers is a foreign door
    """Adds the tuned small model's logits and takes the untuned one's away at every step of `generate`."""

    def __init__(self, expert: Loaded, antiexpert: Loaded, alpha: float = 1.0) -> None:
        self._expert = expert
        self._antiexpert = antiexpert
        self._alpha = alpha

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Give the shifted scores. input_ids: (batch, length), left-padded; scores: (batch, vocab)."""
        mask = _mask(input_ids, self._expert.tokenizer.pad_token_id)
        with torch.inference_mode():
            expert, antiexpert = (_next(one, input_ids, mask) for one in (self._expert, self._antiexpert))
        return proxy_logits(scores, expert.to(scores.dtype), antiexpert.to(scores.dtype), self._alpha)


def _mask(input_ids: Any, pad: int) -> Any:
    """Leave out the padding on the left. (batch, length) -> (batch, length).

    Only leading padding counts: a tokenizer may use its end token as padding, and that stands inside texts too.
    """
    return ((input_ids != pad).cumsum(dim=1) > 0).long()


def _next(loaded: Loaded, input_ids: Any, mask: Any) -> Any:
    """Give one model's next-token logits: (batch, vocab). Without a cache: tiny texts are cheaper to read again."""
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    out = loaded.model(input_ids=input_ids, attention_mask=mask, position_ids=positions, use_cache=False)
    return out.logits[:, -1, :]
