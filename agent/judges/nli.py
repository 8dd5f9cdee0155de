"""The `nli` judge: a sequence-classification model on the lab's machine, asked sentence by sentence.

A paper's telling sentences (chosen as the local judge chooses them) are premises, the claim is the hypothesis. The
sentence with the highest chance of entailment or contradiction is the ground, and is quoted. What a model of single
sentences cannot see: conditions that stand elsewhere in the abstract, so it never says *qualifies*; and its
chances are its own belief, calibrated on other texts, so the thresholds are high.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from agent.errors import LabRefused, LabServesAnother
from agent.judges import cues
from agent.judges.features import ReadSentence
from agent.judges.local import LocalJudge, local_judge
from agent.judges.quotes import quote_of
from claims.claim import Claim
from claims.entailment import MOST_PAIRS, Answer, Chances, Pair
from claims.evidence import Assessment, JudgeName, JudgeRef, Stance
from claims.paper import Paper
from claims.served import ServedModel
from claims.utf8 import clean

CALL_FROM: Final = 0.9
"""Chance from which a stance is given. Models fine-tuned on MNLI are overconfident away from its texts."""
LEAN_FROM: Final = 0.5
"""Chance from which an abstention is marked unsure, with its leaning."""
RULES: Final = "1"
"""Version of what is done with a model's chances; part of the judge's version."""
MOST_PREMISE: Final = 1500
"""Characters of a sentence that are sent."""
MOST_HYPOTHESIS: Final = 1500
MOST_BYTES: Final = 200_000
"""Of texts in one question, below what a lab reads at most by default (256 KiB) with the marks of JSON around them."""


class Entailer(Protocol):
    """What answers about pairs: the lab's client."""

    def entailment_model(self) -> ServedModel:
        """Name the model. Raises LabUnreachable, LabRefused."""
        ...

    def entail(self, pairs: Sequence[Pair]) -> Answer:
        """Ask about at most `MOST_PAIRS` pairs. Raises LabUnreachable, LabRefused."""
        ...


class Told(NamedTuple):
    """What the model said of one sentence."""

    read: ReadSentence
    chances: Chances

    @property
    def stand(self) -> tuple[float, Stance]:
        """The likelier stand with its chance."""
        c = self.chances
        if c.contradiction > c.entailment:
            return c.contradiction, Stance.CONTRADICTS
        return c.entailment, Stance.SUPPORTS


class NliJudge:
    """Judges with the model that the lab serves."""

    at_once = 16
    """Papers that are assessed together: up to 48 sentences, one question."""

    def __init__(self, lab: Entailer) -> None:
        """Ask the lab which model it serves, which loads it. Raises LabUnreachable, LabRefused."""
        self._lab = lab
        self._reader: LocalJudge = local_judge()
        self.model = lab.entailment_model()
        version = f"{self.model.name}@{self.model.version} rules-{RULES}"
        self.ref = JudgeRef(name=JudgeName.NLI, version=version)

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        """Say what each paper says of the claim. Raises LabUnreachable when the lab is gone, LabRefused.

        A lab that was given another model in between is refused: its stances would carry the wrong version.
        """
        chosen = [pair.chosen for pair in self._reader.read(claim.text, papers)]
        hypothesis = clean(claim.text[:MOST_HYPOTHESIS])
        pairs = [
            Pair(premise=clean(read.sentence.text[:MOST_PREMISE]), hypothesis=hypothesis)
            for some in chosen
            for read in some
        ]
        chances = iter([c for batch in batches(pairs) for c in self._ask(batch)])
        return [
            self._assessment(paper, [Told(read, next(chances)) for read in some])
            for paper, some in zip(papers, chosen, strict=True)
        ]

    def _ask(self, pairs: Sequence[Pair]) -> tuple[Chances, ...]:
        answer = self._lab.entail(pairs)
        if answer.model != self.model:
            raise LabServesAnother(answer.model, self.model)
        if len(answer.chances) != len(pairs):
            raise LabRefused(200, f"{len(answer.chances)} answers to {len(pairs)} pairs; is it of this version?")
        return answer.chances

    def _assessment(self, paper: Paper, told: Sequence[Told]) -> Assessment:
        if not told:
            return Assessment(
                stance=Stance.NEUTRAL,
                confidence=0.0,
                unsure=True,
                asserted=False,
                explanation="the source gave no text to judge",
                judge=self.ref,
            )
        by_chance = sorted(told, key=lambda t: -t.stand[0])
        ground = next((t for t in by_chance if _asserts(t.read)), by_chance[0])
        chance, leaning = ground.stand
        against = max((t.stand[0] for t in told if t.stand[1] is not leaning), default=0.0)
        is_split = against >= LEAN_FROM
        said = f"{leaning.value} with chance {chance:.2f} of {self.model.name}, not calibrated"
        if chance >= CALL_FROM and _asserts(ground.read) and not is_split:
            return Assessment(
                stance=leaning,
                confidence=chance,
                quotes=(quote_of(paper, ground.read.sentence),),
                explanation=said,
                judge=self.ref,
            )
        unsure = chance >= LEAN_FROM and _asserts(ground.read)
        why = "its sentences speak both ways" if is_split else "too unsure to say"
        return Assessment(
            stance=Stance.NEUTRAL,
            confidence=round(1 - chance, 4),
            unsure=unsure,
            leaning=leaning if unsure else None,
            leaning_chance=chance if unsure else None,
            asserted=_asserts(ground.read),
            quotes=(quote_of(paper, ground.read.sentence),) if unsure else (),
            explanation=f"{why}: {said}" if unsure else "no sentence of its own entails or contradicts the claim",
            judge=self.ref,
        )


def batches(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Cut pairs into questions that a lab takes, in order: bounded in number and in bytes."""
    out: list[list[Pair]] = []
    size = 0
    for pair in pairs:
        n = len(pair.premise.encode()) + len(pair.hypothesis.encode()) + 40
        if not out or len(out[-1]) >= MOST_PAIRS or size + n > MOST_BYTES:
            out.append([])
            size = 0
        out[-1].append(pair)
        size += n
    return out


def _asserts(read: ReadSentence) -> bool:
    """Whether the paper speaks for itself here; a sentence that only reports what others hold is no stand."""
    return read.cues[cues.NAMES.index("asserts")] > 0 or read.cues[cues.NAMES.index("background")] == 0
