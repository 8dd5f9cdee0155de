"""The lab's sentence encoder: a real one, in a process of its own that may die without harm."""

import contextlib
from pathlib import Path

import psutil
import pytest
from fastapi.testclient import TestClient

from claims.vectors import MOST_CHARACTERS, MOST_TEXTS, Floats, Side, Texts, from_text, packed, unpacked
from lab.encoder import Encoder
from lab.errors import InvalidSpec
from lab.served import ModelAway
from lab.settings import LabSettings
from tests.encoders import make_encoder
from tests.labs import serving


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sentence_transformers", reason="the extra lab is not installed")
    folder = tmp_path_factory.mktemp("models") / "meanings"
    make_encoder(folder)
    return folder


def vectors(encoder: Encoder, *texts: str, side: Side = Side.DOCUMENT) -> list[Floats]:
    """Ask for vectors of texts."""
    return [unpacked(from_text(said)) for said in encoder.ask(Texts(side=side, texts=texts)).vectors]


def test_a_lab_without_an_encoder_says_what_to_set_and_lets_nobody_in_without_the_token(bare: TestClient) -> None:
    asked = {"side": "query", "texts": ["a"]}
    for answer in (bare.get("/vectors"), bare.post("/vectors", json=asked)):
        assert answer.status_code == 404
        assert "RETEST_DENSE_MODEL" in answer.json()["detail"]
    bare.headers.pop("Authorization")
    assert [bare.get("/vectors").status_code, bare.post("/vectors", json=asked).status_code] == [401, 401]


@pytest.mark.parametrize(
    "body",
    [
        {"side": "query", "texts": []},
        {"side": "query", "texts": ["a"] * (MOST_TEXTS + 1)},
        {"side": "query", "texts": [""]},
        {"side": "query", "texts": ["a" * (MOST_CHARACTERS + 1)]},
        {"side": "elsewhere", "texts": ["a"]},
        {"texts": ["a"]},
    ],
)
def test_texts_beyond_the_bounds_are_refused(bare: TestClient, body: dict[str, object]) -> None:
    assert bare.post("/vectors", json=body).status_code == 422


def test_the_largest_question_fits_into_what_a_lab_reads(tmp_path: Path) -> None:
    texts = Texts(side=Side.DOCUMENT, texts=("\U00020000" * MOST_CHARACTERS,) * MOST_TEXTS)
    assert len(texts.model_dump_json().encode()) <= LabSettings(data_home=tmp_path).max_body_bytes


@pytest.mark.slow
def test_texts_that_mean_the_same_lie_near_in_other_words(encoder_folder: Path) -> None:
    encoder = Encoder(str(encoder_folder))
    try:
        asked, same, other = vectors(encoder, "forgetting of adapters", "LoRA lost", "the weather")
        for vector in (asked, same, other):
            assert float(vector @ vector) == pytest.approx(1, abs=2e-3)
        assert float(asked @ same) > 0.9 > 0.3 > float(asked @ other)
        assert encoder.model().name == "meanings" and len(encoder.model().version) == 12
        (child,) = serving("lab.encoder", psutil.Process())
        child.kill()
        with contextlib.suppress(ModelAway):  # whether the death is noticed before asking is a matter of moments
            vectors(encoder, "forgetting of adapters")
        (again,) = vectors(encoder, "forgetting of adapters", side=Side.QUERY)
        assert packed(again) == packed(asked), "a process that died is started again, and says the same"
    finally:
        encoder.close()
    assert serving("lab.encoder", psutil.Process()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("what", "says"), [("absent", "no folder"), ("empty", "no safetensors"), ("broken", "loaded")])
def test_an_encoder_that_cannot_be_used_is_refused_with_its_reason(
    encoder_folder: Path, tmp_path: Path, what: str, says: str
) -> None:
    folder = tmp_path / "model"
    if what != "absent":
        folder.mkdir()
    if what == "broken":
        (folder / "model.safetensors").write_bytes(b"no weights")
        (folder / "config.json").write_text("{}")
    encoder = Encoder(str(folder))
    try:
        with pytest.raises(InvalidSpec, match=says):
            encoder.model()
    finally:
        encoder.close()
