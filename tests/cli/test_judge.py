"""`retest judge CLAIM`: a person's sitting, from the first key to whatever ends it."""

import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from agent.cli.main import retest
from agent.settings import Settings
from agent.wiring import open_store
from claims.clock import FrozenClock
from claims.evidence import Stance
from claims.paper import Paper
from claims.verdict import VerdictKind, decide
from tests.factories import LOCAL, NOON, PERSON, a_claim, a_paper, an_assessment, an_inquiry, paper_evidence

CLAIM = a_claim()
PAPERS = [a_paper(f"2401.0000{n}", authors=(f"Ada {n}",)) for n in range(1, 5)]


class Leaving(io.StringIO):
    """Keys of a person who leaves in another way when they are used up."""

    def __init__(self, keys: str, leave: Callable[[], None]) -> None:
        super().__init__(keys)
        self._leave = leave

    def readline(self, size: int | None = -1, /) -> str:
        line = super().readline(-1 if size is None else size)
        if not line:
            self._leave()
        return line


def ctrl_c() -> None:
    """What a terminal does at Ctrl-C."""
    raise KeyboardInterrupt


def closed() -> None:
    """What happens when the terminal's window is closed."""
    os.kill(os.getpid(), signal.SIGHUP)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder with a claim that stands, and papers of which the local judge was unsure."""
    monkeypatch.setenv("RETEST_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with open_store(Settings(home=tmp_path), FrozenClock(NOON)) as store:
        store.put_inquiry(an_inquiry(CLAIM))
        store.put_papers([a_paper("2402.00009", authors=("Eve Other",)), *PAPERS])
        store.add_evidence([paper_evidence(a_paper("2402.00009", authors=("Eve Other",)))])
        store.add_evidence(paper_evidence(p, assessment=leaning(p, n)) for n, p in enumerate(PAPERS))
        store.record_verdict(decide(CLAIM, store.evidence(CLAIM.id), NOON.date()))
    yield tmp_path


def leaning(paper: Paper, n: int) -> Any:
    """An unsure assessment, the surer of a stand the earlier the paper."""
    return an_assessment(
        paper,
        Stance.NEUTRAL,
        confidence=0.55 + n / 10,
        unsure=True,
        leaning=Stance.CONTRADICTS,
        judge=LOCAL,
    )


def judge(monkeypatch: pytest.MonkeyPatch, keys: str | io.StringIO, *options: str) -> None:
    """Run the command in this process with a person's keys, a line each."""
    monkeypatch.setattr("sys.stdin", io.StringIO(keys) if isinstance(keys, str) else keys)
    assert not retest.main(["judge", CLAIM.id, "--by", "Ada  L", *options], standalone_mode=False)


def held(home: Path) -> tuple[VerdictKind, dict[str, tuple[Stance, str]]]:
    """The verdict on record, and what people say of which paper, with their words."""
    with open_store(Settings(home=home), FrozenClock(NOON)) as store:
        said = {
            e.paper_id: (e.stance, e.assessment.explanation)
            for e in store.evidence(CLAIM.id)
            if e.kind == "paper" and e.assessment.judge.name == "person"
        }
        return store.verdicts(CLAIM.id)[-1].verdict.kind, said


@pytest.mark.parametrize("leave", [ctrl_c, closed])
def test_the_verdict_follows_however_a_sitting_is_left(
    home: Path, monkeypatch: pytest.MonkeyPatch, leave: Callable[[], None]
) -> None:
    assert held(home)[0] is VerdictKind.STANDS
    before = signal.getsignal(signal.SIGHUP)
    with pytest.raises(click.Abort):
        judge(monkeypatch, Leaving("c\ntheir table\n", leave))
    kind, said = held(home)
    assert kind is VerdictKind.CONTESTED
    assert [stance for stance, _ in said.values()] == [Stance.CONTRADICTS]
    assert signal.getsignal(signal.SIGHUP) == before


def test_a_verdict_that_a_killed_sitting_left_behind_is_decided_by_the_next(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(Settings(home=home), FrozenClock(NOON)) as store:
        store.add_evidence([paper_evidence(PAPERS[0], Stance.CONTRADICTS, judge=PERSON)])
    judge(monkeypatch, "x\n")
    assert "was stands, is contested" in capsys.readouterr().out
    assert held(home)[0] is VerdictKind.CONTESTED


def test_a_sitting_without_an_answer_dates_no_verdict_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge(monkeypatch, "x\n")
    with open_store(Settings(home=home), FrozenClock(NOON)) as store:
        assert [v.verdict.as_of for v in store.verdicts(CLAIM.id)] == [NOON.date()]


def test_answers_are_taken_back_as_far_as_the_sitting_goes_and_all_of_it_stays_in_the_history(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(monkeypatch, "c\nno\nc\nno\nn\nno\nu\nu\nu\nu\nx\n", "--json")
    done = capsys.readouterr()
    assert json.loads(done.out)["given"] == []
    assert done.err.count("nothing to take back in this sitting") == 1
    kind, said = held(home)
    assert (kind, said) == (VerdictKind.STANDS, {}), "the local judge's word holds again"
    with open_store(Settings(home=home), FrozenClock(NOON)) as store:
        history = [e for e in store.evidence(CLAIM.id, everything=True) if e.kind == "paper"]
    persons = [e.assessment.explanation for e in history if e.assessment.judge.name == "person"]
    assert len(persons) == 6 and sum("took it back" in told for told in persons) == 3


def test_an_earlier_sittings_stance_is_weighed_anew_and_undone_to_what_it_was(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(monkeypatch, "c\nfirst\nx\n")
    judge(monkeypatch, "s\nsecond thought\nu\nx\n", "--again")
    assert "you said contradicts (Ada L," in capsys.readouterr().err
    ((stance, told),) = held(home)[1].values()
    assert stance is Stance.CONTRADICTS and told.endswith(": first")
    judge(monkeypatch, "s\nsecond thought\n", "--again")
    ((stance, told),) = held(home)[1].values()
    assert stance is Stance.SUPPORTS and told.endswith(": second thought")
    judge(monkeypatch, "", "--again")
    assert "0 of 1 weighed" in capsys.readouterr().out


def test_a_script_names_the_words_by_number_and_show_prints_who_said_so_and_why(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(monkeypatch, "c 2\ntheir table\nsupports\nas they say\nx\n", "--json")
    given = json.loads(capsys.readouterr().out)["given"]
    assert [e["assessment"]["quotes"][0]["text"] for e in given] == [
        "Small curated sets match far larger ones in our tests.",
        PAPERS[1].title,
    ]
    assert retest.main(["show", CLAIM.id], standalone_mode=False) == 0
    shown = capsys.readouterr().out
    assert ": their table" in shown and "    Ada L, 2" in shown


def test_show_names_what_to_read_first_by_title_and_arxiv_id_the_likeliest_first(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retest.main(["show", CLAIM.id], standalone_mode=False) == 0
    listed = capsys.readouterr().out.split("read first:\n")[1].split("\n\n")[0].splitlines()
    assert [line.strip() for line in listed[1::3]] == [p.title for p in PAPERS]
    assert "unsure, leaning contradicts  arXiv:2401.00001" in listed[0]
    assert listed[2] == "    chance that it takes a stand: about 45 %"


def test_a_long_text_is_wrapped_between_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    judge(monkeypatch, "x\n")
    shown = [line for line in capsys.readouterr().err.splitlines() if line]
    assert max(map(len, shown)) <= 40
    assert "     2 Small curated sets match far" in [line.rstrip() for line in shown]
