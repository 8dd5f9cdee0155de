"""The live table of `retest lab run`, on a terminal of 80 columns and without one."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from agent.cli import seed_watch
from agent.cli.seed_watch import MAX_ROWS, SeedWatch
from agent.cli.watch import progress_line
from claims.experiment import ExperimentSpec, Progress, RunState, RunView

SPEC = ExperimentSpec(protocol="data-quantity", protocol_version=1)
AT = datetime(2026, 8, 21, 12, tzinfo=UTC)


def runs(n: int) -> list[RunView]:
    return [RunView(id=SPEC.run(s).id, spec=SPEC.run(s), state=RunState.QUEUED) for s in range(n)]


def event(seed: int | None, state: RunState = RunState.RUNNING, **more: object) -> Progress:
    return Progress.model_validate({"experiment_id": SPEC.id, "seed": seed, "state": state, "at": AT, **more})


def drawn(watch: SeedWatch) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80).print(watch._table())
    return out.getvalue().splitlines()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> SeedWatch:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr(seed_watch, "console", lambda *, stderr: terminal)
    return SeedWatch(runs(3))


def test_a_row_tells_arm_step_metric_and_time_left_within_80_columns(watch: SeedWatch) -> None:
    with watch:
        watch(event(1, arm="curated-10x", phase="train", step=37, steps=120, loss=0.5, seconds_left=14.0))
        watch(event(1, arm="a-very-long-name-of-an-arm-of-a-protocol", phase="evaluate", metric=0.4375))
        assert "0.438" in drawn(watch)[2]
        watch(event(1, arm="noisy-10x", phase="train", step=120, steps=120, seconds_left=7800.0))
        heads, *rows = drawn(watch)
    assert heads.split() == ["seed", "state", "arm", "phase", "step", "metric", "left"]
    assert rows[0].split() == ["0", "queued"]
    assert rows[1].split() == ["1", "running", "noisy-10x", "train", "120/120", "2", "h", "10", "min"]
    assert "…" not in "".join(rows)


def test_a_finished_seed_says_so_and_promises_no_time(watch: SeedWatch) -> None:
    with watch:
        watch(event(0, arm="base", phase="evaluate", metric=0.25, seconds_left=9.0))
        watch(event(0, phase="evaluate", metric=-0.125, message="seed finished"))
        assert drawn(watch)[1].split() == ["0", "running", "base", "evaluate", "0.250", "9", "s"]
        watch(event(0, RunState.SUCCEEDED, seconds_left=0.0))
        assert drawn(watch)[1].split() == ["0", "succeeded"]


def test_the_end_of_the_whole_experiment_names_no_seed_and_breaks_nothing(watch: SeedWatch) -> None:
    with watch:
        before = drawn(watch)
        watch(event(None, RunState.SUCCEEDED, message="decided", seconds_left=0.0))
        assert drawn(watch) == before


def test_many_seeds_show_the_running_ones_and_count_the_others() -> None:
    watch = SeedWatch(runs(40), silent=True)
    watch._silent = False
    for seed in (30, 31):
        watch(event(seed, arm="base"))
    _, *rows, rest = drawn(watch)
    assert len(rows) == MAX_ROWS
    assert {"30", "31"} <= {row.split()[0] for row in rows}
    assert "24 more" in rest


def test_without_a_terminal_a_line_now_and_then_says_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with SeedWatch(runs(1)) as watch:
        watch(event(0, arm="tuned", phase="train", step=3, steps=60))
        watch(event(0, arm="tuned", phase="train", step=4, steps=60))
    told = capsys.readouterr().err.splitlines()
    assert told == ["seed 0 · tuned · train · step 3/60"]


def test_a_line_of_a_seed_that_told_nothing_yet_says_its_state() -> None:
    assert progress_line(event(1000)) == "seed 1000 · running"
    assert progress_line(event(2, RunState.SUCCEEDED, seconds_left=0.0)) == "seed 2 · succeeded"
    assert progress_line(event(2, RunState.FAILED, message="killed")) == "seed 2 · failed · killed"
    assert progress_line(event(None, RunState.SUCCEEDED, message="decided")) == "all seeds · succeeded · decided"
    assert progress_line(event(3, arm="base", phase="pretrain")) == "seed 3 · base · pretrain"


def test_steps_of_a_seed_that_was_run_before_are_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    over, other = runs(2)
    with SeedWatch([over.model_copy(update={"state": RunState.SUCCEEDED}), other]) as lines:
        lines(event(0, arm="base", phase="evaluate"))
        lines(event(1, arm="tuned", phase="train"))
    assert capsys.readouterr().err == "seed 1 · tuned · train\n"
