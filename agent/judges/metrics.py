"""Figures for a judge: per class, macro-F1, precision of the calls it makes, and trivial baselines beside them.

Pure functions over lists of labels. An undefined ratio (nothing called, nothing there) is None, never 0 or 1.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from claims.evidence import Stance

L = TypeVar("L", bound=Hashable)


class ClassFigures(BaseModel):
    """Precision, recall and F1 of one label."""

    model_config = ConfigDict(frozen=True)

    label: str
    n: int
    """how often it was right to say it"""
    called: int
    """how often it was said"""
    correct: int
    precision: float | None
    """None when it was never said"""
    recall: float | None
    """None when it was never right to say it"""
    f1: float
    """0 when it was never said or never right to say it"""


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


class Figures(BaseModel):
    """How well labels were predicted."""

    model_config = ConfigDict(frozen=True)

    name: str
    n: int
    accuracy: float
    macro_f1: float
    """mean F1 over the labels that occur in the truth"""
    macro_f1_interval: tuple[float, float] | None = None
    """95 %, bootstrap over groups (claims)"""
    classes: tuple[ClassFigures, ...]
    called: int = 0
    """answers other than the silent one (`neutral`)"""
    called_correct: int = 0
    called_precision: float | None = None
    """share of those that are right; None when there were none"""
    called_precision_interval: tuple[float, float] | None = None
    """95 %, Wilson"""
    called_recall: float | None = None
    """share of truths other than the silent one that were named rightly"""


def per_class(truth: Sequence[L], said: Sequence[L], labels: Sequence[L]) -> list[ClassFigures]:
    """Count each label's precision, recall and F1."""
    out = []
    for label in labels:
        n = sum(t == label for t in truth)
        called = sum(s == label for s in said)
        correct = sum(t == label == s for t, s in zip(truth, said, strict=True))
        out.append(
            ClassFigures(
                label=str(label),
                n=n,
                called=called,
                correct=correct,
                precision=correct / called if called else None,
                recall=correct / n if n else None,
                f1=2 * correct / (n + called) if n + called else 0.0,
            )
        )
    return out


def macro_f1(truth: Sequence[L], said: Sequence[L], labels: Sequence[L]) -> float:
    """Give the mean F1 over the labels that occur in the truth; 0 for no truth at all."""
    scores = [c.f1 for c in per_class(truth, said, labels) if c.n]
    return sum(scores) / len(scores) if scores else 0.0


def figures(
    name: str,
    truth: Sequence[L],
    said: Sequence[L],
    labels: Sequence[L],
    *,
    silent: L | None = None,
    groups: Sequence[Hashable] | None = None,
) -> Figures:
    """Count everything once. `silent` is the label that takes no stand; `groups` (claims) are what is resampled."""
    if len(truth) != len(said):
        raise ValueError(f"{len(truth)} labels and {len(said)} predictions")
    called = [(t, s) for t, s in zip(truth, said, strict=True) if s != silent]
    right = sum(t == s for t, s in called)
    there = sum(t != silent for t in truth)
    return Figures(
        name=name,
        n=len(truth),
        accuracy=sum(t == s for t, s in zip(truth, said, strict=True)) / len(truth) if truth else 0.0,
        macro_f1=macro_f1(truth, said, labels),
        macro_f1_interval=_bootstrap(truth, said, labels, groups) if groups is not None and truth else None,
        classes=tuple(per_class(truth, said, labels)),
        called=len(called),
        called_correct=right,
        called_precision=right / len(called) if called else None,
        called_precision_interval=wilson(right, len(called)) if called else None,
        called_recall=right / there if there else None,
    )


def wilson(k: int, n: int, z: float = 1.96) -> Interval:
    """Give the 95 % interval of a share k/n. Source: Wilson 1927, score interval. Raises ValueError for n < 1."""
    if n < 1:
        raise ValueError("a share of nothing has no interval")
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def majority(labels: Sequence[L]) -> L:
    """Give the commonest label; among equals the first one in sorted order of its name."""
    counted = Counter(labels)
    return min(counted, key=lambda label: (-counted[label], str(label)))


def leave_one_out_majority(truth: Sequence[L], groups: Sequence[Hashable], keys: Sequence[Hashable]) -> list[L]:
    """Predict each label by the majority of the others' labels with the same key (a year), own group left out.

    Falls back to the majority of all others when the key is new. A judge that reads only the key would score this.
    """
    out = []
    for i, (group, key) in enumerate(zip(groups, keys, strict=True)):
        others = [(t, k) for t, g, k in zip(truth, groups, keys, strict=True) if g != group]
        same = [t for t, k in others if k == key]
        pool = same or [t for t, _ in others] or [truth[i]]
        out.append(majority(pool))
    return out


def _bootstrap(
    truth: Sequence[L], said: Sequence[L], labels: Sequence[L], groups: Sequence[Hashable], times: int = 500
) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    members: dict[Hashable, list[int]] = {}
    for i, g in enumerate(groups):
        members.setdefault(g, []).append(i)
    sets = list(members.values())
    code = {label: k for k, label in enumerate(labels)}
    t = np.array([code[x] for x in truth])
    s = np.array([code[x] for x in said])
    scores = []
    for _ in range(times):
        picked = np.concatenate([sets[k] for k in rng.integers(0, len(sets), len(sets))])
        tt, ss = t[picked], s[picked]
        f1 = [
            2 * float(((tt == k) & (ss == k)).sum()) / float((tt == k).sum() + (ss == k).sum())
            for k in range(len(labels))
            if (tt == k).any()
        ]
        scores.append(sum(f1) / len(f1))
    low, high = np.quantile(scores, [0.025, 0.975])
    return round(float(low), 4), round(float(high), 4)


STANCE_LABELS: tuple[Stance, ...] = (Stance.NEUTRAL, Stance.SUPPORTS, Stance.QUALIFIES, Stance.CONTRADICTS)
"""Labels in the order in which tables print them."""
