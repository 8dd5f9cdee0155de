"""What ships is made from labels and texts by one command, the same every time, and keeps its promise."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from agent.bench import run_bench
from agent.judges import training
from agent.judges.encoder import Passage, Weighed
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


def test_pairs_for_the_encoder_carry_title_and_telling_sentence(tmp_path: Path) -> None:
    lines = [labelled(i) for i in range(4)]
    unquoted = [json.loads(line) for line in lines]
    for raw in unquoted:
        raw["evidence"] = [{"arxiv_id": e["arxiv_id"], "stance": e["stance"]} for e in raw["evidence"]]
    (tmp_path / "labels.jsonl").write_text("\n".join(json.dumps(raw) for raw in unquoted))
    out = tmp_path / "pairs.jsonl"
    args = ["pairs", str(tmp_path / "labels.jsonl"), "--snapshot", str(snapshot(lines, tmp_path)), "--out", str(out)]
    assert training.main(args) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 4 * 3 * 4
    assert all(r["sentences"][0] == "On tuning" for r in rows)
    assert all(
        SAYS["qualifies"].format(i=r["claim_id"][1:]) in r["sentences"] for r in rows if r["stance"] == "qualifies"
    )


def test_an_encoder_is_fitted_on_the_pairs_that_the_screen_lets_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Marked:
        """Reads a stance from its words, as a well trained encoder would."""

        version = "marked"

        def weigh(self, claim: str, papers: list[Passage]) -> list[Weighed]:
            turned = -1 if "not" in claim else 1
            said = [" ".join(c.text for c in p) for p in papers]
            numbers = [
                (2.0 * ("accuracy" in t), turned * (1.0 - 2 * ("does not" in t)), 2.0 * ("only when" in t), 0, 0, 0)
                for t in said
            ]
            return [
                Weighed(np.array(n, dtype=np.float64), np.ones(len(p))) for n, p in zip(numbers, papers, strict=True)
            ]

    lines = [labelled(i) for i in range(40)]
    # half of the qualifying papers are said to be silent, so that silence cannot be told from words alone
    rows = [
        r._replace(stance=Stance.NEUTRAL) if r.stance is Stance.QUALIFIES and int(r.claim_id[1:]) % 2 else r
        for r in training.rows_of(lines)
    ]
    papers = training.papers_of({r.paper_id for r in rows}, [snapshot(lines, tmp_path)])
    monkeypatch.setattr(training, "SCREENED_SHARE", 0.7)  # the birds, a quarter, stay outside
    model, pairs = training.fit_all(rows, papers, Marked())
    assert model.uses_encoder and model.screen is not None
    n_original = 40 * len(SAYS)
    let_by = pairs.scored.sum() / n_original
    assert 0.7 <= let_by < 1, "ties at the threshold pass, the rest does not"
    assert all(model.thresholds[s] < NEVER for s in (Stance.SUPPORTS, Stance.CONTRADICTS))


@pytest.mark.parametrize("name", ["written_units.jsonl.gz", "labelled_claims.jsonl.gz"])
def test_what_an_encoder_is_trained_on_is_whole_and_leaves_the_benchmark_alone(name: str) -> None:
    lines = training.lines_of(Path(training.__file__).parent / name)
    assert len(lines) > 2_500
    if name.startswith("written"):
        for unit in map(json.loads, lines):
            sides = [unit[side] for side in ("claims", "opposites", "confirming", "refuting")]
            assert [len(side) for side in sides] == [2, 2, 4, 4] and all(t.strip() for side in sides for t in side)
        return
    rows = list(training.rows_of(lines))
    assert {(w, s) for w in training.WORDINGS for s in Stance} == {(r.wording, r.stance) for r in rows}
    assert all(str(ArxivId.parse(r.paper_id)) == r.paper_id for r in rows)
    if (SHARED / "bench" / "dev.jsonl").exists():
        dev = [json.loads(line) for line in (SHARED / "bench" / "dev.jsonl").open()]
        assert not {e["arxiv_id"] for raw in dev for e in raw["evidence"]} & {r.paper_id for r in rows}
        assert not {raw["text"] for raw in dev} & {r.text for r in rows}


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
