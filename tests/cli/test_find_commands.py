"""`retest search`, `ground` and `mirror` as a script meets them: what cannot be is refused, trouble has a code."""

import json
from datetime import date
from pathlib import Path

import pytest

from agent.cli.main import main
from tests.oai_server import OaiServer, Record

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETEST_HOME", str(tmp_path))
    monkeypatch.setenv("RETEST_ARXIV_URL", "http://127.0.0.1:9/api/query")
    monkeypatch.setenv("RETEST_ARXIV_GAP_S", "0")
    monkeypatch.setenv("RETEST_OAI_URL", "http://127.0.0.1:9/oai")
    return tmp_path


def code_of(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("search", "small models", "--since", "2025-02-01", "--until", "2025-01-01"), "later than --until"),
        (("search", "small models", "--since", "2999-01-01"), "still to come"),
        (("search", "small models", "--until", "1990-01-01"), "before arXiv began"),
        (("search", "the of and"), "no word to search for"),
        (("search", " "), "no word to search for"),
        (("mirror", "harvest", "--since", "2025-02-01", "--until", "2025-01-01"), "later than --until"),
    ],
)
def test_a_question_that_nothing_can_answer_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], said: str
) -> None:
    assert code_of(*args) == 2
    assert said in capsys.readouterr().err


def test_a_window_of_one_day_is_searched(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    window = ("--since", "2023-05-18", "--until", "2023-05-18")
    assert code_of("search", "less is more for alignment", *window, "--source", "library") == 0
    assert "2305.11206" in capsys.readouterr().out


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_unreadable_records_give_a_harvest_the_same_code_for_people_and_scripts(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    records = [Record(f"2401.0000{n}", on=date(2024, 1, 3)) for n in (1, 2, 3)]
    records.append(Record("2401.00004", on=date(2024, 1, 4), raw="<nonsense/>"))
    with OaiServer(records) as server:
        monkeypatch.setenv("RETEST_OAI_URL", server.url)
        assert code_of("mirror", "harvest", "--since", "2024-01-01", *more) == 1
    out = capsys.readouterr().out
    assert json.loads(out)["n_unreadable"] >= 1 if more else "could not read" in out


def test_ground_writes_a_bibliography_with_its_fields_mended(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, fixed = home / "refs.bib", home / "fixed.bib"
    given.write_text("@misc{k, title={LIMA: Less Is Much More for Alignment}, eprint={2305.11206}}\n")
    assert code_of("ground", "2305.11206", "--file", str(given), "--bib", str(fixed), "--source", "library") == 1
    assert "{{LIMA: Less Is More for Alignment}}" in fixed.read_text()
    assert "corrected: 1" in capsys.readouterr().err
    assert code_of("ground", "2305.11206", "--bib", str(fixed), "--source", "library") == 2
    assert code_of("ground", "--file", str(given), "--bib", str(given), "--source", "library") == 2
    listed = home / "refs.jsonl"
    listed.write_text('{"arxiv_id": "2305.11206"}\n')
    assert code_of("ground", "--file", str(listed), "--bib", str(fixed), "--source", "library") == 2
