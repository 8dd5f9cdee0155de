import random

from hypothesis import given
from hypothesis import strategies as st

from lab.protocols.registry import get
from lab.worlds import strings
from lab.worlds.task import data_digest, exact, stream


@given(st.integers(0, 10_000))
def test_every_request_is_answered_by_its_operation(seed):
    for item in strings.requests(random.Random(seed), 12):
        letters = [w for w in item.prompt.split() if w in strings.LETTERS]
        assert item.answer.split() == strings.OPERATIONS[item.kind](letters)
        assert any(phrase in item.prompt for phrase in strings.PHRASES[item.kind])


def test_requests_never_repeat_and_cover_all_operations():
    items = strings.requests(random.Random(1), 1000)
    assert len({item.prompt for item in items}) == 1000
    counts = {kind: sum(item.kind == kind for item in items) for kind in strings.OPERATIONS}
    assert max(counts.values()) - min(counts.values()) <= 1


def test_every_profile_of_data_quantity_finds_as_many_requests_as_it_draws():
    for params in get("data-quantity").profiles.values():
        n = 2 * params.n_curated * (1 + params.times) + params.n_items
        assert len({item.prompt for item in strings.requests(random.Random(1), n)}) == n


def test_no_word_of_a_request_but_its_letters_was_met_in_pretraining():
    met = {w for item in strings.native(random.Random(2), 3000) for w in item.prompt.split()}
    asked = {w for item in strings.requests(random.Random(3), 600) for w in item.prompt.split()}
    assert met & asked == set(strings.LETTERS)


@given(st.integers(0, 10_000))
def test_noise_is_wrong_but_well_formed_and_as_frequent_as_asked(seed):
    items = strings.requests(random.Random(seed), 60)
    clean = strings.noisy(random.Random(seed), items, 0.0)
    assert [e.completion for e in clean] == [i.answer for i in items]
    wrong = strings.noisy(random.Random(seed), items, 1.0)
    assert not any(exact(items, [e.completion for e in wrong]))
    assert all(set(e.completion.split()) <= set(strings.LETTERS) for e in wrong)


def test_a_stream_is_named_by_its_seed_and_purpose():
    assert stream(1, "a").random() == stream(1, "a").random()
    assert len({stream(1, "a").random(), stream(2, "a").random(), stream(1, "b").random()}) == 3
    items = strings.requests(random.Random(4), 20)
    assert data_digest(items) == data_digest(list(items)) != data_digest(items[::-1])
