"""The words that tell who asserts, which way an effect points and how widely it is said to hold.

Each list is ours, made from how results are worded in abstracts; nothing is fitted here. A cue is a regular expression
over lower-cased text; `count` gives how often each occurs in one sentence.
"""

import re
from typing import Final

_WORDS: Final[dict[str, str]] = {
    "asserts": (
        r"we (?:\w+ly )?(?:find|found|show|showed|demonstrate|observe|prove|establish|reveal|discover|conclude|"
        r"uncover|identify|confirm|report|provide evidence|see that|argue)|(?:our|the|these|empirical|"
        r"experimental|extensive) (?:\w+ )?(?:results?|findings?|experiments?|analys[ie]s|evaluations?|study|"
        r"evidence|theory|work|simulations?) (?:\w+ )?(?:show|suggest|demonstrate|reveal|indicate|find|confirm|"
        r"highlight|prove|establish|challenge|support|underscore)|experiments? (?:on|across|with|over|in|show)|"
        r"results? (?:on|across|show|suggest|indicate|reveal)|it turns out|turns out|we report|achiev\w+|"
        r"attain\w*|outperform\w*|surpass\w*|analysis reveals"
    ),
    "proposes": (
        r"we (?:\w+ly )?(?:propose|introduce|present|develop|design|release|formali[sz]e|describe|build|construct|"
        r"collect)|this (?:paper|work|study) (?:proposes|introduces|presents|describes|surveys|reviews)|novel"
    ),
    "asks": (
        r"we (?:study|investigate|examine|explore|ask|analy[sz]e|revisit|test|evaluate|compare)|whether|"
        r"remains? (?:unclear|open|unexplored|poorly understood|underexplored)|it is (?:unclear|unknown)|\?"
    ),
    "background": (
        r"recent(?:ly)?|prior (?:work|stud|research|method)|previous(?:ly)?|existing|has (?:become|emerged|been|"
        r"shown)|have (?:become|emerged|been|shown|demonstrated|achieved)|widely|commonly|typically|conventional|"
        r"traditional(?:ly)?|is (?:known|believed|assumed)|common (?:belief|wisdom|practice)|standard|current|"
        r"despite"
    ),
    "contrast": (
        r"however|but|yet|although|though|whereas|while|nevertheless|nonetheless|instead|rather than|despite|"
        r"in contrast|conversely|on the contrary|contrary to|unlike|even though"
    ),
    "challenge": (
        r"contrary to|challeng\w+ (?:the|this|a|common|prevailing|conventional)|surprising\w*|"
        r"counter-?intuitive\w*|contradict\w*|question(?:s|ing)? (?:the|whether)|refut\w+|disprov\w+|debunk\w*|"
        r"mislead\w*|artifacts?|artefacts?|illus\w+|myth|overstat\w+|overestimat\w+|spurious|revisit\w*|"
        r"rethink\w*|reassess\w*|reconsider\w*|not necessar\w+|caution\w*|cast\w* doubt|mirage|fail(?:s|"
        r"ed)? to (?:replicate|reproduce)"
    ),
    "not": (
        r"not|no|never|neither|nor|cannot|can't|don't|doesn't|didn't|without|lacks?|lacking|none|nothing|hardly|"
        r"barely|little|rarely|absen(?:t|ce)|unable|fails? to|failed to|failing to|insufficient"
    ),
    "hedge": (
        r"may|might|can|could|suggests?|potential(?:ly)?|likely|possibly|appears?|seems?|often|sometimes|"
        r"partial(?:ly)?|somewhat|largely|tends? to|to some extent|in some cases|certain"
    ),
    "scope": (
        r"only (?:when|if|for|in|under|after|on|at)|when|if|unless|under|depend(?:s|ing|ent)?|conditional|"
        r"conditions?|limited to|limits?|provided|regimes?|settings?|in (?:some|certain) cases|case[- ]by[- ]case|"
        r"vary|varies|varying|task[- ]dependent|sensitive to|context|except|only|beyond|threshold|boundary|"
        r"trade-?offs?|mixed|nuanced|not always|not uniform\w*|inconsistent\w*|unstable|holds? (?:for|only|when)|"
        r"both"
    ),
    "lifts": (
        r"(?:overcom|mitigat|alleviat|address|resolv|clos|bridg|eliminat|remov|avoid|prevent|reduc|fix|break)(?:e|"
        r"es|ed|ing|s)?|enabl\w+|unlock\w*|restor\w+|without (?:sacrificing|degrading|loss|harming)|recover\w*|"
        r"makes? it possible"
    ),
    "up": (
        r"improv\w+|increas\w+|gains?|boost\w*|enhanc\w+|better|higher|stronger|superior|outperform\w*|surpass\w*|"
        r"exceed\w*|strengthen\w*|benefit\w*|more accurate|rais\w+|larger|greater|faster|robust\w*|"
        r"generali[sz]es?|succe\w+|effective\w*|beat\w*|accelerat\w+|amplif\w+|advantage\w*|consistent(?:ly)?|"
        r"reliabl[ey]|state-of-the-art|helps?|sufficient|suffices"
    ),
    "down": (
        r"degrad\w+|decreas\w+|declin\w+|drop\w*|worse\w*|lower\w*|weaker|inferior|underperform\w*|hurt\w*|"
        r"harm\w*|reduc\w+|fail\w*|collaps\w+|forget\w*|los(?:s|e|es|t|ing)|limit\w*|brittle|fragil\w+|struggl\w+|"
        r"poor\w*|suffer\w*|vulnerab\w+|bias\w*|error\w*|less|fewer|smaller|slow\w*|gap|shortcut\w*|hallucinat\w+|"
        r"unreliabl[ey]|diminish\w*|impair\w*|undermin\w+|damag\w+|narrow\w*|memori[sz]\w+|bottleneck\w*|"
        r"insufficient|difficult\w*|deteriorat\w+"
    ),
    "equal": (
        r"match\w*|compar(?:able|ably)|on par|equal(?:ly)?|same|similar\w*|parity|equivalent\w*|competitive|"
        r"rival\w*|as (?:well|good|much|many|effective|accurate) as|no (?:significant )?(?:difference|gain|"
        r"improvement|benefit|advantage)"
    ),
    "compares": (
        r"than|over|compared (?:to|with)|versus|vs\.?|relative to|baselines?|more|less|better|worse|outperform\w*|"
        r"surpass\w*|underperform\w*"
    ),
    "number": (r"\d+(?:\.\d+)?\s?(?:%|\\%|x\b|×|points?|times|pp\b)?"),
}
NAMES: Final[tuple[str, ...]] = tuple(_WORDS)
"""The cues in a fixed order."""
_PATTERNS: Final = tuple(re.compile(rf"(?<![\w-])(?:{words})(?![\w])") for words in _WORDS.values())
_FLIP = re.compile(
    r"(?<![\w-])(?:not|no|never|neither|nor|cannot|without|lacks?|none|hardly|barely|little|fails? to|failed to|unable|"
    r"rather than|doesn't|don't|reduc\w+|prevent\w*|mitigat\w+|eliminat\w+|avoid\w*|less|fewer|lower)(?![\w])"
)


def count(text: str) -> tuple[int, ...]:
    """Count each cue in a sentence, in the order of `NAMES`."""
    low = text.lower()
    return tuple(len(p.findall(low)) for p in _PATTERNS)


def found(text: str, cue: str) -> list[str]:
    """Give the words of one cue that occur in a sentence, as written there in lower case."""
    return list(dict.fromkeys(_PATTERNS[NAMES.index(cue)].findall(text.lower())))


def direction(text: str) -> float:
    """Sum a sentence's direction words in [-1, 1]: up is +1, down is -1, and a denial before one turns it round."""
    low = text.lower()
    total = 0
    marks = 0
    for sign, name in ((1, "up"), (-1, "down")):
        for match in _PATTERNS[NAMES.index(name)].finditer(low):
            before = low[max(0, match.start() - 28) : match.start()]
            flips = len(_FLIP.findall(before))
            total += sign * (-1) ** flips
            marks += 1
    return total / marks if marks else 0.0
