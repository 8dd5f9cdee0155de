"""The local judge: no key, no network, deterministic; it explains itself, and abstains below its calibrated precision.

A linear model over `features` (and, for pairs that pass a screen, over what the encoder reads) gives each stance a
probability. A stance other than neutral is given only where its probability reaches the threshold that had the wanted
precision on labelled pairs it was not fitted on; otherwise the answer is neutral, marked unsure where the paper may
well take a stand, with the stance that it leaned to. The figures stand in `model/README.md`.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from agent.judges import cues, features, passage
from agent.judges.encoder import Chosen, Weighed, shipped_encoder
from agent.judges.features import Floats, ReadClaim, ReadPaper, ReadSentence
from agent.judges.model import ENCODER_NAMES, STANCES, LocalModel, load_model
from agent.judges.quotes import quote_of
from agent.judges.terms import Rarity, shipped_rarity
from claims.claim import Claim
from claims.evidence import Assessment, JudgeName, JudgeRef, Stance
from claims.paper import Paper

KEPT_PAPERS: Final = 4096
"""Papers that stay read between calls, so that a night's papers are cut into sentences once for all claims."""
_SHOWN: Final = ("asserts", "challenge", "contrast", "not", "scope", "lifts", "up", "down", "equal")


class ReadPair(NamedTuple):
    """A pair as the model sees it."""

    cheap: Floats
    """numbers in the order of `features.NAMES`"""
    chosen: tuple[ReadSentence, ...]
    """the sentences that tell most, best first; empty when the source gave no text"""
    read: tuple[Chosen, ...]
    """title and those sentences, in the paper's order, for the encoder"""


class LocalJudge:
    """Judges with what ships with the package."""

    at_once = 64
    """Papers that are assessed together."""

    def __init__(self, model: LocalModel, rarity: Rarity) -> None:
        self.model = model
        self._rarity = rarity
        self._read: OrderedDict[str, ReadPaper] = OrderedDict()
        self.ref = JudgeRef(name=JudgeName.LOCAL, version=model.version)

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        """Say what each paper says of the claim, in the same order. Pure: the same texts give the same answer."""
        pairs = self.read(claim.text, papers)
        if not pairs:
            return []
        shares, weighed = self._probabilities(claim.text, pairs)
        return [
            self._assessment(paper, pair, p, weighed.get(i))
            for i, (paper, pair, p) in enumerate(zip(papers, pairs, shares, strict=True))
        ]

    def read(self, claim_text: str, papers: Sequence[Paper]) -> list[ReadPair]:
        """Turn pairs into what the model is fitted on."""
        asked = features.read_claim(claim_text, self._rarity)
        return [self._pair(asked, self._reading(p)) for p in papers]

    def numbers(self, claim_text: str, pairs: Sequence[ReadPair]) -> tuple[list[int], Floats]:
        """Give which pairs the stance model sees, by place, and its inputs for them: (those pairs, names)."""
        cheap = np.stack([p.cheap for p in pairs])
        if not self.model.uses_encoder:
            return list(range(len(pairs))), cheap
        weighed = self._weigh(claim_text, pairs, cheap)
        on = list(weighed)
        return on, _beside(cheap[on], weighed)

    def _probabilities(self, claim_text: str, pairs: Sequence[ReadPair]) -> tuple[Floats, dict[int, Weighed]]:
        """Give every pair's stances, and what the encoder said of those that it read."""
        cheap = np.stack([p.cheap for p in pairs])
        if not self.model.uses_encoder:
            return np.round(self.model.probabilities(cheap), 4), {}
        assert self.model.screen is not None
        stand = 1 / (1 + np.exp(-self.model.screen.scores(cheap)[:, 0]))
        shares = np.column_stack([1 - stand, stand, np.zeros_like(stand), np.zeros_like(stand)])
        weighed = self._weigh(claim_text, pairs, cheap)
        if weighed:
            on = list(weighed)
            shares[on] = self.model.probabilities(_beside(cheap[on], weighed))
        return np.round(shares, 4), weighed

    def _weigh(self, claim_text: str, pairs: Sequence[ReadPair], cheap: Floats) -> dict[int, Weighed]:
        """Let the encoder read the pairs that pass the screen and have a text; by place, in order."""
        on = [i for i, ok in enumerate(self.model.passes(cheap)) if ok and pairs[i].read]
        if not on:
            return {}
        return dict(zip(on, shipped_encoder().weigh(claim_text, [pairs[i].read for i in on]), strict=True))

    def _pair(self, asked: ReadClaim, read: ReadPaper) -> ReadPair:
        if not read.sentences:
            return ReadPair(np.zeros(len(features.NAMES)), (), ())
        align = features.alignment(asked, read, self._rarity)
        scores = self.model.selector.scores(passage.sentence_features(asked, read, align))[:, 0]
        chosen = passage.choose(read, scores)
        return ReadPair(
            features.pair_features(asked, read, align), tuple(chosen), passage.read_of(read, chosen, scores)
        )

    def _reading(self, paper: Paper) -> ReadPaper:
        key = paper.text_digest
        read = self._read.get(key)
        if read is None:
            read = features.read_paper(paper)
            self._read[key] = read
            if len(self._read) > KEPT_PAPERS:
                self._read.popitem(last=False)
        return read

    def _assessment(self, paper: Paper, pair: ReadPair, shares: Floats, weighed: Weighed | None) -> Assessment:
        if not pair.chosen:
            return Assessment(
                stance=Stance.NEUTRAL,
                confidence=0.0,
                unsure=True,
                asserted=False,
                explanation="the source gave no text to judge",
                judge=self.ref,
            )
        leaning = STANCES[1 + int(np.argmax(shares[1:]))]
        p = float(shares[STANCES.index(leaning)])
        was_read = weighed is not None or not self.model.uses_encoder
        chosen = _by_share(pair, weighed)
        asserting = [s for s in chosen if _asserts(s)]
        ground = (asserting or chosen)[0]
        if was_read and asserting and p >= self.model.thresholds[leaning]:
            return Assessment(
                stance=leaning,
                confidence=p,
                quotes=(quote_of(paper, ground.sentence),),
                explanation=_explain(ground, leaning),
                judge=self.ref,
            )
        unsure = was_read and bool(1 - shares[0] >= self.model.unsure_from)
        return Assessment(
            stance=Stance.NEUTRAL,
            confidence=float(shares[0]),
            unsure=unsure,
            leaning=leaning if unsure else None,
            leaning_chance=p if unsure else None,
            asserted=bool(asserting),
            quotes=(quote_of(paper, ground.sentence),) if unsure else (),
            explanation=f"too unsure to say; {_explain(ground, leaning)}" if unsure else "takes no stand on the claim",
            judge=self.ref,
        )


def _beside(cheap: Floats, weighed: Mapping[int, Weighed]) -> Floats:
    return np.hstack([cheap, np.array([w.numbers for w in weighed.values()]).reshape(-1, len(ENCODER_NAMES))])


def _by_share(pair: ReadPair, weighed: Weighed | None) -> list[ReadSentence]:
    """Give the chosen sentences, first the one that counted most; without an encoder as they were chosen."""
    if weighed is None:
        return list(pair.chosen)
    counted: Counter[str] = Counter()
    for read, share in zip(pair.read, weighed.shares.tolist(), strict=True):
        counted[read.text] += share
    return sorted(pair.chosen, key=lambda s: -counted[s.sentence.text])


def _asserts(read: ReadSentence) -> bool:
    return read.cues[cues.NAMES.index("asserts")] > 0 or read.cues[cues.NAMES.index("background")] == 0


def _explain(ground: ReadSentence, leaning: Stance) -> str:
    said = {name: cues.found(ground.sentence.text, name) for name in _SHOWN}
    words = "; ".join(f"{name}: {', '.join(repr(w) for w in found[:4])}" for name, found in said.items() if found)
    return f"reads as {leaning.value} by {words or 'its closeness to the claim'}"


def local_judge(*, overrides: Path | None = None) -> LocalJudge:
    """Make the local judge from what ships with the package, or from a refitted model file."""
    return LocalJudge(load_model(overrides), shipped_rarity())
