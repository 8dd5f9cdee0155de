"""What `retest lab run` leaves: a drawing on the terminal and a page, both from the same seeds."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from agent.cli.effects import WIDTH, plot_lines
from agent.cli.lab import foretell, show_experiment, write_page
from claims.errors import InputError
from claims.experiment import ExperimentSpec, ProtocolView, RunState, RunView, SeedEffect
from claims.report.plots import effect_by_seed
from tests.dossiers import estimate, experiment

SHOWN = experiment().result
assert SHOWN is not None


def bars(lines: list[str]) -> list[str]:
    return [line.partition("] ")[2].ljust(WIDTH) for line in lines[1:-1]]


def test_every_seed_has_a_line_and_no_line_is_wider_than_a_terminal() -> None:
    lines = plot_lines(SHOWN)
    assert len(lines) == len(SHOWN.path) + 2
    assert all(len(line) <= 80 for line in lines), max(lines, key=len)
    for line, seed in zip(lines[1:-1], SHOWN.path, strict=True):
        assert line.split()[:2] == [str(seed.seed), f"{seed.effect:+.3f}"]


def test_the_bars_narrow_as_the_confidence_sequence_does() -> None:
    widths = [len(re.sub(r"[^-+o]", "", bar)) for bar in bars(plot_lines(SHOWN))]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 3


def test_a_bar_that_keeps_zero_covers_it_and_one_that_does_not_stands_to_its_right() -> None:
    drawn = bars(plot_lines(SHOWN))
    middle = WIDTH // 2
    assert drawn[0][middle] == "+"
    assert drawn[-1][middle] == "|"
    assert drawn[-1].index("-") > middle


def test_an_interval_that_knows_nothing_fills_the_plot_and_does_not_leave_it() -> None:
    unknown = SHOWN.model_copy(update={"path": (SeedEffect(seed=0, effect=-1.5, low=-9.0, high=9.0),)})
    (bar,) = bars(plot_lines(unknown))
    assert len(bar) == WIDTH
    assert " " not in bar
    assert bar.count("o") == 1


def test_the_page_carries_the_plot_of_the_claim_report_and_the_same_figures(tmp_path: Path) -> None:
    page = write_page(experiment(), tmp_path / "new" / "folder").read_text(encoding="utf-8")
    assert effect_by_seed(experiment()) in page
    for seed in SHOWN.path:
        assert f'<td data-label="Effect">{seed.effect:+.3f}</td>' in page
    assert "narrowing" in page
    assert not re.search(r"<script|https?://(?!arxiv)", page.replace("http://www.w3.org/2000/svg", ""))
    body = page.partition("<body>")[2].partition("</body>")[0]
    ElementTree.fromstring(f"<body>{re.sub('&[a-z]+;', '', body)}</body>")


def test_the_outcome_is_printed_with_its_drawing(capsys: pytest.CaptureFixture[str]) -> None:
    show_experiment(experiment())
    out = capsys.readouterr().out
    for line in plot_lines(SHOWN):
        assert line in out
    assert "supports" in out
    assert SHOWN.primary is not None
    assert f"interval: 95%, {SHOWN.primary.method}" in out, "the plot's bars say what they are"


def test_what_stands_beside_the_primary_effect_and_what_was_changed_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    beside = estimate(-0.27, 0.06, n=26).model_copy(update={"name": "accuracy: curated - curated-10x"})
    spec = ExperimentSpec(protocol="data-quantity", protocol_version=1, params={"times": 2})
    shown = experiment(spec=spec, defaults={"times": 10}, result=SHOWN.model_copy(update={"secondary": (beside,)}))
    show_experiment(shown)
    out = capsys.readouterr().out
    assert "accuracy: curated - curated-10x: −0.270 [−0.330, −0.210] (95 %, n = 26 seeds), below +0.05" in out
    assert "differs from the registered defaults: times=2 (10)." in out


def test_a_page_that_cannot_be_written_is_an_input_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(InputError, match=r"exp-0123456789ab\.html"):
        write_page(experiment(), tmp_path / "taken")


def test_before_seeds_run_it_is_said_what_those_that_are_left_take_and_may_decide() -> None:
    shown = experiment()
    protocol = ProtocolView(
        name="data-quantity",
        version=1,
        title="t",
        family="f",
        profiles=("tiny",),
        preregistration=shown.preregistration,
        seconds_per_seed={"tiny": 14.0},
        seeds_to_decide={"tiny": 30},
    )
    runs = [
        RunView(id=f"run-{i}", spec=shown.spec.run(i), state=RunState.SUCCEEDED if i < 3 else RunState.QUEUED)
        for i in range(8)
    ]
    said = foretell(protocol, shown.model_copy(update={"runs": tuple(runs)}))
    assert said.startswith("5 of 8 seeds to run, about 70 seconds; telling an effect")
    assert said.endswith("takes about 30 seeds; 8 will probably leave such an effect undecided")
    assert foretell(protocol, shown.model_copy(update={"runs": tuple(runs[:3])})) == "3 seeds, all run before"
    changed = shown.spec.model_copy(update={"params": {"times": 2}})
    other = foretell(protocol, shown.model_copy(update={"runs": tuple(runs[3:]), "spec": changed}))
    assert other == "5 seeds to run; how long that takes and how many seeds decide was measured at the defaults only"
