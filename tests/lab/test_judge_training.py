"""The encoder that the training command writes is the one that the local judge reads."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training the encoder needs the lab extra")
pytest.importorskip("onnx", reason="exporting the encoder needs onnx (dev extra)")

from agent.judges.encoder import Encoder, PairText
from lab import judge_training

WORDS = "we find that small sets match large ones and do not only when tuned birds sing loudly".split()
SAYS = {
    "supports": "we find that small sets match large ones",
    "contradicts": "we find that small sets do not match large ones",
    "qualifies": "small sets match only when tuned",
    "neutral": "birds sing loudly",
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A BERT of two layers with a word-piece vocabulary, built on the spot."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel

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


@pytest.mark.slow
def test_a_trained_encoder_is_exported_and_read_by_the_judge(base: Path, tmp_path: Path) -> None:
    import onnxruntime
    from tokenizers import Tokenizer

    rows = [
        {
            "claim_id": f"c{i % 5}",
            "wording": "text",
            "paper_id": f"2401.{i:05}",
            "claim": "small sets match large ones",
            "passage": SAYS[stance],
            "stance": stance,
            "weight": 1.0,
        }
        for i in range(10)
        for stance in SAYS
    ]
    passages = tmp_path / "passages.jsonl"
    passages.write_text("\n".join(json.dumps(r) for r in rows))
    out = tmp_path / "out"
    assert judge_training.main([str(passages), "--base", str(base), "--out", str(out), "--folds", "2"]) == 0
    logits = [json.loads(line) for line in (out / "logits.jsonl").read_text().splitlines()]
    assert len(logits) == len(rows) and all(len(r["logits"]) == 4 for r in logits)
    assert {(r["claim_id"], r["paper_id"]) for r in logits} == {(r["claim_id"], r["paper_id"]) for r in rows}

    encoder = Encoder(
        onnxruntime.InferenceSession(str(out / "encoder.onnx")), Tokenizer.from_file(str(out / "tokenizer.json"))
    )
    pairs = [PairText("small sets match large ones", SAYS[s]) for s in SAYS]
    together = encoder.logits(pairs)
    assert together.shape == (4, 4) and np.isfinite(together).all()
    assert np.array_equal(together, np.vstack([encoder.logits([p]) for p in pairs]))


@pytest.mark.slow
def test_the_eight_bit_export_says_nearly_what_the_model_says(base: Path, tmp_path: Path) -> None:
    import onnxruntime

    model = judge_training.build(base)
    example = judge_training.Example({}, [110, 111], [112, 113, 114, 115], 1, 1.0)
    (said,) = judge_training.logits_of(model, [example], "cpu")
    judge_training.export(model, tmp_path / "encoder.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "encoder.onnx"))
    ids = np.array([[101, *example.claim, 102, *example.passage, 102]], dtype=np.int64)
    types = np.array([[0] * 4 + [1] * 5], dtype=np.int64)
    (row,) = session.run(None, {"ids": ids, "types": types})
    assert row[0] == pytest.approx(said, abs=0.05)  # 8-bit weights; logits here are of the order of 0.1 to 1
