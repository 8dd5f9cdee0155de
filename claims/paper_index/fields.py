"""What of a paper is indexed, and how its text becomes terms."""

from typing import Final

import tantivy

from claims.paper import Paper
from claims.utf8 import clean

SCHEMA: Final = 1
"""Changes with every change of fields or analysis; each version keeps a folder of its own."""


def english() -> tantivy.TextAnalyzer:
    """Analyse running text: lower case, no accents, no stop words, stemmed."""
    chain = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.remove_long(60))
    chain = chain.filter(tantivy.Filter.lowercase()).filter(tantivy.Filter.ascii_fold())
    return chain.filter(tantivy.Filter.stopword("english")).filter(tantivy.Filter.stemmer("english")).build()


def names() -> tantivy.TextAnalyzer:
    """Analyse names: lower case, no accents."""
    chain = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.lowercase())
    return chain.filter(tantivy.Filter.ascii_fold()).build()


def schema() -> tantivy.Schema:
    """Give the fields of a paper."""
    build = tantivy.SchemaBuilder()
    build.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    build.add_text_field("text", tokenizer_name="retest_en")
    build.add_text_field("title", tokenizer_name="retest_en")
    build.add_text_field("title_key", tokenizer_name="raw", index_option="basic")
    build.add_text_field("short_name", tokenizer_name="raw", index_option="basic")
    build.add_text_field("authors", tokenizer_name="retest_names", index_option="freq")
    build.add_text_field("category", tokenizer_name="raw", index_option="basic")
    build.add_integer_field("first_day", fast=True)
    build.add_integer_field("last_day", fast=True)
    return build.build()


SCHEMA_FIELDS: Final = schema()
"""The fields, built once."""
_ENGLISH = english()
_NAMES = names()


def terms_of(text: str) -> list[str]:
    """Give the distinct index terms of a text, in order: lower case, without accents and stop words, stemmed."""
    return list(dict.fromkeys(analysed(text)))


def analysed(text: str) -> list[str]:
    """Give the index terms of a text with their repetitions, for whoever counts them."""
    return list(_ENGLISH.analyze(clean(text)))


def analyse(field: str, text: str) -> list[str]:
    """Give the terms of a text as a field holds them, in order, repeats included."""
    return list((_NAMES if field == "authors" else _ENGLISH).analyze(clean(text)))


def title_key(title: str) -> str:
    """Fold a title to what stays equal across sources: letters and digits, lower case, without accents."""
    return " ".join(_NAMES.analyze(clean(title)))[:500]


def document(paper: Paper) -> tantivy.Document:
    """Make the index's document of a paper."""
    doc = tantivy.Document()
    title = clean(paper.title)
    doc.add_text("id", paper.id)
    doc.add_text("text", " \n ".join((title, title, clean(paper.abstract or ""), clean(paper.finding or ""))))
    doc.add_text("title", title)
    doc.add_text("title_key", title_key(title))
    name, colon, _ = title.partition(":")
    if colon and len(name) <= 60:
        doc.add_text("short_name", title_key(name))
    doc.add_text("authors", clean("; ".join(paper.authors)))
    for category in paper.categories:
        doc.add_text("category", clean(category))
    doc.add_integer("first_day", paper.published.start.toordinal())
    doc.add_integer("last_day", paper.published.end.toordinal())
    return doc
