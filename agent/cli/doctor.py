"""`retest doctor`: what is installed, reachable and configured, and what to do about the rest."""

import errno
import importlib.util
import os
import shutil
import socket
import tempfile
from datetime import timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import click

from agent.cli.output import console, json_option, plain, print_json, set_up_logging

if TYPE_CHECKING:
    from agent.settings import Settings

FREE_GIB = 2.0
"""Free disk below which doctor warns: a tiny experiment and a mirror of 128,000 papers need about 1 GiB."""

CLOCK_OFF = timedelta(minutes=5)
"""Difference from a server's clock that doctor reports: nights, leases and `as of` days are told by ours."""


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
    looks = (home, store, network, judge, model, lab, web)
    findings = [*packages(), *(finding for look in looks for finding in look(settings))]
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
    if not os.access(at, os.W_OK | os.X_OK):
        return [Finding("home", "problem", f"{folder} cannot be written", "set RETEST_HOME to a folder you may write")]
    free = shutil.disk_usage(at).free / 2**30
    state = "ok" if free >= FREE_GIB else "problem"
    do = "" if state == "ok" else "free some disk, or set RETEST_HOME to another disk"
    return [Finding("home", state, f"{folder}, {free:.1f} GiB free", do)]


def store(settings: "Settings") -> list[Finding]:
    """Look at the database without changing it."""
    from claims.errors import InputError, SchemaMismatch, StoreError
    from claims.paper import Source
    from claims.store import Store

    url = settings.store_url
    shown = url.split("@")[-1]
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return [Finding("store", "note", f"{shown} is not there yet", "the first `retest run` or `import` makes it")]
    try:
        with Store.open(url, migrate=False) as held:
            counts = held.count_papers()
            claims = len(held.claims())
    except SchemaMismatch as exc:
        return [Finding("store", "problem", str(exc), _about_schema(url))]
    except (StoreError, InputError) as exc:
        return [Finding("store", "problem", str(exc), "is the database there, and RETEST_DATABASE_URL right?")]
    papers = ", ".join(f"{n:,} {source.value}" for source, n in counts.items()) or "none"
    found = [Finding("store", "ok", f"{shown}: {claims} claims; papers: {papers}")]
    if not counts.get(Source.MIRROR):
        do = "`retest mirror import FILE` (Kaggle's arXiv snapshot), then `retest mirror harvest` keeps it fresh"
        found.append(Finding("mirror", "note", "holds no papers: searches ask arXiv or the starter library", do))
    return found


def _about_schema(url: str) -> str:
    from claims.store.engine import Door, connect
    from claims.store.schema import known_revisions, schema_status

    door = Door(connect(url))
    try:
        current = schema_status(door).current
    finally:
        door.engine.dispose()
    if current is None or current in known_revisions():
        return "`retest backup FILE` with the version that wrote it, then `retest list` brings it up to date"
    return "a newer retest wrote it: install that version here"


def network(settings: "Settings") -> list[Finding]:
    """Ask arXiv's server for its front page's head: whether it answers, and what time it has. The API is not asked."""
    import httpx

    parts = urlsplit(settings.arxiv_url)
    try:
        answer = httpx.head(f"{parts.scheme}://{parts.netloc}/", timeout=5.0)
    except httpx.HTTPError as exc:
        do = "works without: `--source mirror` or `library`; behind a proxy set HTTPS_PROXY"
        if "certificate" in str(exc).lower():
            do = "is the clock right? behind a proxy that opens TLS, set SSL_CERT_FILE to its certificate"
        return [Finding("arxiv", "note", f"{parts.hostname} cannot be reached: {exc or type(exc).__name__}", do)]
    found = [Finding("arxiv", "ok", f"{parts.hostname} answers")]
    return [*found, *clock(answer.headers.get("date"), parts.hostname or "")]


def clock(date: str | None, whose: str) -> list[Finding]:
    """Compare our clock with the Date header of a server."""
    from claims.clock import SystemClock

    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return []
    if theirs.tzinfo is None:
        return []
    off = SystemClock().now() - theirs
    if abs(off) <= CLOCK_OFF:
        return [Finding("clock", "ok", f"agrees with {whose}")]
    way = "ahead of" if off > timedelta() else "behind"
    said = f"is {str(abs(off)).partition('.')[0]} {way} {whose}: nights and days would be named wrongly"
    return [Finding("clock", "problem", said, "set it (`timedatectl set-ntp true`)")]


def judge(settings: "Settings") -> list[Finding]:
    """Look whether the local judge was refitted, and whether that refit is the one in use."""
    from agent.judges.model import shipped_model
    from agent.judges.refitted import held
    from claims.errors import InputError

    try:
        found = held(settings.home)
    except InputError as exc:
        return [Finding("judge", "problem", str(exc), "`retest judge fit --reset` goes back to the one that ships")]
    if found is None:
        return []
    who = f"refitted by {found.fitted_by} on {found.fitted_at:%Y-%m-%d} with {found.n_labels} stances of people"
    if found.base_version != shipped_model().version:
        do = "`retest judge fit` fits it again, `--reset` removes it"
        return [Finding("judge", "problem", f"{who}, from another model than ships now, which is used", do)]
    return [Finding("judge", "ok", f"{found.version}, {who}")]


def model(settings: "Settings") -> list[Finding]:
    """Look whether the configured language model could be asked. It is asked nothing, so that nothing is paid."""
    if not settings.llm:
        said = "none configured: chat answers from the store, and the local judge weighs"
        return [Finding("llm", "note", said, "set RETEST_LLM to provider:model (README: connect your model)")]
    from agent.wiring import open_llm
    from claims.errors import InputError

    try:
        with tempfile.TemporaryDirectory() as folder:
            open_llm(settings.model_copy(update={"home": Path(folder)}))
    except InputError as exc:
        return [Finding("llm", "problem", str(exc), "set what it names, or unset RETEST_LLM")]
    if not settings.llm_url:
        return [Finding("llm", "ok", f"{settings.llm} is configured; whether its provider answers was not asked")]
    parts = urlsplit(settings.llm_url)
    try:
        address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        with socket.create_connection(address, timeout=3):
            return [Finding("llm", "ok", f"{settings.llm}: {parts.netloc} answers")]
    except OSError as exc:
        do = "start the model's server, or mend RETEST_LLM_URL"
        return [Finding("llm", "problem", f"{settings.llm}: {parts.netloc} cannot be reached: {exc}", do)]


def lab(settings: "Settings") -> list[Finding]:
    """Look whether an experiment could be run."""
    if settings.lab_url:
        from agent.errors import Final, Retryable
        from agent.wiring import connect_lab

        try:
            with connect_lab(settings) as client:
                n = len(client.protocols())
        except Retryable as exc:
            return [Finding("lab", "problem", str(exc), "start it with `retest lab serve`, or unset RETEST_LAB_URL")]
        except Final as exc:
            return [Finding("lab", "problem", str(exc), "give both sides the same RETEST_LAB_TOKEN")]
        return [Finding("lab", "ok", f"{settings.lab_url} answers, with {n} protocols")]
    if importlib.util.find_spec("torch") is None:
        return [Finding("lab", "note", "none configured, and torch is not installed", "pip install 'retest[lab]'")]
    return [Finding("lab", "ok", "none configured: one is started on loopback when a command needs it")]


def web(settings: "Settings") -> list[Finding]:
    """Look whether `retest serve` could start."""
    from agent.web.callers import check_exposure
    from claims.errors import InputError

    where = f"{settings.web_host}:{settings.web_port}"
    try:
        check_exposure(settings)
        family = socket.getaddrinfo(settings.web_host, settings.web_port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.web_host, settings.web_port))
    except InputError as exc:
        return [Finding("web", "problem", str(exc))]
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE:
            return [Finding("web", "problem", f"cannot serve on {where}: {exc.strerror}", "mend RETEST_WEB_HOST")]
        do = "it may be `retest serve` itself; else set RETEST_WEB_PORT to another port"
        return [Finding("web", "note", f"port {where} is taken", do)]
    return [Finding("web", "ok", f"`retest serve` can have {where}")]
