"""`retest doctor`: what is installed, reachable and configured, and what to do about the rest."""

import importlib.util
import os
import shutil
import socket
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import click

from agent.cli.output import console, json_option, plain, print_json, set_up_logging

if TYPE_CHECKING:
    from agent.settings import Settings

FREE_GIB = 2.0
"""Free disk below which doctor warns: a tiny experiment and a mirror of 128,000 papers need about 1 GiB."""


class Finding(NamedTuple):
    """One thing that doctor looked at."""

    what: str
    state: str
    """`ok`, `note` (works without it) or `problem`"""
    said: str
    do: str = ""
    """what to do about it"""


@click.command("doctor")
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> int:
    """Check what is installed, reachable and configured. Changes nothing. Exit code 1 when there is a problem."""
    set_up_logging(ctx.obj["debug"])
    from agent.settings import load_settings

    settings = load_settings()
    findings = [*packages(), *home(settings), *store(settings), *network(settings), *lab(settings)]
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        out = console()
        for f in findings:
            out.print(f"{f.state:<8} {f.what:<14} {plain(f.said, 160)}")
            if f.do:
                out.print(f"{'':<23} -> {f.do}")
    return 1 if any(f.state == "problem" for f in findings) else 0


def packages() -> list[Finding]:
    """Look at what is installed."""
    found = [Finding("retest", "ok", f"version {version('retest')}")]
    for name, extra, why in (("trl", "lab", "experiments on this machine"), ("psycopg", "postgres", "PostgreSQL")):
        try:
            found.append(Finding(name, "ok", f"{name} {version(name)}: {why}"))
        except PackageNotFoundError:
            found.append(Finding(name, "note", f"not installed: no {why}", f"pip install 'retest[{extra}]'"))
    return found


def home(settings: "Settings") -> list[Finding]:
    """Look at the data folder."""
    folder = settings.home
    at = folder
    while not at.exists():
        at = at.parent
    if not at.is_dir():
        return [Finding("home", "problem", f"{at} is not a folder", "set RETEST_HOME to a folder")]
    if not os.access(at, os.W_OK):
        return [Finding("home", "problem", f"{folder} cannot be written", "set RETEST_HOME to a folder you may write")]
    free = shutil.disk_usage(at).free / 2**30
    state = "ok" if free >= FREE_GIB else "problem"
    do = "" if state == "ok" else "free some disk, or set RETEST_HOME to another disk"
    return [Finding("home", state, f"{folder}, {free:.1f} GiB free", do)]


def store(settings: "Settings") -> list[Finding]:
    """Look at the database without changing it."""
    from claims.errors import StoreError
    from claims.store import Store

    url = settings.store_url
    shown = url.split("@")[-1] if "@" in url else url
    if url.startswith("sqlite") and not (settings.home / "retest.sqlite3").exists() and not settings.database_url:
        return [Finding("store", "note", f"{shown} is not there yet", "the first `retest run` or `import` makes it")]
    try:
        with Store.open(url, migrate=False) as held:
            counts = held.count_papers()
            claims = len(held.claims())
    except StoreError as exc:
        return [Finding("store", "problem", str(exc), "`retest list` brings an older schema up to date; back up first")]
    papers = ", ".join(f"{n:,} {source.value}" for source, n in counts.items()) or "none"
    return [Finding("store", "ok", f"{shown}: {claims} claims; papers: {papers}")]


def network(settings: "Settings") -> list[Finding]:
    """Look whether arXiv answers on its port. No request is made, so that the pace is not used up."""
    parts = urlsplit(settings.arxiv_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=3):
            return [Finding("arxiv", "ok", f"{parts.hostname} answers")]
    except OSError as exc:
        do = "works without: `--source mirror` or `library`; behind a proxy set HTTPS_PROXY"
        return [Finding("arxiv", "note", f"{parts.hostname} cannot be reached: {exc}", do)]


def lab(settings: "Settings") -> list[Finding]:
    """Look whether an experiment could be run."""
    if settings.lab_url:
        from agent.errors import Final, Retryable
        from agent.wiring import connect_lab

        try:
            with connect_lab(settings) as client:
                client.health()
        except (Retryable, Final) as exc:
            return [Finding("lab", "problem", str(exc), "start it with `retest lab serve`, or unset RETEST_LAB_URL")]
        return [Finding("lab", "ok", f"{settings.lab_url} answers")]
    if importlib.util.find_spec("torch") is None:
        return [Finding("lab", "note", "none configured, and torch is not installed", "pip install 'retest[lab]'")]
    return [Finding("lab", "ok", "none configured: one is started on loopback when a command needs it")]
