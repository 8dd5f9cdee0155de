"""Chooses the words that a stance rests on, and cuts them out of the stored text byte for byte."""

import re
from collections.abc import Sequence
from typing import Final

from agent.judges.sentences import Sentence
from claims.evidence import Quote
from claims.paper import Paper, TextField

MAX_QUOTE_CHARACTERS = 600
"""A longer sentence is cut at the last white space before this; a quote should be read at a glance."""

LEAST_QUOTE_WORDS: Final = 4
LEAST_QUOTE_CHARACTERS: Final = 20
"""Of words that can be the ground of a stance: a letter or a name stands in any text. None of the 495 quotes in the
labelled claims is shorter."""


def is_telling(quote: Quote) -> bool:
    """Tell whether a quote is long enough to say something."""
    n_words = sum(any(map(str.isalnum, word)) for word in quote.text.split())
    return len(quote.text) >= LEAST_QUOTE_CHARACTERS and n_words >= LEAST_QUOTE_WORDS


_NO_WORD_CUT: Final = r"(?:(?<!\w)|(?!\w))"


def located(paper: Paper, words: str) -> Quote | None:
    """Find quoted words in a paper's stored text, white space aside, and cut them out as they stand there.

    None when they are not there as whole words.
    """
    parts = words.split()
    if not parts:
        return None
    pattern = re.compile(_NO_WORD_CUT + r"\s+".join(re.escape(part) for part in parts) + _NO_WORD_CUT)
    for field in (TextField.ABSTRACT, TextField.FINDING, TextField.TITLE):
        if match := pattern.search(paper.text_of(field)):
            return Quote.cut(paper, field, match.start(), match.end())
    return None


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
