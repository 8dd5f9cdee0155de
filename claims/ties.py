"""Which texts speak of the same thing: notes and anchors are tied to claims by the telling words they share.

An inverted index over the claims' words, with the commonest left out, keeps the work linear in the document.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+(?:[-+.][a-z0-9]+)*")
_DULL = frozenset(
    "a about above across actually after again against all also an and any are as at be because been before being "
    "below between both but by can could did do does doing down during each even every few for from further had has "
    "have having here how however if in into is it its itself just less like may might more most much must near no nor "
    "not now of off on once one only or other our out over own per rather really same should show shows so some such "
    "than that the their them then there these they this those through to too two under until up upon versus very via "
    "vs was we were what when where whether which while who why will with within without would you your model models "
    "language llm llms lm lms large paper papers arxiv".split()
)
_ENDINGS = (
    "isations|izations|isation|ization|fulness|ements|ations|ities|ation|ement|ness|ings|eous|edly|ized|ised|izes|ises|"
    "ize|ise|ing|ity|ies|ers|ed|ly|es|er|al|or|s|e|y"
)
_STEM = re.compile(rf"(.{{4,}}?)(?:{_ENDINGS})")
_MOST_CLAIMS_PER_WORD = 64
"""a word that more claims share tells nothing about one of them"""


def telling_words(text: str) -> frozenset[str]:
    """Give the stems of a text's content words. A joined word (`function-calling`) counts whole and in parts."""
    words: set[str] = set()
    for word in _WORD.findall(text.lower()):
        parts = [word] if word.isalnum() else re.split(r"[-+.]", word)
        for part in ["".join(parts), *parts] if len(parts) > 1 else parts:
            if part not in _DULL and (len(part) > 1 or part.isdigit()):
                words.add(stem(part))
    return frozenset(words)


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Cut the longest common ending that leaves four letters. Crude on purpose: it only treats both sides alike."""
    match = _STEM.fullmatch(word) if len(word) <= 40 else None
    return match[1] if match else word


class Index:
    """Claims by their telling words, weighted by rarity."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._words = [telling_words(t) for t in texts]
        count = Counter(w for words in self._words for w in words)
        n = max(1, len(texts))
        self._weight = {w: math.log(1 + n / c) for w, c in count.items()}
        self._unknown = math.log(1 + n)
        self._where: dict[str, list[int]] = defaultdict(list)
        for i, words in enumerate(self._words):
            for word in words:
                if count[word] <= _MOST_CLAIMS_PER_WORD:
                    self._where[word].append(i)

    def shares(self, text: str) -> list[tuple[float, int]]:
        """Give (share, which) for each text that has words in common, best first.

        share: weight of the common words over the weight of all words of `text`, 0 to 1.
        """
        words = telling_words(text)
        whole = sum(self._weight.get(w, self._unknown) for w in words)
        common: dict[int, float] = defaultdict(float)
        for word in words:
            for i in self._where.get(word, ()):
                common[i] += self._weight[word]
        return sorted(((c / whole, i) for i, c in common.items()), key=lambda s: (-s[0], s[1]))


def match_one_to_one(index: Index, texts: Sequence[str], *, least: float) -> dict[int, int]:
    """Pair texts with the index's texts, best pairs first, each used once, down to a share of `least`.

    Gives text number to index number. Texts that fit nothing are absent.
    """
    pairs = sorted(
        ((share, t, i) for t, text in enumerate(texts) for share, i in index.shares(text)[:8] if share >= least),
        key=lambda p: (-p[0], p[1], p[2]),
    )
    taken_texts: dict[int, int] = {}
    taken: set[int] = set()
    for _, t, i in pairs:
        if t not in taken_texts and i not in taken:
            taken_texts[t] = i
            taken.add(i)
    return taken_texts
