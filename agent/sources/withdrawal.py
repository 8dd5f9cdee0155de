"""Was a paper withdrawn from arXiv? Read from the words of its comment and abstract: arXiv keeps no other mark.

A withdrawn paper keeps its abstract page; the reason stands in the comment field or in place of the abstract. Many
comments speak of withdrawing something else, and do not count: a talk or a place in proceedings, an earlier version,
another paper that this one replaces, single claims or measures, or nothing at all ("no claims retracted").
"""

import re

_PAPER = (
    r"(?:papers?|articles?|manuscripts?|submissions?|(?:pre-?|e-?)prints?|works?|versions?|reports?|notes?|letters?|"
    r"drafts?)"
)
_VERB = r"(?:withdrawn|withdraw(?:s|ing)?|withdrew|withdrawal|retracted|retract(?:s|ing)?|retraction)"
_STEM = re.compile(rf"\b{_VERB}\b", re.IGNORECASE)

_VENUE = (
    r"(?:(?i:proceedings|conference|workshop|journal|venue|symposium|program(?:me)?|track|presentation|publication|"
    r"session|meeting|challenge|competition|poster|camera[- ]ready|acceptance)|(?!arXiv)[A-Z]{3,}\w*)\b"
)
"""A place that a paper can be withdrawn from without leaving arXiv; acronyms are upper case."""
_ELSEWHERE = re.compile(
    rf"\b(?i:{_VERB})\s+(?:\w+\s+){{0,3}}?(?:from|before|after|at|prior\s+to)\s+(?:[\w'’&-]+\s+){{0,4}}?{_VENUE}"
    rf"|\b(?i:proceedings|conference|workshop|journal|presentation|poster|talk)\s+(?:\w+\s+){{0,3}}?(?i:{_VERB})\b"
)
"""Something other than the arXiv record was withdrawn: a talk, a place in proceedings."""
_DENIED = re.compile(
    rf"\b(?:no|not|never|nothing|none|neither|without)\b(?:\W+\w+){{0,4}}?\W+{_VERB}|{_VERB}\s+(?:nothing|none|no)\b",
    re.IGNORECASE,
)
_OTHER_PAPER = re.compile(
    r"\b(?:supersed(?:es|ing)|replac(?:es|ing)|correct(?:s|ing)|extend(?:s|ing)|follow(?:s|ing)[- ]up|in\s+place\s+of|"
    r"based\s+on|merge[sd]?\s+(?:with|of)|builds\s+on)\b.*?"
    rf"{_VERB}",
    re.IGNORECASE,
)
"""This paper stands in for another one that was withdrawn; `superseded by` says the opposite and does not match."""
_EARLIER = re.compile(
    rf"\b(?:earlier|previous|prior|first|old(?:er)?|former|initial|original|preceding)\s+{_PAPER}\b(?:\W+\w+){{0,6}}?\W+{_VERB}"
    rf"|{_VERB}\s+(?:the\s+|an?\s+|our\s+)?(?:earlier|previous|prior|first|old(?:er)?|former|initial|original)\s+{_PAPER}"
    rf"|(?:the|an?|our|earlier|previously)\s+(?:withdrawn|retracted)\s+(?:{_PAPER}|arxiv)"
    rf"|{_VERB}\s+from\s+(?:this|the)\s+{_PAPER}\b",
    re.IGNORECASE,
)
_ANY = r"(?:[^.!?]|\.(?=\w))*?"
_SUBJECT = re.compile(rf"\b(?:this|the|our|my|present|current)\b{_ANY}\b{_PAPER}\b{_ANY}\b{_VERB}\b", re.IGNORECASE)
_OBJECT = re.compile(
    rf"\b{_VERB}\s+(?:(?:of|for)\s+)?(?:it\b|(?:(?:this|the|our|my|current|present|entire)\s+){{1,2}}(?:\w+\s+)?{_PAPER}\b)"
    rf"|\b(?:its|request(?:ed|s|ing)?(?:\s+\w+)?|ask(?:ed)?\s+for(?:\s+\w+)?)\s+(?:withdrawal|retraction)\b"
    rf"|\b(?:it|submission|record)\s+(?:\w+\s+){{0,3}}?(?:withdrawn|retracted)\b",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"^\W*(?:(?:paper|article|manuscript|submission|preprint|note)\s+(?:is\s+|was\s+|has\s+been\s+)?)?"
    r"(?:(?:now|temporarily|currently|being|has\s+been|is|was|to\s+be)\s+){0,2}"
    r"(?:withdrawn|retracted)\b(?!\s+(?:papers?|articles?|results?|claims?|works?|publications?|literature|studies))",
    re.IGNORECASE,
)
_BY_ARXIV = re.compile(r"\b(?:withdrawn|removed|retracted)\s+by\s+(?:the\s+)?arxiv\b", re.IGNORECASE)
_IN_ABSTRACT = re.compile(
    rf"(?:^\W*|\b(?:this|the\s+present|our)\s+){_PAPER}\s+(?:(?:has|have)\s+been|is|was|is\s+being|had\s+to\s+be)\s+"
    r"(?:\w+ly\s+|now\s+|hereby\s+){0,2}(?:withdrawn|retracted)\b",
    re.IGNORECASE,
)
_IN_TITLE = re.compile(r"^\W*(?:withdrawn|retracted)\s*(?:[:\])]|$)", re.IGNORECASE)
_LONGEST = 800
"""Characters of a clause that are read: a hostile text must not make the patterns slow."""
_CLAUSE = re.compile(r"(?:(?<=[.!?])\s+(?=[\[(A-Z])|[;\n]+|\s[-–—]{1,3}\s)")
_BRACKETED = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_TAKEN = re.compile(r"\b(?:accepted|submitted|to appear|presented)\b[^.;]*$", re.IGNORECASE)
"""Words before a bracket that make `(withdrawn ...)` speak of the venue."""


def withdrawal_of(*, comment: str | None, abstract: str | None, title: str = "") -> str | None:
    """Give the clause that says that this paper was withdrawn, or None when nothing says so."""
    for clause in _clauses(comment):
        if _says_so(clause):
            return clause
    for clause in _clauses(abstract):
        if (_IN_ABSTRACT.search(clause) or _BY_ARXIV.search(clause)) and not _speaks_of_another(clause):
            return clause
    if abstract is not None and _BARE.match(abstract) and len(abstract) < 400:
        return abstract.strip()
    return title.strip() if _IN_TITLE.match(title) else None


def _clauses(text: str | None) -> list[str]:
    if not text or not _may_say_so(text.lower()):
        return []
    inner = [part[1] for part in _BRACKETED.finditer(text) if not _TAKEN.search(text[: part.start()])]
    parts = [*_CLAUSE.split(_BRACKETED.sub(" ", text)), *inner]
    folded = (" ".join(part[:_LONGEST].split()) for part in parts)
    return [part for part in folded if _STEM.search(part) or _BY_ARXIV.search(part)]


def _may_say_so(lowered: str) -> bool:
    """Sift by plain substrings, ten times as fast as the patterns: almost no text gets past."""
    return "withdr" in lowered or "retract" in lowered or "removed by" in lowered


def _says_so(clause: str) -> bool:
    if _BY_ARXIV.search(clause):
        return True
    if _speaks_of_another(clause):
        return False
    return bool(_BARE.match(clause) or _OBJECT.search(clause) or _SUBJECT.search(clause))


def _speaks_of_another(clause: str) -> bool:
    return any(rule.search(clause) for rule in (_ELSEWHERE, _DENIED, _OTHER_PAPER, _EARLIER))
