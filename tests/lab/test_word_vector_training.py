"""The trainer of word vectors, on a language of two subjects made up on the spot."""

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training word vectors needs the lab extra")

from claims.paper_index import analysed
from lab import word_vector_training
from lab.word_vector_training import Recipe, Texts, named_in, read_claims, read_snapshots, read_texts, two_views

SUBJECTS = {
    "birds": "feather wing nest beak flight egg migration song".split(),
    "ships": "anchor mast hull sail harbour rudder captain cargo".split(),
}


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    raw = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Eighty papers, half of each subject; a title shares no word with its own abstract."""
    rng = random.Random(0)
    papers = []
    for n in range(80):
        words = SUBJECTS[("birds", "ships")[n % 2]]
        title, body = words[:4], words[4:]
        text = {"title": " ".join(rng.choices(title, k=5)), "abstract": " ".join(rng.choices(body, k=60))}
        papers.append({"id": f"2401.{n:05}"} | text)
    claim = {
        "claim_id": "c",
        "text": "Feathers matter.",
        "negation": "Feathers do not matter.",
        "evidence": [
            {"arxiv_id": "2401.00000", "stance": "supports"},
            {"arxiv_id": "2401.00001", "stance": "neutral"},
        ],
    }
    silent = claim | {"claim_id": "s", "evidence": [{"arxiv_id": "2401.00003", "stance": "neutral"}]}
    unit = {
        "claims": ["Masts hold."],
        "opposites": ["Masts break."],
        "confirming": ["The sail and the hull."],
        "refuting": ["A captain of cargo."],
        "qualifying": ["Only in harbour."],
        "silent": ["An egg."],
    }
    held_out = {"evidence": [{"arxiv_id": "2401.00004"}], "anchors": ["2401.00006"]}
    return {
        "snapshot": write(tmp_path / "papers.jsonl.gz", papers),
        "claims": write(tmp_path / "claims.jsonl.gz", [claim, silent]),
        "units": write(tmp_path / "units.jsonl", [unit]),
        "held_out": write(tmp_path / "labels.jsonl", [held_out]),
        "out": tmp_path / "vectors.npz",
    }


def cosine(out: Path, one: str, other: str) -> float:
    with np.load(out, allow_pickle=False) as arrays:
        words = bytes(arrays["words"]).decode().split("\n")
        vectors = arrays["vectors"] * arrays["scales"][:, None]
    a, b = (vectors[words.index(analysed(word)[0])] for word in (one, other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.slow
def test_words_of_one_subject_come_to_lie_near_each_other(files: dict[str, Path]) -> None:
    given = [str(files["snapshot"]), "--claims", str(files["claims"]), "--units", str(files["units"])]
    args = [*given, "--leave-out", str(files["held_out"]), "--steps", "120", "20", "--out", str(files["out"])]
    assert word_vector_training.main(args) == 0
    assert cosine(files["out"], "feather", "migration") > cosine(files["out"], "feather", "cargo") + 0.3
    assert cosine(files["out"], "anchor", "cargo") > cosine(files["out"], "anchor", "migration") + 0.3
    first = files["out"].read_bytes()
    assert word_vector_training.main(args) == 0
    assert files["out"].read_bytes() == first, "the same texts give the same vectors"


def test_no_paper_of_the_labels_left_out_is_read(files: dict[str, Path]) -> None:
    left_out = named_in([files["held_out"]])
    assert left_out == {"2401.00004", "2401.00006"}
    read = [one for one, _, _ in read_snapshots([files["snapshot"], files["snapshot"]], left_out)]
    assert len(read) == 78 == len(set(read)) and not left_out & set(read)


def texts_of(files: dict[str, Path]) -> Texts:
    return read_texts(read_snapshots([files["snapshot"]], ()), Recipe().least_papers)


def test_a_word_of_few_papers_gets_no_vector(files: dict[str, Path]) -> None:
    rare = [("2402.00001", "Zebra song", "zebra " * 50)] * 3
    texts = read_texts([*read_snapshots([files["snapshot"]], ()), *rare], 8)
    assert "zebra" not in texts.vocabulary and "song" in texts.vocabulary
    assert len(texts.rarity) == len(texts.vocabulary) and (texts.rarity >= 0).all()


def test_a_claim_on_which_no_paper_takes_a_stand_teaches_nothing(files: dict[str, Path]) -> None:
    (only,) = read_claims(files["claims"], texts_of(files))
    assert len(only.wordings) == 2 and len(only.near) == len(only.not_near) == 1


def test_a_stretch_and_the_rest_of_an_abstract_share_no_place() -> None:
    rng = np.random.default_rng(0)
    title, abstract = np.arange(5), np.arange(100, 160)
    for _ in range(50):
        one, other = two_views(title, abstract, rng)
        assert len(one) and len(other) and not set(one) & set(other)
