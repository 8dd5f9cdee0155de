"""Plots as inline SVG: evidence over time by stance, and an experiment's effect as its interval narrows.

Built as XML elements, so that no text can become markup. Shapes tell stances apart as well as colours do; colours come
from the page's style sheet and follow light and dark. Each plot is drawn for a page and once more for a phone, where
shrinking the one for a page would leave its text too small to read.
"""

from collections.abc import Callable, Container, Sequence
from datetime import date
from xml.etree.ElementTree import Element, SubElement, tostring

from claims.evidence import ExperimentEvidence, PaperEvidence, Stance
from claims.experiment import ExperimentResult, ExperimentView, SeedEffect
from claims.report import numbers
from claims.report.text import marked, visible
from claims.report.view import ClaimView, Row

WIDTH, NARROW = 720, 344
"""Units across, which are pixels where a page, or a phone, has as many for it."""

_RIGHT = 16
_LANES = (Stance.SUPPORTS, Stance.QUALIFIES, Stance.CONTRADICTS)
_STEP = 11
"""Vertical distance of markers that would lie upon each other, in px."""


def evidence_over_time(view: ClaimView, width: int = WIDTH) -> str:
    """Draw what takes a stand by date and stance, the claim's date, and the verdict over time. Empty without any."""
    rows = [r for r in view.rows if _lane(r) is not None]
    last = view.window[1]
    claimed = min(view.claim.asserted_on.end, last)
    first = min([claimed, *(r.on for r in rows)])
    if not rows or first >= last:
        return ""
    pad = max(10, (last - first).days // 40)
    span = (_moved(first, -pad), _moved(last, pad))
    # On a phone the names stand over their lanes: beside them they would take a third of the width.
    left, above = (104, 0) if width == WIDTH else (6, 14)

    def x(day: date) -> float:
        share = (day - span[0]).days / (span[1] - span[0]).days
        return round(left + share * (width - left - _RIGHT), 1)

    placed = {lane: _stack([(x(r.on), r) for r in rows if _lane(r) is lane]) for lane in _LANES}
    heights = {lane: 26 + _STEP * max((level for _, level, _ in marks), default=0) for lane, marks in placed.items()}
    start = 44 + above
    bottom = start + sum(heights.values()) + above * len(_LANES)
    svg = _svg(width, bottom + 26, "Evidence over time", _told(view, rows))
    since = x(claimed)
    beside = since + 5 if since < left + 75 else left
    _lane_name(svg, "verdict", left, beside, 14, above)
    _verdict_band(svg, view, x, span, 14 + above)
    _dates(svg, x, span, start - 6, bottom)
    top = start
    for lane in _LANES:
        _lane_name(svg, str(lane), left, beside, top, above)
        top += above
        SubElement(svg, "rect", {"class": "lane", "x": str(left), "y": str(top), "width": str(width - left - _RIGHT),
                                 "height": str(heights[lane] - 4), "rx": "3"})  # fmt: skip
        for at, level, row in placed[lane]:
            _mark(svg, at, top + 11 + level * _STEP, row, lane, view.dossier.papers)
        top += heights[lane]
    _line(svg, since, 8, since, bottom, "claimed")
    at, anchor = (since - 5, "end") if since > width - 150 else (since + 5, "start")
    _text(svg, at, bottom + 20, f"claimed {view.claim.asserted_on}", anchor, "note")
    return _written(svg)


def effect_by_seed(experiment: ExperimentView, width: int = WIDTH) -> str:
    """Draw each seed's effect, and the confidence sequence as seeds come in. Empty without a measured seed."""
    result = experiment.result
    if result is None or not result.path:
        return ""
    path = result.path
    height, top, bottom = 240, 16, 200
    left = 104 if width == WIDTH else 40
    reach = reach_of(path)
    low = -reach
    smallest = result.primary.smallest_effect if result.primary else None

    def y(value: float) -> float:
        return round(bottom - (min(max(value, low), reach) - low) / (reach - low) * (bottom - top), 1)

    def x(i: int) -> float:
        room = width - left - _RIGHT - 40
        return round(left + 20 + (room * i / (len(path) - 1) if len(path) > 1 else room / 2), 1)

    svg = _svg(width, height, "Effect by seed, with the confidence sequence narrowing", _effect_told(result))
    for value in _ticks(reach):
        _line(svg, left, y(value), width - _RIGHT, y(value), "zero" if value == 0 else "grid")
        _text(svg, left - 8, y(value) + 4, numbers.signed(value, 1 if reach > 0.25 else 2), "end", "tick")
    if smallest:
        _line(svg, left, y(smallest), width - _RIGHT, y(smallest), "smallest")
        _text(svg, left, bottom + 34, f"dashed: smallest effect of interest, {smallest:g}", "start", "note")
    upper = [f"{x(i)},{y(s.high)}" for i, s in enumerate(path)]
    lower = [f"{x(i)},{y(s.low)}" for i, s in reversed(list(enumerate(path)))]
    if len(path) > 1:
        SubElement(svg, "polygon", {"class": "band", "points": " ".join(upper + lower)})
    else:
        _line(svg, x(0), y(path[0].low), x(0), y(path[0].high), "whisker")
    every = -(-len(path) * 35 // (width - left))
    for i, seed in enumerate(path):
        dot = SubElement(svg, "circle", {"class": "seed", "cx": str(x(i)), "cy": str(y(seed.effect)), "r": "4"})
        SubElement(dot, "title").text = f"seed {seed.seed}: effect {numbers.signed(seed.effect, 3)}"
        if i % every == 0:
            _text(svg, x(i), bottom + 18, str(i + 1), "middle", "tick")
    _text(svg, width - _RIGHT, bottom + 34, "seeds", "end", "note")
    _text(svg, left, 10, "effect, no unit: positive as the claim predicts", "start", "note")
    return _written(svg)


def reach_of(path: Sequence[SeedEffect]) -> float:
    """Say how far from 0 a plot of these seeds has to show, to hold every effect and interval; no interval passes 1."""
    return max([0.1, *(abs(v) for s in path for v in (s.effect, max(s.low, -1.0), min(s.high, 1.0)))]) * 1.08


def _lane(row: Row) -> Stance | None:
    stance = (row.leaning or Stance.NEUTRAL) if row.unsure else row.stance
    return stance if stance in _LANES else None


def _stack(marks: list[tuple[float, Row]]) -> list[tuple[float, int, Row]]:
    """Give marks that would lie upon each other levels of their own, at most 12."""
    free: list[float] = []
    out = []
    for at, row in sorted(marks, key=lambda m: (m[0], m[1].evidence.id)):
        level = next((i for i, until in enumerate(free) if until <= at), len(free))
        level = min(level, 11)
        free[level : level + 1] = [at + 11]
        out.append((at, level, row))
    return out


def _mark(svg: Element, at: float, y: float, row: Row, lane: Stance, papers: Container[str]) -> None:
    how = "counted" if row.counted else "unsure" if row.unsure else "left-out"
    attributes = {"class": f"mark {lane} {how}"}
    if isinstance(row.evidence, ExperimentEvidence):
        points = (
            f"{at},{y - 7} {at + 2.2},{y - 2.2} {at + 7},{y} {at + 2.2},{y + 2.2} {at},{y + 7} {at - 2.2},{y + 2.2} "
        )
        mark = SubElement(svg, "polygon", attributes | {"points": points + f"{at - 7},{y} {at - 2.2},{y - 2.2}"})
    elif lane is Stance.SUPPORTS:
        mark = SubElement(svg, "circle", attributes | {"cx": str(at), "cy": str(y), "r": "4.5"})
    elif lane is Stance.QUALIFIES:
        points = f"{at},{y - 5.5} {at + 5.5},{y} {at},{y + 5.5} {at - 5.5},{y}"
        mark = SubElement(svg, "polygon", attributes | {"points": points})
    else:
        box = {"x": str(at - 4.2), "y": str(y - 4.2), "width": "8.4", "height": "8.4"}
        mark = SubElement(svg, "rect", attributes | box)
    SubElement(mark, "title").text = f"{row.dated}: {_name(row, papers)} ({how.replace('-', ' ')})"


def _name(row: Row, papers: Container[str]) -> str:
    if isinstance(row.evidence, PaperEvidence):
        return marked(row.paper.title, papers) if row.paper else "a paper that is not held"
    return f"our experiment {visible(row.evidence.experiment_id, 40)}"


def _lane_name(svg: Element, name: str, left: float, beside: float, top: float, above: float) -> None:
    """Write a lane's name before it, or over it, beside the line of the claim's day, where `above` gives room."""
    if above:
        _text(svg, beside, top + above - 4, name, "start", "lane-name")
    else:
        _text(svg, left - 8, top + 15, name, "end", "lane-name")


def _verdict_band(
    svg: Element, view: ClaimView, x: Callable[[date], float], span: tuple[date, date], top: float
) -> None:
    ends = [*(s.on for s in view.path[1:]), span[1]]
    for step, until in zip(view.path, ends, strict=True):
        start, width = x(step.on), x(until) - x(step.on)
        box = {"x": str(start), "y": str(top), "width": str(round(max(width, 1), 1)), "height": "20"}
        bar = SubElement(svg, "rect", {"class": f"verdict {step.kind}", **box})
        SubElement(bar, "title").text = f"{step.kind} from {step.dated}"
        if width > 8 * len(step.kind) + 6:
            _text(svg, start + 5, top + 14, str(step.kind), "start", f"verdict-name {step.kind}")


def _dates(svg: Element, x: Callable[[date], float], span: tuple[date, date], top: float, bottom: float) -> None:
    """Mark the first days of quarters, or of as many times more months as leave room for their names."""
    months = 3
    while x(_moved(span[0], months * 30)) - x(span[0]) < (52 if months < 12 else 34) and months < 12_000:
        months *= 2
    for n in range(span[0].year * 12, (span[1].year + 1) * 12):
        day = date(n // 12, n % 12 + 1, 1)
        if n % months == 0 and span[0] < day < span[1]:
            _line(svg, x(day), top, x(day), bottom, "grid")
            name, anchor = f"{day:%Y}" if months >= 12 else f"{day:%Y-%m}", "middle" if x(day) > 24 else "start"
            _text(svg, x(day), bottom + 8, name, anchor, "tick")


def _moved(day: date, days: int) -> date:
    """Give the day so many days later, or the first or the last that there is."""
    return date.fromordinal(min(max(date.min.toordinal(), day.toordinal() + days), date.max.toordinal()))


def _told(view: ClaimView, rows: list[Row]) -> str:
    told = ", ".join(f"{sum(_lane(r) is lane for r in rows)} {lane}" for lane in _LANES)
    path = ", then ".join(f"{s.kind} from {s.dated}" for s in view.path)
    return f"{told}; filled marks counted, hollow ones did not. Verdict: {path}. The table below lists all of it."


def _effect_told(result: ExperimentResult) -> str:
    final = f"Final: {numbers.estimate(result.primary)}. " if result.primary else ""
    return (
        f"{numbers.count(len(result.path), 'seed')}, outcome {result.outcome}. {final}The band is the interval so far."
    )


def _ticks(reach: float) -> list[float]:
    step = 0.5 if reach > 0.75 else 0.2 if reach > 0.25 else 0.1 if reach > 0.12 else 0.05
    return [round(step * i, 2) for i in range(int(-reach / step), int(reach / step) + 1)]


def _svg(width: int, height: float, title: str, description: str) -> Element:
    kind = "plot" if width == WIDTH else "plot narrow"
    svg = Element("svg", {"viewBox": f"0 0 {width} {height:g}", "role": "img", "class": kind, "aria-label": title})
    SubElement(svg, "title").text = title
    SubElement(svg, "desc").text = description
    return svg


def _line(svg: Element, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
    SubElement(svg, "line", {"class": kind, "x1": str(x1), "y1": str(y1), "x2": str(x2), "y2": str(y2)})


def _text(svg: Element, x: float, y: float, text: str, anchor: str, kind: str) -> None:
    SubElement(svg, "text", {"class": kind, "x": str(x), "y": str(y), "text-anchor": anchor}).text = text


def _written(svg: Element) -> str:
    return tostring(svg, encoding="unicode", short_empty_elements=False)
