"""From a claim to the handful of questions that its evidence answers to.

A paper that contradicts a claim seldom repeats its words, so a claim asks more than once: in its own words, by the
names of its methods and data, in the words of the papers it rests on, negated, and in the vocabulary of a contrary
finding. The questions are plain words, which every source understands; answers are fused by rank, with `weight`.
For the mirror, `agent.retrieval` does better with the same vocabulary, because it can weigh single words.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from agent.vocabulary import CONTRARY, content_words, names_in, opposite_words, other_names
from claims.claim import Claim
from claims.paper import Paper
from claims.search import Query

ANCHOR_WORDS: Final = 40
"""Words taken from an anchor's abstract: recall grew up to about as many and then stayed."""
MAX_ANCHORS: Final = 2
"""Anchors whose words are asked for; a claim that names more is about what the first ones share."""
SUBJECT_WORDS: Final = 8
"""Words that say what a claim is about, in questions that add words of their own."""

_USUAL = frozenset(
    """model models language large llm llms method methods approach approaches paper work task tasks performance result
    results show propose proposed novel new experiments demonstrate study data training existing based state-of-the-art
    different achieve effective across various significantly improve improves recent code available""".split()
)


def plan_queries(claim: Claim, papers_of_anchors: Sequence[Paper] = ()) -> list[Query]:
    """Write the questions for a claim, most telling first; at most five, none empty, no two alike.

    papers_of_anchors: the papers that the claim rests on, where they are known: their title and abstract (or finding)
    tell how the field speaks about the matter. Weights are for fusion by rank.
    """
    words = content_words(claim.text)
    titles = content_words(" ".join(paper.title for paper in papers_of_anchors[:MAX_ANCHORS]))
    names = [*names_in(claim.text), *(n for paper in papers_of_anchors for n in names_in(paper.title))]
    subject = _subject(words, names)
    asked = [
        ("same", 1.0, _joined(words, other_names(claim.text))),
        ("methods", 1.0, _joined(titles, words) if titles else _joined(words)),
        ("methods", 1.0, _joined(words, *(_often(paper) for paper in papers_of_anchors[:MAX_ANCHORS]))),
        ("negation", 0.2, _joined(["not", *opposite_words(claim.text)], subject) if subject else ""),
        ("contrary", 0.2, _joined(subject, CONTRARY.split()) if subject else ""),
    ]
    queries: dict[str, Query] = {}
    for aim, weight, text in asked:
        if text:
            queries.setdefault(text.lower(), Query(text=text, aim=aim, weight=weight))
    return list(queries.values()) or [Query(text=claim.text)]


def _joined(*lists: Sequence[str]) -> str:
    """Join words, each once, in the order of its first mention."""
    first: dict[str, str] = {}
    for word in (word for words in lists for word in words):
        first.setdefault(word.lower(), word)
    return " ".join(first.values())


def _often(paper: Paper) -> list[str]:
    """Give the words that an anchor's abstract keeps coming back to."""
    body = re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", (paper.abstract or paper.finding or "").lower())
    telling = {w.lower() for w in content_words(" ".join(body))} - _USUAL
    return [w for w, _ in Counter(w for w in body if w in telling).most_common(ANCHOR_WORDS)]


def _subject(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """Give the words that say what a claim is about: names first, then the longest, as the rarest tend to be."""
    known = {n.lower() for n in names}
    telling = [w for w in words if w.lower() not in _USUAL]
    ranked = sorted(telling, key=lambda w: (w.lower() not in known, -len(w)))
    return [w for w in telling if w in ranked[:SUBJECT_WORDS]]
