"""Which side a model's sentence takes, told from its words: for, against or narrowing, and what it makes of the claim.

Words are a rough sign, so this errs towards refusing: a sentence that reads as a side which its evidence does not take
is better left out. Long quotes are the paper's words and are not read here.
"""

import re
from collections.abc import Collection

from claims.evidence import Stance
from claims.verdict import VerdictKind

_DENIAL = (
    r"(?:\b(?:not(?! only| just)|never|no|neither|nor|none|nothing|nobody|hardly|cannot|without|lacks?|unable to|"
    r"fail(?:s|ed)? to)\b|n't\b)"
)
_NOT = _DENIAL + r"(?:[^\w.!?;:]+\w+){0,4}?[^\w.!?;:]+"
"""A denial, with what it reaches: a few words, never beyond the end of its own clause."""

_FOR = (
    r"\b(?:support|confirm|corroborat|prove[sdn]?\b|proof\b|replicat|reproduc|validate[sd]?\b|vindicat|up(?:hold|held)|"
    r"agree[sd]? with|consistent with|in line with|in favou?r of|b(?:ears?|ore) (?:it |this )?out\b|back(?:s|ed)\b)"
)
_AGAINST = (
    r"\b(?:contradict|refut|disprov|overturn|debunk|rebut|invalidat|falsif|undermin|undercut|disput|discredit|"
    r"disconfirm|disagree|reject|oppose[sd]?\b|inconsistent with|at odds with|counter-?(?:evidence|example|argument)|"
    r"(?:argue|speak|evidence|point)s? against|casts? doubt|challeng\w+ (?:it|this|that|the)\b|"
    r"un(?:support|confirm|prove|replicat))"
)
_NARROWS = r"\b(?:narrow(?:s|ed)|qualif(?:y|ies|ied))\b"
_NAMED = re.compile(r"\b(?:stands|relaxed|overturned|contested|untested)\b")
_FALLEN = (
    r"\b(?:refuted|debunked|disprove[dn]|falsified|discredited|invalidated|fail(?:s|ed)|"
    r"(?:is|are|was|were|be|been|proved|proven) (?:\w+ly )?(?:false|wrong|untrue|incorrect|invalid|obsolete|outdated|"
    r"dead|a myth))\b"
)
_HOLDING = (
    r"\b(?:holds?|held(?= (?:up|true))|stands? (?:up|firm)|survive[sd]?|remains? (?:true|valid|correct|right)|"
    r"(?:is|are|still|proved) (?:\w+ly )?(?:true|valid|correct|right|proven|tenable|accurate))\b"
)
_NO_HOLD = re.compile(rf"(?:{_NOT}|\bno longer\W+(?:\w+\W+){{0,2}}?)(?:{_HOLDING}|\b(?:true|valid|tenable|applies)\b)")


def wrong_way(words: str, stances: Collection[Stance]) -> bool:
    """Tell whether folded words take a side that none of the cited stances takes, or leave out the other side.

    A paper that only narrows the claim is ground for neither side. What is denied twice is not made out, so it is
    taken for the wrong way.
    """
    if takes_side(words) and len(re.findall(_DENIAL, words)) > 1:
        return True
    rest, n_denied = re.subn(_NOT + _AGAINST, " ", words)
    rest, n_unsupported = re.subn(_NOT + _FOR, " ", rest)
    against = n_unsupported > 0 or re.search(_AGAINST, rest) is not None
    for_it = re.search(_FOR, rest) is not None
    said = {
        Stance.CONTRADICTS: against,
        Stance.SUPPORTS: for_it,
        Stance.QUALIFIES: re.search(_NARROWS, rest) is not None,
    }
    if any(is_said and stance not in stances for stance, is_said in said.items()):
        return True
    if Stance.CONTRADICTS in stances and (n_denied or (for_it and not against)):
        return True
    return Stance.SUPPORTS in stances and against and not for_it


def takes_side(words: str) -> bool:
    """Tell whether folded words speak for or against a claim, or say whether it holds."""
    return any(re.search(side, words) for side in (_FOR, _AGAINST, _FALLEN, _HOLDING))


def other_verdict(words: str, kinds: Collection[VerdictKind]) -> bool:
    """Tell whether folded words give a claim another verdict than those held, by name or by what it comes to."""
    if set(_NAMED.findall(words)) - {kind.value for kind in kinds}:
        return True
    rest, n_unfallen = re.subn(_NOT + _FALLEN, " ", words)
    rest, n_fallen = _NO_HOLD.subn(" ", rest)
    if (n_fallen or re.search(_FALLEN, rest)) and VerdictKind.OVERTURNED not in kinds:
        return True
    if n_unfallen and not set(kinds) - {VerdictKind.OVERTURNED}:
        return True
    return re.search(_HOLDING, rest) is not None and not {VerdictKind.STANDS, VerdictKind.RELAXED} & set(kinds)
