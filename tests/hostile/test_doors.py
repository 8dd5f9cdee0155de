"""Every attack of the corpus through every door."""

import pytest

from tests.hostile.attacks import ATTACKS, Kind
from tests.hostile.doors import DOORS


def test_the_corpus_has_the_size_that_was_promised_and_no_name_twice() -> None:
    assert len({a.name for a in ATTACKS}) == len(ATTACKS) >= 60


@pytest.mark.parametrize("kind", Kind, ids=lambda k: k.name.lower())
@pytest.mark.parametrize("door", DOORS)
def test_no_attack_gets_through(door: str, kind: Kind) -> None:
    DOORS[door]([a for a in ATTACKS if a.kind is kind])
