"""Draws an experiment's effect by seed in characters, for a terminal of 80 columns."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claims.experiment import ExperimentResult

WIDTH = 37
"""Columns of the plot; odd, so that 0 has one of its own."""


def plot_lines(result: "ExperimentResult") -> list[str]:
    """Draw a line for each seed: its effect, the interval so far in figures and as a bar. Empty without any."""
    from claims.report.plots import reach_of

    if not result.path:
        return []
    reach = reach_of(result.path)

    def column(value: float) -> int:
        return round((min(max(value, -reach), reach) + reach) / (2 * reach) * (WIDTH - 1))

    smallest = result.primary.smallest_effect if result.primary else None
    lines = [
        f"    seed   effect   interval so far   {_axis(reach)}",
    ]
    for seed in result.path:
        cells = [" "] * WIDTH
        if smallest:
            cells[column(smallest)] = ":"
        cells[column(0)] = "|"
        for i in range(column(seed.low), column(seed.high) + 1):
            cells[i] = "+" if cells[i] in "|:" else "-"
        cells[column(seed.effect)] = "o"
        interval = f"[{seed.low:+.3f}, {seed.high:+.3f}]"
        lines.append(f"    {seed.seed:<6} {seed.effect:+.3f}   {interval} {''.join(cells)}".rstrip())
    told = "o effect, - interval so far, | no effect"
    lines.append(f"    {told}{f', : smallest of interest {smallest:+g}' if smallest else ''}")
    return lines


def _axis(reach: float) -> str:
    low, high = f"{-reach:+.2f}", f"{reach:+.2f}"
    return low + "0".center(WIDTH - len(low) - len(high)) + high
