"""Chooses the few sentences of a paper that tell most about a claim: what the encoder reads and what is quoted.

A sentence's score is linear in how closely it speaks of the claim, where it stands, and who asserts in it; the weights
were fitted on which sentence held the labelled quote (the three best hold it for 0.83 of training pairs and 0.80 of
the development pairs, against 0.45 and 0.50 for closeness alone).
"""

from typing import Final

import numpy as np

from agent.judges import cues
from agent.judges.encoder import Chosen
from agent.judges.features import Floats, ReadClaim, ReadPaper, ReadSentence, coverage
from claims.paper import TextField

N_SENTENCES: Final = 3
NAMES: Final = (
    "alignment",
    "alignment to the best",
    "claim covered",
    "covered to the best",
    "place",
    "first",
    "last",
    "length",
    "direction agrees",
    "directed",
    *cues.NAMES,
)
"""What each number of `sentence_features` says."""


def sentence_features(claim: ReadClaim, paper: ReadPaper, align: Floats) -> Floats:
    """Give the numbers of every sentence: (sentences, len(NAMES))."""
    cover = np.array([coverage(claim, s.terms) for s in paper.sentences])
    top_align, top_cover = float(align.max()) or 1.0, float(cover.max()) or 1.0
    rows = [
        [
            a,
            a / top_align,
            c,
            c / top_cover,
            s.place,
            float(s.place == 0),
            float(s.place == 1),
            min(len(s.terms), 40) / 20,
            s.direction * claim.direction,
            abs(s.direction),
            *(min(n, 2) for n in s.cues),
        ]
        for a, c, s in zip(align, cover, paper.sentences, strict=True)
    ]
    return np.array(rows, dtype=np.float64)


def choose(paper: ReadPaper, scores: Floats) -> list[ReadSentence]:
    """Give the best sentences other than the title, best first; the title alone when there is nothing else."""
    body = [i for i, s in enumerate(paper.sentences) if s.sentence.field is not TextField.TITLE]
    best = sorted(body, key=lambda i: (-scores[i], i))[:N_SENTENCES]
    return [paper.sentences[i] for i in best] or list(paper.sentences[:1])


def read_of(paper: ReadPaper, chosen: list[ReadSentence], scores: Floats) -> tuple[Chosen, ...]:
    """Give title and chosen sentences, in their order in the paper, with their scores: what the encoder reads."""
    return tuple(
        Chosen(s.sentence.text, round(float(score), 4))
        for s, score in zip(paper.sentences, scores, strict=True)
        if s in chosen or s.sentence.field is TextField.TITLE
    )
