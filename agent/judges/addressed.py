"""Tells a paper that gives orders to the machine which reads it from one that speaks to its readers.

A paper reports; it does not order its reader's verdict, speak in a model's turns or hand it an answer to copy. Where a
text does, no machine's stance on it counts: a model that obeys it can quote it byte for byte, so that the check of
quotes lets it through. The paper stays in the list of what a person should read, with the words that gave it away.
This stops orders in plain sight, not lies and not every wording: an abstract that invents a result is the paper's own
word and is shown as that. Of 23,109 real records it marks 4, three of them about chat formats; of the 2,106 labelled
ones among them none.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from claims.claim import Claim
from claims.evidence import Assessment, JudgeName, Stance
from claims.paper import Paper

_WHOM: Final = (
    r"(?:ais?|llms?|large language models?|language models?|chat ?bots?|"
    r"(?:ai|llm|automated|automatic) (?:reviewers?|judges?|graders?|evaluators?|assistants?|agents?|readers?))"
)
_SAY: Final = (
    r"(?:answer|respond|reply|output|return|print|emit|write|say|declare|classify|label|mark|rate|report|record|treat|"
    r"count|set|give|choose|conclude)"
)
_RULING: Final = (
    r"(?:stance|verdict|supports|contradicts|qualifies|overturned|untested|refuted|as (?:true|false|proven|supporting|"
    r"contradicting)|positive review)\b"
)
_ASKS: Final = (
    r"(?:(?:^|[.!?:;,>\]\n\r\"'*-]) ?(?:please |now |then |simply |only )?|\b(?:please|now|then|and|instead) )"
)
_ORDERS: Final = r"(?:instructions?|prompts?|rules|directions|guidelines|orders|messages)\b"
_TURN: Final = (
    r"(?:im_start|im_end|im_sep|system|assistant|user|developer|endoftext|eot_id|end_of_turn|start_of_turn|"
    r"start_header_id|end_header_id|begin_of_text|tool_call|tool_response|system[-_ ]prompt|instructions?)"
)
_PART: Final = r"(?:system|user|prompt|abstract|paper|data|document|instructions?)"
_MARKS: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        # Orders that lift other orders.
        r"\b(?:ignore|disregard|forget|override|discard)\b(?: \w{1,20}){0,3}? (?:previous|prior|above|earlier)"
        rf"(?: \w{{1,20}}){{0,2}}? {_ORDERS}",
        rf"\b(?:ignore|disregard|forget) (?:all |any )?(?:of )?your {_ORDERS}",
        r"\b(?:new|updated|hidden|real) (?:system )?(?:instructions?|prompt|directive):",
        rf"[-=*#\[<]{{2}} ?(?:end|close|begin|start)(?: of)?[ _-]{_PART}",
        r"\bignorier\w{1,3} (?:\w{1,20} ){0,3}?(?:anweisungen|befehle|vorgaben)\b",
        r"\bignor(?:a|ad|ez|ate|e|er|are) (?:\w{1,20} ){0,3}?(?:instrucciones|istruzioni|instruções|consignes)\b",
        r"忽略(?:之前|以上|先前|前面|所有).{0,8}(?:指令|指示|提示|说明)",
        # Turns of a conversation.
        rf"<\|? ?/?{_TURN}\b[^<>]{{0,40}}\|?>|<</?SYS>>|\[/?(?:INST|SYSTEM|ASSISTANT)\]",
        r"^(?:\W{0,4})(?:system|assistant)(?: (?:message|prompt|note|override))? ?:",
        r"[\"']role[\"'] ?: ?[\"'](?:system|assistant|user|tool)[\"']",
        # Speech to whoever reads by machine.
        rf"\b(?:note|notice|message|memo|reminder) (?:to|for) (?:all |any |the )?{_WHOM}\b",
        rf"\b(?:attention|dear|hey|hello),? {_WHOM}(?:[,!]|:? you\b)",
        rf"\b(?:if|when|since|because) you(?: are|'re) (?:an? |the )?{_WHOM}\b",
        rf"\byou(?: are|'re) now (?:an? |the )?(?:{_WHOM}|dan\b|assistant|judge|reviewer|in \w{{1,12}} mode)",
        rf"\b{_WHOM} (?:reading|reviewing|judging|processing|evaluating) this\b",
        rf"\b(?:judge|reviewer|assistant|model|you) (?:must|should|shall)\b[^.\n]{{0,40}}\b{_SAY}\b[^.\n]{{0,60}}\b"
        rf"{_RULING}",
        rf"{_ASKS}{_SAY}(?: \S{{1,20}}){{0,6}}? [\"'`“]?(?:stance|verdict|(?:this|the|every|each|all) claims?)\b"
        rf"[^.\n]{{0,40}}?{_RULING}",
        rf"{_ASKS}(?:answer|respond|reply|output|gib|responde)(?: (?:only|with|the|word|stance)){{0,4}} [\"'`“]?"
        rf"{_RULING}",
        r"\byour (?:final )?(?:answer|verdict|stance|judge?ment) (?:is|must|should|will)\b",
        r"\b(?:reveal|print|repeat|leak|disclose) (?:your|the) (?:\w{1,20} ){0,2}?(?:system prompt|api keys?)\b",
        r"\b(?:call|use|run) the (?:\w{1,20} ){0,2}?(?:tool|command)\b[^.\n]{0,60}\ball (?:claims|papers)\b",
        # An answer to copy, and letters that only a machine reads.
        r"\b(?:stance|verdict)[\"'”]? ?[:=] ?[\"'“]?(?:supports|contradicts|qualifies|neutral|stands|overturned|"
        r"relaxed|contested|untested)\b",
        r"(?<![\w+/=.-])(?=[A-Za-z0-9+/]{0,80}?\d)(?=[a-z0-9+/]{0,80}?[A-Z])[A-Za-z0-9+/]{48,400}={0,2}(?![\w+/])",
    )
)

_LOOKALIKES: Final = str.maketrans(
    "аеорсухіјѕһԁɡӏкмтнвАЕОРСУХІЈЅНВМТКαορνικτυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",  # they are what it is about
    "aeopcyxijshdgikmtnbAEOPCYXIJSHBMTKaopviktuABEZHIKMNOPTYX",
)
_MOST_CHARACTERS: Final = 12_000
"""Of one text that is read, as many as a model is shown of it."""


def addressed(text: str) -> str | None:
    """Give the words with which a text orders a machine that reads it; None when it does not.

    Compared as a person would see it: without invisible characters, letters of other scripts that look Latin folded.
    """
    shown = "\n".join(" ".join(line.split()) for line in text[:_MOST_CHARACTERS].splitlines())
    for read in (shown, *_folded(shown)):
        for mark in _MARKS:
            if found := mark.search(read):
                return " ".join(found[0].split())[:120]
    return None


@lru_cache(maxsize=4096)
def spoken_to(paper: Paper) -> str | None:
    """Give the words with which a paper orders a machine, in whatever of it a judge reads; None when it does not."""
    return addressed("\n".join(t[:_MOST_CHARACTERS] for t in (paper.title, paper.abstract, paper.finding) if t))


def unbidden(claim: Claim, paper: Paper, said: Assessment) -> Assessment:
    """Give an assessment that no order in a text has part in.

    A machine's stance on a paper that gives orders to machines (or on such a claim) becomes an unsure one that leans to
    it, for a person to read. A person's own stance stays, and so does a neutral one.
    """
    if said.judge.name in (JudgeName.PERSON, JudgeName.LIBRARY):
        return said
    leaning = said.leaning if said.unsure else said.stance
    if leaning in (None, Stance.NEUTRAL):
        return said
    words = spoken_to(paper) or addressed(claim.text)
    if words is None:
        return said
    return said.model_copy(
        update={
            "stance": Stance.NEUTRAL,
            "confidence": 0.0,
            "unsure": True,
            "leaning": leaning,
            "leaning_chance": None,
            "asserted": False,
            "explanation": f"the text gives orders to the machine that reads it (“{words}”): for a person to judge",
        }
    )


def _folded(text: str) -> tuple[str, ...]:
    """Give other readings of a text: as it looks, and with letters that nobody sees (Unicode's tags) made visible."""
    if text.isascii():
        return ()
    wide = unicodedata.normalize("NFKC", text)
    hidden = "".join(chr(ord(c) - 0xE0000) for c in wide if "\U000e0020" <= c <= "\U000e007e")
    plain = "".join(c for c in wide if unicodedata.category(c) not in ("Cf", "Mn", "Cs", "Co"))
    return (plain.translate(_LOOKALIKES), hidden) if hidden else (plain.translate(_LOOKALIKES),)
