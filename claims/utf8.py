"""Texts that can be written: a source may hold half a surrogate pair, which is no UTF-8."""


def clean(text: str) -> str:
    """Replace lone surrogates by question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
