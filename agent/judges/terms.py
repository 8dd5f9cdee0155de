"""Words folded to stems and weighted by how rare they are in abstracts about machine learning.

The weights (`model/idf.json.gz`) are document frequencies over arXiv metadata (CC0), kept to a tenth of a nat.
"""

import gzip
import json
import re
from functools import lru_cache
from importlib.resources import files

_WORD = re.compile(r"[a-z0-9]+(?:[-'][a-z0-9]+)*")
_STOP = frozenset(
    (
        "a an and are as at be been being by can could did do does for from had has have how i if in into is it its "
        "itself may might more most much no nor not of on or our own s same should so some such than that the their "
        "them then there these they this those to too under up us very via was we were what when where whether which "
        "while who why will with within without would you your also even only just still both each other rather far "
        "well"
    ).split()
)
_SAME = {
    "llm": "languagemodel",
    "llms": "languagemodel",
    "lm": "languagemodel",
    "lms": "languagemodel",
    "rl": "reinforcement",
    "sft": "finetune",
    "fine-tuning": "finetune",
    "finetuning": "finetune",
    "fine-tune": "finetune",
    "fine-tuned": "finetune",
    "finetuned": "finetune",
    "finetune": "finetune",
    "cot": "chainofthought",
    "chain-of-thought": "chainofthought",
    "chains-of-thought": "chainofthought",
    "icl": "incontext",
    "in-context": "incontext",
    "rlvr": "reinforcement",
    "few-shot": "fewshot",
    "zero-shot": "zeroshot",
    "pre-training": "pretrain",
    "pre-trained": "pretrain",
    "pretraining": "pretrain",
    "pretrained": "pretrain",
    "post-training": "posttrain",
    "dataset": "data",
    "datasets": "data",
}
_TAILS = (
    "isations izations isation ization ational fulness ousness iveness ations ation ators ator ments ment ingly "
    "edly ising izing ised ized ises izes ising ably ibly able ible ness ions ion ings ing ies ied ers er est ed "
    "es ly al s e y"
).split()


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Fold a lower-case word to a stem: a known alias, or the word without its ending (at least four letters stay)."""
    if word in _SAME:
        return _SAME[word]
    for tail in _TAILS:
        if word.endswith(tail) and len(word) - len(tail) >= 4:
            return word[: -len(tail)]
    return word


def stems(text: str) -> list[str]:
    """Give the stems of a text's content words in order; hyphened compounds also give their parts."""
    out: list[str] = []
    for word in _WORD.findall(text.lower()):
        if word in _STOP:
            continue
        out.append(stem(word))
        if "-" in word and word not in _SAME:
            out.extend(stem(part) for part in word.split("-") if part not in _STOP and len(part) > 1)
    return out


class Rarity:
    """How telling a stem is."""

    def __init__(self, weights: dict[str, float], unseen: float) -> None:
        self._weights = weights
        self._unseen = unseen

    def __getitem__(self, term: str) -> float:
        return self._weights.get(term, self._unseen)


@lru_cache(maxsize=1)
def shipped_rarity() -> Rarity:
    """Load the weights that ship with the package: ln(documents / documents with the stem)."""
    raw = json.loads(gzip.decompress(files("agent.judges").joinpath("model/idf.json.gz").read_bytes()))
    weights = {term: int(tenths) / 10 for tenths, terms in raw["tenths"].items() for term in terms.split(" ")}
    return Rarity(weights, raw["unseen"] / 10)
