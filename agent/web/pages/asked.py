"""Reads what a page is asked for: days, page numbers, addresses of the same page with something changed."""

from collections.abc import Callable, Mapping
from datetime import date
from urllib.parse import urlencode

from claims.errors import InputError

PAGE_SIZE = 50
"""Lines of a list on one page."""

MAX_PAGE = 200_000
"""More pages than any list has; a database takes no larger number than 64 bits."""


def day(text: str) -> date | None:
    """Read a day from a date field; None for an empty one. Raises InputError."""
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as exc:
        raise InputError(f"not a day: {text[:40]!r} (expected something like 2026-08-21)") from exc


def nearest(page: int, pages: int = MAX_PAGE) -> int:
    """Give the number of the page that is nearest to the one asked for."""
    return min(max(1, page), pages)


def n_pages(n: int) -> int:
    """Count the pages of a list; an empty one has one."""
    return max(1, -(-n // PAGE_SIZE))


def addresses(path: str, asked: Mapping[str, object]) -> Callable[[int], str]:
    """Give what makes the address of a page of a list from its number, with the rest of the question kept."""
    kept = {name: str(value) for name, value in asked.items() if value}

    def address(page: int) -> str:
        query = urlencode(kept | ({"page": str(page)} if page > 1 else {}))
        return f"{path}?{query}" if query else path

    return address
