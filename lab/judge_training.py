"""Trains the small sentence encoder that the agent's local judge reads claims and papers with; exports 8-bit ONNX.

    python -m lab.judge_training UNITS.jsonl.gz PAIRS.jsonl --base FOLDER --out FOLDER [--unit-epochs N] [--epochs N]

`--base` is a folder with a BERT-like sentence encoder and its tokenizer (all-MiniLM-L6-v2 was used). UNITS are claims,
their opposites, and sentences that confirm or refute them, in which neither a claim nor a sentence alone tells the
stance (`agent/judges/written_units.jsonl.gz`; its qualifying and silent sentences are not read). PAIRS come from
`python -m agent.judges.training pairs`: one wording of a claim, title and telling sentences of a paper, stance, weight.
Writes `encoder.onnx` and `tokenizer.json`.

Claim and sentence are encoded apart and meet in a product of vectors. A cross-encoder of this size, given the same
units, stayed at chance between supports and contradicts after 20,000 pairs: where no side tells anything by itself,
its gradient has nowhere to begin. A product begins with the closeness that the base was trained for. First the units
alone teach direction, then pairs and units together teach what takes a stand in real abstracts.
"""

import argparse
import gzip
import json
import math
import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

STANCES: Final = ("neutral", "supports", "contradicts", "qualifies")
ASKED: Final = ("stand", "direction", "qualifies")
"""What a claim asks of a sentence: whether it takes a stand, which, and whether under conditions."""
MAX_TOKENS: Final = 64
"""Of one sentence or claim, marks included; the agent's encoder cuts at the same place."""
AT_ONCE: Final = 32
"""Texts that are padded to one length."""


class Unit(NamedTuple):
    """A claim in several wordings, its opposite in several, and sentences that decide between them."""

    claims: tuple[str, ...]
    opposites: tuple[str, ...]
    confirming: tuple[str, ...]
    refuting: tuple[str, ...]


class Pair(NamedTuple):
    """One wording of a claim with what is read of one paper."""

    claim_id: str
    claim: str
    sentences: tuple[str, ...]
    stance: int
    """index into `STANCES`"""
    weight: float


class Recipe(NamedTuple):
    """What a run is repeated from."""

    unit_epochs: int = 3
    epochs: int = 1
    learning_rates: tuple[float, float] = (2e-4, 1e-4)
    """of the two phases"""
    units_at_once: int = 8
    claims_at_once: int = 4
    """of the pairs: the papers of as many claims"""
    neutrals: int = 3
    """of a claim's papers without a stand, read an epoch"""
    margin: float = 0.1
    """scale, in cosine, of how far an agreeing sentence should be ahead of a disagreeing one"""
    neutral_weight: float = 1.0
    seed: int = 0


Step = tuple[list[Unit], list[Pair]]
"""What one step reads."""


def read_units(path: Path) -> list[Unit]:
    """Read units from JSON lines, plain or gzipped."""
    raw = path.read_bytes()
    lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8").splitlines()
    return [Unit(*(tuple(row[name]) for name in Unit._fields)) for row in map(json.loads, lines)]


def read_pairs(path: Path) -> list[Pair]:
    """Read pairs from JSON lines; a pair of which nothing is read is left out."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [
        Pair(r["claim_id"], r["claim"], tuple(r["sentences"]), STANCES.index(r["stance"]), float(r["weight"]))
        for r in rows
        if r["sentences"]
    ]


def build(base: Path) -> Any:
    """Put what a claim asks on a sentence encoder."""
    import torch
    from tokenizers import Tokenizer
    from torch import nn
    from transformers import AutoModel

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()

    class Reader(nn.Module):  # type: ignore[misc]  # torch is untyped where it is not installed
        """(texts, tokens) ids and mask to (texts, width) vectors of length one."""

        def __init__(self) -> None:
            super().__init__()
            self.bert = AutoModel.from_pretrained(base, add_pooling_layer=False, attn_implementation="eager")
            width = self.bert.config.hidden_size
            self.turn = nn.ModuleList([nn.Linear(width, width, bias=False) for _ in ASKED])
            for turn in self.turn:
                nn.init.eye_(turn.weight)
            self.alone = nn.Linear(width, len(ASKED), bias=False)
            nn.init.zeros_(self.alone.weight)
            self.scale = nn.Parameter(torch.full((len(ASKED),), 10.0))
            self.bias = nn.Parameter(torch.full((len(ASKED),), -4.0))

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            kept = mask.unsqueeze(-1).to(states.dtype)
            vectors: torch.Tensor = nn.functional.normalize((states * kept).sum(1) / kept.sum(1), dim=1)
            return vectors

        def asked(self, vectors: torch.Tensor) -> torch.Tensor:
            """Give what claims ask, scaled: (claims, width) to (claims, 3, width)."""
            turned = torch.stack([turn(vectors) for turn in self.turn], dim=1)
            scaled: torch.Tensor = nn.functional.normalize(turned, dim=2) * self.scale[None, :, None]
            return scaled

        def said(self, vectors: torch.Tensor) -> torch.Tensor:
            """Give what sentences say whatever is asked: (sentences, width) to (sentences, 3)."""
            alone: torch.Tensor = self.alone(vectors) + self.bias
            return alone

        def encode(self, texts: Sequence[str], device: str) -> torch.Tensor:
            """Encode texts in their order, texts of like length together."""
            order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
            parts = []
            for k in range(0, len(order), AT_ONCE):
                read = tokenizer.encode_batch([texts[i] for i in order[k : k + AT_ONCE]])
                ids = torch.tensor([r.ids for r in read], device=device)
                mask = torch.tensor([r.attention_mask for r in read], device=device)
                with torch.autocast(device.split(":")[0], dtype=torch.bfloat16):
                    parts.append(self(ids, mask))
            back = torch.tensor(order, device=device).argsort()
            vectors: torch.Tensor = torch.cat(parts)[back]
            return vectors

    return Reader()


def unit_loss(model: Any, units: Sequence[Unit], recipe: Recipe, device: str) -> Any:
    """Give the mean loss over units: which of its sentences agree with each of its claims, and that they are ahead."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, softplus

    claims = model.encode([t for u in units for t in (*u.claims, *u.opposites)], device)
    sentences = model.encode([t for u in units for t in (*u.confirming, *u.refuting)], device)
    way = ASKED.index("direction")
    asked = model.asked(claims)[:, way]
    total = torch.zeros((), device=device)
    row = column = 0
    for u in units:
        rows, columns = len(u.claims) + len(u.opposites), len(u.confirming) + len(u.refuting)
        scores = asked[row : row + rows] @ sentences[column : column + columns].T
        agree = torch.zeros(rows, columns, dtype=torch.bool, device=device)
        agree[: len(u.claims), : len(u.confirming)] = True
        agree[len(u.claims) :, len(u.confirming) :] = True
        total = total + binary_cross_entropy_with_logits(scores + model.bias[way], agree.float())
        cosine = scores / model.scale[way]
        for lines, same in ((cosine, agree), (cosine.T, agree.T)):
            ahead = [
                softplus((line[~yes][None, :] - line[yes][:, None]) / recipe.margin).mean()
                for line, yes in zip(lines, same, strict=True)
            ]
            total = total + torch.stack(ahead).mean()
        row, column = row + rows, column + columns
    return total / len(units)


def pooled(asked: Any, vectors: Any, said: Any) -> Any:
    """Weigh a paper's sentences by how much of a stand each takes: three scores, (3,).

    The agent does the same, and adds how well a sentence tells of the claim by the words that chose it.
    """
    scores = asked @ vectors.T + said.T
    share = scores[ASKED.index("stand")].softmax(dim=0)
    return scores @ share


def log_chances(scores: Any) -> Any:
    """Turn (pairs, 3) scores into (pairs, 4) log probabilities in the order of `STANCES`."""
    import torch
    from torch.nn.functional import logsigmoid

    stand, way, limits = scores.unbind(1)
    takes, plain = logsigmoid(stand), logsigmoid(-limits)
    return torch.stack(
        [
            logsigmoid(-stand),
            takes + plain + logsigmoid(way),
            takes + plain + logsigmoid(-way),
            takes + logsigmoid(limits),
        ],
        dim=1,
    )


def pair_loss(model: Any, pairs: Sequence[Pair], recipe: Recipe, device: str) -> Any:
    """Give the weighted mean loss of pairs."""
    import torch

    texts = {t: i for i, t in enumerate(dict.fromkeys(t for p in pairs for t in (p.claim, *p.sentences)))}
    vectors = model.encode(list(texts), device)
    asked, said = model.asked(vectors), model.said(vectors)
    scores = []
    for p in pairs:
        own = torch.tensor([texts[t] for t in p.sentences], device=device)
        scores.append(pooled(asked[texts[p.claim]], vectors[own], said[own]))
    truth = torch.tensor([p.stance for p in pairs], device=device)
    weight = torch.tensor([p.weight * (recipe.neutral_weight if p.stance == 0 else 1.0) for p in pairs], device=device)
    each = -log_chances(torch.stack(scores)).gather(1, truth[:, None])[:, 0]
    return (each * weight).sum() / weight.sum()


def unit_steps(units: Sequence[Unit], at_once: int, seed: int) -> Iterator[list[Unit]]:
    """Give a step's units for ever, all of them once before any comes again."""
    rng = random.Random(seed)
    while True:
        order = rng.sample(list(units), len(units))
        for k in range(0, len(order), at_once):
            yield order[k : k + at_once]


def plans(units: Sequence[Unit], pairs: Sequence[Pair], recipe: Recipe) -> tuple[list[Step], list[Step]]:
    """Say what each step of both phases reads: units alone, then both; of each claim one wording an epoch."""
    rng = random.Random(recipe.seed)
    source = unit_steps(units, recipe.units_at_once, recipe.seed)
    first: list[Step] = [
        (next(source), []) for _ in range(recipe.unit_epochs * math.ceil(len(units) / recipe.units_at_once))
    ]
    wordings: dict[str, dict[str, list[Pair]]] = {}
    for p in pairs:
        wordings.setdefault(p.claim_id, {}).setdefault(p.claim, []).append(p)
    source = unit_steps(units, max(1, recipe.units_at_once // 2), recipe.seed + 1)
    second: list[Step] = []
    for _ in range(recipe.epochs):
        order = rng.sample(sorted(wordings), len(wordings))
        for k in range(0, len(order), recipe.claims_at_once):
            chosen = [rng.choice(list(wordings[c].values())) for c in order[k : k + recipe.claims_at_once]]
            read = [p for some in chosen for p in _fewer_neutral(some, recipe.neutrals, rng)]
            second.append((next(source), read))
    return first, second


def _fewer_neutral(pairs: Sequence[Pair], most: int, rng: random.Random) -> list[Pair]:
    """Keep every paper that takes a stand on a claim, and some that take none: a search returns mostly those."""
    neutral = [p for p in pairs if p.stance == 0]
    return [p for p in pairs if p.stance != 0] + rng.sample(neutral, min(most, len(neutral)))


def train(model: Any, plan: Sequence[Step], recipe: Recipe, device: str, learning_rate: float) -> None:
    """Run one phase, in place; the word vectors stay as they are."""
    import torch

    if not plan:
        return
    torch.manual_seed(recipe.seed)
    model.bert.embeddings.requires_grad_(False)
    scalars = [model.scale, model.bias]
    rest = [p for p in model.parameters() if p.requires_grad and all(p is not s for s in scalars)]
    optimiser = torch.optim.AdamW(
        [{"params": rest, "lr": learning_rate}, {"params": scalars, "lr": 0.01, "weight_decay": 0.0}],
        weight_decay=0.01,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda k: min(1.0, (k + 1) / (0.06 * len(plan))) * max(0.02, 1 - k / len(plan))
    )
    model.to(device).train()
    for done, (units, pairs) in enumerate(plan, start=1):
        loss = unit_loss(model, units, recipe, device)
        if pairs:
            loss = loss + pair_loss(model, pairs, recipe, device)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        if done % 50 == 0 or done == len(plan):
            sys.stdout.write(f"step {done} of {len(plan)}: loss {loss.item():.3f}\n")
            sys.stdout.flush()


def export(model: Any, out: Path) -> None:
    """Write the encoder as ONNX with 8-bit weights.

    Input `ids`, (1, tokens). Outputs `vector` (width,), `asked` (3, width) and `said` (3,): a claim's `asked` times a
    sentence's `vector`, plus the sentence's `said`, are the three scores of `ASKED`.
    """
    import torch
    from onnxruntime.quantization import (  # type: ignore[import-untyped]  # ships no types
        QuantType,
        quantize_dynamic,
    )

    class Bare(torch.nn.Module):  # type: ignore[misc]  # torch is untyped where it is not installed
        def __init__(self) -> None:
            super().__init__()
            self.model = model.cpu().float().eval()

        def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            vectors = self.model(ids, torch.ones_like(ids))
            return vectors[0], self.model.asked(vectors)[0], self.model.said(vectors)[0]

    whole = out.with_suffix(".fp32.onnx")
    torch.onnx.export(
        Bare().eval(),
        (torch.full((1, 24), 2000, dtype=torch.long),),
        str(whole),
        input_names=["ids"],
        output_names=["vector", "asked", "said"],
        dynamic_axes={"ids": {1: "tokens"}},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(whole, out, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    whole.unlink()


def main(argv: Sequence[str] | None = None) -> int:
    """Train and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--unit-epochs", type=int, default=Recipe().unit_epochs)
    parser.add_argument("--epochs", type=int, default=Recipe().epochs)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args(argv)
    recipe = Recipe(unit_epochs=given.unit_epochs, epochs=given.epochs)
    units, pairs = read_units(given.units), read_pairs(given.pairs)
    model = build(given.base)
    for plan, rate in zip(plans(units, pairs, recipe), recipe.learning_rates, strict=True):
        train(model, plan, recipe, given.device, rate)
    given.out.mkdir(parents=True, exist_ok=True)
    export(model, given.out / "encoder.onnx")
    shutil.copy(given.base / "tokenizer.json", given.out / "tokenizer.json")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
