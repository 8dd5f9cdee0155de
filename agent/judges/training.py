"""Makes what ships with the local judge from labelled claims and the texts they name (a developer's command).

    python -m agent.judges.training pairs LABELS.jsonl... --snapshot F... --out PAIRS.jsonl
    python -m agent.judges.training fit LABELS.jsonl --snapshot F... [--encoder FOLDER] --out agent/judges/model

`pairs` writes what the encoder is trained on (`python -m lab.judge_training` reads it); `fit` writes `local.json.gz`
and `pairs.npz`: numbers only, no text of a paper. Labelled lines are as in the benchmark, with `negation` and
`paraphrase` beside `text`: a negation swaps supports and contradicts, a paraphrase keeps every label. The encoder in
`--encoder` must not have been trained on the claims or papers that are fitted on: its numbers would look better than
they are.
"""

import gzip
import hashlib
import json
import lzma
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from agent.judges import features, fit, passage
from agent.judges.encoder import Chosen, Encoder, encoder_in
from agent.judges.features import Floats
from agent.judges.fit import Pairs
from agent.judges.local import LocalJudge
from agent.judges.model import ENCODER_NAMES, NEVER, STANCES, Linear, LocalModel, shipped_model
from agent.judges.terms import shipped_rarity
from agent.word_vectors import shipped_word_vectors
from claims.dates import StatedDate
from claims.evidence import Stance
from claims.paper import Paper, Source

WORDINGS: Final = ("text", "negation", "paraphrase")
WEAK: Final = 0.5
"""Label confidence up to which a label weighs half."""
SCREENED_SHARE: Final = 0.5
"""Of training pairs that reach the encoder; 660 pairs a second on two idle cores (`tests/benchmarks/judge.py`)."""
UNSURE_SHARE: Final = 0.15
"""Of training pairs that are marked unsure: what a person may be asked to read."""
_SWAPPED: Final = {Stance.SUPPORTS: Stance.CONTRADICTS, Stance.CONTRADICTS: Stance.SUPPORTS}
_ID: Final = re.compile(r'^\{"id": "([^"]+)"')


class Row(NamedTuple):
    """One wording of a claim with one paper."""

    claim_id: str
    wording: str
    text: str
    paper_id: str
    stance: Stance
    weight: float
    quote: str


def rows_of(lines: Iterable[str]) -> Iterator[Row]:
    """Read labelled claims, each in all its wordings."""
    for line in lines:
        raw: dict[str, Any] = json.loads(line)
        for wording in WORDINGS:
            if not raw.get(wording):
                continue
            for e in raw["evidence"]:
                stance = Stance(e["stance"])
                said = _SWAPPED.get(stance, stance) if wording == "negation" else stance
                weight = 0.5 if e.get("confidence", 1.0) <= WEAK else 1.0
                yield Row(raw["claim_id"], wording, raw[wording], e["arxiv_id"], said, weight, e.get("quote") or "")


def lines_of(path: Path) -> list[str]:
    """Read a file of labelled claims, gzipped or plain."""
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8").splitlines()


def papers_of(ids: set[str], snapshots: Sequence[Path]) -> dict[str, Paper]:
    """Read the named papers out of snapshot files in the Kaggle format, plain, .gz or .xz."""
    found: dict[str, Paper] = {}
    openers: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
    for path in snapshots:
        with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                match = _ID.match(line)
                if match is None or match[1] not in ids or match[1] in found:
                    continue
                raw = json.loads(line)
                found[raw["id"]] = Paper(
                    id=raw["id"],
                    title=" ".join(raw["title"].split()),
                    abstract=raw["abstract"].strip(),
                    published=StatedDate.parse(raw["update_date"]),
                    source=Source.MIRROR,
                )
        if len(found) == len(ids):
            break
    return found


def fit_selector(rows: Sequence[Row], papers: dict[str, Paper]) -> Linear:
    """Fit which sentence tells most, on which sentence holds the labelled quote."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # ships no types

    rarity = shipped_rarity()
    x: list[Floats] = []
    y: list[bool] = []
    for row in rows:
        if row.wording != "text" or row.stance is Stance.NEUTRAL or not row.quote or row.paper_id not in papers:
            continue
        read = features.read_paper(papers[row.paper_id])
        asked = features.read_claim(row.text, rarity)
        numbers = passage.sentence_features(asked, read, features.alignment(asked, read, rarity))
        half = len(row.quote) // 2
        for n, s in zip(numbers, read.sentences, strict=True):
            if s.sentence.field != "title":
                x.append(n)
                y.append(any(part in s.sentence.text for part in (row.quote[:30], row.quote[half : half + 30])))
    stacked = np.array(x)
    mean, scale = stacked.mean(axis=0), np.maximum(stacked.std(axis=0), fit.SMALLEST_SCALE)
    fitted = LogisticRegression(C=0.1, max_iter=500).fit(np.clip((stacked - mean) / scale, -6, 6), y)
    return _linear(passage.NAMES, mean, scale, fitted.coef_, fitted.intercept_)


def fit_screen(cheap: Floats, takes_stand: Sequence[bool]) -> Linear:
    """Fit the score that decides which pairs the encoder reads."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = cheap.mean(axis=0), np.maximum(cheap.std(axis=0), fit.SMALLEST_SCALE)
    fitted = LogisticRegression(C=0.01, max_iter=500).fit(np.clip((cheap - mean) / scale, -6, 6), list(takes_stand))
    return _linear(features.NAMES, mean, scale, fitted.coef_, fitted.intercept_)


def bare_model(selector: Linear) -> LocalModel:
    """Make a model that only reads: what features and passages are computed with before anything else is fitted."""
    n = len(features.NAMES)
    silent = Linear(
        names=features.NAMES, mean=(0.0,) * n, scale=(1.0,) * n, weights=((0.0,) * n,) * 4, bias=(1.0, 0.0, 0.0, 0.0)
    )
    never = dict.fromkeys(STANCES, NEVER)
    return LocalModel(
        version="bare",
        word_vectors=shipped_word_vectors().version,
        selector=selector,
        stance=silent,
        thresholds=never,
        unsure_from=NEVER,
    )


def read_all(
    rows: Sequence[Row], papers: dict[str, Paper], selector: Linear
) -> list[tuple[Row, Floats, tuple[Chosen, ...]]]:
    """Give each row whose paper is held with its numbers and the sentences that tell most, in order."""
    judge = LocalJudge(bare_model(selector), shipped_rarity())
    out = []
    for row in rows:
        if row.paper_id in papers:
            pair = judge.read(row.text, [papers[row.paper_id]])[0]
            out.append((row, pair.cheap, pair.read))
    return out


def fit_all(rows: Sequence[Row], papers: dict[str, Paper], encoder: Encoder | None) -> tuple[LocalModel, Pairs]:
    """Fit selector, screen and stances; with an encoder on the pairs that the screen lets through to it."""
    selector = fit_selector(rows, papers)
    read = read_all(rows, papers, selector)
    claims = {c: i for i, c in enumerate(sorted({r.claim_id for r, _, _ in read}))}
    screen, screen_from = None, 0.0
    names = features.NAMES
    x = np.stack([n for _, n, _ in read])
    if encoder is not None:
        screen = fit_screen(x, [r.stance is not Stance.NEUTRAL for r, _, _ in read])
        scores = screen.scores(x)[:, 0]
        originals = [s for s, (r, _, _) in zip(scores, read, strict=True) if r.wording == "text"]
        screen_from = round(float(np.quantile(originals, 1 - SCREENED_SHARE)), 4)
        on = [i for i, s in enumerate(scores) if s >= screen_from and read[i][2]]
        read = [read[i] for i in on]
        x = np.hstack([x[on], np.stack([encoder.weigh(r.text, [chosen])[0].numbers for r, _, chosen in read])])
        names = features.NAMES + ENCODER_NAMES
    pairs = Pairs(
        x.astype(np.float32).astype(np.float64),
        np.array([STANCES.index(r.stance) for r, _, _ in read]),
        np.array([r.weight for r, _, _ in read]),
        np.array([claims[r.claim_id] for r, _, _ in read]),
        np.array([r.wording == "text" for r, _, _ in read]),
    )
    shares = fit.left_out(pairs, names)
    limits = fit.thresholds(shares[pairs.scored], pairs.y[pairs.scored])
    stance = fit.fit_stance(pairs, names)
    stand = np.sort(1 - shares[pairs.scored, 0])
    unsure_from = round(float(np.quantile(stand, 1 - UNSURE_SHARE / (SCREENED_SHARE if encoder else 1.0))), 4)
    model = LocalModel(
        version="",
        word_vectors=shipped_word_vectors().version,
        selector=selector,
        screen=screen,
        screen_from=screen_from,
        stance=stance,
        thresholds=limits,
        unsure_from=unsure_from,
    )
    read_with = encoder.version if encoder else ""
    named = hashlib.sha256((model.model_dump_json() + read_with).encode()).hexdigest()[:8]
    return model.model_copy(update={"version": f"2-{named}"}), pairs


def save(model: LocalModel, pairs: Pairs, folder: Path) -> None:
    """Write `local.json.gz` and `pairs.npz`, byte for byte the same for the same numbers."""
    folder.joinpath("local.json.gz").write_bytes(gzip.compress(model.model_dump_json().encode(), mtime=0))
    np.savez_compressed(
        folder / "pairs.npz",
        x=pairs.x.astype(np.float32),
        y=pairs.y.astype(np.int8),
        weight=pairs.weight.astype(np.float32),
        group=pairs.group.astype(np.int16),
        scored=pairs.scored,
    )


def _linear(names: tuple[str, ...], mean: Floats, scale: Floats, weights: Floats, bias: Floats) -> Linear:
    def plain(values: Floats) -> tuple[float, ...]:
        return tuple(round(float(v), 5) for v in values)

    return Linear(
        names=names,
        mean=plain(mean),
        scale=plain(scale),
        weights=tuple(plain(w) for w in weights),
        bias=plain(bias),
    )


def main(argv: Sequence[str]) -> int:
    """Run one of the two commands; see the top of this file."""
    command, *rest = argv
    options: dict[str, list[str]] = {"": []}
    current = ""
    for word in rest:
        if word.startswith("--"):
            current = word
            options.setdefault(current, [])
        else:
            options[current].append(word)
    rows = [r for f in options[""] for r in rows_of(lines_of(Path(f)))]
    papers = papers_of({r.paper_id for r in rows}, [Path(f) for f in options["--snapshot"]])
    out = Path(options["--out"][0])
    if command == "pairs":
        selector = shipped_model().selector
        with out.open("w", encoding="utf-8") as lines:
            for row, _, chosen in read_all(rows, papers, selector):
                made = {"claim_id": row.claim_id, "wording": row.wording, "paper_id": row.paper_id}
                said = {
                    "claim": row.text,
                    "sentences": [c.text for c in chosen],
                    "stance": row.stance.value,
                    "weight": row.weight,
                }
                lines.write(json.dumps(made | said) + "\n")
        return 0
    encoder = encoder_in(Path(options["--encoder"][0])) if "--encoder" in options else None
    model, pairs = fit_all(rows, papers, encoder)
    save(model, pairs, out)
    shares = fit.left_out(pairs, model.stance.names)
    figures = fit.scored("likeliest stance, left-out claims", pairs, shares.argmax(axis=1))
    sys.stdout.write(f"{model.version}: thresholds {model.thresholds}\n{figures.model_dump_json(indent=1)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
