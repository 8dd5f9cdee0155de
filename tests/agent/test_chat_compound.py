"""Questions about several claims at once: each is answered, with what was asked about it."""

from collections.abc import Iterator

import pytest

from agent.chat.answer import ask
from agent.chat.intents import clauses
from agent.chat.reply import Reply
from claims.clock import FrozenClock
from claims.store import Store
from tests.chat_store import fill
from tests.dossiers import NOW
from tests.factories import a_claim

CLOCK = FrozenClock(NOW)
LIMA, ALIKE = "few-examples", "models-alike"


@pytest.fixture
def filled(sqlite_url: str) -> Iterator[Store]:
    """A store with the whole invented inquiry."""
    with Store.open(sqlite_url, clock=CLOCK) as store:
        fill(store)
        yield store


def said_on(reply: Reply, claim_id: str) -> str:
    """Give what an answer says from a claim's name on to the next claim's."""
    text = "\n".join(s.text for s in reply.sentences)
    start = text.index(f"({claim_id}, asserted")
    return text[start:].partition("The claim: ")[0]


def test_a_question_that_names_two_claims_is_answered_for_both_in_its_order(filled: Store) -> None:
    for question in (
        "Do LIMA and near-identical answers of models still hold?",
        "Does LIMA still hold, and what about models giving near-identical answers?",
    ):
        reply = ask(filled, question, CLOCK)
        assert reply.claim_ids == (LIMA, ALIKE)
        assert "Verdict: overturned" in said_on(reply, LIMA)
        assert "Verdict: stands" in said_on(reply, ALIKE)


def test_each_clause_goes_with_the_claim_that_it_names(filled: Store) -> None:
    reply = ask(filled, "Since when is LIMA overturned, and what supports near-identical answers of models?", CLOCK)
    assert reply.claim_ids == (LIMA, ALIKE)
    assert "On record" in said_on(reply, LIMA)
    assert "On record" not in said_on(reply, ALIKE)
    assert "supports it" in said_on(reply, ALIKE)


@pytest.mark.parametrize(
    "question",
    ["Does LIMA hold, and for diffusion models?", "Does LIMA hold for small and large models?", "LIMA and coffee?"],
)
def test_words_that_name_no_other_claim_clearly_add_none(filled: Store, question: str) -> None:
    assert ask(filled, question, CLOCK).claim_ids == (LIMA,)


def test_which_is_better_supported_is_a_comparison(filled: Store) -> None:
    reply = ask(filled, "Which is better supported, LIMA or models giving near-identical answers?", CLOCK)
    assert set(reply.claim_ids) == {LIMA, ALIKE}
    assert "Of the papers weighed for it, " in said_on(reply, ALIKE)
    assert "0 contradict it" in said_on(reply, ALIKE)


def test_a_claim_that_shares_next_to_nothing_is_not_called_the_nearest(filled: Store) -> None:
    far = ask(filled, "Does quantization of small models hurt reasoning?", CLOCK).text()
    assert "I do not hold a claim on that." in far
    assert "nearest" not in far
    near = ask(filled, "Is alignment brittle?", CLOCK)
    assert not near.held
    assert "The nearest that is held, which shares only “alignment”" in near.text()


def test_a_question_in_other_words_is_answered_for_the_nearest_claim_which_says_so(filled: Store) -> None:
    text = "Low-rank adapters forget less of what a model knew before than full fine-tuning does."
    filled.put_claim(a_claim("adapters-forget-less-000001", text=text, anchors=()))
    reply = ask(filled, "Does LoRA suffer from catastrophic forgetting?", CLOCK)
    assert reply.claim_ids == ("adapters-forget-less-000001",)
    said = reply.text()
    assert "No claim is held in just these words" in said and said.count(text) == 1
    own = ask(filled, "Do low-rank adapters forget less than full fine-tuning?", CLOCK)
    assert own.claim_ids == reply.claim_ids and "in just these words" not in own.text()


@pytest.mark.parametrize("question", ["What is the best pizza in Rome?", "Do penguins migrate north?", "漢字は?"])
def test_a_question_about_something_else_is_not_answered_for_the_nearest_claim(filled: Store, question: str) -> None:
    assert ask(filled, question, CLOCK).claim_ids == ()


def test_a_question_is_cut_where_another_begins() -> None:
    assert clauses("Does A hold, and what about B? Since when?") == ["Does A hold", "what about B", "Since when"]
    assert clauses("Does DPO on correct and incorrect calls beat SFT?") == [
        "Does DPO on correct and incorrect calls beat SFT"
    ]
