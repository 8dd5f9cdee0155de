"""The local judge: no key, no network, deterministic; it explains itself, and abstains below its calibrated precision.

A fitted linear model over `features` gives each stance a probability. A stance other than neutral is given only when
its probability reaches the threshold that had the wanted precision on labelled pairs it was not fitted on; otherwise
the answer is neutral, marked unsure, with what it leaned to. The figures stand in `model/README.md`.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from agent.judges import cues, features
from agent.judges.features import Floats, ReadPaper, ReadSentence
from agent.judges.quotes import quote_of
from agent.judges.terms import Rarity, shipped_rarity
from claims.claim import Claim
from claims.evidence import Assessment, JudgeName, JudgeRef, Stance
from claims.paper import Paper, TextField

STANCES: Final = (Stance.NEUTRAL, Stance.SUPPORTS, Stance.CONTRADICTS, Stance.QUALIFIES)
"""The order of every array of probabilities here."""
KEPT_PAPERS = 4096
"""Papers that stay read between calls, so that a night's papers are cut into sentences once for all claims."""


class LocalModel(BaseModel):
    """The fitted numbers, as shipped or as refitted with a person's labels."""

    model_config = ConfigDict(frozen=True)

    version: str
    names: tuple[str, ...]
    """must be `features.NAMES`"""
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    """(stances, features)"""
    bias: tuple[float, ...]
    thresholds: dict[Stance, float]
    """probability from which a stance is given; above 1 means never"""
    unsure_from: float
    """probability of not neutral from which a neutral answer is marked unsure"""

    def probabilities(self, x: Floats) -> Floats:
        """Give each stance's probability: (pairs, features) to (pairs, stances)."""
        z = (x - np.array(self.mean)) / np.array(self.scale)
        logits = np.clip(z, -6, 6) @ np.array(self.weights).T + np.array(self.bias)
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: Floats = e / e.sum(axis=1, keepdims=True)
        return shares


@lru_cache(maxsize=8)
def load_model(overrides: Path | None = None) -> LocalModel:
    """Load a refitted model from `overrides`, or the one that ships with the package."""
    if overrides is not None:
        return LocalModel.model_validate_json(overrides.read_text(encoding="utf-8"))
    shipped = files("agent.judges").joinpath("model/local.json").read_text(encoding="utf-8")
    return LocalModel.model_validate(json.loads(shipped))


class LocalJudge:
    """Judges with what ships with the package."""

    def __init__(self, model: LocalModel, rarity: Rarity) -> None:
        if model.names != features.NAMES:
            raise ValueError(f"model {model.version} was fitted on other features; refit it (`retest judge fit`)")
        self._model = model
        self._rarity = rarity
        self._read: OrderedDict[str, ReadPaper] = OrderedDict()
        self.ref = JudgeRef(name=JudgeName.LOCAL, version=model.version)

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        """Say what each paper says of the claim, in the same order. Pure: the same texts give the same answer."""
        if not papers:
            return []
        asked = features.read_claim(claim.text, self._rarity)
        read = [self._reading(p) for p in papers]
        aligned = [features.alignment(asked, r, self._rarity) for r in read]
        x = np.stack([features.pair_features(asked, r, a) for r, a in zip(read, aligned, strict=True)])
        shares = np.round(self._model.probabilities(x), 4)
        return [self._assessment(paper, r, a, p) for paper, r, a, p in zip(papers, read, aligned, shares, strict=True)]

    def _reading(self, paper: Paper) -> ReadPaper:
        key = paper.text_digest
        read = self._read.get(key)
        if read is None:
            read = features.read_paper(paper)
            self._read[key] = read
            if len(self._read) > KEPT_PAPERS:
                self._read.popitem(last=False)
        return read

    def _assessment(self, paper: Paper, read: ReadPaper, aligned: Floats, shares: Floats) -> Assessment:
        if not read.sentences:
            return Assessment(
                stance=Stance.NEUTRAL,
                confidence=0.0,
                unsure=True,
                asserted=False,
                explanation="the source gave no text to judge",
                judge=self.ref,
            )
        order = np.argsort(-aligned, kind="stable")
        grounds = [read.sentences[int(i)] for i in order[:2] if aligned[int(i)] > 0]
        body = [g for g in grounds if g.sentence.field is not TextField.TITLE] or grounds
        leaning = STANCES[1 + int(np.argmax(shares[1:]))]
        p = float(shares[STANCES.index(leaning)])
        asserted = any(_asserts(g) for g in body)
        if body and asserted and p >= self._model.thresholds[leaning]:
            return Assessment(
                stance=leaning,
                confidence=p,
                asserted=True,
                quotes=(quote_of(paper, body[0].sentence),),
                explanation=_explain(body[0], leaning),
                judge=self.ref,
            )
        unsure = bool(1 - shares[0] >= self._model.unsure_from) and bool(body)
        return Assessment(
            stance=Stance.NEUTRAL,
            confidence=float(shares[0]),
            unsure=unsure,
            leaning=leaning if unsure else None,
            asserted=asserted,
            quotes=(quote_of(paper, body[0].sentence),) if unsure else (),
            explanation=_explain(body[0], leaning) if unsure else "nothing in it takes a stand on the claim",
            judge=self.ref,
        )


def _asserts(read: ReadSentence) -> bool:
    return read.cues[cues.NAMES.index("asserts")] > 0 or read.cues[cues.NAMES.index("background")] == 0


def _explain(ground: ReadSentence, leaning: Stance) -> str:
    said = {
        name: cues.found(ground.sentence.text, name)
        for name in ("asserts", "challenge", "contrast", "not", "scope", "lifts", "up", "down", "equal")
    }
    words = "; ".join(f"{name}: {', '.join(repr(w) for w in found[:4])}" for name, found in said.items() if found)
    return (
        f"reads as {leaning.value} by {words}" if words else f"reads as {leaning.value} by its closeness to the claim"
    )


def local_judge(*, overrides: Path | None = None) -> LocalJudge:
    """Make the local judge from what ships with the package, or from a refitted model file."""
    return LocalJudge(load_model(overrides), shipped_rarity())
