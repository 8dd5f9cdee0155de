"""Ties an inquiry's notes and anchors to its claims, and finds the works that a claim names without an id."""

import re
from collections import defaultdict
from collections.abc import Sequence

from claims.claim import Anchor, Claim
from claims.family import family_of
from claims.ties import Index, match_one_to_one

_LEAST_SHARE_OF_NOTE = 0.12
"""a note shares at least this much of its words' weight with its claim"""
_LEAST_SHARE_OF_TOPIC = 0.5
"""an anchor's topic is named by the claim or its note in at least half of its words' weight"""

_RESULT = (
    r"(?:achiev|demonstrat|show|clos|reach|outperform|surpass|prov|attain|match|improv|preserv|report|find|found|"
    r"introduc|analy[sz]|reveal|beat|obtain|gain|exceed|rival|establish|keep|tun|train|us(?=es|ed)|need|align|trac)\w*"
)
_NAMED = re.compile(
    rf"(?:^|[;.—]\s+)(?P<name>[A-Za-z][A-Za-z0-9]*(?:[-.][A-Za-z0-9]+)*)(?=\s+(?:at [\w -]{{1,30}} )?{_RESULT}\b)"
)
_GENERIC = frozenset(
    "rl sft dpo grpo ppo rlhf rlvr rlaif lora qlora peft cot icl moe rag ntp llm llms lm lms slm slms ai nlp "
    "ood api mlp "
    "kl mcts rm prm orm gpt it we they this that these those models results fine-tuning finetuning pre-training "
    "pretraining post-training self-improvement self-training self-play self-correction self-consistency "
    "instruction-tuning prompt-tuning in-context chain-of-thought co-training re-training weight-tuning few-shot "
    "zero-shot meta-learning meta-analysis scaling gpt-2 gpt-3 gpt-3.5 gpt-4 gpt-4o llama llama2 llama-2 llama-3 palm "
    "qwen qwen2 qwen2.5 t5 bert mmlu gsm8k math humaneval aime swe-bench".split()
)


def tie(claims: Sequence[Claim], anchors: Sequence[Anchor], notes: Sequence[tuple[str, str]]) -> list[Claim]:
    """Give the claims with their note and their anchors.

    notes: (title, text). A note goes to the claim whose words it shares most, one note a claim. An anchor goes to the
    claim that its topic names, and to no claim when none is clear: a related paper is not a claim's ground. A claim
    left without an id gets the work that it names (`LIMA`), with the claim's own date as the stated one.
    """
    paired: dict[int, int] = {}
    if notes:
        index = Index([c.text for c in claims])
        paired = match_one_to_one(index, [f"{t} {x}" for t, x in notes], least=_LEAST_SHARE_OF_NOTE)
    note_of = {c: n for n, c in paired.items()}
    texts = [" ".join((c.text, *(notes[note_of[i]] if i in note_of else ()))) for i, c in enumerate(claims)]
    named = {a.arxiv_id for c in claims for a in c.anchors if a.arxiv_id}
    loose = [a for a in anchors if a.arxiv_id not in named]
    index = Index(texts if loose else [])
    by_family: dict[str, list[int]] = defaultdict(list)
    for i, claim in enumerate(claims):
        if claim.scope.family:
            by_family[claim.scope.family].append(i)
    own: dict[int, list[Anchor]] = defaultdict(list)
    for i, claim in enumerate(claims):
        own[i] += claim.anchors
    for anchor in loose:
        which = _grounds(anchor, index, by_family)
        if which is not None:
            own[which].append(anchor)
    stated = {a.arxiv_id: a for a in anchors if a.arxiv_id}
    tied = []
    for i, claim in enumerate(claims):
        # The anchor list says more about an id than the claim that only names it.
        ground = [stated.get(a.arxiv_id, a) if a.arxiv_id else a for a in own[i]]
        note = " ".join(part for part in notes[note_of[i]] if part) if i in note_of else None
        if not ground and (name := named_work(claim.text, notes[note_of[i]][1] if i in note_of else "")):
            ground = [Anchor(stated_title=name, stated_date=claim.asserted_on, line=claim.line)]
        tied.append(claim.model_copy(update={"anchors": tuple(dict.fromkeys(ground)), "note": note}))
    return tied


def _grounds(anchor: Anchor, index: Index, by_family: dict[str, list[int]]) -> int | None:
    topic = " ".join(filter(None, (anchor.stated_title, anchor.stated_topic)))
    if not topic:
        return None
    shares = index.shares(topic)
    family = family_of(topic)
    if family and len(by_family[family]) == 1:
        return by_family[family][0]
    if not shares or shares[0][0] < _LEAST_SHARE_OF_TOPIC:
        return None
    if len(shares) > 1 and shares[1][0] > 0.9 * shares[0][0]:
        return None
    return shares[0][1]


def named_work(*texts: str) -> str | None:
    """Give the work that is the subject of a result in these texts (`LIMA achieves …`), or None.

    Method words that name no single work (DPO, fine-tuning) do not count.
    """
    for text in texts:
        for match in _NAMED.finditer(text[:2000]):
            name = match["name"]
            capitals = sum(c.isupper() for c in name)
            if name.lower() in _GENERIC or re.search(r"-(?:trained|tuned|based|style|only|generated)$", name.lower()):
                continue
            if capitals >= 2 or re.search(r"[A-Za-z]-(?:tun|prompt|steer|train|align|learn)\w*$", name):
                return name if capitals >= 2 else name.lower()
    return None
