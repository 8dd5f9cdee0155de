"""The lab's NLI model: a real one, trained on the spot, in a process of its own that may die without harm."""

import json
import time
from pathlib import Path

import psutil
import pytest
from fastapi.testclient import TestClient

from claims.entailment import MOST_PAIRS, Pair
from lab.errors import InvalidSpec
from lab.nli import Reader, columns_of
from lab.served import ModelAway, NoModel
from tests.entailers import CLAIM, train_entailer
from tests.labs import TOKEN, LabUnderTest, kill, serving, until

FOR = Pair(premise="We find that pruning improves accuracy.", hypothesis=CLAIM)
AGAINST = Pair(premise="We find that pruning harms accuracy.", hypothesis=CLAIM)
NEITHER = Pair(premise="We show that annealing harms accuracy.", hypothesis=CLAIM)


@pytest.fixture(scope="module")
def entailer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="the extra lab is not installed")
    folder = tmp_path_factory.mktemp("models") / "entailer"
    train_entailer(folder)
    return folder


def test_a_lab_without_a_model_says_what_to_set_and_lets_nobody_in_without_the_token(bare: TestClient) -> None:
    asked = {"pairs": [FOR.model_dump()]}
    for answer in (bare.get("/nli"), bare.post("/nli", json=asked)):
        assert answer.status_code == 404
        assert "RETEST_NLI_MODEL" in answer.json()["detail"]
    bare.headers.pop("Authorization")
    assert [bare.get("/nli").status_code, bare.post("/nli", json=asked).status_code] == [401, 401]


@pytest.mark.parametrize(
    "body",
    [
        {"pairs": []},
        {"pairs": [FOR.model_dump()] * (MOST_PAIRS + 1)},
        {"pairs": [{"premise": "", "hypothesis": "h"}]},
        {"pairs": [{"premise": "p" * 4001, "hypothesis": "h"}]},
        {"pairs": [FOR.model_dump()], "model": "another"},
        {"pairs": [{"premise": "p"}]},
    ],
)
def test_questions_beyond_the_bounds_are_refused(bare: TestClient, body: dict[str, object]) -> None:
    assert bare.post("/nli", json=body).status_code == 422


def test_a_body_that_is_too_large_is_refused(bare: TestClient) -> None:
    assert bare.post("/nli", content=b"x" * 300_000).status_code == 413


def test_labels_are_found_by_their_names_and_never_guessed() -> None:
    assert columns_of({0: "CONTRADICTION", 1: "neutral", 2: "Entailment"}) == (2, 1, 0)
    for labels in ({0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}, {0: "entailment", 1: "not_entailment"}):
        with pytest.raises(InvalidSpec, match="entailment, neutral and contradiction are needed"):
            columns_of(labels)


def test_a_reader_without_a_model_starts_nothing() -> None:
    with pytest.raises(NoModel):
        Reader(None).ask([FOR])


@pytest.mark.slow
def test_a_trained_model_is_asked_in_its_own_process_and_unloaded_when_nobody_asks(entailer: Path) -> None:
    reader = Reader(str(entailer), idle_s=1.0)
    try:
        answer = reader.ask([FOR, AGAINST, NEITHER] * 20)
        first = serving("lab.nli", psutil.Process())
        assert len(first) == 1
        assert answer.model.name == "entailer" and len(answer.model.version) == 12
        assert len(answer.chances) == 60
        for said, name in zip(answer.chances, ("entailment", "contradiction", "neutral") * 20, strict=True):
            shares = said.model_dump()
            assert max(shares, key=lambda k: shares[k]) == name
            assert sum(shares.values()) == pytest.approx(1, abs=2e-4)
        assert reader.ask([Pair(premise="word " * 700, hypothesis="word " * 300)]).chances, "a long text is cut"
        until(lambda: not serving("lab.nli", psutil.Process()), "the model is unloaded")
        assert reader.ask([FOR]).model == answer.model
    finally:
        reader.close()
    assert serving("lab.nli", psutil.Process()) == []


@pytest.mark.slow
def test_a_model_whose_process_is_killed_is_started_again_by_the_next_question(entailer: Path) -> None:
    reader = Reader(str(entailer))
    try:
        reader.ask([FOR])
        (child,) = serving("lab.nli", psutil.Process())
        child.suspend()
        began = time.monotonic()
        with pytest.raises(ModelAway, match="ended"):
            reader._served._exchange({"pairs": [["p", "h"]]}, 0.5)
        assert time.monotonic() - began < 30
        assert reader.ask([AGAINST]).chances[0].contradiction > 0.5
    finally:
        reader.close()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["absent", "empty", "labels", "pickle"])
def test_a_model_that_cannot_be_used_is_refused_with_its_reason(entailer: Path, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "model"
    says = {"absent": "no folder", "empty": "no safetensors", "labels": "entailment, neutral", "pickle": "safetensors"}
    if what != "absent":
        folder.mkdir()
    if what == "pickle":
        (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    if what == "labels":
        for file in entailer.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        config = json.loads((folder / "config.json").read_text())
        config |= {"id2label": {"0": "A", "1": "B", "2": "C"}, "label2id": {"A": 0, "B": 1, "C": 2}}
        (folder / "config.json").write_text(json.dumps(config))
    reader = Reader(str(folder))
    try:
        with pytest.raises(InvalidSpec, match=says[what]):
            reader.model()
    finally:
        reader.close()


@pytest.mark.slow
def test_the_models_process_ends_with_a_lab_that_is_killed(entailer: Path, tmp_path: Path) -> None:
    with LabUnderTest(tmp_path, nli_model=str(entailer)) as lab:
        server = lab.serve("--no-worker")
        with lab.client() as client:
            assert client.entail([FOR]).chances[0].entailment > 0.5
        (child,) = serving("lab.nli", psutil.Process(server.pid))
        assert not any(TOKEN in value for value in child.environ().values())
        kill(server)
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the model's process ends")
