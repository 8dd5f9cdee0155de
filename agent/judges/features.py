"""Turns a claim and a paper into numbers: which sentences speak of it, who asserts there, which way it points.

Nothing here knows an id, a date or a title as such: only words and their places. The same texts give the same numbers.
"""

import math
from collections import Counter
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from agent.judges import cues
from agent.judges.sentences import Sentence, sentences
from agent.judges.terms import Rarity, stems
from agent.word_vectors import Floats as Vectors
from agent.word_vectors import cosines, shipped_word_vectors
from claims.paper import Paper, TextField

Floats = npt.NDArray[np.float64]


class ReadSentence(NamedTuple):
    """A sentence with what does not depend on the claim."""

    sentence: Sentence
    terms: frozenset[str]
    cues: tuple[int, ...]
    """counts in the order of `cues.NAMES`"""
    direction: float
    place: float
    """0 for the first sentence of its field, 1 for the last"""


class ReadPaper(NamedTuple):
    """A paper as the judge reads it."""

    sentences: tuple[ReadSentence, ...]
    terms: frozenset[str]
    vectors: Vectors
    """(sentences + 1, width): by word vectors, each sentence and the whole text last"""


class ReadClaim(NamedTuple):
    """A claim as the judge reads it."""

    text: str
    weights: dict[str, float]
    """rarity of each content stem, times how often it occurs"""
    total: float
    cues: tuple[int, ...]
    direction: float
    vector: Vectors
    """(width,)"""


def read_paper(paper: Paper) -> ReadPaper:
    """Read a paper's sentences once, for any number of claims."""
    cut = sentences(paper)
    last = Counter(s.field for s in cut)
    seen: Counter[TextField] = Counter()
    out: list[ReadSentence] = []
    for s in cut:
        place = seen[s.field] / max(1, last[s.field] - 1)
        seen[s.field] += 1
        out.append(ReadSentence(s, frozenset(stems(s.text)), cues.count(s.text), cues.direction(s.text), place))
    texts = [s.text for s in cut]
    vectors = shipped_word_vectors().of([*texts, " ".join(texts)])
    return ReadPaper(tuple(out), frozenset().union(*(s.terms for s in out)) if out else frozenset(), vectors)


@lru_cache(maxsize=4096)
def read_claim(text: str, rarity: Rarity) -> ReadClaim:
    """Read a claim's words once, for any number of papers."""
    weights = {t: rarity[t] * (1 + 0.3 * (n - 1)) for t, n in Counter(stems(text)).items()}
    vector = shipped_word_vectors().of([text])[0]
    return ReadClaim(text, weights, sum(weights.values()) or 1.0, cues.count(text), cues.direction(text), vector)


def coverage(claim: ReadClaim, terms: frozenset[str]) -> float:
    """Tell which share of a claim's weighted words occurs among these terms, in [0, 1]."""
    return sum(w for t, w in claim.weights.items() if t in terms) / claim.total


def alignment(claim: ReadClaim, paper: ReadPaper, rarity: Rarity) -> Floats:
    """Tell how closely each sentence speaks of the claim: (sentences,), each in [0, 1], a cosine of weighted words."""
    own = math.sqrt(sum(w * w for w in claim.weights.values())) or 1.0
    out = np.zeros(len(paper.sentences))
    for i, s in enumerate(paper.sentences):
        shared = sum(claim.weights[t] * rarity[t] for t in s.terms if t in claim.weights)
        if shared:
            out[i] = shared / (own * math.sqrt(sum(rarity[t] ** 2 for t in s.terms)))
    return out


_CUES: Final = cues.NAMES
NAMES: Final[tuple[str, ...]] = (
    "covered by the paper",
    "covered by the title",
    "covered by its best sentence",
    "covered by its best asserting sentence",
    "best alignment",
    "second alignment",
    "mean alignment",
    "best asserting alignment",
    "best background alignment",
    "asserting minus background",
    "place of the best",
    "rarest claim words covered",
    "sentences",
    "claim length",
    *(f"near: {name}" for name in _CUES),
    *(f"best: {name}" for name in _CUES),
    "near: direction",
    "best: direction",
    "claim direction",
    "agreement near",
    "agreement best",
    "denial of one alone",
    *(f"claim: {name}" for name in ("not", "down", "up", "equal", "compares", "scope", "challenge")),
    "challenge x aligned",
    "contrast x aligned",
    "scope x aligned",
    "lifts x aligned",
    "asserts x aligned",
    "not x aligned",
    "down x claim up",
    "up x claim down",
    "equal x claim compares",
    "compares x claim equal",
    "nearness of the paper",
    "nearness of the title",
    "nearness of the nearest sentence",
    "nearness of the nearest three",
    "mean nearness",
    "nearness of the nearest asserting sentence",
)
"""What each number says, in the order of `pair_features`."""


def pair_features(claim: ReadClaim, paper: ReadPaper, align: Floats) -> Floats:
    """Give the numbers of one pair: (len(NAMES),), all finite. `align` is `alignment` of the same pair."""
    if not len(align):
        return np.zeros(len(NAMES))
    said = paper.sentences
    counts = np.array([np.minimum(s.cues, 3) for s in said], dtype=np.float64)
    cover = np.array([coverage(claim, s.terms) for s in said])
    asserts = counts[:, _CUES.index("asserts")] > 0
    background = (counts[:, _CUES.index("background")] > 0) & ~asserts
    order = np.argsort(-align, kind="stable")
    best = int(order[0])
    near = np.exp(8.0 * (align - align.max()))
    near /= near.sum()
    directions = np.array([s.direction for s in said])
    cue_near = near @ counts
    cue_best = counts[best]
    direction_near, direction_best = float(near @ directions), float(directions[best])
    own = dict(zip(_CUES, np.minimum(claim.cues, 3), strict=True))
    at = dict(zip(_CUES, cue_near, strict=True))
    a_assert = float((align * asserts).max())
    a_back = float((align * background).max())
    top = float(align[best])
    rarest = sorted(claim.weights.items(), key=lambda tw: (-tw[1], tw[0]))[:5]
    rare = sum(w for t, w in rarest if t in paper.terms) / (sum(w for _, w in rarest) or 1.0)
    title = next((c for c, s in zip(cover, said, strict=True) if s.sentence.field is TextField.TITLE), 0.0)
    values = [
        coverage(claim, paper.terms),
        title,
        float(cover.max()),
        float((cover * asserts).max()),
        top,
        float(align[order[1]]) if len(order) > 1 else 0.0,
        float(align.mean()),
        a_assert,
        a_back,
        a_assert - a_back,
        said[best].place,
        rare,
        math.log1p(len(said)),
        math.log1p(len(claim.weights)),
        *cue_near,
        *cue_best,
        direction_near,
        direction_best,
        claim.direction,
        claim.direction * direction_near,
        claim.direction * direction_best,
        float((own["not"] > 0) != (at["not"] > 0.5)),
        *(float(own[name]) for name in ("not", "down", "up", "equal", "compares", "scope", "challenge")),
        *(top * at[name] for name in ("challenge", "contrast", "scope", "lifts", "asserts", "not")),
        at["down"] * own["up"],
        at["up"] * own["down"],
        at["equal"] * own["compares"],
        at["compares"] * own["equal"],
        *_nearness(claim, paper, asserts),
    ]
    numbers: Floats = np.array(values, dtype=np.float64).round(6)
    return numbers


def _nearness(claim: ReadClaim, paper: ReadPaper, asserts: npt.NDArray[np.bool_]) -> list[float]:
    """Tell how near a paper's parts are to a claim by word vectors, in the order of the last of `NAMES`."""
    *near, whole = cosines(paper.vectors, claim.vector[None])[:, 0].tolist()
    body = [n for n, s in zip(near, paper.sentences, strict=True) if s.sentence.field is not TextField.TITLE]
    best = sorted(body or near, reverse=True)
    asserted = [n for n, says in zip(near, asserts.tolist(), strict=True) if says]
    title = next((n for n, s in zip(near, paper.sentences, strict=True) if s.sentence.field is TextField.TITLE), 0.0)
    return [whole, title, best[0], sum(best[:3]) / len(best[:3]), sum(near) / len(near), max(asserted, default=0.0)]
