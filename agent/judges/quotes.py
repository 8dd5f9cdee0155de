"""Chooses the words that a stance rests on, and cuts them out of the stored text byte for byte."""

from collections.abc import Sequence

from agent.judges.sentences import Sentence
from claims.evidence import Quote
from claims.paper import Paper

MAX_QUOTE_CHARACTERS = 600
"""A longer sentence is cut at the last white space before this; a quote should be read at a glance."""


def quote_of(paper: Paper, sentence: Sentence) -> Quote:
    """Cut one sentence out of a paper's text. Raises QuoteMismatch when the sentence is not of this paper."""
    end = sentence.end
    if end - sentence.start > MAX_QUOTE_CHARACTERS:
        cut = sentence.text.rfind(" ", 1, MAX_QUOTE_CHARACTERS)
        end = sentence.start + (cut if cut > 0 else MAX_QUOTE_CHARACTERS)
    return Quote.cut(paper, sentence.field, sentence.start, end)


def grounded(paper: Paper, offered: Sequence[Quote]) -> tuple[tuple[Quote, ...], int]:
    """Keep the quotes that are byte-exact parts of the paper's text; give them with the count of those that are not."""
    kept = tuple(q for q in offered if q.is_in(paper))
    return kept, len(offered) - len(kept)
