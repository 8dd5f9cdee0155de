"""What ships is made from labels and texts by one command, the same every time, and keeps its promise."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from agent.bench import run_bench
from agent.judges import training
from agent.judges.local import local_judge
from agent.judges.model import NEVER, STANCES, load_model
from agent.sources.source import LookedUp
from claims.evidence import Stance
from claims.ids import ArxivId
from claims.verdict import decide

SHARED = Path(__file__).parents[4] / "shared"

SAYS = {
    "supports": "We find that tuning on topic {i} improves accuracy over plain training.",
    "contradicts": "Contrary to common belief, tuning on topic {i} does not improve accuracy.",
    "qualifies": "Tuning on topic {i} improves accuracy only when the data is clean.",
    "neutral": "We release a corpus of bird songs with labels of place and season.",
}


def labelled(i: int) -> str:
    """One labelled claim in three wordings, a paper for each stance."""
    evidence = [
        {
            "arxiv_id": f"24{1 + i % 12:02}.{i * 10 + k:05}",
            "stance": stance,
            "confidence": 0.4 if k == 3 else 0.9,
            "quote": "" if stance == "neutral" else text.format(i=i),
        }
        for k, (stance, text) in enumerate(SAYS.items(), start=1)
    ]
    return json.dumps(
        {
            "claim_id": f"c{i}",
            "text": f"Tuning on topic {i} improves accuracy.",
            "negation": f"Tuning on topic {i} does not improve accuracy.",
            "paraphrase": f"Accuracy rises when a model is tuned on topic {i}.",
            "evidence": evidence,
        }
    )


def snapshot(lines: list[str], folder: Path) -> Path:
    """The papers of these claims in a gzipped file of the Kaggle format."""
    path = folder / "snapshot.jsonl.gz"
    with gzip.open(path, "wt") as out:
        for raw in map(json.loads, lines):
            for e in raw["evidence"]:
                said = SAYS[e["stance"]].format(i=raw["claim_id"][1:])
                paper = {
                    "id": e["arxiv_id"],
                    "title": "On  tuning",
                    "abstract": f"  Models are tuned. {said} Code is released.\n",
                    "update_date": "2024-05-01",
                }
                out.write(json.dumps(paper) + "\n")
    return path


def test_a_negation_swaps_supports_and_contradicts_and_a_paraphrase_keeps_them() -> None:
    rows = list(training.rows_of([labelled(1)]))
    by = {w: [r.stance.value for r in rows if r.wording == w] for w in training.WORDINGS}
    assert by["text"] == by["paraphrase"] == ["supports", "contradicts", "qualifies", "neutral"]
    assert by["negation"] == ["contradicts", "supports", "qualifies", "neutral"]
    assert [r.weight for r in rows[:4]] == [1.0, 1.0, 0.5, 1.0]


def test_the_same_labels_make_the_same_files_and_a_judge_that_loads(tmp_path: Path) -> None:
    lines = [labelled(i) for i in range(12)]
    (tmp_path / "labels.jsonl").write_text("\n".join(lines))
    papers = snapshot(lines, tmp_path)
    made = []
    for name in ("one", "two"):
        out = tmp_path / name
        out.mkdir()
        args = ["fit", str(tmp_path / "labels.jsonl"), "--snapshot", str(papers), "--out", str(out)]
        assert training.main(args) == 0
        made.append((out / "local.json.gz").read_bytes())
    assert made[0] == made[1]
    plain = tmp_path / "local.json"
    plain.write_bytes(gzip.decompress(made[0]))
    model = load_model(plain)
    pairs = np.load(tmp_path / "one" / "pairs.npz", allow_pickle=False)
    assert pairs["x"].shape == (144, len(model.stance.names)) and int(pairs["scored"].sum()) == 48
    assert model.thresholds[Stance.QUALIFIES] < NEVER  # cue words alone tell these sentences apart


def test_passages_for_the_encoder_carry_title_and_telling_sentence(tmp_path: Path) -> None:
    lines = [labelled(i) for i in range(4)]
    (tmp_path / "labels.jsonl").write_text("\n".join(lines))
    out = tmp_path / "passages.jsonl"
    args = ["passages", str(tmp_path / "labels.jsonl"), "--snapshot", str(snapshot(lines, tmp_path)), "--out", str(out)]
    assert training.main(args) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 4 * 3 * 4
    assert all(r["passage"].startswith("On tuning. ") for r in rows)
    assert all(
        SAYS["qualifies"].format(i=r["claim_id"][1:]) in r["passage"] for r in rows if r["stance"] == "qualifies"
    )


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "bench").exists(), reason="the labelled claims in ../shared/bench are not here")
def test_the_claims_written_for_training_read_as_labels_and_leave_the_development_split_alone() -> None:
    kept = Path(training.__file__).parent / "written_claims.jsonl.gz"
    rows = list(training.rows_of(training.lines_of(kept)))
    stances = {(r.wording, r.stance) for r in rows}
    assert {("text", s) for s in Stance} <= stances
    assert len({r.claim_id for r in rows if r.wording == "negation"}) > 5_000
    assert all(str(ArxivId.parse(r.paper_id)) == r.paper_id for r in rows)
    dev = SHARED / "bench/dev.jsonl"
    if dev.exists():
        held = {e["arxiv_id"] for line in dev.read_text().splitlines() for e in json.loads(line)["evidence"]}
        assert not held & {r.paper_id for r in rows}


def test_calls_on_claims_it_was_not_fitted_on_keep_the_promised_precision() -> None:
    lines = (SHARED / "bench" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    ids = {e["arxiv_id"] for raw in map(json.loads, lines) for e in raw["evidence"]}
    papers = training.papers_of(ids, [SHARED / "data" / "arxiv" / "snapshot-topical.jsonl.gz"])

    class Shelf:
        def look_up(self, wanted: list[str]) -> LookedUp:
            return LookedUp({i: papers[i] for i in wanted if i in papers})

    report = run_bench(lines, Shelf(), local_judge(), decide)
    assert report.stances is not None and report.n_pairs == 243
    precision = report.stances.called_precision
    assert precision is None or precision >= 0.70
    assert report.discarded_quotes == 0
    if precision is None:  # a judge that calls nothing has to say where to look instead
        assert report.unsure > 0
    assert set(load_model().thresholds) == set(STANCES)
