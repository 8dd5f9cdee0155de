"""Reads a claim together with a paper's telling sentences, through a small fine-tuned encoder in ONNX.

The model is all-MiniLM-L6-v2 (Apache-2.0), fine-tuned as a cross-encoder and quantised to 8 bits; `model/README.md` has
data, figures and limits. One pair at a time: dynamic quantisation scales by what is in a batch, so a batch would let
one paper's words move another's numbers. Pairs run side by side on threads instead; the answer does not depend on how
many.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]  # ships no types
    from tokenizers import Tokenizer

MAX_CLAIM_TOKENS: Final = 44
MAX_TOKENS: Final = 128
"""Claim, title and sentences together, as in training; what does not fit is cut at the end."""
_CLS: Final = 101
_SEP: Final = 102
N_THREADS: Final = 4
"""At most; fewer where the machine has fewer cores."""


class PairText(NamedTuple):
    """What the encoder reads of one pair."""

    claim: str
    passage: str
    """title and the sentences chosen for this claim, in their order in the paper"""


class Encoder:
    """The fine-tuned cross-encoder."""

    def __init__(self, session: "InferenceSession", tokenizer: "Tokenizer") -> None:
        self._session = session
        self._tokenizer = tokenizer

    def logits(self, pairs: Sequence[PairText]) -> npt.NDArray[np.float64]:
        """Give (pairs, 4) logits in the order of `STANCES`, rounded to four places. Deterministic on one machine."""
        if not pairs:
            return np.zeros((0, 4))
        encoded = [self._ids(p) for p in pairs]
        workers = min(N_THREADS, os.cpu_count() or 1, len(encoded))
        with ThreadPoolExecutor(workers) as pool:
            rows = list(pool.map(self._one, encoded))
        logits: npt.NDArray[np.float64] = np.array(rows, dtype=np.float64).round(4)
        return logits

    def _one(self, ids: tuple[list[int], int]) -> npt.NDArray[np.float32]:
        tokens = np.array([ids[0]], dtype=np.int64)
        types = np.zeros_like(tokens)
        types[0, ids[1] :] = 1
        (logits,) = self._session.run(None, {"ids": tokens, "types": types})
        row: npt.NDArray[np.float32] = logits[0]
        return row

    def _ids(self, pair: PairText) -> tuple[list[int], int]:
        claim = self._tokenizer.encode(pair.claim, add_special_tokens=False).ids[:MAX_CLAIM_TOKENS]
        passage = self._tokenizer.encode(pair.passage, add_special_tokens=False).ids[: MAX_TOKENS - 3 - len(claim)]
        return [_CLS, *claim, _SEP, *passage, _SEP], len(claim) + 2


@lru_cache(maxsize=1)
def shipped_encoder() -> Encoder:
    """Load the encoder that ships with the package; about a quarter of a second, once."""
    import onnxruntime
    from tokenizers import Tokenizer

    folder = files("agent.judges").joinpath("model")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        folder.joinpath("encoder.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    tokenizer = Tokenizer.from_str(folder.joinpath("tokenizer.json").read_text(encoding="utf-8"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return Encoder(session, tokenizer)
