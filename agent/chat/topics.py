"""Which held claims a question is about: by id, by a paper's id, by the telling words that they share, else by meaning.

Who asks seldom has a claim's words at hand. Where no claim shares enough of a question's, word vectors say which one is
about the same; the answer then says that it takes the nearest, and nothing is started on that ground.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from agent.word_vectors import cosines, shipped_word_vectors
from claims.claim import Claim
from claims.errors import InputError, NotHeld
from claims.family import family_of
from claims.ids import ArxivId
from claims.store import Store
from claims.ties import Index, stem, telling_words

ENOUGH = 0.34
"""Share of a question's telling words that a claim must have; set on the questions of the tests, which name both
claims that are held and things that are not."""

NEAR = 0.34
"""Share from which a claim is named as the nearest to a question that no claim bears on: less is chance."""

CLEAR = 0.6
"""Share from which a claim is taken for the one that is meant; below it the answer says that it is the nearest."""

CLOSE = 0.8
"""Share of the best claim's score from which another is named beside it."""

ALIKE: Final = 0.5
"""Nearness by word vectors from which a claim is taken for the one that is meant. Of 226 labelled claims, all held and
each asked for in another wording, words alone found 0.52 and took another for 0.03; with vectors 0.82 and 0.04. Where
the claim asked for is not held, another is taken, as the nearest, for 0.12 (0.05); at 0.55 it is 0.76, 0.04 and 0.09
(`python -m tests.benchmarks.topics`)."""

RELATED: Final = 0.4
"""Nearness from which a claim is named as the nearest to a question that no claim bears on."""

_ASKING = frozenset(
    stem(w)
    for w in "hold holds held still true valid stand stands verdict status since when long changed change made mind "
    "strongest strong best newest recent latest last past month months year years six three twelve week weeks "
    "against contradict contradicts contradicting contradiction support supports supporting confirm work works "
    "evidence experiment experiments own sure certain confident say says said tell untested tested test retest compare "
    "comparing difference cite citation citations bibtex reference references convince overturn overturned relaxed "
    "claim claims question give show find list please know think believe mean today now currently anymore happened "
    "news what's whats does did yet help explain summarise summarize result results run seed seeds why "
    "finding findings refute refuted contested me giving gives thing things really ever narrow narrows narrowed "
    "qualify qualifies caveat caveats limitation limitations exception exceptions condition conditions better worse "
    "stronger weaker supported debunked disproved falsified outdated obsolete dated published paper papers study "
    "studies research literature currently also too there any some many much other others else wrong right far speak "
    "speaks spoke spoken argue argues anything something checked looked searched updated refreshed fail fails "
    "withdrawn retracted grounded original overview who weakest shakiest least count number many "
    "use using agree agrees disagree disagrees dispute disputes bear bears".split()
)
SUBJECT = 3
"""Words at the beginning of a claim among which a name is its subject."""

MAX_NAMED = 3
"""Claims that one question names."""

FAMILY_WORDS = {
    "data-quantity": "data quantity amount few curated examples alignment superficial instruction",
    "contrastive-pairs": "preference pairs function tool calling dpo direct optimisation sft",
    "proxy-tuning": "proxy decoding time logits knowledge",
    "rl-generalisation": "reinforcement learning rl grpo ppo generalise generalising generalisation generalize "
    "generalizing generalization memorise out-of-distribution ood",
    "verification-gap": "self-improvement self-training verify verification verifier generation",
    "homogeneity": "homogeneous homogeneity homogenise hivemind similar diverse diversity",
    "in-context-alignment": "in-context icl prompting alignment demonstrations",
}
"""What people call the subjects of a family, besides the words of its claims."""

_OWN = re.compile(r"\b(?:ev-[0-9a-f]{12}|exp-[0-9a-f]{12}|[a-z0-9]+(?:-[a-z0-9]+){1,12})\b")
_JOINED_UP = tuple(
    (re.compile(rf"\b{joined.replace('-', ' ')}\b", re.IGNORECASE), joined)
    for joined in ("out-of-distribution", "fine-tuning", "self-improvement", "in-context", "proxy-tuning")
)
"""Words that claims write joined, for those who write them apart."""

_NAME = re.compile(r"\b\w*[A-Z]\w*[A-Z]\w*\b")
_TOKEN = re.compile(r"[\w-]+")
_JOINED = re.compile(r"[,;?&/]\s*\w|\b(?:and|or|versus|vs|also|than)\b", re.IGNORECASE)


class Topic(NamedTuple):
    """What a question is about."""

    claims: tuple[Claim, ...]
    """best first; empty when no held claim bears on it"""
    nearest: Claim | None = None
    """the closest claim when none bears on it"""
    shared: tuple[str, ...] = ()
    """words of the question that the closest claim has"""
    paper_ids: tuple[str, ...] = ()
    """held papers that it names"""
    evidence_ids: tuple[str, ...] = ()
    """held evidence that it names"""
    unknown_ids: int = 0
    """ids that it names and that are not held"""
    silent: bool = False
    """it names no topic at all: `since when?`"""
    beyond: tuple[str, ...] = ()
    """words of the question that the best claim does not have"""
    loose: bool = False
    """the best claim shares less than `CLEAR` of the question's words"""
    by_meaning: bool = False
    """the best claim shares next to no word with the question, and is about the same"""


def find_topic(store: Store, question: str, claims: Sequence[Claim]) -> Topic:
    """Find the claims that a question is about, best first."""
    for apart, joined in _JOINED_UP:
        question = apart.sub(joined, question)
    named, papers, evidence, unknown, rest = _named(store, question, claims)
    if named or unknown:
        return Topic(named, paper_ids=papers, evidence_ids=evidence, unknown_ids=unknown)
    ranked = rank(rest, claims)
    words = content(rest)
    if not words:
        return Topic((), paper_ids=papers, silent=True)
    good = [claim for share, strong, claim in ranked if strong and share >= ENOUGH]
    if not good:
        nearness, alike = _nearest(rest, claims)
        if alike is not None and nearness >= ALIKE:
            return Topic((alike,), paper_ids=papers, loose=True, by_meaning=True)
        near = ranked[0][2] if ranked and ranked[0][0] >= NEAR else alike if nearness >= RELATED else None
        had = telling_words(searchable(near)) if near else frozenset()
        shared = [w for w in dict.fromkeys(_TOKEN.findall(rest)) if content(w) & had]
        return Topic((), nearest=near, shared=tuple(shared[:4]), paper_ids=papers)
    best = max(share for share, strong, _ in ranked if strong)
    close = tuple(c for s, strong, c in ranked if strong and s >= max(ENOUGH, CLOSE * best))
    had = telling_words(searchable(close[0]))
    beyond = [w for w in dict.fromkeys(_TOKEN.findall(rest)) if (own := content(w)) and not own & had]
    return Topic(close, paper_ids=papers, beyond=tuple(beyond), loose=best < CLEAR)


def _nearest(question: str, claims: Sequence[Claim]) -> tuple[float, Claim | None]:
    """Give the claim that is nearest to a question's subject by word vectors, and how near, -1 to 1."""
    if not claims:
        return -1.0, None
    subject = " ".join(token for token in _TOKEN.findall(question) if content(token))
    vectors = shipped_word_vectors()
    asked, held = vectors.of([subject]), vectors.of([claim.text for claim in claims])
    near = cosines(held, asked)[:, 0].tolist()
    best = min(range(len(near)), key=lambda i: (-near[i], claims[i].id))
    return near[best], claims[best]


def others(question: str, topic: Topic, claims: Sequence[Claim]) -> Topic | None:
    """Find further claims that the words name which the best one does not have; None when there are none.

    Only behind a joint (`and`, `or`, a comma), and only a claim that they name clearly: by its name, its family or two
    of its words. The claims stand in the order of the question.
    """
    if not _JOINED.search(question):
        return None
    found = list(topic.claims[:1])
    beyond = topic.beyond
    while beyond and len(found) < MAX_NAMED:
        left = [c for c in claims if c not in found]
        clear = (
            c for share, strong, c in rank(" ".join(beyond), left, by_one_word=False) if strong and share >= ENOUGH
        )
        claim = next(clear, None)
        if claim is None:
            break
        found.append(claim)
        had = telling_words(searchable(claim))
        beyond = tuple(w for w in beyond if not content(w) & had)
    if len(found) < 2:
        return None
    words = deciding(found)
    place = {c.id: next((m.start() for m in _TOKEN.finditer(question) if words[c.id](m[0])), 0) for c in found}
    return Topic(tuple(sorted(found, key=lambda c: place[c.id])), beyond=beyond)


def deciding(claims: Sequence[Claim]) -> dict[str, Callable[[str], bool]]:
    """Give for each of some claims what tells whether words name it: words that it has and the others do not."""
    had = {c.id: telling_words(searchable(c)) for c in claims}
    own = {id: words - frozenset().union(*(w for i, w in had.items() if i != id)) for id, words in had.items()}
    return {id: partial(_names, words) for id, words in own.items()}


def _names(own: frozenset[str], words: str) -> bool:
    return bool(content(words) & own)


def content(question: str) -> frozenset[str]:
    """Give the stems of a question's words that name its subject."""
    return frozenset(w for w in telling_words(question.replace("’", "'")) if w not in _ASKING)


def rank(question: str, claims: Sequence[Claim], *, by_one_word: bool = True) -> list[tuple[float, bool, Claim]]:
    """Order claims by the weight of the question's words that they share: (share, whether it is no chance, claim).

    A question of one word is matched by that word alone only where `by_one_word`.
    """
    words = content(question)
    if not words or not claims:
        return []
    subject = " ".join(sorted(words))
    family = family_of(question)
    names = {stem(m.lower()) for claim in claims for m in _NAME.findall(claim.text)} & words
    # A joined word (`fine-tuning`) is one word here, however many stems it has.
    tokens = [own for token in dict.fromkeys(_TOKEN.findall(question)) if (own := content(token))]
    texts = [searchable(c) for c in claims]
    out = []
    for share, i in Index(texts).shares(subject):
        had = words & telling_words(texts[i])
        alike = family is not None and family == claims[i].scope.family
        least = min(2, len(tokens)) if by_one_word else 2
        strong = sum(bool(own & had) for own in tokens) >= least or bool(had & names) or alike
        subjects = {stem(m.lower()) for m in _NAME.findall(" ".join(claims[i].text.split()[:SUBJECT])) if len(m) > 3}
        # Who names what a claim is about by its own name means that claim, whatever else the question brings up.
        least_share = ENOUGH if subjects & words else 0.0
        out.append((min(1.0, max(share + 0.25 * alike, least_share)), strong, claims[i]))
    return sorted(out, key=lambda r: (-r[0], r[2].id))


def searchable(claim: Claim) -> str:
    """Give all words that are held about a claim itself: sentence, note, topics of its anchors, family."""
    said = [claim.text, claim.note or "", FAMILY_WORDS.get(claim.scope.family or "", "")]
    for anchor in claim.anchors:
        said += [anchor.stated_topic or "", anchor.stated_title or ""]
    return " ".join(said)


def _named(
    store: Store, question: str, claims: Sequence[Claim]
) -> tuple[tuple[Claim, ...], tuple[str, ...], tuple[str, ...], int, str]:
    by_id = {c.id: c for c in claims}
    found: dict[str, Claim] = {}
    unknown = 0
    ids = [(s, e, i.base) for s, e, i in ArxivId.find_all(question)]
    papers = tuple(store.papers([base for *_, base in ids]))
    unknown += len({base for *_, base in ids} - set(papers))
    for paper_id in papers:
        for id in store.claims_of_paper(paper_id):
            found[id] = by_id[id]
        found.update({c.id: c for c in claims if paper_id in {a.arxiv_id for a in c.anchors}})
    evidence: list[str] = []
    rest = question
    for match in _OWN.finditer(question):
        word = match[0]
        try:
            if word.startswith("ev-"):
                item = store.evidence_by_id(word)
                evidence.append(word)
                found[item.claim_id] = by_id[item.claim_id]
            elif word.startswith("exp-"):
                own = [v.spec.claim_id for v in store.experiments() if v.id == word and v.spec.claim_id in by_id]
                unknown += not own
                found.update({id: by_id[id] for id in own if id})
            elif word in by_id or (word.count("-") >= 3 and store.claim(word)):
                claim = store.claim(word)
                found[claim.id] = claim
                rest = rest.replace(word, " ")
        except NotHeld:
            unknown += word.startswith("ev-")
        except InputError:
            continue
    return tuple(found.values()), papers, tuple(evidence), unknown, rest
