"""Trains the word vectors that tell how near a paper lies to a claim, from titles, abstracts and labelled claims.

    python -m lab.word_vector_training SNAPSHOT... --claims CLAIMS.jsonl.gz --units UNITS.jsonl.gz
        [--leave-out LABELS.jsonl...] --out word_vectors.npz

A text's vector is the sum of its distinct words' vectors, scaled to length one (a bag of words, as in StarSpace:
arXiv:1709.03856). Phase one pulls a title to its abstract, and a stretch of an abstract to the rest of it, away from
the other papers read at once (InfoNCE, arXiv:1807.03748, equation 4, in both directions). Phase two does the same for
a claim and a paper that takes a stand on it, away from papers that only share its words, and for a claim and sentences
written about it. Half of the claims' wordings are denials: these vectors tell what a text is about, not what it says
of it.

CLAIMS and UNITS are `agent/judges/labelled_claims.jsonl.gz` and `agent/judges/written_units.jsonl.gz`. No paper that
LABELS name is read at all, so that what is measured on those labels was not trained on.
"""

import argparse
import gzip
import json
import lzma
import math
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from claims.paper_index import analysed

Words = npt.NDArray[np.int64]
"""Places of a text's words in the vocabulary, (words,), in their order, repeats included."""

SHORTEST_ABSTRACT: Final = 40
"""Known words below which a paper teaches nothing: a stretch and a rest of it would be a handful each."""
SHORTEST_TITLE: Final = 3
SHARPEST: Final = 60.0
"""Most that the learned scale of a cosine may be."""


class Recipe(NamedTuple):
    """What a run is repeated from."""

    width: int = 128
    """numbers of a vector: 256 brought up no more of the labelled evidence"""
    least_papers: int = 8
    """that use a word, for it to have a vector"""
    steps: tuple[int, int] = (1000, 300)
    """of the two phases"""
    learning_rates: tuple[float, float] = (5e-3, 1e-3)
    papers_at_once: int = 2048
    claims_at_once: int = 256
    units_at_once: int = 128
    neutrals: int = 3
    """papers without a stand, of each claim, that it is pulled from"""
    left_out: float = 0.3
    """share of a text's words that phase two does not read: it would learn 5,000 papers by heart"""
    seed: int = 0


class Texts(NamedTuple):
    """Papers as words."""

    ids: tuple[str, ...]
    titles: tuple[Words, ...]
    abstracts: tuple[Words, ...]
    vocabulary: tuple[str, ...]
    """most frequent first"""
    rarity: npt.NDArray[np.float32]
    """(words,): ln(papers / papers with the word)"""


class Example(NamedTuple):
    """A claim's wordings, and what is near each of them."""

    wordings: tuple[Words, ...]
    near: tuple[Words, ...]
    not_near: tuple[Words, ...]
    """texts that share its words and are beside the point"""


def read_snapshots(paths: Sequence[Path], left_out: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Give id, title and abstract of each paper in files of the Kaggle format, plain, .gz or .xz, each once."""
    openers: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
    seen = set(left_out)
    for path in paths:
        with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if row["id"] not in seen:
                    seen.add(row["id"])
                    yield row["id"], row["title"], row["abstract"]


def named_in(paths: Sequence[Path]) -> set[str]:
    """Give the papers that files of labelled claims name as evidence or anchors."""
    rows = [row for path in paths for row in _rows(path)]
    return {e["arxiv_id"] for row in rows for e in row["evidence"]} | {
        a for row in rows for a in row.get("anchors", ())
    }


def read_texts(papers: Iterable[tuple[str, str, str]], least_papers: int) -> Texts:
    """Turn papers into words, and choose the words that get a vector."""
    ids, titles, abstracts = [], [], []
    n_papers: Counter[str] = Counter()
    for one, title, abstract in papers:
        ids.append(one)
        titles.append(analysed(title))
        abstracts.append(analysed(abstract))
        n_papers.update({*titles[-1], *abstracts[-1]})
    vocabulary = tuple(w for w, n in sorted(n_papers.items(), key=lambda wn: (-wn[1], wn[0])) if n >= least_papers)
    place = {w: i for i, w in enumerate(vocabulary)}
    rarity = np.array([math.log(len(ids) / n_papers[w]) for w in vocabulary], dtype=np.float32)
    return Texts(
        tuple(ids),
        tuple(_known(t, place) for t in titles),
        tuple(_known(a, place) for a in abstracts),
        vocabulary,
        rarity,
    )


def read_claims(path: Path, texts: Texts) -> list[Example]:
    """Give the labelled claims on which a paper that is read takes a stand."""
    place = {w: i for i, w in enumerate(texts.vocabulary)}
    paper = {one: i for i, one in enumerate(texts.ids)}
    whole: dict[int, Words] = {}  # one array a paper, whichever claims it bears on: `claim_loss` tells it by that
    found = []
    for row in _rows(path):
        held = [(paper[e["arxiv_id"]], e["stance"]) for e in row["evidence"] if e["arxiv_id"] in paper]
        for i, _ in held:
            whole.setdefault(i, np.concatenate([texts.titles[i], texts.abstracts[i]]))
        one = Example(
            tuple(_known(analysed(row[name]), place) for name in ("text", "negation")),
            tuple(whole[i] for i, stance in held if stance != "neutral"),
            tuple(whole[i] for i, stance in held if stance == "neutral"),
        )
        if one.near:
            found.append(one)
    return found


def read_units(path: Path, vocabulary: Sequence[str]) -> list[Example]:
    """Give written claims with the sentences that speak of them."""
    place = {w: i for i, w in enumerate(vocabulary)}

    def known(row: Mapping[str, list[str]], *names: str) -> tuple[Words, ...]:
        return tuple(_known(analysed(text), place) for name in names for text in row[name])

    return [
        Example(known(row, "claims", "opposites"), known(row, "confirming", "refuting", "qualifying"), ())
        for row in _rows(path)
    ]


def build(rarity: npt.NDArray[np.float32], recipe: Recipe) -> Any:
    """Make vectors at random, rare words longer than frequent ones."""
    import torch
    from torch import nn

    torch.manual_seed(recipe.seed)

    class Bags(nn.Module):  # type: ignore[misc]  # torch is untyped where it is not installed
        """Texts to (texts, width) vectors of length one."""

        def __init__(self) -> None:
            super().__init__()
            self.words = nn.EmbeddingBag(len(rarity), recipe.width, mode="sum", include_last_offset=True)
            nn.init.normal_(self.words.weight, std=1 / math.sqrt(recipe.width))
            self.weight = nn.Parameter(torch.from_numpy(rarity).clamp(min=0.2) / 3)
            self.sharpness = nn.Parameter(torch.tensor(math.log(20.0)))

        def forward(self, texts: Sequence[Words]) -> torch.Tensor:
            ends = np.concatenate([[0], np.cumsum([len(t) for t in texts])])
            flat = torch.from_numpy(np.concatenate(texts))
            summed = self.words(flat, torch.from_numpy(ends), per_sample_weights=self.weight.relu()[flat])
            vectors: torch.Tensor = nn.functional.normalize(summed, dim=1)
            return vectors

        def scale(self) -> torch.Tensor:
            scale: torch.Tensor = self.sharpness.exp().clamp(max=SHARPEST)
            return scale

    return Bags()


def train(model: Any, texts: Texts, claims: Sequence[Example], units: Sequence[Example], recipe: Recipe) -> None:
    """Run both phases, in place."""
    import torch

    rng = np.random.default_rng(recipe.seed)
    long_enough = [
        i
        for i, (t, a) in enumerate(zip(texts.titles, texts.abstracts, strict=True))
        if len(t) >= SHORTEST_TITLE and len(a) >= SHORTEST_ABSTRACT
    ]
    optimiser = torch.optim.Adam(model.parameters())
    for phase, (steps, rate) in enumerate(zip(recipe.steps, recipe.learning_rates, strict=True)):
        at_once = min(recipe.papers_at_once // (1 + phase), len(long_enough))
        for done in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, (done + 1) / 50) * max(0.03, 1 - done / steps)
            read = rng.choice(long_enough, at_once, replace=False)
            loss = paper_loss(model, [two_views(texts.titles[i], texts.abstracts[i], rng) for i in read])
            if phase:
                some = [claims[i] for i in rng.choice(len(claims), min(recipe.claims_at_once, len(claims)), False)]
                loss = loss + claim_loss(model, some, recipe, rng)
                written = [units[i] for i in rng.choice(len(units), min(recipe.units_at_once, len(units)), False)]
                loss = loss + 0.5 * claim_loss(model, written, recipe, rng)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if done % 50 == 0 or done == steps - 1:
                sys.stdout.write(f"phase {phase + 1}, step {done + 1} of {steps}: loss {loss.item():.3f}\n")
                sys.stdout.flush()


def two_views(title: Words, abstract: Words, rng: np.random.Generator) -> tuple[Words, Words]:
    """Give two texts that are about the same: title and abstract, or a sixth of the abstract and all the rest."""
    if rng.random() < 0.5:
        return np.unique(title), np.unique(abstract)
    length = max(10, len(abstract) // 6)
    start = int(rng.integers(0, len(abstract) - length))
    rest = [abstract[:start], abstract[start + length :], *([title] if rng.random() < 0.6 else [])]
    return np.unique(abstract[start : start + length]), np.unique(np.concatenate(rest))


def paper_loss(model: Any, views: Sequence[tuple[Words, Words]]) -> Any:
    """Give how badly each view finds its other among those of all papers, in nats, mean of both directions."""
    import torch
    from torch.nn.functional import cross_entropy

    scores = model([one for one, _ in views]) @ model([other for _, other in views]).T * model.scale()
    own = torch.arange(len(views))
    return (cross_entropy(scores, own) + cross_entropy(scores.T, own)) / 2


def claim_loss(model: Any, examples: Sequence[Example], recipe: Recipe, rng: np.random.Generator) -> Any:
    """Give how badly a wording of each claim finds a text near it among those of all claims and its own beside it."""
    import torch
    from torch.nn.functional import cross_entropy

    def some(texts: Sequence[Words], n: int) -> list[Words]:
        return [texts[i] for i in rng.choice(len(texts), min(n, len(texts)), replace=False)]

    asked = [some(one.wordings, 1)[0] for one in examples]
    near = [some(one.near, 1)[0] for one in examples]
    beside = [text for one in examples for text in some(one.not_near, recipe.neutrals)]
    answers = model([_thinned(t, recipe.left_out, rng) for t in (*near, *beside)])
    scores = model([_thinned(t, recipe.left_out, rng) for t in asked]) @ answers.T * model.scale()
    mine = [{id(text) for text in one.near} for one in examples]
    also_near = torch.tensor(
        [[j != i and id(t) in own for j, t in enumerate((*near, *beside))] for i, own in enumerate(mine)]
    )
    return cross_entropy(scores.masked_fill(also_near, -1e4), torch.arange(len(examples)))


def save(model: Any, vocabulary: Sequence[str], out: Path) -> None:
    """Write the words and their vectors, weight and all, as 8-bit numbers with a scale for each word.

    Arrays: `words` (bytes of the words, a line each), `vectors` (words, width) int8, `scales` (words,) float32.
    """
    vectors = (model.words.weight * model.weight.relu()[:, None]).detach().numpy()
    scales = np.maximum(np.abs(vectors).max(axis=1), 1e-12) / 127
    np.savez_compressed(
        out,
        words=np.frombuffer("\n".join(vocabulary).encode(), dtype=np.uint8),
        vectors=np.rint(vectors / scales[:, None]).astype(np.int8),
        scales=scales.astype(np.float32),
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    raw = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().splitlines()]


def _known(words: Iterable[str], place: Mapping[str, int]) -> Words:
    return np.array([place[w] for w in words if w in place], dtype=np.int64)


def _thinned(text: Words, left_out: float, rng: np.random.Generator) -> Words:
    """Give a text's distinct words without some of them; all where fewer than three would stay."""
    words = np.unique(text)
    kept = words[rng.random(len(words)) >= left_out]
    return kept if len(kept) >= 3 else words


def main(argv: Sequence[str] | None = None) -> int:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("snapshots", type=Path, nargs="+")
    parser.add_argument("--claims", type=Path, required=True)
    parser.add_argument("--units", type=Path, required=True)
    parser.add_argument("--leave-out", type=Path, nargs="*", default=[])
    parser.add_argument("--steps", type=int, nargs=2, default=Recipe().steps)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(argv)
    recipe = Recipe(steps=tuple(given.steps))
    texts = read_texts(read_snapshots(given.snapshots, named_in(given.leave_out)), recipe.least_papers)
    sys.stdout.write(f"{len(texts.ids)} papers, {len(texts.vocabulary)} words\n")
    claims, units = read_claims(given.claims, texts), read_units(given.units, texts.vocabulary)
    sys.stdout.write(
        f"{len(claims)} claims with {sum(len(c.near) for c in claims)} stances, {len(units)} written ones\n"
    )
    if not (claims and units and texts.vocabulary):
        parser.error("nothing to train on: no claim on which a paper that is read takes a stand, no unit, or no word")
    model = build(texts.rarity, recipe)
    train(model, texts, claims, units, recipe)
    save(model, texts.vocabulary, given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
