import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.worlds import calls
from lab.worlds.calls import Fault
from lab.worlds.task import Item

ALARM = Item("wake me", "call alarm ( hour = 7 , day = monday , loud = true )", "alarm")


@given(st.integers(0, 10_000))
def test_the_right_call_is_valid_in_any_order_of_arguments(seed):
    rng = random.Random(seed)
    for item in calls.requests(rng, 10) + calls.native(rng, 10):
        assert calls.verify(item, item.answer) is Fault.NONE
        call = calls.read(item.answer)
        turned = calls.Call(call.function, dict(reversed(call.arguments.items())))
        assert calls.verify(item, str(turned)) is Fault.NONE
        assert calls.read(str(call)) == call


@given(st.integers(0, 10_000))
def test_a_spoilt_call_is_never_right(seed):
    rng = random.Random(seed)
    for item in calls.requests(rng, 10):
        pair = calls.spoil(rng, item)
        assert pair.chosen == item.answer
        assert calls.verify(item, pair.rejected) is not Fault.NONE


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("", Fault.MALFORMED),
        ("sure , here you go", Fault.MALFORMED),
        ("call alarm hour = 7 , day = monday , loud = true )", Fault.MALFORMED),
        ("call alarm ( hour 7 , day = monday , loud = true )", Fault.MALFORMED),
        ("call alarm ( hour = 7 , day = monday , loud = true ) and more", Fault.MALFORMED),
        ("call siren ( hour = 7 , day = monday , loud = true )", Fault.FUNCTION),
        ("call alarm ( hour = 7 , loud = true )", Fault.ARGUMENTS),
        ("call alarm ( hour = 7 , hour = 7 , day = monday , loud = true )", Fault.ARGUMENTS),
        ("call alarm ( time = 7 , day = monday , loud = true )", Fault.ARGUMENTS),
        ("call alarm ( hour = anna , day = monday , loud = true )", Fault.TYPE),
        ("call alarm ( hour = 12 , day = monday , loud = true )", Fault.TYPE),
        ("call alarm ( hour = 8 , day = monday , loud = true )", Fault.WRONG),
        ("call pay ( to = anna , amount = 7 )", Fault.WRONG),
        ("call  alarm ( loud = true ,  hour = 7 , day = monday )", Fault.NONE),
    ],
)
def test_each_fault_is_told_from_the_others(answer, fault):
    assert calls.verify(ALARM, answer) is fault
    assert fault.is_format_error == (fault not in (Fault.NONE, Fault.WRONG))


@given(st.text(alphabet="cal pay(to=,) 7", max_size=40))
def test_any_text_gets_a_fault_and_never_an_exception(text):
    assert calls.verify(ALARM, text) in set(Fault) - {Fault.NONE}


def test_requests_share_only_values_with_pretraining():
    met = {w for item in calls.native(random.Random(1), 2000) for w in f"{item.prompt} {item.answer}".split()}
    asked = {w for item in calls.requests(random.Random(2), 400) for w in item.prompt.split()}
    values = {value for kind in calls.TYPES.values() for value in kind}
    assert met & asked <= values
    assert met | asked <= set(calls.VOCABULARY)
