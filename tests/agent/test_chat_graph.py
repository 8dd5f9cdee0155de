"""The conversation: history in a thread, actions only after a yes, commands, and what a failure looks like."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from agent.chat.graph import MAX_TURNS, ChatParts, Conversation
from agent.chat.reply import Reply
from agent.errors import SourceUnreachable
from claims.claim import Claim
from claims.clock import FrozenClock
from claims.store import Store
from tests.chat_store import fill
from tests.dossiers import NOW
from tests.factories import a_claim

CLOCK = FrozenClock(NOW)


class Acted:
    """Actions that only note what they were asked for, or fail."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.done: list[tuple[str, str]] = []
        self._failure = failure

    def retest(self, claim: Claim) -> str:
        return self._do("retest", claim)

    def experiment(self, claim: Claim) -> str:
        return self._do("experiment", claim)

    def _do(self, what: str, claim: Claim) -> str:
        self.done.append((what, claim.id))
        if self._failure:
            raise self._failure
        return f"{what} done"


@pytest.fixture
def filled(sqlite_url: str) -> Iterator[Store]:
    """A store with the whole invented inquiry."""
    with Store.open(sqlite_url, clock=CLOCK) as store:
        fill(store)
        yield store


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[SqliteSaver]:
    """Checkpoints in a file."""
    with SqliteSaver.from_conn_string(str(tmp_path / "checkpoints.sqlite3")) as opened:
        yield opened


def text(reply: Reply) -> str:
    return " ".join(s.text for s in reply.sentences)


def test_a_conversation_remembers_its_claim_and_its_turns_in_another_process(filled: Store, saver: SqliteSaver) -> None:
    Conversation(ChatParts(filled, CLOCK), saver, "a").say("Does LIMA still hold?")
    again = Conversation(ChatParts(filled, CLOCK), saver, "a")
    assert [t["question"] for t in again.history()] == ["Does LIMA still hold?"]
    assert "since 2026-05-09" in text(again.say("since when?"))
    assert len(again.history()) == 2
    other = Conversation(ChatParts(filled, CLOCK), saver, "b")
    assert other.history() == []
    assert "Which claim?" in text(other.say("since when?"))


def test_nothing_is_started_for_a_claim_that_is_only_near(filled: Store, saver: SqliteSaver) -> None:
    said = "Low-rank adapters forget less of what a model knew before than full fine-tuning does."
    filled.put_claim(a_claim("adapters-forget-less-000001", text=said, anchors=()))
    acted = Acted()
    conversation = Conversation(ChatParts(filled, CLOCK, actions=acted), saver, "a")
    said = text(conversation.say("/retest LoRA suffers catastrophic forgetting", approve=lambda _: True))
    assert "adapters-forget-less-000001" in said and "name it by its id" in said
    assert acted.done == []
    conversation.say("/retest adapters-forget-less-000001", approve=lambda _: True)
    assert acted.done == [("retest", "adapters-forget-less-000001")]


@pytest.mark.parametrize("message", ["/retest LIMA curated examples", "please retest LIMA", "/experiment few-examples"])
def test_nothing_is_started_without_a_yes(filled: Store, saver: SqliteSaver, message: str) -> None:
    acted = Acted()
    asked: list[str] = []
    conversation = Conversation(ChatParts(filled, CLOCK, actions=acted), saver, "a")

    def no(question: str) -> bool:
        asked.append(question)
        return False

    assert text(conversation.say(message, approve=no)) == "Not started."
    assert acted.done == []
    assert "few-examples" in asked[0]
    assert "done" in text(conversation.say(message, approve=lambda question: True))
    assert [claim for _, claim in acted.done] == ["few-examples"]


def test_an_action_without_a_name_is_about_the_claim_that_was_spoken_of(filled: Store, saver: SqliteSaver) -> None:
    acted = Acted()
    conversation = Conversation(ChatParts(filled, CLOCK, actions=acted), saver, "a")
    assert "Which claim?" in text(conversation.say("/retest", approve=lambda q: True))
    conversation.say("Do models give near-identical answers?")
    conversation.say("/retest", approve=lambda q: True)
    assert acted.done == [("retest", "models-alike")]


def test_an_action_that_fails_says_why_and_the_conversation_goes_on(filled: Store, saver: SqliteSaver) -> None:
    acted = Acted(SourceUnreachable("arxiv", "no connection"))
    conversation = Conversation(ChatParts(filled, CLOCK, actions=acted), saver, "a")
    assert "could not be reached: no connection" in text(conversation.say("/retest LIMA", approve=lambda q: True))
    assert "Verdict" in text(conversation.say("does it still hold?"))


def test_a_question_that_was_left_unanswered_does_not_start_anything_later(filled: Store, saver: SqliteSaver) -> None:
    acted = Acted()
    conversation = Conversation(ChatParts(filled, CLOCK, actions=acted), saver, "a")

    def interrupted(question: str) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conversation.say("/experiment LIMA", approve=interrupted)
    reply = conversation.say("Does LIMA still hold?", approve=lambda q: True)
    assert "Verdict" in text(reply)
    assert acted.done == []


def test_commands_show_help_and_refuse_what_is_none(filled: Store, saver: SqliteSaver) -> None:
    conversation = Conversation(ChatParts(filled, CLOCK), saver, "a")
    shown = conversation.say("/show few-examples")
    assert shown.claim_ids == ("few-examples",)
    assert "2604.00001" in text(shown)
    assert "/retest" in text(conversation.say("/help"))
    assert "No such command" in text(conversation.say("/delete everything"))
    assert "I do not hold a claim on that" in text(conversation.say("/show coffee and tea"))
    assert "can answer and not act" in text(conversation.say("/retest few-examples", approve=lambda q: True))


def test_a_thread_forgets_its_oldest_turns(filled: Store, saver: SqliteSaver) -> None:
    conversation = Conversation(ChatParts(filled, CLOCK), saver, "a")
    for n in range(MAX_TURNS + 3):
        conversation.say(f"/nothing {n}")
    assert len(conversation.history()) == MAX_TURNS
    assert conversation.history()[-1]["question"] == f"/nothing {MAX_TURNS + 2}"
