"""What a question asks for, told from its words. A question may ask for several things at once."""

import re
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
    CHANGED = "changed"
    """what changed it"""
    AGAINST = "against"
    """the strongest work against it, in a window"""
    SUPPORT = "support"
    EXPERIMENT = "experiment"
    """what our own experiment says, and how sure it is"""
    UNTESTED = "untested"
    MIND = "mind"
    """what would change the verdict"""


_CUES: tuple[tuple[Intent, str], ...] = (
    (Intent.HELP, r"^(?:help|\?|what can (?:you|i) (?:do|ask))\b"),
    (Intent.LIST, r"\b(?:which|what|list|show)\b.{0,20}\bclaims\b(?!.*\buntested\b)|^what do you hold\W*$"),
    (Intent.CITE, r"\bcite\b|\bcitations?\b|\bbib(?:tex)?\b|\breferences? (?:for|to)\b"),
    (Intent.COMPARE, r"\bcompar|\bversus\b|\bvs\b|\bdifference between\b|\bwhich (?:of|one)\b.*\bor\b"),
    (Intent.UNTESTED, r"\buntested\b|\bnot (?:yet )?(?:been )?tested\b|\bnever (?:been )?tested\b|\bopen gaps?\b"),
    (
        Intent.MIND,
        r"\b(?:change|convince|persuade)\b.{0,12}\b(?:your|our|the) (?:mind|verdict|answer)\b|\bfalsif|"
        r"\bwhat would (?:it take|overturn|convince|persuade|change|relax)",
    ),
    (
        Intent.EXPERIMENT,
        r"\bexperiments?\b|\b(?:our|your|own) (?:own )?(?:runs?|tests?|measurements?|lab)\b|\bseeds?\b|\breplicat",
    ),
    (
        Intent.AGAINST,
        r"\bagainst\b|\bcontradict|\bcounter-?(?:evidence|example|argument)|\brefut|\bdisput|\bdisagree|\bcritici",
    ),
    (Intent.SUPPORT, r"\bsupport|\bconfirm|\bin favou?r\b|\bevidence for\b|\bbacks?\b"),
    (
        Intent.CHANGED,
        r"\bwhat (?:has |have )?(?:changed|made|turned|relaxed|overturned)\b|\bchanged (?:it|this|that)\b|"
        r"\bwhy (?:is|was|did|does|has)\b",
    ),
    (Intent.SINCE, r"\bsince when\b|\bhow long\b|\bwhen did\b|\bfrom when\b|\bas of when\b"),
    (
        Intent.HOLDS,
        r"\bstill\b|\bholds?\b|\bheld up\b|\btrue\b|\bvalid\b|\bstands?\b|\bverdict\b|\bstatus\b|\boverturned\?",
    ),
)
_ORDER = tuple(Intent)
_MONTHS = re.compile(r"\b(?:last|past|previous)\s+(?:~\s*)?(\w+)?\s*(month|year|week)s?\b")
_COUNT = {w: n for n, w in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), 1)}
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
    found = {intent for intent, cue in _CUES if re.search(cue, low)}
    alone = next((i for i in (Intent.HELP, Intent.LIST, Intent.COMPARE) if i in found), None)
    if alone is not None:
        return (alone, Intent.CITE) if Intent.CITE in found and alone is Intent.COMPARE else (alone,)
    if Intent.MIND in found:
        found -= {Intent.CHANGED, Intent.HOLDS}
    if found & {Intent.AGAINST, Intent.SUPPORT, Intent.EXPERIMENT, Intent.UNTESTED, Intent.CITE}:
        asks_verdict = re.search(r"\bstill hold|\bdoes .{1,80} hold\b|\bverdict\b", low)
        found -= set() if asks_verdict else {Intent.HOLDS}
    return tuple(i for i in _ORDER if i in found) or (Intent.HOLDS,)


def window_months(question: str, default: int = 6) -> int:
    """Give the months that `last N months` (or years, weeks) names, 1 to 1200; `default` when none is named."""
    match = _MONTHS.search(question.lower())
    if not match:
        return default
    word = match[1] or "one"
    n = int(word) if word.isdigit() else _COUNT.get(word, 1)
    months = {"month": n, "year": 12 * n, "week": -(-n // 4)}[match[2]]
    return min(max(months, 1), 1200)


def wanted_action(message: str) -> Wanted | None:
    """Read a message that asks for a re-test or an experiment; None when it asks a question."""
    match = _ACTION.match(" ".join(message.lower().split()))
    if match is None or message.rstrip().endswith("?"):
        return None
    start = len(" ".join(message.split())) - len(match["topic"])
    return Wanted("retest" if match["retest"] else "experiment", " ".join(message.split())[start:].strip(" .!"))
