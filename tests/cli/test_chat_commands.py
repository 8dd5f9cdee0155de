"""`retest ask`, `chat` and `claims add` in processes of their own: output, JSON, exit codes, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from claims.clock import SystemClock
from claims.store import Store
from tests.chat_server import chat_server
from tests.chat_store import fill

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from agent.cli.main import main; main()"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose store holds the invented inquiry."""
    folder = tmp_path_factory.mktemp("home")
    with Store.open(f"sqlite:///{folder / 'retest.sqlite3'}", clock=SystemClock()) as store:
        fill(store)
    return folder


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"RETEST_HOME": str(home), "RETEST_ARXIV_URL": "http://127.0.0.1:9", "PATH": os.environ["PATH"]} | more


def retest(home: Path, *args: str, given: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *args],
        capture_output=True,
        text=True,
        input=given,
        cwd=ROOT,
        env=environment(home, **env),
        timeout=200,
    )


def test_ask_answers_with_evidence_and_says_that_no_model_was_asked(home: Path) -> None:
    done = retest(home, "ask", "Does", "LIMA", "still", "hold?")
    assert done.returncode == 0, done.stderr
    assert "overturned" in done.stdout
    assert "[ev-" in done.stdout
    assert "no language model is asked" in done.stderr


def test_ask_with_json_is_one_document_and_what_is_not_held_ends_with_code_1(home: Path) -> None:
    done = retest(home, "ask", "--json", "cite LIMA for me")
    document = json.loads(done.stdout)
    assert "eprint = {2305.11206}" in document["bibtex"]
    assert document["how"] == "store"
    unheld = retest(home, "ask", "--json", "Is coffee healthy?")
    assert unheld.returncode == 1
    assert json.loads(unheld.stdout)["held"] is False
    assert retest(home, "ask", " ").returncode == 2


def test_ask_does_the_conversations_commands_and_starts_nothing_without_a_yes(home: Path) -> None:
    shown = retest(home, "ask", "/show", "few-examples")
    assert shown.returncode == 0, shown.stderr
    assert "Verdict: overturned" in shown.stdout
    asked = retest(home, "ask", "/experiment LIMA", given="n\n")
    assert (asked.returncode, asked.stdout.count("few-examples? [y/N]")) == (0, 1)
    assert "Not started." in asked.stdout
    document = json.loads(retest(home, "ask", "--json", "/retest LIMA").stdout)
    assert [s["text"] for s in document["sentences"]] == ["Not started."]
    assert retest(home, "ask", "/experiment coffee").returncode == 1


def test_ask_with_yes_starts_what_a_command_asks_about(home: Path) -> None:
    done = retest(home, "ask", "--yes", "/retest models-alike", RETEST_ARXIV_URL="http://127.0.0.1:9")
    assert "Not started." not in done.stdout
    assert "models-alike" in done.stdout or "could not" in done.stdout.lower(), done.stdout


def test_ask_with_a_model_checks_what_it_says(home: Path) -> None:
    pytest.importorskip("langchain")
    with chat_server(lambda body: "LIMA is refuted by arXiv:2501.12345. [ev-deadbeef0000]") as server:
        done = retest(home, "ask", "What contradicts LIMA?", RETEST_LLM="openai:scripted", RETEST_LLM_URL=server.url)
    assert done.returncode == 0, done.stderr
    assert server.requests
    assert "2501.12345" not in done.stdout
    assert "not let through" in done.stdout
    assert "2604.00001" in done.stdout


def test_a_claim_is_added_once_and_answers_questions_from_then_on(tmp_path: Path) -> None:
    add = ("claims", "add", "Speculative decoding keeps the distribution.", "--asserted-on", "2023-02", "--json")
    first = json.loads(retest(tmp_path, *add, "--anchor", "2211.17192").stdout)
    again = json.loads(retest(tmp_path, *add, "--anchor", "2211.17192").stdout)
    assert (first["new"], again["new"]) == (True, False)
    assert first["id"] == again["id"]
    asked = retest(tmp_path, "ask", "--json", "Does speculative decoding keep the distribution?")
    assert json.loads(asked.stdout)["claim_ids"] == [first["id"]]
    bad = retest(tmp_path, "claims", "add", "It holds.", "--asserted-on", "soon")
    assert bad.returncode == 2
    assert "not a date" in bad.stderr


def test_a_conversation_keeps_its_history_and_starts_nothing_without_a_yes(home: Path) -> None:
    done = retest(home, "chat", "--thread", "t", given="Does LIMA still hold?\nsince when?\n/retest\nn\n/quit\n")
    assert done.returncode == 0, done.stderr
    assert "since 2026-05-09" in done.stdout
    assert "Not started." in done.stdout
    again = retest(home, "chat", "--thread", "t", given="what changed it?\n")
    assert again.returncode == 0, again.stderr
    assert "3 earlier turns are remembered" in again.stderr
    assert "Changed by" in again.stdout


def test_a_confirmed_retest_from_the_conversation_records_a_verdict(home: Path) -> None:
    done = retest(home, "chat", "--source", "library", given="/retest self-improvement\ny\n/quit\n")
    assert done.returncode == 0, done.stderr
    assert "newly judged" in done.stdout
    with Store.open(f"sqlite:///{home / 'retest.sqlite3'}") as store:
        assert store.dossier("self-improvement").current is not None


def test_ctrl_c_empties_the_line_and_the_conversation_goes_on(home: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "chat", "--thread", "c"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(home, PYTHONUNBUFFERED="1"),
    )
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        lines = [process.stderr.readline() for _ in range(2)]
        assert "/help" in lines[1]
        assert process.stdout is not None
        assert process.stdout.read(2) == "> "
        # A signal between the prompt and the reading of the line would only be seen once there is a line.
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            assert process.poll() is None, "the conversation ended"
        process.send_signal(signal.SIGINT)
        while "Ctrl-C again" not in (line := process.stderr.readline()):
            assert line, "the conversation ended"
        out, err = process.communicate("Does LIMA still hold?\n/quit\n", timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "overturned" in out
