"""The durable and perishable part of a claim's sentence. The sentences are ours, in the shapes that real ones have."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claims.parts import split

SHARED = Path(__file__).resolve().parents[2].parent / "shared"

CASES = [
    (
        "LIMA did well with only 1,000 chosen examples against orders of magnitude more data.",
        "One model did well with only a small number of chosen examples against far more data.",
        ("LIMA", "only 1,000 chosen examples", "orders of magnitude more"),
    ),
    (
        "Small models trained with DPO on good and bad calls match large ones.",
        "Small models trained with DPO on good and bad calls match large ones.",
        (),
    ),
    ("Proxy-tuning closes 88–91% of the gap.", "Proxy-tuning closes most of the gap.", ("88–91%",)),
    ("Accuracy drops on N-1 variants of the task.", "Accuracy drops on variants of the task.", ("N-1",)),
    (
        "70+ models give the same answers (“Hive of Minds”).",
        "Many models give the same answers.",
        ("70+ models", "“Hive of Minds”"),
    ),
    (
        "Judges such as GPT-4 prefer long answers.",
        "Judges prefer long answers.",
        ("GPT-4",),
    ),
    (
        "Judges, such as GPT-4o or Claude 3, prefer long answers.",
        "Judges prefer long answers.",
        ("GPT-4o or Claude 3",),
    ),
    ("Models far below roughly 100 billion parameters fail.", "Models far below a certain size fail.", None),
    ("Repeating it for up to about four epochs is free.", "Repeating it for up to a few epochs is free.", None),
    ("Disclosure is often below 20 percent.", "Disclosure is often low.", None),
    (
        "In 2024, models over 13B parameters needed 10x more data.",
        "Models over a certain size needed many times more data.",
        None,
    ),
    ("Tuning on 26K open questions (INFINITY-CHAT) helps.", "Tuning on many open questions helps.", None),
    ("Only about a quarter get a patch.", "Only some get a patch.", ("a quarter",)),
    ("It converges at O(1/k) and pass@1 rises.", "It converges at O(1/k) and pass@1 rises.", ()),
    ("The Big Five traits shift it.", "The Big Five traits shift it.", ()),
    ("Two language models share an origin.", "Two language models share an origin.", ()),
    ("It is better than GPT-4o.", "It is better than one model.", ("GPT-4o",)),
    ("Stable Diffusion models are fragile.", "Certain models are fragile.", ("Stable Diffusion",)),
]


@pytest.mark.parametrize(("text", "durable", "perishable"), CASES)
def test_what_ages_is_taken_out_and_what_is_left_reads_as_english(
    text: str, durable: str, perishable: tuple[str, ...] | None
) -> None:
    parts = split(text)
    assert parts.durable == durable
    if perishable is not None:
        assert parts.perishable == perishable


@given(st.text(max_size=200))
def test_any_text_is_split_the_same_way_twice_and_never_to_nothing(text: str) -> None:
    parts = split(text)
    assert parts == split(text)
    assert parts.durable or not text.strip()
    assert all(item in " ".join(text.split()) for item in parts.perishable)


@pytest.mark.parametrize("file", ["dev.jsonl", "train.jsonl"])
def test_real_claims_keep_their_grammar_and_lose_their_numbers(file: str) -> None:
    path = SHARED / "bench" / file
    if not path.exists():
        pytest.skip(f"{path} is not here")
    for line in path.read_text(encoding="utf-8").splitlines():
        text = json.loads(line)["text"]
        parts = split(text)
        assert not re.search(r"\d\s?%|\d percent|\dB\b|\d,\d{3}", parts.durable), parts
        assert not re.search(r"\s[,.;:]|\(\s*\)|  |,,|\ba an\b|one model models", parts.durable), parts
        assert len(parts.durable) > 0.6 * len(text), parts
        if not parts.perishable:
            assert parts.durable == text
