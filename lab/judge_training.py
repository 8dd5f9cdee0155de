"""Trains the small cross-encoder that the agent's local judge may read pairs with, and exports it to 8-bit ONNX.

    python -m lab.judge_training PASSAGES.jsonl... --base FOLDER --out FOLDER [--folds N] [--epochs N] [--device cuda]

PASSAGES come from `python -m agent.judges.training passages` (one wording of a claim, title and telling sentences of a
paper, stance, weight). `--base` is a folder with a BERT-like encoder and its tokenizer (all-MiniLM-L6-v2 was used).
Writes `encoder.onnx`, `tokenizer.json`, and `logits.jsonl`: for every pair four logits from a model that saw no wording
of its claim, which `agent.judges.training fit --logits` needs.

Departs from plain fine-tuning: the word vectors and the lowest layers stay as they are (few labels, and their states
are computed once); the head reads the first token, both means, their difference and their product.
"""

import argparse
import json
import math
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

STANCES: Final = ("neutral", "supports", "contradicts", "qualifies")
"""The order of the logits; the agent's local judge reads them in it."""
MAX_CLAIM_TOKENS: Final = 44
MAX_TOKENS: Final = 128
_CLS: Final = 101
_SEP: Final = 102


class Example(NamedTuple):
    """One pair as the encoder reads it."""

    key: dict[str, str]
    """claim_id, wording, paper_id"""
    claim: list[int]
    passage: list[int]
    stance: int
    weight: float

    @property
    def length(self) -> int:
        """Tokens, marks included."""
        return len(self.claim) + len(self.passage) + 3


class Recipe(NamedTuple):
    """What a run is repeated from."""

    epochs: int = 2
    learning_rate: float = 8e-5
    head_factor: float = 8.0
    """the head learns this many times faster"""
    batch: int = 16
    frozen_layers: int = 3
    neutral_weight: float = 0.5
    smoothing: float = 0.05
    seed: int = 0


def read_examples(paths: Sequence[Path], base: Path) -> list[Example]:
    """Read passages and cut them into tokens, claim and passage apart."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    out = []
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            raw = json.loads(line)
            claim = tokenizer.encode(raw["claim"], add_special_tokens=False).ids[:MAX_CLAIM_TOKENS]
            text = tokenizer.encode(raw["passage"], add_special_tokens=False).ids[: MAX_TOKENS - 3 - len(claim)]
            key = {name: raw[name] for name in ("claim_id", "wording", "paper_id")}
            out.append(Example(key, claim, text, STANCES.index(raw["stance"]), float(raw["weight"])))
    return out


def build(base: Path) -> Any:
    """Put the four-way head on an encoder."""
    import torch
    from torch import nn
    from transformers import AutoModel

    class CrossEncoder(nn.Module):  # type: ignore[misc]  # torch is untyped where it is not installed
        """(1, tokens) ids and types to (1, 4) logits."""

        def __init__(self) -> None:
            super().__init__()
            self.bert = AutoModel.from_pretrained(base, add_pooling_layer=False, attn_implementation="eager")
            width = self.bert.config.hidden_size
            self.drop = nn.Dropout(0.1)
            self.inner = nn.Linear(5 * width, 160)
            self.out = nn.Linear(160, len(STANCES))

        def forward(self, ids: torch.Tensor, types: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            states = self.bert(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
            first = (mask * (1 - types)).unsqueeze(-1).to(states.dtype)
            second = (mask * types).unsqueeze(-1).to(states.dtype)
            u = (states * first).sum(1) / first.sum(1)
            v = (states * second).sum(1) / second.sum(1)
            read = torch.cat([states[:, 0], u, v, (u - v).abs(), u * v], dim=1)
            logits: torch.Tensor = self.out(self.drop(nn.functional.gelu(self.inner(self.drop(read)))))
            return logits

    return CrossEncoder()


def collate(examples: Sequence[Example], device: str) -> tuple[Any, Any, Any]:
    """Pad a batch: ids, types and mask, each (batch, longest)."""
    import torch

    longest = max(e.length for e in examples)
    ids = torch.zeros(len(examples), longest, dtype=torch.long)
    types, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for i, e in enumerate(examples):
        ids[i, : e.length] = torch.tensor([_CLS, *e.claim, _SEP, *e.passage, _SEP])
        mask[i, : e.length] = 1
        types[i, len(e.claim) + 2 : e.length] = 1
    return ids.to(device), types.to(device), mask.to(device)


def train(model: Any, examples: Sequence[Example], recipe: Recipe, device: str) -> None:
    """Fine-tune in place, batches of like length in random order, weights by label confidence and stance."""
    import torch

    rng = random.Random(recipe.seed)
    torch.manual_seed(recipe.seed)
    for part in (model.bert.embeddings, *model.bert.encoder.layer[: recipe.frozen_layers]):
        part.requires_grad_(False)
    head = [*model.inner.parameters(), *model.out.parameters()]
    body = [p for p in model.bert.parameters() if p.requires_grad]
    groups = [
        {"params": body, "lr": recipe.learning_rate},
        {"params": head, "lr": recipe.learning_rate * recipe.head_factor},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = recipe.epochs * math.ceil(len(examples) / recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda k: min(1.0, (k + 1) / (0.08 * steps)) * max(0.02, 1 - k / steps)
    )
    model.to(device).train()
    for _ in range(recipe.epochs):
        order = sorted(range(len(examples)), key=lambda i: (examples[i].length, rng.random()))
        batches = [order[k : k + recipe.batch] for k in range(0, len(order), recipe.batch)]
        rng.shuffle(batches)
        for rows in batches:
            chosen = [examples[i] for i in rows]
            logits = model(*collate(chosen, device))
            truth = torch.tensor([e.stance for e in chosen], device=device)
            weight = torch.tensor(
                [e.weight * (recipe.neutral_weight if e.stance == 0 else 1.0) for e in chosen], device=device
            )
            each = torch.nn.functional.cross_entropy(logits, truth, reduction="none", label_smoothing=recipe.smoothing)
            loss = (each * weight).sum() / weight.sum()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)


def logits_of(model: Any, examples: Sequence[Example], device: str, batch: int = 64) -> list[list[float]]:
    """Give four logits for each example, in order."""
    import torch

    model.to(device).eval()
    out: list[list[float]] = [[] for _ in examples]
    order = sorted(range(len(examples)), key=lambda i: examples[i].length)
    with torch.no_grad():
        for k in range(0, len(order), batch):
            rows = order[k : k + batch]
            for i, row in zip(rows, model(*collate([examples[i] for i in rows], device)).cpu().tolist(), strict=True):
                out[i] = [round(v, 4) for v in row]
    return out


def export(model: Any, out: Path) -> None:
    """Write the model as ONNX with 8-bit weights: inputs `ids` and `types`, (1, tokens); output `logits`, (1, 4)."""
    import torch
    from onnxruntime.quantization import (  # type: ignore[import-untyped]  # ships no types
        QuantType,
        quantize_dynamic,
    )

    class Bare(torch.nn.Module):  # type: ignore[misc]  # torch is untyped where it is not installed
        def __init__(self) -> None:
            super().__init__()
            self.model = model.cpu().eval()

        def forward(self, ids: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(ids, types, torch.ones_like(ids))
            return logits

    ids = torch.full((1, 64), 2000, dtype=torch.long)
    types = torch.cat([torch.zeros(1, 24, dtype=torch.long), torch.ones(1, 40, dtype=torch.long)], dim=1)
    whole = out.with_suffix(".fp32.onnx")
    torch.onnx.export(
        Bare().eval(),
        (ids, types),
        str(whole),
        input_names=["ids", "types"],
        output_names=["logits"],
        dynamic_axes={"ids": {1: "tokens"}, "types": {1: "tokens"}},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(whole, out, weight_type=QuantType.QInt8, per_channel=True)
    whole.unlink()


def main(argv: Sequence[str] | None = None) -> int:
    """Train one model per fold for the left-out logits, then one on everything for export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("passages", nargs="+", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=Recipe().epochs)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args(argv)
    recipe = Recipe(epochs=given.epochs)
    examples = read_examples(given.passages, given.base)
    claims = sorted({e.key["claim_id"] for e in examples})
    random.Random(11).shuffle(claims)
    fold = {c: i % given.folds for i, c in enumerate(claims)}
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / "logits.jsonl").open("w", encoding="utf-8") as lines:
        for k in range(given.folds):
            model = build(given.base)
            train(model, [e for e in examples if fold[e.key["claim_id"]] != k], recipe, given.device)
            held = [e for e in examples if fold[e.key["claim_id"]] == k]
            for e, row in zip(held, logits_of(model, held, given.device), strict=True):
                lines.write(json.dumps(e.key | {"logits": row}) + "\n")
    model = build(given.base)
    train(model, examples, recipe, given.device)
    export(model, given.out / "encoder.onnx")
    shutil.copy(given.base / "tokenizer.json", given.out / "tokenizer.json")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
