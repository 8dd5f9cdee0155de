"""Evidence for a claim in the mirror: one weighted question, asked twice, then a look at who reports a finding.

The first question weighs the claim's words, other names for its subject, and the words of the papers it rests on. The
best answers then lend their own words to a second question (pseudo-relevance feedback, as RM3 does: Abdul-Jaleel et
al. 2004), which reaches papers that share none of the claim's. Last, the head of the answer is put in order by how near
its texts are by word vectors, with a small bonus for abstracts that say what they found over those that only propose a
method: only the former can take a stand. Constants are shared by all claims; `tests/benchmarks/recall.py` prints what
they give.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final, Protocol

from agent.fusion import spread, standardised
from agent.vocabulary import other_names
from agent.word_vectors import shipped_word_vectors
from claims.claim import Claim
from claims.paper import Paper
from claims.paper_index import PaperIndex, Subset, analysed, terms_of
from claims.search import Hit

NOTE_WEIGHT: Final = 0.5
"""Of a word in what the document says about the claim in its sources section."""
TITLE_WEIGHT: Final = 0.6
ANCHOR_WEIGHT: Final = 1.5
ANCHOR_TERMS: Final = 60
OTHER_NAME_WEIGHT: Final = 0.35
FEEDBACK_PAPERS: Final = 10
FEEDBACK_TERMS: Final = 60
FEEDBACK_WEIGHT: Final = 2.0
QUESTION_TERMS: Final = 100
"""Terms of a question, the most telling ones: what the rest adds is not worth its milliseconds."""
REORDERED: Final = 200
"""Papers at the head of the answer whose text is looked at. With 100, recall at 50 is 0.64 in the place of 0.66 on the
development claims (n 116) and 0.70 in the place of 0.71 on the training claims (n 379)."""
UNIT: Final = 10
"""The rank whose score others are compared with."""
NEAR: Final = 0.45
"""Share of that score from which on a paper is near enough to a claim to be judged. Of 116 labelled stances on the 30
development claims, among 93,000 papers each, 0.91 reach it, and 11 of 1,000 papers do; the best 120 hold 0.69. At 0.40
it is 0.92 and 17, at 0.50 it is 0.88 and 7."""
MOST_AMONG: Final = 2000
"""Papers that are near enough and given at most."""
DENSE_REORDERED: Final = 300
"""Papers at the head that text vectors put in order: more of them brought up no more of the labelled evidence."""
NEARNESS_WEIGHT: Final = 1.0
"""Standard deviations of the words' score that one of the vectors' similarity is worth. Between 0.5 and 3 recall of the
labelled evidence at 50 moved by 0.03 either way on the 30 development claims (all-MiniLM-L6-v2, and the word vectors
between 0.5 and 2): no sharp optimum."""
FINDING_BONUS: Final = 0.03
"""Share of the tenth score that one standard deviation of reporting over proposing is worth."""

Texts = Callable[[Sequence[str]], Mapping[str, Paper]]
"""Gives held papers by id, as `store.papers` does."""


class Dense(Protocol):
    """A second opinion from text vectors, however they are made."""

    def __call__(self, claim: Claim, anchors: Sequence[Paper], papers: Sequence[Paper]) -> Sequence[float]:
        """Give each paper's similarity to the claim and what it rests on; larger is closer."""
        ...


def retrieve(
    claim: Claim,
    index: PaperIndex,
    *,
    since: date | None = None,
    until: date | None = None,
    limit: int = 200,
    anchors: Sequence[Paper] = (),
    texts: Texts | None = None,
    dense: Dense | None = None,
    reorder: bool = True,
    rarity: "Rarity | None" = None,
) -> list[Hit]:
    """Rank the mirror's papers by how likely they bear on a claim, best first.

    since, until: days of v1, both included. anchors: the papers that the claim rests on, as far as they are held.
    texts: without it there is neither feedback nor reordering. dense: reorders a longer head, in the place of the word
    vectors that ship.
    reorder: without it the head stays in the order of the words' scores, for who only asks which papers are among the
    best. rarity: kept by who asks for many claims while the index stays as it is. Raises CouldNotLook, and what `dense`
    raises.
    """
    rarity = Rarity(index) if rarity is None else rarity
    if texts is None:
        question = _telling(_first_question(claim, rarity, anchors), rarity)
        return index.search_terms(question, since=since, until=until, limit=limit, analysed=True)
    question = _question(claim, index, since, until, anchors, texts, rarity)
    n_head = REORDERED if dense is None else DENSE_REORDERED
    n = max(limit, FEEDBACK_PAPERS, n_head if reorder else 0)
    hits = index.search_terms(question, since=since, until=until, limit=n, analysed=True)
    if not reorder:
        return hits[:limit]
    head = hits[:n_head]
    held = texts([hit.paper_id for hit in head])
    nearness = dense or shipped_word_vectors().nearness
    similar = nearness(claim, anchors, [held[hit.paper_id] for hit in head if hit.paper_id in held])
    return [*_reordered(head, held, similar), *hits[n_head:]][:limit]


def retrieve_among(
    claim: Claim,
    index: PaperIndex,
    among: Subset,
    *,
    since: date | None = None,
    until: date | None = None,
    best: int = 120,
    anchors: Sequence[Paper] = (),
    texts: Texts,
    rarity: "Rarity | None" = None,
) -> list[Hit]:
    """Rank those of some papers that are near enough to a claim, whatever else is held, best first.

    Near enough is what `NEAR` says, and whatever a full match could put among its `best`; so a few papers in a small
    mirror all are. Gives at most MOST_AMONG, in the order of the words' scores. Others as in `retrieve`. Raises
    CouldNotLook.
    """
    rarity = Rarity(index) if rarity is None else rarity
    question = _question(claim, index, since, until, anchors, texts, rarity)
    hits = index.search_terms(question, since=since, until=until, limit=max(best, REORDERED), analysed=True)
    return index.search_terms(
        question,
        since=since,
        until=until,
        limit=min(among.n, MOST_AMONG),
        analysed=True,
        among=among,
        floor=near(hits, best),
    )


def near(hits: Sequence[Hit], best: int) -> float:
    """Give the words' score from which on a paper is near enough; 0 when everything gives fewer papers than count.

    hits: of everything, `best` and REORDERED at least where there are so many, in the order of the words' scores: out
    of the first REORDERED a full match chooses.
    """
    n = max(best, REORDERED)
    return 0.0 if len(hits) < n else min(hits[n - 1].score, NEAR * hits[UNIT - 1].score)


def _question(
    claim: Claim,
    index: PaperIndex,
    since: date | None,
    until: date | None,
    anchors: Sequence[Paper],
    texts: Texts,
    rarity: "Rarity",
) -> dict[str, float]:
    """Give the second question: the first one with what its best answers lend."""
    question = _first_question(claim, rarity, anchors)
    terms = _telling(question, rarity)
    first = index.search_terms(terms, since=since, until=until, limit=FEEDBACK_PAPERS, analysed=True)
    held = texts([hit.paper_id for hit in first])
    answers = [(held[h.paper_id], h.score) for h in first if h.paper_id in held]
    return _telling(_with_feedback(question, answers, rarity), rarity)


class Rarity(dict[str, float]):
    """Inverse document frequency of index terms, ln(1 + (N - n + 0.5) / (n + 0.5)), each looked up once."""

    def __init__(self, index: PaperIndex) -> None:
        super().__init__()
        self._index = index
        self._n_papers = max(1, index.count())

    def __missing__(self, term: str) -> float:
        n = self._index.n_papers_with(term)
        self[term] = math.log(1 + (self._n_papers - n + 0.5) / (n + 0.5))
        return self[term]


def _first_question(claim: Claim, rarity: Rarity, anchors: Sequence[Paper]) -> dict[str, float]:
    question = dict.fromkeys(terms_of(claim.text), 1.0)
    own = set(question)
    for term in terms_of(claim.note or ""):
        _raise(question, term, NOTE_WEIGHT)
    for paper in anchors:
        for term in analysed(paper.title):
            _raise(question, term, TITLE_WEIGHT)
    telling: dict[str, float] = defaultdict(float)
    for paper in anchors:
        for term, weight in _vector(paper, rarity).items():
            telling[term] += weight
    for term, share in _strongest(telling, ANCHOR_TERMS).items():
        _raise(question, term, ANCHOR_WEIGHT * share)
    names: dict[str, float] = {}
    for name in other_names(claim.text):
        terms = analysed(name)
        for term in terms:
            if term not in own:
                names[term] = max(names.get(term, 0.0), OTHER_NAME_WEIGHT / math.sqrt(len(terms)))
    for term, weight in names.items():
        _raise(question, term, weight)
    return question


def _with_feedback(
    question: Mapping[str, float], answers: Sequence[tuple[Paper, float]], rarity: Rarity
) -> dict[str, float]:
    if not answers:
        return dict(question)
    best = answers[0][1] or 1.0
    model: dict[str, float] = defaultdict(float)
    for paper, score in answers:
        vector = _vector(paper, rarity)
        length = math.sqrt(sum(x * x for x in vector.values())) or 1.0
        for term, x in vector.items():
            model[term] += x / length * score / best
    widened = dict(question)
    for term, share in _strongest(model, FEEDBACK_TERMS).items():
        _raise(widened, term, FEEDBACK_WEIGHT * share)
    return widened


def _vector(paper: Paper, rarity: Rarity) -> dict[str, float]:
    """Weigh a paper's terms: ln(1 + count) times rarity, the title counted twice."""
    text = f"{paper.title} {paper.title} {paper.abstract or ''} {paper.finding or ''}"
    return {term: math.log1p(n) * rarity[term] for term, n in Counter(analysed(text)).items()}


def _strongest(weights: Mapping[str, float], n: int) -> dict[str, float]:
    """Keep the n largest, scaled so that the largest is 1."""
    kept = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:n]
    return {term: weight / kept[0][1] for term, weight in kept if kept[0][1] > 0}


def _telling(question: Mapping[str, float], rarity: Rarity) -> dict[str, float]:
    ranked = sorted(question.items(), key=lambda item: (-item[1] * rarity[item[0]], item[0]))
    return dict(ranked[:QUESTION_TERMS])


def _raise(question: dict[str, float], term: str, weight: float) -> None:
    question[term] = question.get(term, 0.0) + weight


_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
_SPEAKERS = frozenset("we our result results experiments findings analysis study evidence".split())
_SAYS = frozenset(
    """find found show shows reveal reveals demonstrate demonstrates observe observed suggest suggests indicate identify
    uncover discover confirm""".split()
)
_PROPOSES = frozenset(
    """propose proposes proposed proposing introduce introduces introduced introducing present novel framework
    outperform outperforms outperformed outperforming state-of-the-art sota""".split()
)


def _reporting(paper: Paper) -> float:
    """Tell how much an abstract reports over how much it proposes: difference of logs of occurrences per 100 words."""
    words = _WORD.findall((paper.abstract or paper.finding or "").lower())
    hundreds = max(30, len(words)) / 100
    reports = sum(w in _SAYS and not _SPEAKERS.isdisjoint(words[max(0, i - 4) : i]) for i, w in enumerate(words))
    proposes = sum(w in _PROPOSES for w in words)
    return math.log1p(reports / hundreds) - math.log1p(proposes / hundreds)


def _reordered(head: Sequence[Hit], held: Mapping[str, Paper], similar: Sequence[float]) -> list[Hit]:
    """Put a head in order. similar: the similarity by text vectors of each paper of it whose text is held."""
    if not head:
        return []
    unit = head[min(9, len(head) - 1)].score
    known = [hit for hit in head if hit.paper_id in held]
    bonus = dict.fromkeys((hit.paper_id for hit in head), 0.0)
    for hit, z in zip(known, standardised([_reporting(held[hit.paper_id]) for hit in known]), strict=True):
        bonus[hit.paper_id] += FINDING_BONUS * unit * z
    if known:
        unit_spread = spread([hit.score for hit in known])
        for hit, z in zip(known, standardised(similar), strict=True):
            bonus[hit.paper_id] += NEARNESS_WEIGHT * unit_spread * z
    ordered = sorted(head, key=lambda hit: (-hit.score - bonus[hit.paper_id], hit.paper_id))
    floor = head[-1].score  # what follows the head is not passed by it
    return [Hit(paper_id=hit.paper_id, score=max(floor, hit.score + bonus[hit.paper_id])) for hit in ordered]
