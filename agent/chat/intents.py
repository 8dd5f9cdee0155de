"""What a question asks for, told from its words. A question may ask for several things at once."""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple


class Intent(StrEnum):
    """One thing that can be asked."""

    HELP = "help"
    LIST = "list"
    """which claims are held"""
    CITE = "cite"
    """BibTeX"""
    COMPARE = "compare"
    """two claims side by side"""
    HOLDS = "holds"
    """does it still hold"""
    SINCE = "since"
    """since when"""
    GROUND = "ground"
    """the paper that it stands on, and whether that was withdrawn"""
    CHECKED = "checked"
    """when somebody last looked"""
    COUNT = "count"
    """how many papers do what"""
    NEWEST = "newest"
    """the newest work that takes a stand"""
    CHANGED = "changed"
    """what changed it"""
    AGAINST = "against"
    """the strongest work against it, in a window"""
    NARROWS = "narrows"
    """what narrows it: conditions, limits, exceptions"""
    SUPPORT = "support"
    EXPERIMENT = "experiment"
    """what our own experiment says, and how sure it is"""
    UNTESTED = "untested"
    MIND = "mind"
    """what would change the verdict"""


_REFUTED = r"\b(?:was|is|are|were|been|got)\b.{0,100}\b(?:refuted|debunked|overturned|disproved|disproven|falsified)\b"

_CUES: tuple[tuple[Intent, str], ...] = (
    (Intent.HELP, r"^(?:help|\?|what can (?:you|i) (?:do|ask))\b"),
    (
        Intent.LIST,
        r"\b(?:which|what|list|show)\b.{0,20}\bclaims\b(?!.*\buntested\b)|^what do you hold\W*$|"
        r"^(?:please )?(?:summari[sz]e|(?:give me an )?overview of)\b.{0,20}\b(?:hold|held|everything|claims|verdicts)",
    ),
    (Intent.CITE, r"\bcite\b|\bcitations?\b|\bbib(?:tex)?\b|\breferences? (?:for|to)\b"),
    (Intent.COMPARE, r"\bcompar|\bversus\b|\bvs\b|\bdifference between\b|\bwhich\b.*\w or \w|\w or \w.*\bwhich\b"),
    (Intent.UNTESTED, r"\buntested\b|\bnot (?:yet )?(?:been )?tested\b|\bnever (?:been )?tested\b|\bopen gaps?\b"),
    (
        Intent.MIND,
        r"\b(?:change|convince|persuade)\b.{0,12}\b(?:your|our|the) (?:mind|verdict|answer)\b|\bfalsif(?:y|iable)|"
        r"\bwhat would (?:it take|overturn|convince|persuade|change|relax)",
    ),
    (
        Intent.EXPERIMENT,
        r"\bexperiments?\b|\b(?:our|your|own) (?:own )?(?:runs?|tests?|measurements?|lab)\b|\bseeds?\b|\breplicat",
    ),
    (
        Intent.AGAINST,
        r"\bagainst\b|\bcontradict|\bcounter-?(?:evidence|example|argument)|\brefut|\bdisput|\bdisagree|\bcritici|"
        r"\b(?:evidence|proof|papers?|work|stud(?:y|ies)|anyone|who)\b.{0,60}\b(?:fails?|breaks?|wrong|false)\b",
    ),
    (Intent.GROUND, r"\bwithdrawn\b|\bretracted\b|\bgrounded\b|\b(?:original|anchor) paper\b|\bpaper behind\b"),
    (
        Intent.CHECKED,
        r"\blast (?:checked|looked|searched|updated|refreshed|re-?tested|tested)\b|\bup to date\b|"
        r"\bhow (?:old|recent|fresh|current) is\b",
    ),
    (Intent.COUNT, r"\bhow (?:many|much)\b.{0,30}\b(?:papers?|stud(?:y|ies)|voices?|works?|evidence)\b"),
    (
        Intent.NEWEST,
        r"\b(?:newest|latest|most recent|recent|new)\s+(?:\w+\s+)?"
        r"(?:evidence|work|papers?|results?|findings?|stud(?:y|ies)|research|developments?)\b|"
        r"\bwhat(?:'s|’s| is) new\b|\bwhich (?:papers?|works?|stud(?:y|ies))\b",
    ),
    (
        Intent.NARROWS,
        r"\bnarrow|\bqualif(?:y|ies|ied)|\bcaveats?\b|\bexceptions?\b|\blimitations?\b|"
        r"\bunder (?:what|which) conditions?\b|\b(?:when|where) does (?:it|this|that) (?:not hold|fail|break)",
    ),
    (
        Intent.SUPPORT,
        r"\bsupport|\bconfirm|\bin favou?r\b|\bevidence for\b|\bbacks?\b|"
        r"\bwho (?:says|claims|found|finds|shows|showed)\b",
    ),
    (
        Intent.CHANGED,
        r"\bwhat (?:has |have )?(?:changed|made|turned|relaxed|overturned)\b|\bchanged (?:it|this|that)\b|"
        r"\bwhy (?:is|was|did|does|has)\b",
    ),
    (Intent.SINCE, r"\bsince when\b|\bhow long\b|\bwhen did\b|\bfrom when\b|\bas of when\b"),
    (
        Intent.HOLDS,
        r"\bstill\b|\bholds?\b|\bheld up\b|\btrue\b|\bvalid\b|\bstands?\b|\bverdict\b|\bstatus\b|"
        rf"{_REFUTED}",
    ),
)
_ORDER = tuple(Intent)
WORK = frozenset({Intent.AGAINST, Intent.NARROWS, Intent.SUPPORT, Intent.NEWEST, Intent.CHANGED})
"""What is asked about work, so that a date says which work is meant."""

_JOINTS = re.compile(
    r"[?;!]+\s*|,?\s+(?:and|but|then|also)\s+(?=(?:also\s+)?(?:what|how|does|do|did|is|are|was|were|which|who|since|why|"
    r"when|has|have|can|please|give|cite|show)\b)",
    re.IGNORECASE,
)
_ACTION = re.compile(
    r"^(?:please\s+|can you\s+|could you\s+)?(?:(?P<retest>re-?test|re-?check|refresh|update)|"
    r"(?:run|start|do)\s+(?:an?|the|our|another)?\s*(?P<experiment>experiment|seeds?))\b(?:\s+(?:on|for|of|about))?\s*"
    r"(?P<topic>.*)$"
)


class Wanted(NamedTuple):
    """An action that a message asks for in words."""

    action: str
    """`retest` or `experiment`"""
    topic: str
    """what it is about; empty for the claim that was spoken of last"""


def intents(question: str) -> tuple[Intent, ...]:
    """Give what is asked for, in the order in which it is best answered; does-it-hold when nothing is named."""
    low = " ".join(question.lower().split())[:2000]
    found = set(_found(low))
    alone = next((i for i in (Intent.HELP, Intent.LIST, Intent.COMPARE) if i in found), None)
    if alone is not None:
        return (alone, Intent.CITE) if Intent.CITE in found and alone is Intent.COMPARE else (alone,)
    if Intent.MIND in found:
        found -= {Intent.CHANGED, Intent.HOLDS}
    if Intent.AGAINST in found or Intent.SUPPORT in found or Intent.CHANGED in found:
        found -= {Intent.NEWEST}
    if found - {Intent.HOLDS, Intent.SINCE, Intent.CHANGED}:
        asks_verdict = re.search(_REFUTED, low) or re.search(r"\bstill hold|\bdoes .{1,80} hold\b|\bverdict\b", low)
        found -= set() if asks_verdict else {Intent.HOLDS}
    return in_order(found) or (Intent.HOLDS,)


def cued(clause: str) -> tuple[Intent, ...]:
    """Give what the words of a clause ask for by themselves; empty when they leave that to what was said before."""
    return intents(clause) if _found(" ".join(clause.lower().split())[:2000]) else ()


def in_order(found: Collection[Intent]) -> tuple[Intent, ...]:
    """Give intents in the order in which they are best answered."""
    return tuple(i for i in _ORDER if i in found)


def clauses(question: str) -> list[str]:
    """Cut a question where another one begins: `..., and what about ...`."""
    return [clause for clause in _JOINTS.split(question) if clause.strip(" ,.")]


def _found(low: str) -> list[Intent]:
    return [intent for intent, cue in _CUES if re.search(cue, low)]


def wanted_action(message: str) -> Wanted | None:
    """Read a message that asks for a re-test or an experiment; None when it asks a question."""
    match = _ACTION.match(" ".join(message.lower().split()))
    if match is None or message.rstrip().endswith("?"):
        return None
    start = len(" ".join(message.split())) - len(match["topic"])
    return Wanted("retest" if match["retest"] else "experiment", " ".join(message.split())[start:].strip(" .!"))
