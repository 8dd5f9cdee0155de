"""The durable and the perishable part of a claim's sentence. Pure and deterministic; no model is asked.

What ages first are thresholds, counts, sizes, dates and the names of models and data sets. They are listed as the
sentence has them, and the durable sentence says the same without them, in plain English. Names of methods (DPO, GRPO,
LoRA) stay: a claim about a method without its method is another claim.
"""

import re
from collections.abc import Callable
from typing import NamedTuple


class Parts(NamedTuple):
    """A claim's sentence, taken apart."""

    durable: str
    """the sentence without what ages first"""
    perishable: tuple[str, ...]
    """thresholds, counts, sizes, dates, named models and data sets, in the order of the sentence"""


def split(text: str) -> Parts:
    """Take a claim's sentence apart. A sentence that names nothing perishable is durable as it stands."""
    text = " ".join(text[:20_000].split())
    found: list[_Found] = []
    for pattern, rewrite in _RULES:
        for match in pattern.finditer(text):
            taken = rewrite(match)
            if taken and not any(f.start < match.end() and match.start() < f.end for f in found):
                found.append(_Found(match.start(), match.end(), taken.item, taken.instead))
    found.sort()
    durable = ""
    at = 0
    for start, end, _, instead in found:
        durable += text[at:start] + (instead[:1].upper() + instead[1:] if start == 0 else instead)
        at = end
    items = [f.item.strip(" ,;()") for f in found]
    return Parts(_tidy(durable + text[at:]) or text, tuple(dict.fromkeys(i for i in items if i)))


class _Taken(NamedTuple):
    item: str
    instead: str


class _Found(NamedTuple):
    start: int
    end: int
    item: str
    instead: str


_APPROX = (
    r"(?:(?:only|just|merely|a mere|about|around|roughly|approximately|nearly|almost|some|up to|at least|at most|"
    r"more than|fewer than|less than|over|under|below|above|as few as|as little as|as many as)\s+)"
)
_SMALL = "two three four five six seven eight nine ten eleven twelve".split()
_LARGE = r"(?:(?:a|one|several|many|a few|\d[\d,.]*)\s+)?(?:hundred|thousand|million|billion|trillion)s?|(?:a )?dozens?"
_DIGITS = r"\d+(?:,\d{3})*(?:\.\d+)?"
_TO = r"\s?(?:-|–|—|to)\s?"
_FREE = r"(?<![\w.,@/^=+*–−-])"
"""Before a number that stands by itself: not in `GPT-4`, `pass@1`, `O(1/k)`."""
_NUMBER = rf"{_FREE}~?(?:{_DIGITS}(?:{_TO}{_DIGITS})?|{_LARGE})"
_TURNS = r"(?:epochs|passes|rounds|steps|iterations|generations|shots|hours|days|seeds)"
_DATA = r"(?:examples|samples|pairs|demonstrations|instructions|prompts|labels)"
_NOUN = (
    rf"(?:{_TURNS}|{_DATA}|queries|questions|documents|tokens|tasks|benchmarks|datasets|models|llms|annotators|"
    r"participants|users|languages|words|problems|conversations|responses|layers|heads|gpus|parameters|agents)"
)
_MIDDLE = r"(?:(?!(?:of|for|in|on|to|that|which|and|or|with|from|by|as|at|the|than)\b)[a-z][\w-]* ){0,3}?"
_NAME = (
    r"(?:Chat|Instruct)?GPT(?:-?\d(?:[\w.]*\w)?)?(?:-(?:turbo|mini|nano|XL))?|Sonnet|Opus|"
    r"Claude(?:[ -](?:\d(?:\.\d)?|Opus|Sonnet|Haiku))*|Gemini(?:[ -](?:\d(?:\.\d)?|Pro|Flash|Ultra))*|"
    r"(?:Code)?L[Ll]a[Mm][Aa](?:[- ]?\d(?:\.\d)?)?(?:-\w+)*|Mi[sx]tral(?:-\w+)*|Qwen(?:[\d.]*\d)?(?:-\w+)*|"
    r"DeepSeek(?:-\w+)*|Flan-(?:T5|PaLM)|PaLM(?:[ -]2)?|OPT-\d+\w*|BLOOMZ?|Phi-\d(?:[\w.]*\w)?|"
    r"Gemma(?:[- ]?\d)?(?:-\w+)*|T5(?:-\w+)?|(?:Ro|De|Distil)?BERT(?:a)?|o[134](?:-\w+)?(?![\w.])|LIMA|Alpaca|"
    r"Vicuna|Falcon(?:-\w+)?|Pythia(?:-\w+)?|OLMo(?:-?\d)?|SmolLM\d?(?:-\w+)?|Grok(?:[- ]\d)?|Kimi(?:[- ]K?\d)?|"
    r"Codex|Chinchilla|Orca(?:[ -]?\d)?|Zephyr(?:-\w+)?|T[uü]lu(?:[ -]?\d)?|"
    r"Stable Diffusion(?: \w?\d(?:\S*\w)?)?|[A-Z][A-Za-z]+-\d+(?:\.\d+)?B(?:-\w+)*|"
    r"MMLU|GSM8K|HumanEval|AlpacaEval|MT-Bench|BIG-bench|HellaSwag|[A-Z][A-Z-]+-CHAT"
)
_NAMES = rf"(?:{_NAME})(?:(?:,| and| or|, and|, or) (?:{_NAME}))*"
_DATA_SETS = re.compile(r"MMLU|GSM8K|HumanEval|AlpacaEval|MT-Bench|BIG-bench|HellaSwag|[A-Z-]+-CHAT")


def _gone(match: re.Match[str]) -> _Taken:
    return _Taken(match.groupdict().get("item") or match[0], "")


def _instance(match: re.Match[str]) -> _Taken:
    closes_what_another_opened = match[0].endswith(",") and not match[0].startswith((",", " ("))
    return _Taken(match["item"], "," if closes_what_another_opened else "")


def _share(match: re.Match[str]) -> _Taken:
    values = [float(n.replace(",", "")) for n in re.findall(_DIGITS, match["n"])]
    most = max(values)
    if match["of"]:
        return _Taken(match["item"], ("most" if most >= 60 else "about half" if most >= 40 else "part") + " of")
    if re.match(r"(?:only |often )?(?:below|under|less than|above|over|more than|at least|at most|up to)", match[0]):
        return _Taken(match["item"], "low" if most <= 33 else "high" if most >= 67 else "moderate")
    return _Taken(match["item"], "a certain share")


def _multiple(match: re.Match[str]) -> _Taken:
    return _Taken(match[0], "many times")


def _magnitude(match: re.Match[str]) -> _Taken:
    return _Taken(match[0], f"far {match['more']}")


def _size(match: re.Match[str]) -> _Taken:
    bound = re.search(r"(?:far |well )?(?:below|under|above|over|fewer than|less than|more than|up to)\b", match[0])
    if bound:
        word = {"fewer than": "below", "less than": "below", "more than": "above"}.get(bound[0], bound[0])
        return _Taken(match[0], f"{word} a certain size")
    return _Taken(match[0], "a certain size")


def _counted(match: re.Match[str]) -> _Taken | None:
    number, noun, middle = match["n"].lower(), match["noun"].lower(), match["middle"]
    if re.fullmatch(r"(?:a|one)", number):
        return None
    digits = re.findall(_DIGITS, number)
    amount = max((float(d.replace(",", "").rstrip(".")) for d in digits), default=1.0)
    for word, factor in (("hundred", 100), ("k", 1e3), ("thousand", 1e3), ("m", 1e6), ("million", 1e6), ("b", 1e9)):
        if re.search(rf"(?:\d|\b){word}s?\b", number):
            amount = max(amount, 1) * factor
    if number in _SMALL:
        amount = _SMALL.index(number) + 2
    is_data = re.fullmatch(_DATA, noun) is not None
    few = amount <= (5000 if is_data else 12) or re.match(r"(?:only|just|merely|a mere|as few)", match[0].lower())
    little = "a small number of" if is_data else "a few"
    only = "only " if re.match(r"(?:only|just|merely|a mere|as few|as little)", match[0].lower()) else ""
    limit = re.match(r"(?:up to|at most|under|below|fewer than)", match[0].lower())
    quantity = f"{only}{little}" if few else "many"
    kept = f"{quantity} {middle}{match['noun']}"
    return _Taken(match[0], f"up to {kept}" if limit and few and not only else kept)


def _fraction(match: re.Match[str]) -> _Taken:
    return _Taken(match["item"], f"{match['only'] or ''}part of" if match["of"] else f"{match['only'] or ''}some")


def _named(match: re.Match[str]) -> _Taken:
    names, tail, before = match["item"], match["tail"] or "", (match["before"] or "").lower()
    kind = "benchmark" if _DATA_SETS.fullmatch(names) else "model"
    if tail.startswith("-"):
        return _Taken(names, f"{match['before'] or ''}certain")
    if tail in ("'s", "’s"):
        return _Taken(names, f"{match['before']}{kind}'s" if before else f"one {kind}'s")
    if before:
        return _Taken(
            names, match["before"].rstrip() if re.match(r"\s+[a-z]", match.string[match.end() :]) else before + kind
        )
    many = re.search(r",| and | or ", names)
    if re.match(r"\s+(?:\w+ )?(?:models|encoders|llms)\b", match.string[match.end() :], re.IGNORECASE):
        return _Taken(names, "certain")
    if match.string[: match.start()].endswith(("'s ", "’s ")):
        return _Taken(names, "")
    return _Taken(names, f"some {kind}s" if many else f"one {kind}")


_AN_EXAMPLE = r"(?:such as|like|including|for example|e\.g\.,?)"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_YEARS = rf"(?:early |late |mid-)?(?:{_MONTH} )?(?:19|20)\d\d(?:\s?[-–]\s?(?:19|20)?\d\d)?"
_RANGE = rf"{_FREE}~?{_DIGITS}(?:{_TO}{_DIGITS})?"
_LOOPS = rf"(?<![\w-])(?:{'|'.join(_SMALL)})(?= (?:\w+ )?{_TURNS}\b)"

_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], _Taken | None]], ...] = tuple(
    (re.compile(pattern), rewrite)
    for pattern, rewrite in (
        # a coined name, a number, or models in parentheses
        (r"\s*\((?P<item>[\"“'‘][^\"”'’()]{2,60}[\"”'’])\)", _gone),
        (r"\s+\((?P<item>[^()]{0,60}\d[^()]{0,40})\)", _gone),
        (rf"\s+\((?P<item>{_NAMES})\)", _gone),
        (rf",?\s*\(?{_AN_EXAMPLE} (?P<item>{_NAMES})\)?(?:,(?= ))?", _instance),
        # N-1 and N+1 variants
        (r"(?P<item>(?<![\w-])[Nn]\s?[-−–+±]\s?1(?:(?: and | or |/)[Nn]\s?[-−–+]\s?1)?)\s+(?=[a-z])", _gone),
        (rf",?\s*\b(?:[Ii]n|[Bb]y|[Ss]ince|[Uu]ntil|[Aa]s of|[Dd]uring|[Ff]rom) (?P<item>{_YEARS})\b,?", _gone),
        (rf"{_APPROX}{{0,3}}(?P<item>(?P<n>{_RANGE})\s?(?:%|percent|per cent))(?P<of> of\b)?", _share),
        (rf"(?:far |well )?{_APPROX}{{0,3}}{_RANGE}\s?(?:[KMBT]\b|million|billion|trillion)[ -]?parameters?", _size),
        (rf"(?P<item>{_RANGE}\s?[MB])[ -](?=(?:\w+ )?(?:models?|llms?|LLMs?)\b)", _gone),
        (rf"{_APPROX}{{0,3}}{_RANGE}\s?(?:[x×]|-?fold\b|times\b)", _multiple),
        (r"(?:(?:two|three|several|\d+) )?orders of magnitude (?P<more>more|less|fewer|larger|smaller)", _magnitude),
        (
            rf"(?i){_APPROX}{{0,3}}(?P<n>{_NUMBER}[KMB]?|{_LOOPS})\+?[ -]"
            rf"(?P<middle>{_MIDDLE})(?P<noun>{_NOUN})(?![\w-])",
            _counted,
        ),
        (
            r"(?P<only>(?:only|just) )?(?:(?:about|around|roughly|nearly|almost) )?"
            r"(?P<item>(?<![\w-])(?:a|one|two) (?:third|quarter|fifth|tenth)s?)(?P<of> of)?(?!\w)",
            _fraction,
        ),
        (
            rf"(?P<before>\b(?:[Tt]he|[Aa]n?|[Tt]his) )?(?<![\w-])(?P<item>{_NAMES})(?P<tail>'s|’s|-[a-z]+)?(?![\w-])",
            _named,
        ),
    )
)
"""From the most to the least specific: what one rule took, no later one touches."""


def _tidy(text: str) -> str:
    """Mend what taking words out leaves behind."""
    text = re.sub(r"(?<!\w)\*(\w(?:[^*]*\w)?)\*(?!\w)", r"\1", text)
    text = re.sub(r"\(\s*\)", "", text)
    text = re.sub(r"\s+([,.;:!?)])", r"\1", text)
    text = re.sub(r",\s*([.;:])", r"\1", text)
    text = re.sub(r"\b([Aa])n (?=certain|few|model|benchmark)", r"\1 ", text)
    text = " ".join(text.split()).strip(" ,;")
    return text[:1].upper() + text[1:]
