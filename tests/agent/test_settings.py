"""Settings come from the environment and retest.toml, and a wrong one is named."""

import re
from pathlib import Path

import pytest

from agent.settings import Settings, load_settings
from claims.errors import InputError
from lab.settings import LabSettings

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RETEST_{name.upper()}", raising=False)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "retest.toml").write_text('seeds = 5\nllm = "openai:small"\n')
    monkeypatch.setenv("RETEST_SEEDS", "7")
    settings = load_settings()
    assert settings.seeds == 7
    assert settings.llm == "openai:small"


def test_the_store_is_a_sqlite_file_in_home_unless_a_url_is_set(tmp_path: Path) -> None:
    assert load_settings(home=tmp_path).store_url == f"sqlite:///{tmp_path / 'retest.sqlite3'}"
    assert load_settings(database_url="postgresql://u:p@h/d").store_url == "postgresql+psycopg://u:p@h/d"


@pytest.mark.parametrize(
    ("name", "value"), [("RETEST_SEEDS", "many"), ("RETEST_SEEDS", "1"), ("RETEST_HTTP_TIMEOUT_S", "0")]
)
def test_a_wrong_value_is_an_input_error_that_names_the_setting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=name):
        load_settings()


def test_a_broken_file_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "retest.toml").write_text("seeds = = 3")
    with pytest.raises(InputError, match=r"retest\.toml"):
        load_settings()


def test_an_unknown_setting_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "retest.toml").write_text("sedes = 3")
    with pytest.raises(InputError, match="SEDES"):
        load_settings()


def test_arxiv_may_be_asked_faster_only_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETEST_ARXIV_GAP_S", "0.1")
    with pytest.raises(InputError, match="ARXIV_GAP_S"):
        load_settings()
    monkeypatch.setenv("RETEST_ARXIV_URL", "http://127.0.0.1:9/api/query")
    assert load_settings().arxiv_gap_s == 0.1


def test_the_token_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETEST_LAB_TOKEN", "hush")
    assert "hush" not in repr(load_settings())


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_explained_in_the_readme(name: str) -> None:
    assert f"`RETEST_{name.upper()}`" in README.read_text()


@pytest.mark.parametrize("name", sorted(set(LabSettings.model_fields) - {"data_home"}))
def test_every_setting_of_the_lab_is_explained_in_the_readme(name: str) -> None:
    assert f"`RETEST_LAB_{name.upper()}`" in README.read_text()


def test_the_readme_explains_no_setting_that_is_not_there() -> None:
    named = {name.lower() for name in re.findall(r"^\| `RETEST_([A-Z_]+)`", README.read_text(), re.MULTILINE)}
    assert named <= set(Settings.model_fields) | {f"lab_{name}" for name in LabSettings.model_fields}
