"""The field's own words: what else a thing is called, what the opposite of an effect is, how a contrary finding speaks.

A paper against a claim seldom uses the claim's words. Groups list names for one thing, or things measured together in
post-training of language models; they widen a question and decide nothing. Written by hand from knowledge of the
field; no group was made for a single claim.
"""

import re
from functools import cache

_GROUPS = """
chain of thought | chain-of-thought | cot | reasoning trace | rationale | step by step
verifiable rewards | rlvr | grpo | group relative policy optimization | reinforcement learning
reinforcement learning from human feedback | rlhf | preference tuning | preference optimization | human preference
direct preference optimization | direct preference optimisation | dpo | preference pair
proximal policy optimization | ppo
supervised fine-tuning | supervised finetuning | sft | instruction tuning | instruction fine-tuning | post-training
fine-tuning | finetuning | fine-tune | finetune | tuning
low-rank adapter | low-rank adaptation | lora | peft | parameter-efficient
full fine-tuning | full finetuning | full-parameter
forget | forgetting | catastrophic forgetting | erode | retain | retention | preserve | degradation
in-context learning | icl | few-shot | demonstration | in-context
out of distribution | out-of-distribution | ood | generalization | generalisation | distribution shift | unseen
memorize | memorise | memorization | memorisation | overfit | template
self-correction | self-correct | self-refine | self-improvement | repair | self-critique | self-verification
self-reflection | reflection | reflective | aha moment | self-checking | backtracking
language model judge | llm-as-a-judge | llm judge | judge | evaluator
length bias | verbosity | verbose | longer answer | longer response
position bias | positional bias | order bias
self-preference | self-recognition | favour own | favor own
diversity | diverse | variety | homogeneity | homogenization | mode collapse | hivemind | monoculture
model collapse | synthetic data | self-consuming | model-generated data | recursive
emergent | emergence | sudden | discontinuous | phase transition
scaling law | scaling | model size
small language model | small model | slm | smaller model | compact model
distillation | distill | imitation | imitate | teacher | student
repeat | repetition | epoch | multi-epoch | data-constrained | data-limited
dropout | regularization | regulariser | weight decay
faithful | faithfulness | unfaithful | monitorability | verbalize | disclose
reward hacking | misbehaviour | misbehavior | obfuscation | deception
hallucination | hallucinate | factuality | factual | knowledge
tool use | tool calling | function calling | api call
retrieval-augmented generation | rag | retrieval
mixture of experts | moe | routing
quantization | quantized | low-bit | compression | pruning
long context | context length | context window
pass@k | repeated sampling | best-of-n | test-time compute | inference-time | test-time scaling
reasoning boundary | reasoning ability | reasoning capability | base model | capability boundary
reward model | process reward model | verifier | verification | outcome reward
self-training | self-play | self-rewarding | self-improve | bootstrapping
data selection | curation | curated | data quality | high-quality | subset | less is more
jailbreak | safety alignment | refusal | harmful
sycophancy | sycophantic
unlearning | knowledge editing | model editing
model merging | merge | weight averaging | task vector
calibration | confidence | uncertainty
multilingual | cross-lingual | low-resource language
code generation | programming | code
mathematical reasoning | math | maths
vision-language | multimodal | vlm | mllm
contamination | benchmark contamination | leakage
superficial alignment | superficial | instruction following | alignment tuning
decoding-time | proxy-tuning | logit | inference-time alignment | test-time alignment | weak-to-strong
on-policy | online | off-policy | offline
federated | heterogeneous | multi-agent | ensemble | panel
interpretability | mechanistic | circuit | probing | steering
pretraining | pre-training | pretrained
"""

_OPPOSITES = """
improve degrade | increase decrease | raise lower | better worse | more less | gain loss | strengthen weaken
preserve erode | retain forget | help hurt | outperform underperform | match lag | surpass trail
generalise memorise | generalize memorize | robust brittle | reliable unreliable | faithful unfaithful
diverse homogeneous | enough insufficient | necessary unnecessary | possible impossible | succeed fail
create reveal | novel latent | bounded unbounded | limited unlimited | cannot can | rarely often | narrow broad
"""

CONTRARY = "revisiting rethinking contrary fails limits surprisingly whether not"
"""How titles and abstracts announce that something accepted does not hold."""

_FUNCTION_WORDS = frozenset(
    """a about above after again against all also although am among an and another any are as at be because been before
    being below between both but by can cannot could did do does doing down during each either enough even every few
    for from further had has have having he her here him his how however i if in into is it its itself just let like
    made make makes many may me might more most much must my near nearly neither no nor not of off often on once one
    only or other our out over own per rather same several she should since so some still such than that the their them
    themselves then there these they this those though through thus to too under until up upon us use used using very
    via was we well were what when where whether which while who whom whose why will with within without would yet you
    about across almost along already always anything around away become becomes comes gets give gives go goes good
    instead itself keep keeps kind little lot merely need needs none nothing part put rest said seem show shows take
    takes thing things turn way whatever""".split()
)

_TERM = re.compile(r"[A-Za-z0-9]+(?:[-'’@][A-Za-z0-9]+)*")


def content_words(text: str) -> list[str]:
    """Give the distinct telling words of a text, in order and as written; hyphenated words stay whole."""
    words = [w for w in _TERM.findall(text) if w.lower() not in _FUNCTION_WORDS and (len(w) > 1 or w.isdigit())]
    first: dict[str, str] = {}
    for word in words:
        first.setdefault(word.lower(), word)
    return list(first.values())


def names_in(text: str) -> list[str]:
    """Give what reads as a name of a method, model or data set: acronyms, mixed case, digits inside, quoted words."""
    quoted = [q for q in re.findall(r"[\"“‘']([^\"”’']{3,40})[\"”’']", text) if content_words(q)]
    marked = [
        w for w in content_words(text) if sum(c.isupper() for c in w) > 1 or (w[0].isalpha() and re.search(r"\d", w))
    ]
    return list(dict.fromkeys([*quoted, *marked]))


def other_names(text: str) -> list[str]:
    """Give other names for the things that a text speaks of, leaving out those that it uses itself."""
    folded = _folded(text)
    found: dict[str, None] = {}
    for group in _groups():
        if any(f" {member} " in folded for member in group):
            found |= {member: None for member in group if f" {member} " not in folded}
    return list(found)


def opposite_words(text: str) -> list[str]:
    """Give the opposites of the effects that a text names."""
    words = {_stem(w) for w in content_words(text)} | {w for w in _folded(text).split() if w in {"more", "often"}}
    return list(dict.fromkeys(other for one, other in _opposites() if _stem(one) in words))


@cache
def _groups() -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(dict.fromkeys(_folded(member).strip() for member in line.split("|")))
        for line in _GROUPS.strip().splitlines()
    )


@cache
def _opposites() -> tuple[tuple[str, str], ...]:
    pairs = [tuple(pair.split()) for pair in _OPPOSITES.replace("\n", "|").split("|") if pair.strip()]
    return tuple((a, b) for one, other in pairs for a, b in ((one, other), (other, one)))


def _folded(text: str) -> str:
    """Lower case, one space between words, hyphens opened, plurals cut: what names are compared in."""
    return f" {' '.join(_singular(w) for w in re.findall(r'[a-z0-9@]+', text.lower()))} "


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _stem(word: str) -> str:
    word = word.lower()
    for ending in ("ing", "es", "ed", "s", "e"):
        if len(word) - len(ending) >= 4 and word.endswith(ending):
            return word[: -len(ending)]
    return word
