"""Papers on which a model's answer is of no use: counted apart wherever a person looks, and in the exit code."""

import json
from pathlib import Path

import pytest

from agent.cli.main import retest
from tests.chat_server import chat_server

pytestmark = pytest.mark.slow

TOLD = "the model's answer was malformed twice"


def test_papers_that_a_model_could_not_judge_are_told_everywhere_and_no_other_judge_loses_its_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETEST_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETEST_LLM", "openai:mute")
    monkeypatch.setenv("RETEST_LLM_KEY", "secret")
    run = ["run", "--no-lab", "--source", "library", "--as-of", "2026-08-21", "--claim", "rl-grpo", "--out", "r"]

    def call(*args: str) -> str:
        capsys.readouterr()
        assert not retest.main([*args], standalone_mode=False)
        return capsys.readouterr().out

    with chat_server(lambda body: "I would rather not say.") as server:
        monkeypatch.setenv("RETEST_LLM_URL", server.url)
        assert retest.main([*run, "--judge", "llm", "--json"], standalone_mode=False) == 1
    (claim,) = [c for c in json.loads(capsys.readouterr().out)["claims"] if c["verdict"]]
    n = claim["papers"]["could_not_judge"]
    assert n > 0 and claim["papers"]["unsure"] == 0
    assert claim["verdict"]["kind"] == "relaxed", "the readings that ship count as before"
    told = f"could not judge {n} papers: {TOLD}"
    assert told in " ".join(call("show", "rl-grpo").split())
    assert told in (tmp_path / "r" / "report.md").read_text()
    asked = " ".join(call("ask", "--no-llm", "Does RL with GRPO sharpen memorization?").split())
    assert told[1:] in asked
