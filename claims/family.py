"""Which protocol family a statement belongs to, and how large the models are that it speaks of.

Cue words, chosen for precision: a family is given only where the statement asserts (or asks) what that family's
protocol measures, in the direction that the protocol registers. A statement that denies it gets no family, because an
experiment that confirms the opposite must never be read as its support.
"""

import re
from typing import NamedTuple


class _Family(NamedTuple):
    name: str
    all_of: tuple[re.Pattern[str], ...]
    """each must occur"""
    none_of: tuple[re.Pattern[str], ...] = ()
    """none may occur"""


def _p(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_EXAMPLES = r"(?:examples?|samples|data|demonstrations|pairs|instances|instructions|prompts|answers|responses|sets)"
_RL = r"\b(?:rl|grpo|ppo|rlvr|rlhf|reinforcement learning)\b"
_DENIED = r"\b(?:not|never|no longer|cannot|fails? to|hardly|n't)\b[^.;]{0,30}"
_FAMILIES: tuple[_Family, ...] = (
    _Family(
        "proxy-tuning",
        (
            _p(
                r"\bproxy[- ]tun|decoding[- ]time[^.;]{0,40}(?:tun|align|steer)|(?:tun|align|"
                r"steer)\w*[^.;]{0,30}decoding time|"
                r"(?:small|expert)[^.;]{0,40}logits?[^.;]{0,40}(?:steer|shift|guide)"
            ),
            _p(r"\bproxy[- ]tun|knowledge|weights?\b|fine[- ]?tun"),
        ),
        (
            _p(_DENIED + r"(?:preserv|retain|keep|close)"),
            _p(r"no (?:better|advantage)|(?:loses|forgets) (?:more|as much)"),
        ),
    ),
    _Family(
        "verification-gap",
        (
            _p(r"generation[- ]verification gap|verif|validat|external (?:feedback|signal|check)|\bbound"),
            _p(r"self[- ](?:improv|train|reward|refin|distill|play|generated|verif)"),
            _p(r"\bbound|limit|ceiling|plateau|\bgap\b|require|need|without|cannot|stall|saturat|only as"),
        ),
        (
            _p(
                r"(?:not|never|n't|no longer) (?:\w+ )?(?:bounded|limited|needed|required|needs?|requires?|"
                r"plateau|saturat)"
            ),
            _p(
                r"(?:escape|beyond|break|exceed|overcome|surpass)\w* (?:the|this|that|its)[^.;]{0,30}(?:gap|"
                r"bound|ceiling|limit)"
            ),
            _p(
                r"no (?:external|outside|such)[^.;]{0,40}(?:needed|required|necessary)|indefinitely|"
                r"without (?:any )?(?:ceiling|limit|bound|plateau)"
            ),
        ),
    ),
    _Family(
        "contrastive-pairs",
        (
            _p(
                r"\bdpo\b|direct preference|contrastive|preference pairs|negative examples|"
                r"(?:correct|good|right|valid)(?:/| and | or | versus | vs\.? |-)(?:incorrect|bad|wrong|invalid)"
            ),
            _p(
                r"function[- ]?call|tool[- ]?(?:call|us)|\bapi calls?|structured (?:output|call)|(?:output|"
                r"call) format|format (?:error|failure)"
            ),
        ),
        (
            _p(_DENIED + r"(?:beat|help|match|outperform|improv|target|better)"),
            _p(r"no (?:better|advantage|gain)|worse than|as well as dpo"),
        ),
    ),
    _Family(
        "homogeneity",
        (
            _p(
                r"homogen(?:e[io]|i[sz])|hivemind|near[- ]identical|(?:strikingly |highly |"
                r"very )similar (?:answers|outputs|responses|text)|"
                r"resemble (?:one another|each other)|similar to (?:one another|each other)|converg\w* (?:on|"
                r"to|towards)[^.;]{0,30}(?:answers|outputs|responses)"
            ),
            _p(r"\bmodels?\b|\bllms?\b|alignment|pipelines?|open[- ]ended|generation"),
            _p(
                r"\d+\+? (?:\w+ )?(?:models|llms)|(?:different|various|across|between|many|several|"
                r"heterogeneous|federated|multiple|separate|vendors?)\b|"
                r"open[- ]ended|shared|overlapping|hivemind|multi-"
            ),
        ),
        (
            _p(_DENIED + r"(?:homogen|converg|identical|resemble|similar)"),
            _p(r"homogeneous graph|heterogeneous graph"),
            _p(r"(?:remain|stay)\w* (?:\w+ )?(?:diverse|distinct|different)|(?:few|no) (?:signs?|evidence) of"),
        ),
    ),
    _Family(
        "rl-generalisation",
        (
            _p(_RL),
            _p(
                r"memori[sz]|template|shortcut|(?:out[- ]of[- ]distribution|\bood\b|n-1|perturb|variants?|"
                r"unseen)[^.;]{0,80}"
                r"(?:drop|collaps|degrad|fail|fall|suffer|brittle|poor|worse)|"
                r"(?:drop|collaps|degrad|fail|fall|suffer|brittle|poor|"
                r"worse)[^.;]{0,80}(?:out[- ]of[- ]distribution|\bood\b|n-1|perturb|variants?|unseen)"
            ),
            _p(r"reason|procedur|generali[sz]|distribution|\bood\b|n-1|variants?|unseen|perturb"),
        ),
        (
            _p(_DENIED + r"(?:memori[sz]|template|collaps|drop|degrad|brittle|suffer|fail)"),
            _p(r"(?:sft|supervised fine-?tuning)[^.;]{0,40}(?:memori[sz]|forgets?|collapses)"),
            _p(r"rather than (?:merely |just |only )?(?:memori|templat)|without (?:memori|collaps|drop|degrad)"),
            _p(r"less (?:than|prone)|erodes[^.;]{0,60}less|generali[sz]es? (?:well|better|reliably|out)"),
        ),
    ),
    _Family(
        "in-context-alignment",
        (
            _p(
                r"in[- ]context (?:align|learn|example|demonstration)|\bicl\b|system prompts?|"
                r"few[- ]shot prompt|prompting alone"
            ),
            _p(
                r"substitut|replac|instead of|rival|on par|as good as|as well as|no need (?:for|of)|"
                r"makes?[^.;]{0,40}(?:unnecessary|obsolete)|match"
            ),
            _p(
                r"fine[- ]?tun|\bsft\b|alignment (?:data|training|tuning)|instruction[- ]tuning|"
                r"weight (?:update|tuning)"
            ),
        ),
        (
            _p(_DENIED + r"(?:substitut|replac|match|rival)"),
            _p(r"falls? short|lags? behind|worse than|inferior|without fine"),
        ),
    ),
    _Family(
        "data-quantity",
        (
            _p(
                r"curat|carefully (?:chosen|selected|picked|written)|hand[- ](?:picked|written|chosen)|"
                r"high[- ]quality|well[- ](?:chosen|selected)|"
                r"\b1,?000\b|\b1k\b|\bthousand\b|small (?:set|number|amount|sample)|handful"
            ),
            _p(_EXAMPLES),
            _p(r"align|instruct|fine[- ]?tun|post-?train|\bsft\b|competitive|speciali[sz]|assistant"),
            _p(
                r"match|compet|enough|suffic|rival|outperform|\bbeats?|\bvs\b|versus|orders of magnitude|"
                r"far more|many times|only (?:about |around |some )?(?:a thousand|1,?000|1k)\b|less is more|"
                r"as well as|on par"
            ),
        ),
        (
            _p(_DENIED + r"(?:enough|suffic|match|compet|rival|beat|outperform|align)"),
            _p(
                r"insufficient|falls? short|lags? behind|worse than|inferior|too few|(?:more|larger|"
                r"bigger)[^.;]{0,30}(?:always|still) (?:win|better|help)"
            ),
            _p(r"\bpre-?training (?:corpus|data|tokens)|epochs?\b"),
        ),
    ),
)


def family_of(text: str) -> str | None:
    """Name the protocol family that a statement belongs to, or None when none clearly does. The first that fits wins:
    the order goes from the most to the least specific cue words."""
    low = " ".join(text.lower().replace("’", "'").split())[:4000]
    for family in _FAMILIES:
        if all(p.search(low) for p in family.all_of) and not any(p.search(low) for p in family.none_of):
            return family.name
    return None


_SIZE = re.compile(
    r"(?<![\w.,$€])(\d{1,5}(?:\.\d{1,3})?)[ -]?(b|m|k|bn|billion|million|trillion)\b(?:[- ]param\w*)?"
    r"(?!\s*(?:curated |training |high-quality |\w+ )?(?:examples?|samples|tokens?|pairs|documents|"
    r"instructions|prompts|"
    r"queries|images|hours|users|rows|steps|questions|dollars|words|conversations))",
    re.IGNORECASE,
)
_FACTOR = {"k": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9, "trillion": 1e12}
_SMALL = re.compile(
    r"\b(?:small|smaller|small-scale|compact|tiny) (?:\w+ )?(?:language )?(?:models?|llms?|lms?)\b|\bslms?\b"
)
_TOY = re.compile(r"\btoy[- ](?:scale|models?|size)")
_TOY_PARAMS = 50e6
_SMALL_PARAMS = 3e9


def scale_of(text: str) -> str | None:
    """Give `toy`, `small` or `large` (the words of `Scale`) from stated sizes, else from words; None when unstated.

    Of several stated sizes the largest counts. Parameters: below 50 million is toy, to 3 billion small.
    """
    head = " ".join(text.split())[:4000]
    sizes = [float(m[1]) * _FACTOR[m[2].lower()] for m in _SIZE.finditer(head)]
    if sizes:
        most = max(sizes)
        return "toy" if most < _TOY_PARAMS else "small" if most <= _SMALL_PARAMS else "large"
    if _TOY.search(head.lower()):
        return "toy"
    return "small" if _SMALL.search(head.lower()) else None
