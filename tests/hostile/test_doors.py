"""Every attack of the corpus through every door."""

import pytest

from tests.hostile.attacks import ATTACKS, Kind
from tests.hostile.doors import DOORS
from tests.hostile.outer_doors import OUTER, Seen

EVERY = DOORS | OUTER
RAW = [f"html: {name}" for name in ("script", "image", "svg", "script link", "frame", "form", "refresh", "math")]


def test_the_corpus_has_the_size_that_was_promised_and_no_name_twice() -> None:
    assert len({a.name for a in ATTACKS}) == len(ATTACKS) >= 60


@pytest.mark.parametrize("kind", Kind, ids=lambda k: k.name.lower())
@pytest.mark.parametrize("door", EVERY)
def test_no_attack_gets_through(door: str, kind: Kind) -> None:
    EVERY[door]([a for a in ATTACKS if a.kind is kind])


@pytest.mark.parametrize("text", [a.text for a in ATTACKS if a.name in RAW], ids=RAW)
def test_the_reader_of_pages_would_notice_a_text_that_got_through(text: str) -> None:
    with pytest.raises(AssertionError):
        Seen(text)
