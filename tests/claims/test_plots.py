"""The plots at both sizes: where the axis begins, and that its dates can be told apart."""

import itertools
from xml.etree import ElementTree

import pytest

from claims.dates import StatedDate
from claims.report import plots
from claims.report.view import claim_view, view_of
from tests.dossiers import AS_OF, full


@pytest.mark.parametrize("width", [plots.WIDTH, plots.NARROW])
def test_the_timeline_begins_with_the_claim_and_names_dates_that_do_not_touch(width: int) -> None:
    view = view_of(full()).claims[0]
    root = ElementTree.fromstring(plots.evidence_over_time(view, width))
    claimed = float(next(e for e in root.iter("line") if e.get("class") == "claimed").get("x1", ""))
    marks = [float(e.get("cx") or e.get("x") or "nan") for e in root.iter() if "mark" in e.get("class", "").split()]
    assert claimed < 0.2 * width and all(claimed <= at < width for at in marks if at == at)
    named = sorted(float(e.get("x", "")) for e in root.iter("text") if e.get("class") == "tick")
    assert len(named) > 2 and all(b - a >= 34 for a, b in itertools.pairwise(named))


@pytest.mark.parametrize("text", ["1950", "2026"])
def test_a_timeline_can_begin_long_ago_or_on_its_last_day(text: str) -> None:
    made = full().claims[0]
    old = made.model_copy(update={"claim": made.claim.model_copy(update={"asserted_on": StatedDate.parse(text)})})
    root = ElementTree.fromstring(plots.evidence_over_time(claim_view(old, AS_OF), plots.NARROW))
    named = [e.text for e in root.iter("text") if e.get("class") == "tick"]
    assert 1 <= len(named) <= 10
