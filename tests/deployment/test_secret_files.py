"""A secret may come as a file, and is not shown when it is wrong."""

from pathlib import Path

import pytest

from agent.llm import Message
from agent.settings import Settings, load_settings
from agent.wiring import open_llm
from claims.errors import InputError
from lab.errors import LabError
from lab.settings import LabSettings
from tests.chat_server import chat_server


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RETEST_{name.upper()}", raising=False)
    monkeypatch.setenv("RETEST_HOME", str(tmp_path / "home"))


def secret(folder: Path, text: str) -> str:
    path = folder / "secret"
    path.write_text(text)
    return str(path)


def test_a_file_gives_the_setting_without_the_line_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETEST_LAB_TOKEN_FILE", secret(tmp_path, "hush hush\n"))
    for token in (load_settings().lab_token, LabSettings.load().token):
        assert token is not None
        assert token.get_secret_value() == "hush hush"


def test_a_secret_that_is_given_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETEST_LAB_TOKEN_FILE", secret(tmp_path, "one"))
    monkeypatch.setenv("RETEST_LAB_TOKEN", "another")
    with pytest.raises(InputError, match="both set"):
        load_settings()
    with pytest.raises(LabError, match="both set"):
        LabSettings.load()


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\x00hush", b"hush" * 20_000])
def test_a_file_that_holds_no_secret_is_named_and_not_shown(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    monkeypatch.setenv("RETEST_WEB_TOKEN_FILE", str(path))
    with pytest.raises(InputError, match="RETEST_WEB_TOKEN_FILE") as caught:
        load_settings()
    assert "hush" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETEST_WEB_TOKEN_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="nowhere: cannot be read: No such file"):
        load_settings()


@pytest.mark.parametrize("name", ["WEB_TOKEN", "LLM_USD_IN"])
def test_what_a_file_holds_is_checked_like_any_setting_and_a_secret_is_not_shown(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"RETEST_{name}_FILE", secret(tmp_path, "short"))
    with pytest.raises(InputError, match=f"RETEST_{name}") as caught:
        load_settings()
    assert ("short" in str(caught.value).partition("got")[2]) == (name != "WEB_TOKEN")


def test_the_password_of_the_database_goes_into_a_url_that_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETEST_DATABASE_PASSWORD_FILE", secret(tmp_path, "p@ss/w:rd\n"))
    filled = load_settings(database_url="postgresql://retest@db:5432/retest")
    assert filled.store_url == "postgresql+psycopg://retest:p%40ss%2Fw%3Ard@db:5432/retest"
    assert "p@ss" not in repr(filled)
    own = load_settings(database_url="postgresql://retest:own@db/retest")
    assert own.store_url == "postgresql+psycopg://retest:own@db/retest"
    assert load_settings().store_url.startswith("sqlite:///")


def test_the_key_of_a_model_reaches_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("RETEST_LLM_KEY_FILE", secret(tmp_path, "sk-of-a-test"))
    with chat_server(lambda _: "hello") as server:
        open_llm(load_settings(llm="openai:any", llm_url=server.url)).ask([Message("user", "hello")], prompt="test/1")
    assert server.keys == ["Bearer sk-of-a-test"]
