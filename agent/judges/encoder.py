"""Reads a claim and a paper's telling sentences through a small fine-tuned sentence encoder in ONNX.

Such an encoder is trained and exported by `lab/judge_training.py`: fine-tuned so that the product of what a claim asks
and what a sentence says tells agreement from contradiction, and quantised to 8 bits. None ships at present;
`model/README.md` has the figures that say why. A model fitted with one reads it from beside itself.

One text at a time: dynamic quantisation scales by what is in a batch, so a batch would let one paper's words move
another's numbers. Texts run side by side on threads instead; the answer does not depend on how many.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from claims.utf8 import clean

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]  # ships no types
    from tokenizers import Tokenizer

Floats = npt.NDArray[np.float32]
T = TypeVar("T")

MAX_TOKENS: Final = 64
"""Of one sentence or claim, marks included, as in training; what does not fit is cut at the end."""
N_THREADS: Final = 4
"""At most; fewer where the machine has fewer cores."""
KEPT_SENTENCES: Final = 20_000
"""Sentences that stay read, about 2.5 KB each, oldest out first: what 5,000 papers tell of any claim."""
LONGEST_KEPT: Final = 1_000
"""Characters of a sentence beyond which it is read anew each time, so that long ones cannot fill the memory."""
KEPT_CLAIMS: Final = 256
"""Claims that stay read, 4.6 KB each."""
NAMES: Final = (
    "stand",
    "direction",
    "conditions",
    "supports over neutral",
    "contradicts over neutral",
    "qualifies over neutral",
)
"""What `Encoder.weigh` gives of a pair: three scores of its sentences, then the log odds that they make."""
FAR: Final = 12.0
"""Log odds beyond which nothing more is told: a probability within one in 160,000 of certain."""


class Chosen(NamedTuple):
    """A sentence that the encoder is to read."""

    text: str
    tells: float = 0.0
    """log odds that it tells of the claim, by what chose it; added to the encoder's own"""


Passage = Sequence[Chosen]
"""What is read of one paper."""


class Sentence(NamedTuple):
    """What a sentence says."""

    vector: Floats
    """(width,), of length one"""
    said: Floats
    """(3,): what it says of the three things that claims ask, whatever the claim"""


class Weighed(NamedTuple):
    """What the encoder says of one pair."""

    numbers: npt.NDArray[np.float64]
    """(len(NAMES),), rounded to four places"""
    shares: npt.NDArray[np.float64]
    """(sentences,): how much each sentence counted, in sum one"""


class Encoder:
    """The fine-tuned sentence encoder."""

    def __init__(self, session: "InferenceSession", tokenizer: "Tokenizer", version: str) -> None:
        self.version = version
        """changes with the model's or the tokenizer's bytes"""
        self._session = session
        self._tokenizer = tokenizer
        self._sentences: OrderedDict[str, Sentence] = OrderedDict()
        self._claims: OrderedDict[str, Floats] = OrderedDict()

    def weigh(self, claim: str, papers: Sequence[Passage]) -> list[Weighed]:
        """Say what each paper's sentences say of a claim; each paper has one at least. Deterministic on one machine."""
        asked = self._asked(claim)
        read = self._read({s.text for sentences in papers for s in sentences})
        return [
            _weighed(asked, [read[s.text] for s in sentences], [s.tells for s in sentences]) for sentences in papers
        ]

    def _asked(self, claim: str) -> Floats:
        """Give what a claim asks of a sentence, (3, width): whether it takes a stand, which, under conditions."""
        asked = self._claims.get(claim)
        if asked is None:
            asked = self._run(claim)[1]
            _keep(self._claims, {claim: asked}, KEPT_CLAIMS)
        return asked

    def _read(self, texts: set[str]) -> dict[str, Sentence]:
        found = {t: held for t in texts if (held := self._sentences.get(t)) is not None}
        fresh = sorted(texts - found.keys())
        if fresh:
            with ThreadPoolExecutor(min(N_THREADS, os.cpu_count() or 1, len(fresh))) as pool:
                new = {t: Sentence(r[0], r[2]) for t, r in zip(fresh, pool.map(self._run, fresh), strict=True)}
            _keep(self._sentences, {t: s for t, s in new.items() if len(t) <= LONGEST_KEPT}, KEPT_SENTENCES)
            found |= new
        return found

    def _run(self, text: str) -> tuple[Floats, Floats, Floats]:
        """Encode one text: its vector, what it asks as a claim, what it says as a sentence."""
        vector, asked, said = self._session.run(
            None, {"ids": np.array([self._tokenizer.encode(clean(text)).ids], dtype=np.int64)}
        )
        return vector, asked, said


def _keep(held: OrderedDict[str, T], new: Mapping[str, T], most: int) -> None:
    held.update(new)
    while len(held) > most:
        held.popitem(last=False)


def _weighed(asked: Floats, read: Sequence[Sentence], tells: Sequence[float]) -> Weighed:
    scores = np.stack([asked @ s.vector + s.said for s in read], axis=1).astype(np.float64)
    counts = scores[0] + np.array(tells)
    over = np.exp(counts - counts.max())
    shares = over / over.sum()
    stand, way, limits = scores @ shares
    plain = _log_chance(-limits)
    odds = (stand + plain + _log_chance(way), stand + plain + _log_chance(-way), stand + _log_chance(limits))
    numbers = np.array([stand, way, limits, *odds], dtype=np.float64)
    return Weighed(np.clip(numbers, -FAR, FAR).round(4), shares)


def _log_chance(score: float) -> float:
    return float(-np.logaddexp(0.0, -score))


def encoder_in(folder: Traversable) -> Encoder:
    """Open what the training command wrote to a folder; about a quarter of a second."""
    import onnxruntime
    from tokenizers import Tokenizer

    model = folder.joinpath("encoder.onnx").read_bytes()
    tokenizer = folder.joinpath("tokenizer.json").read_text(encoding="utf-8")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    words = Tokenizer.from_str(tokenizer)
    words.no_padding()
    words.enable_truncation(MAX_TOKENS)
    return Encoder(session, words, hashlib.sha256(model + tokenizer.encode()).hexdigest()[:8])


@lru_cache(maxsize=1)
def shipped_encoder() -> Encoder:
    """Open the encoder that lies beside the model, and keep it."""
    return encoder_in(files("agent.judges").joinpath("model"))
