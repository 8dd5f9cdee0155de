"""Shows pairs to a person one by one, and keeps each answer at once, so that no way of leaving loses one."""

import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

import click

from agent.cli.output import console, plain
from agent.judges.person import KEYS, Question, answer, held_before, numbered, suggested, words_of
from claims.errors import QuoteMismatch
from claims.evidence import Assessment, JudgeName, PaperEvidence, Stance

if TYPE_CHECKING:
    from claims.claim import Claim
    from claims.clock import Clock
    from claims.paper import Paper
    from claims.store import Store

HELP = "s supports · c contradicts · q qualifies · n neutral · u takes back the last · any other key skips · x ends"
_WITH_WORDS = re.compile(r"(\S)\s+(\S.*)")
"""A line of a script that gives the words with the key: `c 2`."""


class Pressed(NamedTuple):
    """What a person answered to a pair."""

    key: str
    """empty at the end of the input"""
    words: str = ""
    """number of a sentence, or words; empty for those that are suggested"""


class _Said(NamedTuple):
    at: int
    """which pair"""
    evidence: PaperEvidence
    instead: Assessment
    """what holds again when it is taken back"""


class Sitting:
    """One person's answers on one claim, in the order that they were given."""

    def __init__(self, claim: "Claim", person: str, store: "Store", clock: "Clock") -> None:
        self._claim, self._person, self._store, self._clock = claim, person, store, clock
        self._said: list[_Said] = []

    @property
    def given(self) -> list[PaperEvidence]:
        """The answers that were not taken back."""
        return [said.evidence for said in self._said]

    def keep(self, at: int, question: Question, stance: Stance, *, reason: str, words: str) -> None:
        """Store an answer. Raises QuoteMismatch when the words are not in the paper; then nothing is stored."""
        on, earlier = self._clock.now().date(), question.proposed
        assessment = answer(
            question.paper,
            stance,
            person=self._person,
            reason=reason,
            on=on,
            words=words or None,
            proposed=earlier,
        )
        own = [earlier, assessment] if earlier.judge == assessment.judge else [assessment]
        instead = held_before(own, person=self._person, on=on)
        self._said.append(_Said(at, self._store_one(question.paper, assessment), instead))

    def take_back(self, questions: Sequence[Question]) -> int | None:
        """Take the last answer back, and tell which pair it was on; None when nothing is left to take back."""
        if not self._said:
            return None
        said = self._said.pop()
        self._store_one(questions[said.at].paper, said.instead)
        return said.at

    def _store_one(self, paper: "Paper", assessment: Assessment) -> PaperEvidence:
        evidence = PaperEvidence.of(self._claim.id, paper, assessment, self._clock.now())
        self._store.add_evidence([evidence])
        return evidence


def ask_all(sitting: Sitting, questions: Sequence[Question]) -> None:
    """Show the pairs one by one, until there is none left or the person ends it."""
    err = console(stderr=True)
    err.print(f"{HELP}\n")
    at = 0
    while at < len(questions) or sitting.given:
        question = questions[at] if at < len(questions) else None
        if question is None:
            err.print("that was the last: u takes it back, any other key ends")
        else:
            show_question(question, at + 1, len(questions))
        pressed = read_key()
        if pressed.key in ("x", "") or (question is None and pressed.key != "u"):
            break
        if pressed.key == "u":
            back = sitting.take_back(questions)
            if back is None:
                err.print("nothing to take back in this sitting; `--again` shows what you said before")
            else:
                at = back
            continue
        if question is not None and pressed.key in KEYS:
            stance = KEYS[pressed.key]
            words = pressed.words if stance is Stance.NEUTRAL else pressed.words or read_words(question)
            sitting.keep(at, question, stance, reason=read_line("why (may be empty): "), words=words)
        at += 1


def show_question(question: Question, number: int, of: int) -> None:
    """Print one pair: what holds of it now, the words that rests on, the text with its sentences numbered."""
    from rich.padding import Padding
    from rich.table import Table

    err = console(stderr=True)
    paper = question.paper
    err.print(f"[{number}/{of}] arXiv:{paper.id} {paper.published}")
    err.print(Padding(said_so_far(question), (0, 0, 0, 4)))
    for quote in question.proposed.quotes:
        err.print(Padding(f"“{plain(quote.text)}”", (0, 0, 0, 4)))
    text = Table.grid(padding=(0, 1, 0, 0))
    text.add_column(width=6, justify="right")
    text.add_column(overflow="fold")
    for n, sentence in enumerate(numbered(paper)):
        text.add_row(str(n), plain(sentence))
    err.print(text)
    err.print("" if paper.abstract or paper.finding else "       no text held\n")


def said_so_far(question: Question) -> str:
    """Say what holds of the pair now, and who says so."""
    from claims.report.phrases import chances

    said = question.proposed
    if said.judge.name is JudgeName.PERSON:
        return f"you said {said.stance.value} ({plain(said.explanation)})"
    by = f"{said.judge.name.value} judge"
    if said.could_not_judge:
        return f"{by}: {plain(said.explanation)}"
    if not said.unsure:
        return f"{by}: {said.stance.value}"
    return f"{by}: {said.leaning} (unsure; {chances(said) or plain(said.explanation)})"


def read_words(question: Question) -> str:
    """Let a person at a terminal say which words a stance rests on, until they are in the paper; empty for the rest."""
    if not sys.stdin.isatty():
        return ""
    err = console(stderr=True)
    for quote in suggested(question.paper, question.proposed):
        err.print(f"suggested: “{plain(quote.text)}”")
    while words := read_line("words (a sentence's number, or paste them; Enter keeps the suggested): "):
        try:
            words_of(question.paper, words)
        except QuoteMismatch as exc:
            err.print(str(exc))
        else:
            break
    return words


def read_key() -> Pressed:
    """Read one key; without a terminal, a line: its first character, and words behind a blank."""
    if sys.stdin.isatty():
        return Pressed(click.getchar().lower())
    line = sys.stdin.readline()
    if with_words := _WITH_WORDS.fullmatch(line.strip()):
        return Pressed(with_words[1].lower(), with_words[2])
    return Pressed((line.strip() or "-")[0].lower() if line else "")


def read_line(question: str) -> str:
    """Read one line from a person; empty at the end of the input."""
    if sys.stdin.isatty():
        return str(click.prompt(question, default="", show_default=False, prompt_suffix="", err=True))
    return sys.stdin.readline().strip()


@contextmanager
def left_in_order() -> Iterator[None]:
    """Make a closed terminal and a polite kill end a sitting as Ctrl-C does, so that what is at its end is done."""

    def leave(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = {number: signal.signal(number, leave) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
