"""Which protocol family a statement belongs to: precise, and silent where the statement says the opposite."""

import json
from pathlib import Path

import pytest

from claims.family import family_of, scale_of

DEV = Path(__file__).parents[3] / "shared" / "bench" / "dev.jsonl"


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("About a thousand hand-picked answers suffice to fine-tune a good assistant.", "data-quantity"),
        ("Small curated instruction sets rival ones fifty times as large.", "data-quantity"),
        ("DPO on right and wrong tool calls beats plain supervised tuning of small models.", "contrastive-pairs"),
        ("Negative examples remove format errors in function calling.", "contrastive-pairs"),
        ("Steering with a tuned small model at decoding time keeps knowledge that fine-tuning loses.", "proxy-tuning"),
        ("Proxy-tuning closes most of the gap and preserves facts.", "proxy-tuning"),
        ("GRPO makes models memorize templates instead of reasoning.", "rl-generalisation"),
        ("Accuracy of RL-tuned reasoners collapses on out-of-distribution variants.", "rl-generalisation"),
        (
            "A model that trains itself cannot exceed what it can verify: self-improvement is bounded.",
            "verification-gap",
        ),
        ("Self-training stalls without external validation.", "verification-gap"),
        ("Different LLMs give near-identical answers to open-ended prompts.", "homogeneity"),
        ("Does a pipeline with several validators break the homogeneity of aligned models?", "homogeneity"),
        ("Prompts with in-context examples replace instruction-tuning altogether.", "in-context-alignment"),
        ("Can in-context learning substitute for fine-tuning?", "in-context-alignment"),
    ],
)
def test_a_statement_of_a_family_is_recognised(text: str, family: str) -> None:
    assert family_of(text) == family


@pytest.mark.parametrize(
    "text",
    [
        "A thousand curated examples are not enough to align a model.",
        "Small curated sets fall short of larger ones for fine-tuning.",
        "DPO on tool calls does not beat supervised tuning.",
        "Proxy-tuning does not preserve knowledge better than fine-tuning.",
        "GRPO does not make reasoners memorize templates.",
        "RL generalises well to unseen variants rather than memorizing.",
        "Self-improvement is not bounded by verification.",
        "Models can escape the generation-verification gap through self-training.",
        "Different models do not converge on near-identical outputs.",
        "In-context learning cannot replace fine-tuning.",
    ],
)
def test_a_statement_of_the_opposite_gets_no_family(text: str) -> None:
    # An experiment registered in one direction must not be read as support for the other.
    assert family_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Preferred answers can become less probable under direct preference optimisation.",
        "Four passes over the same corpus cost almost nothing in pretraining.",
        "Judges favour longer answers.",
        "Emergent abilities vanish under smooth metrics.",
        "Low-rank adapters forget less than full fine-tuning.",
        "Asking a model to think step by step raises accuracy.",
        "A monitor in the reward teaches models to hide their intent.",
        "Homogeneous graphs are easier to embed than heterogeneous ones.",
        "The sky is blue.",
        "",
    ],
)
def test_other_statements_get_no_family(text: str) -> None:
    assert family_of(text) is None


@pytest.mark.skipif(not DEV.exists(), reason="the shared development claims are not here")
def test_few_of_the_development_claims_have_a_family() -> None:
    claims = [json.loads(line) for line in DEV.read_text(encoding="utf-8").splitlines()]
    with_family = {c["claim_id"]: f for c in claims if (f := family_of(c["text"]))}
    # Read by hand: these two assert what a protocol measures, the other 28 do not (or assert it of something else).
    assert with_family == {
        "thousand-examples-align-a-model": "data-quantity",
        "creative-outputs-alike-across-llms": "homogeneity",
    }


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("A 350M model suffices.", "small"),
        ("Models of 7B parameters and of 1.5B differ.", "large"),
        ("Small language models fail.", "small"),
        ("A 10 million parameter network memorises.", "toy"),
        ("Toy-scale runs mislead.", "toy"),
        ("Trained on 2 million examples and 3B tokens.", None),
        ("Costs $5 million.", None),
        ("Models improve.", None),
    ],
)
def test_stated_sizes_give_the_scale(text: str, scale: str | None) -> None:
    assert scale_of(text) == scale
