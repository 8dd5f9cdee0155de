"""The lab over HTTP. Handlers only write the request down and queue it; control workers do the rest.

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
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi import Path as UrlPath
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, SecretStr

from claims.clock import SystemClock
from claims.experiment import ExperimentView, ProtocolView, Submission
from lab.catalogue import Catalogue
from lab.control import Queue, Worker
from lab.errors import CorruptRunFolder, InvalidSpec, LabError, NoSuchExperiment
from lab.events import stream
from lab.ledger import Ledger
from lab.processes import identify
from lab.runs import take, write_atomic
from lab.settings import LabSettings
from lab.workers import Seat

log = logging.getLogger(__name__)

ExperimentId = Annotated[str, UrlPath(pattern=r"^exp-[0-9a-f]{12}$", description="`exp-` and 12 hex digits")]


class Health(BaseModel):
    """`GET /health`."""

    status: str = "ok"
    version: str
    protocols: list[str]
    cores: int
    gpus: int
    driver: str
    workers: int
    """control workers in this process"""


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "no token, or a wrong one"},
    413: {"model": Problem, "description": "the body is larger than this lab reads"},
}
_NOT_HERE: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "not submitted to this lab"}}


def make_app(settings: LabSettings, ledger: Ledger, catalogue: Catalogue, queue: Queue, *, workers: int = 0) -> FastAPI:
    """Give the application. `settings.token` must be set."""
    if settings.token is None:
        raise LabError("the lab's application needs a token")
    expected = settings.token.get_secret_value().encode()
    bearer = HTTPBearer(auto_error=False, description="RETEST_LAB_TOKEN")
    clock = SystemClock()

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        if given is None or not secrets.compare_digest(given.credentials.encode(), expected):
            raise HTTPException(401, "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"})

    app = FastAPI(
        title="retest lab",
        description="Runs pre-registered experiments, one process a seed. Sending an experiment twice starts it once.",
        version=_version(),
        responses=_PROBLEMS,
    )
    app.add_middleware(BodyLimit, most=settings.max_body_bytes)
    guarded = [Depends(check)]

    @app.exception_handler(InvalidSpec)
    async def refuse(_: Request, exc: InvalidSpec) -> JSONResponse:
        return JSONResponse({"detail": str(exc)}, status_code=422)

    @app.exception_handler(NoSuchExperiment)
    async def not_here(_: Request, exc: NoSuchExperiment) -> JSONResponse:
        return JSONResponse({"detail": str(exc)}, status_code=404)

    @app.exception_handler(CorruptRunFolder)
    async def corrupt(_: Request, exc: CorruptRunFolder) -> JSONResponse:
        return JSONResponse({"detail": f"{exc}; remove that file and send the experiment again"}, status_code=409)

    @app.get("/health", tags=["lab"])
    def health() -> Health:
        """Tell that the lab answers, and what it has. Needs no token."""
        return Health(
            version=_version(),
            protocols=[protocol.name for protocol in catalogue],
            cores=settings.cores,
            gpus=settings.gpus,
            driver=settings.driver,
            workers=workers,
        )

    @app.get("/protocols", dependencies=guarded, tags=["lab"])
    def protocols() -> list[ProtocolView]:
        """List the designs that this lab can run, with their pre-registrations."""
        return [protocol.view() for protocol in catalogue]

    @app.post(
        "/experiments",
        dependencies=guarded,
        status_code=201,
        tags=["experiments"],
        responses={200: {"model": ExperimentView, "description": "it was asked for before; nothing new starts"}},
    )
    def submit(
        submission: Submission,
        response: Response,
        retry_failed: Annotated[
            bool, Query(description="run failed seeds again; else they stay as they ended")
        ] = False,
    ) -> ExperimentView:
        """Bring an experiment to its number of seeds. The same request twice starts one experiment."""
        submitted = ledger.submit(submission, retry_failed=retry_failed)
        for order in submitted.waiting:
            queue.put(order)
        response.status_code = 201 if submitted.is_new else 200
        return ledger.view(submission.spec.id, cores=settings.cores)

    @app.get("/experiments", dependencies=guarded, tags=["experiments"])
    def experiments(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[ExperimentView]:
        """List experiments, newest first."""
        views: list[ExperimentView] = []
        for entry in ledger.entries():
            if len(views) == limit:
                break
            with contextlib.suppress(InvalidSpec):
                views.append(ledger.view(entry.spec.id, cores=settings.cores))
        return views

    @app.get("/experiments/{experiment_id}", dependencies=guarded, responses=_NOT_HERE, tags=["experiments"])
    def experiment(experiment_id: ExperimentId) -> ExperimentView:
        """Show an experiment with its runs and what they say so far."""
        return ledger.view(experiment_id, cores=settings.cores)

    @app.get(
        "/experiments/{experiment_id}/events",
        dependencies=guarded,
        responses={**_NOT_HERE, 200: {"content": {"text/event-stream": {}}, "description": "one Progress an event"}},
        response_class=StreamingResponse,
        tags=["experiments"],
    )
    def events(
        experiment_id: ExperimentId,
        last_event_id: Annotated[str, Header(max_length=20_000)] = "",
    ) -> StreamingResponse:
        """Stream the progress of all runs, and end when the experiment has. Goes on after `Last-Event-ID`."""
        ledger.entry(experiment_id)
        return StreamingResponse(
            stream(ledger, experiment_id, clock, last_id=last_event_id, cores=settings.cores),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @app.delete("/experiments/{experiment_id}", dependencies=guarded, responses=_NOT_HERE, tags=["experiments"])
    def cancel(experiment_id: ExperimentId) -> ExperimentView:
        """Stop every run of an experiment that is not over. Runs that are done keep their results."""
        ledger.cancel(experiment_id)
        return ledger.view(experiment_id, cores=settings.cores)

    return app


class BodyLimit:
    """Refuses bodies over a size, whatever their header says of it."""

    def __init__(self, app: Callable[..., Awaitable[None]], most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on a request whose body is small enough, else answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        body = b""
        is_large = not stated.isdigit() or int(stated) > self._most
        while not is_large:
            message = await receive()
            body += message.get("body", b"")
            is_large = len(body) > self._most
            if message["type"] != "http.request" or not message.get("more_body"):
                break
        if is_large:
            answer = JSONResponse({"detail": f"the body is larger than {self._most} bytes"}, status_code=413)
            await answer(scope, receive, send)
            return
        pending: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Any:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)


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
    settings = settings or LabSettings()
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
    for order in ledger.open_orders():
        # What was written down and not queued before the last end of this server, or with another database.
        queue.put(order)
    with contextlib.ExitStack() as stack:
        if worker:
            stack.enter_context(working(settings, ledger))
        app = make_app(settings, ledger, catalogue, queue, workers=int(worker))
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, server_header=False)
        )
        note = _announce(settings, bound)
        stack.callback(note.unlink, missing_ok=True)
        if holders:
            threading.Thread(target=_leave_when_alone, args=(settings, server), daemon=True).start()
        server.run(sockets=[bound])
    queue.close()


@contextlib.contextmanager
def working(settings: LabSettings, ledger: Ledger) -> Iterator[Worker]:
    """Be a control worker for the block."""
    with Seat(settings.home / "workers", settings.heartbeat_s) as seat:
        worker = Worker(settings, ledger, SystemClock(), name=seat.name)
        with worker:
            yield worker


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as exc:
        bound.close()
        raise LabError(f"cannot serve on {host}:{port}: {exc.strerror}") from exc
    return bound


def _announce(settings: LabSettings, bound: socket.socket) -> Path:
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


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("retest")
    except PackageNotFoundError:
        return "0"


def main(arguments: list[str] | None = None) -> int:
    """`python -m lab.server [--host H] [--port P] [--no-worker] [--holders]`."""
    parser = argparse.ArgumentParser(prog="lab.server", description="Serve the lab over HTTP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--no-worker", action="store_true", help="only take requests; control workers run elsewhere")
    parser.add_argument("--holders", action="store_true", help="end when no local user holds the lab")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
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
