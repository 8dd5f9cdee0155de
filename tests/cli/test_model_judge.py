"""A model that refuses, or whose budget is spent, as a script meets it: by the exit code, and by what is said."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.cli.main import main
from tests.chat_server import Script, chat_server

pytestmark = pytest.mark.slow
pytest.importorskip("langchain_openai", reason="the extra llm is not installed")

NEUTRAL = json.dumps({"stance": "neutral", "asserted": True, "confidence": 0.8, "quotes": [], "reason": "r"})
LINES = "".join(
    json.dumps(
        {
            "claim_id": f"c{n}",
            "text": f"RL forgets less than SFT, part {n}.",
            "asserted_on": "2024-05",
            "verdict": "untested",
            "evidence": [{"arxiv_id": id, "stance": "neutral"} for id in ("2507.05386", "2510.18874")],
        }
    )
    + "\n"
    for n in (1, 2)
)


class Ended(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


class Command:
    """The command line in this process, with a model that costs a cent for each thousand tokens it reads."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._env, self._capsys = home, monkeypatch, capsys

    def __call__(self, script: Script, budget: str, *args: str) -> Ended:
        with chat_server(script) as server:
            for name, value in {
                "RETEST_HOME": str(self.home),
                "RETEST_LLM": "openai:tiny",
                "RETEST_LLM_URL": server.url,
                "RETEST_LLM_USD_IN": "10",
                "RETEST_LLM_USD_OUT": "0",
                "RETEST_BUDGET_USD": budget,
            }.items():
                self._env.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main(list(args))
        said = self._capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("script", "budget", "code", "why"),
    [
        (lambda body: 401, "1", 3, "says no"),
        (lambda body: NEUTRAL, "0.0035", 1, "the budget of $0.0035 is spent"),
        (lambda body: NEUTRAL, "1", 0, None),
    ],
)
def test_a_run_that_left_papers_unjudged_does_not_end_as_if_it_had_not(
    command: Command, script: Script, budget: str, code: int, why: str | None
) -> None:
    asked = ("run", "--no-lab", "--source", "library", "--as-of", "2026-08-21", "--judge", "llm", "--claim", "rl-grpo")
    done = command(script, budget, *asked, "--out", str(command.home / "report"), "--json")
    assert done.code == code, done.err
    document = json.loads(done.out)
    (told,) = [c for c in document["claims"] if c["id"].startswith("rl-grpo")]
    assert bool(told["papers"]["unjudged"]) is bool(told["problems"]) is bool(code)
    assert bool(told["verdict"]) is (code != 3)
    assert why is None or why in told["problems"][0]


@pytest.mark.parametrize(
    ("script", "budget", "code", "said"),
    [
        (lambda body: 401, "1", 3, "refused"),
        (lambda body: NEUTRAL, "0.0025", 1, "partial: 1 of 2 claims were judged: the budget of $0.0025 is spent"),
        (lambda body: NEUTRAL, "1", 0, "2 claims, 4 pairs"),
    ],
)
def test_a_bench_on_a_spent_budget_says_that_it_is_partial(
    command: Command, script: Script, budget: str, code: int, said: str
) -> None:
    file = command.home / "labelled.jsonl"
    file.write_text(LINES)
    done = command(script, budget, "bench", str(file), "--source", "library", "--judge", "llm")
    assert done.code == code, done.err
    assert said in done.out + done.err
