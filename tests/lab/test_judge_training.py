"""The encoder that the training command writes is the one that the local judge reads."""

import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training the encoder needs the lab extra")
pytest.importorskip("onnx", reason="exporting the encoder needs onnx (dev extra)")

from agent.judges.encoder import NAMES, Chosen, encoder_in
from lab import judge_training

WORDS = "we find that small large sets models match fail tuned birds sing loudly quietly do not only when".split()
UNIT = {
    "claims": ["small sets match", "we find small sets match"],
    "opposites": ["small sets fail", "we find small sets fail"],
    "confirming": ["sets match when small", "we find that sets match"],
    "refuting": ["sets fail when small", "we find that sets fail"],
}
OTHER = {
    "claims": ["large models sing", "we find large models sing"],
    "opposites": ["large models fail", "we find large models fail"],
    "confirming": ["models sing when large", "we find that models sing"],
    "refuting": ["models fail when large", "we find that models fail"],
}
SAYS = {
    "supports": ("tuned sets", "we find that sets match"),
    "contradicts": ("tuned sets", "sets fail when small"),
    "qualifies": ("tuned sets", "sets match only when tuned"),
    "neutral": ("tuned birds", "birds sing loudly"),
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A BERT of two layers with a word-piece vocabulary, built on the spot."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel

    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    folder = tmp_path / "base"
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 101, "[SEP]": 102}
    vocabulary |= {w: 110 + i for i, w in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    config = BertConfig(
        vocab_size=2100,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=160,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def chosen(stance: str) -> list[Chosen]:
    return [Chosen(text) for text in SAYS[stance]]


def pairs_file(path: Path) -> Path:
    rows = [
        {
            "claim_id": f"c{i}",
            "wording": "text",
            "paper_id": f"2401.{i:05}",
            "claim": "small sets match",
            "sentences": sentences,
            "stance": stance,
            "weight": 1.0,
        }
        for i in range(10)
        for stance, sentences in SAYS.items()
    ]
    path.write_text("\n".join(json.dumps(r) for r in rows))
    return path


@pytest.mark.slow
def test_a_trained_encoder_is_exported_and_tells_the_judge_agreement_from_contradiction(
    base: Path, tmp_path: Path
) -> None:
    units = tmp_path / "units.jsonl.gz"
    units.write_bytes(gzip.compress("\n".join(json.dumps(u) for u in [UNIT, OTHER] * 8).encode()))
    out = tmp_path / "out"
    given = [str(units), str(pairs_file(tmp_path / "pairs.jsonl")), "--base", str(base), "--out", str(out)]
    assert judge_training.main([*given, "--unit-epochs", "120", "--epochs", "4"]) == 0

    def ahead(claim: str) -> float:
        """How much more the agreeing paper agrees with a claim than the disagreeing one."""
        for_it, against_it = encoder_in(out).weigh(claim, [chosen("supports"), chosen("contradicts")])
        return float((for_it.numbers - against_it.numbers)[NAMES.index("direction")])

    assert ahead("small sets match") - ahead("small sets fail") > 1, "a turned claim turns who agrees with it"


def test_the_agent_reads_what_the_training_reads(base: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    model = judge_training.build(base)
    torch.nn.init.normal_(model.alone.weight)
    judge_training.export(model, tmp_path / "encoder.onnx")
    (tmp_path / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes())
    encoder = encoder_in(tmp_path)

    papers = [chosen(stance) for stance in SAYS]
    together = encoder.weigh("small sets match", papers)
    alone = [encoder_in(tmp_path).weigh("small sets match", [p])[0] for p in papers]
    for paper, one, other in zip(papers, together, alone, strict=True):
        assert np.array_equal(one.numbers, other.numbers) and np.array_equal(one.shares, other.shares)
        assert one.shares.sum() == pytest.approx(1)
        with torch.no_grad():
            vectors = model.encode([c.text for c in paper], "cpu")
            scores = judge_training.pooled(
                model.asked(model.encode(["small sets match"], "cpu"))[0], vectors, model.said(vectors)
            )
            chances = judge_training.log_chances(scores[None])[0]
        odds = (chances[1:] - chances[:1]).tolist()
        # 8-bit weights here, 16-bit sums there: near, not equal
        assert one.numbers[:3].tolist() == pytest.approx(scores.tolist(), abs=0.5)
        assert one.numbers[3:].tolist() == pytest.approx(odds, abs=0.8)


def test_a_text_that_is_no_utf8_is_read_all_the_same(base: Path, tmp_path: Path) -> None:
    judge_training.export(judge_training.build(base), tmp_path / "encoder.onnx")
    (tmp_path / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes())
    (said,) = encoder_in(tmp_path).weigh("small sets match", [[Chosen("small sets \ud800"), Chosen("\x00")]])
    assert np.isfinite(said.numbers).all()


def test_pairs_of_which_nothing_is_read_are_left_out(tmp_path: Path) -> None:
    path = pairs_file(tmp_path / "pairs.jsonl")
    empty = json.loads(path.read_text().splitlines()[0]) | {"sentences": []}
    path.write_text(path.read_text() + "\n" + json.dumps(empty))
    assert len(judge_training.read_pairs(path)) == 40


def test_every_claim_is_read_once_an_epoch_in_one_wording_and_units_lead() -> None:
    units = [judge_training.Unit(*(tuple(UNIT[name]) for name in judge_training.Unit._fields))] * 5
    pairs = [
        judge_training.Pair(f"c{i}", wording, ("a",), stance, 1.0)
        for i in range(6)
        for wording in (f"c{i} one", f"c{i} two")
        for stance in (0, 0, 0, 0, 1, 2, 3)
    ]
    recipe = judge_training.Recipe(unit_epochs=2, epochs=1, units_at_once=4, claims_at_once=4, neutrals=2)
    first, second = judge_training.plans(units, pairs, recipe)
    assert [len(u) for u, _ in first] == [4, 1, 4, 1] and not any(p for _, p in first)
    assert [len(u) for u, _ in second] == [2, 2] and all(p for _, p in second)
    read = [p for _, some in second for p in some]
    assert sorted({p.claim_id for p in read}) == [f"c{i}" for i in range(6)]
    assert len({p.claim for p in read}) == 6
    assert Counter(p.stance for p in read) == {0: 12, 1: 6, 2: 6, 3: 6}
    assert (first, second) == judge_training.plans(units, pairs, recipe)
