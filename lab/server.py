"""Serve the lab, or be one of its control workers.

`python -m lab.server` serves with a control worker in the same process; runs are processes of their own and outlive
both. Loopback by default; any other address needs a token that the operator chose.
"""

import argparse
import contextlib
import ipaddress
import json
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from pydantic import SecretStr

from claims.clock import SystemClock
from lab.app import make_app
from lab.catalogue import Catalogue
from lab.control import Queue, Worker
from lab.errors import LabError
from lab.ledger import Ledger
from lab.processes import identify
from lab.runs import take, write_atomic
from lab.settings import LabSettings
from lab.workers import Patrol, Seat

log = logging.getLogger(__name__)

_REQUEUE_S = 60.0
"""Seconds between two looks for runs that have no end and are in no queue."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    settings: LabSettings | None = None,
    worker: bool = True,
    holders: bool = False,
) -> None:
    """Serve until a signal says to stop (SIGTERM, SIGINT). Runs that are under way are left to go on.

    Raises LabError when the address is not loopback and no token is set, when the port is taken, or when a lab serves
    this home already. With `holders`, the lab ends by itself some time after its last local user is gone.
    """
    settings = settings or LabSettings.load()
    if settings.token is None:
        if not is_loopback(host):
            raise LabError(f"refusing to serve on {host} without a token: set RETEST_LAB_TOKEN, or bind to 127.0.0.1")
        settings = settings.model_copy(update={"token": SecretStr(secrets.token_urlsafe(32))})
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = take(settings.home / "server.lock", within_s=1.0)
    if lock is None:
        raise LabError(f"a lab serves {settings.home} already; its address is in {settings.home / 'lab.json'}")
    try:
        bound = _bind(host, port)
        _serve(settings, bound, worker=worker, holders=holders)
    finally:
        os.close(lock)


def _serve(settings: LabSettings, bound: socket.socket, *, worker: bool, holders: bool) -> None:
    clock = SystemClock()
    catalogue = Catalogue(settings.protocols)
    ledger = Ledger(settings.home, catalogue, clock)
    queue = Queue(settings)
    queue.put_open(ledger)
    with contextlib.ExitStack() as stack:
        stack.enter_context(Patrol(lambda: queue.put_open(ledger), _REQUEUE_S))
        if worker:
            stack.enter_context(working(settings, ledger))
        app = make_app(settings, ledger, catalogue, queue, workers=int(worker))
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, server_header=False)
        )
        note = _announce(settings, bound, holders=holders)
        stack.callback(note.unlink, missing_ok=True)
        if holders:
            threading.Thread(target=_leave_when_alone, args=(settings, server), daemon=True).start()
        # uvicorn raises the signal that stopped it once more when it has stopped; the block above must still be left.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        server.run(sockets=[bound])
    queue.close()


def work(settings: LabSettings | None = None) -> None:
    """Be a control worker without a server, until a signal says to stop. Several may share one database."""
    settings = settings or LabSettings.load()
    Queue(settings).close()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with working(settings, Ledger(settings.home, Catalogue(settings.protocols), SystemClock())) as worker:
        log.info("control worker %s is at work", worker.name)
        while not stop.wait(0.5):
            pass


@contextlib.contextmanager
def working(settings: LabSettings, ledger: Ledger) -> Iterator[Worker]:
    """Be a control worker for the block."""
    with Seat(settings.home / "workers", settings.heartbeat_s) as seat:
        worker = Worker(settings, ledger, SystemClock(), name=seat.name)
        with worker:
            yield worker


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, so that asyncio turns Nagle off
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as exc:
        bound.close()
        raise LabError(f"cannot serve on {host}:{port}: {exc.strerror}") from exc
    return bound


def _announce(settings: LabSettings, bound: socket.socket, *, holders: bool) -> Path:
    """Leave the address and token where this user's other programs find them, readable by no one else."""
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    assert settings.token is not None, "serve() sets one"
    me = identify(os.getpid())
    note = {
        "url": f"http://{shown}:{port}",
        "token": settings.token.get_secret_value(),
        "pid": os.getpid(),
        "started": me.started if me is not None else None,
        "holders": holders,
    }
    path = settings.home / "lab.json"
    old = os.umask(0o077)
    try:
        write_atomic(path, (json.dumps(note) + "\n").encode())
    finally:
        os.umask(old)
    log.info("the lab serves on %s", note["url"])
    return path


def _leave_when_alone(settings: LabSettings, server: uvicorn.Server) -> None:
    """End the server when nobody has held it for a while. Its users hold `holders.lock` shared, and let go by dying."""
    alone_since: float | None = None
    while not server.should_exit:
        time.sleep(2.0)
        lock = take(settings.home / "holders.lock")
        if lock is None:
            alone_since = None
            continue
        os.close(lock)
        alone_since = alone_since or time.monotonic()
        if time.monotonic() - alone_since > 30.0:
            server.should_exit = True


def main(arguments: list[str] | None = None) -> int:
    """`python -m lab.server [--host H] [--port P] [--no-worker] [--holders]`."""
    parser = argparse.ArgumentParser(prog="lab.server", description="Serve the lab over HTTP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--no-worker", action="store_true", help="only take requests; control workers run elsewhere")
    parser.add_argument("--holders", action="store_true", help="end when no local user holds the lab")
    parser.add_argument("--only-worker", action="store_true", help="no server; conduct what others take in")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        if given.only_worker:
            work()
            return 0
        serve(given.host, given.port, worker=not given.no_worker, holders=given.holders)
    except LabError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 2
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Past the threads that wait for runs: those runs go on, and the next control worker attaches to them.
    os._exit(code)
