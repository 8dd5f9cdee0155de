"""What commands share at the edge: `--json`, the console, and the settings with their overrides."""

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """Add `--json`: one JSON document on stdout; logs and progress stay on stderr."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def print_json(value: object) -> None:
    """Write one JSON document on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def console(*, stderr: bool = False) -> "Console":
    """Give a console that is plain when it is not a terminal. Width 100 when there is none."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS", "110"))
    return Console(stderr=stderr, width=width, highlight=False, emoji=False, markup=False)


def set_up_logging(debug: bool) -> None:
    """Log to stderr: warnings, or everything of ours with `--debug`; as JSON with `RETEST_LOG=json`."""
    if os.environ.get("RETEST_LOG") == "json":
        from agent.observe.logs import set_up_logs
        from agent.settings import load_settings

        set_up_logs(load_settings(), debug=debug)
        return
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    if debug:
        for name in ("agent", "claims", "lab"):
            logging.getLogger(name).setLevel(logging.DEBUG)


def plain(text: str, width: int | None = None) -> str:
    """Make text of papers and people safe for a terminal: one line, no control or direction-changing characters."""
    import unicodedata

    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    one_line = " ".join(kept.split())
    if width is not None and len(one_line) > width:
        return one_line[: max(width - 1, 0)].rstrip() + "…"
    return one_line
