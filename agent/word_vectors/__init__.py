"""How near two texts are in what they are about, by word vectors that ship with the package.

A text's vector is the sum of its distinct words' vectors. No language model, no network, no key, a tenth of a
millisecond a paper; the same texts give the same answer. The vectors know which words keep company in abstracts, so two
texts can be near that share none; they do not know who says what of whom. `README.md` has what they were trained on and
what they bring; `lab/word_vector_training.py` makes them.
"""

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt

from claims.claim import Claim
from claims.paper import Paper
from claims.paper_index import analysed

Floats = npt.NDArray[np.float32]

ANCHOR_SHARE: Final = 0.5
"""Weight of nearness to the papers that a claim rests on, beside 1 for nearness to its own words."""
KEPT_PAPERS: Final = 20_000
"""Papers whose vectors stay in memory, about 820 bytes each with their keys, oldest out first."""
AT_ONCE: Final = 200
"""Texts whose words' vectors are gathered together, 11 MB of abstracts: ten times as many take twice as long each."""
DIGITS: Final = 4
"""A cosine, of vectors multiplied in double precision, is rounded to, so that how a machine adds does not show."""
LONGEST: Final = 8_000
"""Characters of a text that are read, as of a field by the local judge; the longest abstracts have about 3,000."""


class WordVectors:
    """A vector for each of some words. Safe to share between threads."""

    def __init__(self, place: Mapping[str, int], vectors: Floats, version: str) -> None:
        """place: where each word's vector stands. vectors: (words, width)."""
        self.version = version
        """changes with the vectors' bytes"""
        self._place = place
        self._vectors = vectors
        self._lock = threading.Lock()
        self._papers: OrderedDict[str, Floats] = OrderedDict()

    def of(self, texts: Sequence[str]) -> Floats:
        """Give (texts, width), each of length one; zeros for a text of no known word."""
        parts = [self._summed(texts[k : k + AT_ONCE]) for k in range(0, len(texts), AT_ONCE)]
        return np.concatenate(parts) if parts else self._summed([])

    def _summed(self, texts: Sequence[str]) -> Floats:
        places = [sorted({p for w in analysed(t[:LONGEST]) if (p := self._place.get(w)) is not None}) for t in texts]
        sums: Floats = np.zeros((len(texts), self._vectors.shape[1]), dtype=np.float32)
        some = [i for i, known in enumerate(places) if known]
        if some:
            starts = np.cumsum([0, *(len(places[i]) for i in some[:-1])])
            flat = np.fromiter(chain.from_iterable(places[i] for i in some), dtype=np.int64)
            sums[some] = np.add.reduceat(self._vectors[flat], starts, axis=0)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        sums /= np.where(lengths > 0, lengths, 1)
        return sums

    def of_papers(self, papers: Sequence[Paper]) -> Floats:
        """Give (papers, width) of title and abstract, or finding; a paper is read once while it stays in memory."""
        with self._lock:
            found = {p.text_digest: v for p in papers if (v := self._papers.get(p.text_digest)) is not None}
        fresh = {p.text_digest: p for p in papers if p.text_digest not in found}
        if fresh:
            texts = [f"{p.title}\n{p.abstract or p.finding or ''}" for p in fresh.values()]
            new = dict(zip(fresh, self.of(texts), strict=True))
            found |= new
            with self._lock:
                self._papers.update(new)
                while len(self._papers) > KEPT_PAPERS:
                    self._papers.popitem(last=False)
        return np.stack([found[p.text_digest] for p in papers]) if papers else self.of([])

    def nearness(self, claim: Claim, anchors: Sequence[Paper], papers: Sequence[Paper]) -> list[float]:
        """Give each paper's nearness to a claim and to what it rests on, from -1.5 to 1.5; larger is nearer."""
        if not papers:
            return []
        read = self.of_papers(papers)
        near = cosines(read, self.of([claim.text]))[:, 0]
        if anchors:
            near = near + ANCHOR_SHARE * cosines(read, self.of_papers(anchors)).mean(axis=1)
        return [round(float(x), DIGITS) for x in near]


def cosines(some: Floats, others: Floats) -> npt.NDArray[np.float64]:
    """Give (some, others) cosines of vectors of length one, (some, width) and (others, width), rounded to DIGITS."""
    found: npt.NDArray[np.float64] = (some.astype(np.float64) @ others.astype(np.float64).T).round(DIGITS)
    return found


@lru_cache(maxsize=1)
def shipped_word_vectors() -> WordVectors:
    """Load the vectors that ship with the package, 2 MB; about 30 ms."""
    raw = files("agent.word_vectors").joinpath("word_vectors.npz").read_bytes()
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        words = bytes(arrays["words"]).decode("utf-8").split("\n")
        vectors = arrays["vectors"].astype(np.float32) * arrays["scales"][:, None]
    return WordVectors({w: i for i, w in enumerate(words)}, vectors, hashlib.sha256(raw).hexdigest()[:8])
