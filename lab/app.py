"""The lab's HTTP interface. Handlers only write the request down and queue it; control workers do the rest."""

import errno
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi import Path as UrlPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from claims.clock import SystemClock
from claims.entailment import Answer, Question
from claims.experiment import ExperimentView, ProtocolView, Submission
from claims.served import ServedModel
from claims.vectors import Texts, Vectors
from lab.catalogue import Catalogue
from lab.control import Queue
from lab.docs import docs
from lab.encoder import Encoder
from lab.errors import CorruptRunFolder, InvalidSpec, LabError, NoSuchExperiment
from lab.events import stream
from lab.ledger import Ledger
from lab.nli import Reader
from lab.profiles import completed
from lab.served import ModelAway, NoModel
from lab.settings import LabSettings

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
_NO_NLI: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "this lab was given no NLI model"},
    503: {"model": Problem, "description": "the model is busy or its process ended; ask again"},
}
_NO_ENCODER: dict[int | str, dict[str, Any]] = _NO_NLI | {
    404: {"model": Problem, "description": "this lab was given no sentence encoder"},
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
        # FastAPI's own pages load scripts from elsewhere, which a lab may not reach.
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(BodyLimit, most=settings.max_body_bytes)
    guarded = [Depends(check)]

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, exc: RequestValidationError) -> JSONResponse:
        # Without the input itself: it may hold bytes that are no text and numbers that are no JSON.
        problems = [{name: one[name] for name in ("type", "loc", "msg")} for one in exc.errors()]
        return JSONResponse({"detail": problems}, status_code=422)

    @app.exception_handler(OSError)
    async def no_disk(_: Request, exc: OSError) -> JSONResponse:
        is_full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
        log.error("a request failed: %s", exc)
        detail = "the lab's disk is full" if is_full else f"the lab's disk cannot be used: {exc.strerror}"
        return JSONResponse({"detail": detail}, status_code=507 if is_full else 503)

    @app.exception_handler(SQLAlchemyError)
    async def no_database(_: Request, exc: SQLAlchemyError) -> JSONResponse:
        log.error("a request failed: %s", exc)
        return JSONResponse({"detail": "the control plane's database cannot be asked now"}, status_code=503)

    @app.exception_handler(InvalidSpec)
    async def refuse(_: Request, exc: InvalidSpec) -> JSONResponse:
        return JSONResponse({"detail": str(exc)}, status_code=422)

    @app.exception_handler(NoSuchExperiment)
    async def not_here(_: Request, exc: NoSuchExperiment) -> JSONResponse:
        return JSONResponse({"detail": str(exc)}, status_code=404)

    @app.exception_handler(CorruptRunFolder)
    async def corrupt(_: Request, exc: CorruptRunFolder) -> JSONResponse:
        return JSONResponse({"detail": f"{exc}; remove that file and send the experiment again"}, status_code=409)

    @app.exception_handler(NoModel)
    async def no_model(_: Request, exc: NoModel) -> JSONResponse:
        return JSONResponse({"detail": str(exc)}, status_code=404)

    @app.exception_handler(ModelAway)
    async def model_away(_: Request, exc: ModelAway) -> JSONResponse:
        log.error("a question to a served model failed: %s", exc)
        return JSONResponse({"detail": str(exc)}, status_code=503)

    @app.get("/docs", include_in_schema=False)
    def about() -> HTMLResponse:
        return HTMLResponse(docs(app.openapi()))

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
        if settings.is_one_machine and submission.limits.gpus > settings.gpus:
            raise InvalidSpec(f"asks for {submission.limits.gpus} GPU(s); this lab has {settings.gpus}")
        submitted = ledger.submit(
            submission,
            retry_failed=retry_failed,
            runs=completed(submission.spec, catalogue, settings),
            usual=settings.limits_of(submission.spec.profile),
        )
        for order in submitted.waiting:
            queue.put(order)
        response.status_code = 201 if submitted.is_new else 200
        return ledger.view(submitted.entry.spec.id, cores=settings.cores)

    @app.get("/experiments", dependencies=guarded, tags=["experiments"])
    def experiments(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[ExperimentView]:
        """List experiments, newest first."""
        newest = itertools.islice(ledger.entries(), limit)
        return [ledger.view(entry.spec.id, cores=settings.cores) for entry in newest]

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

    reader = Reader(settings.nli_model)

    @app.get("/nli", dependencies=guarded, responses=_NO_NLI, tags=["nli"])
    def nli_model() -> ServedModel:
        """Name the model that tells entailment, neutral and contradiction apart; loads it where it is not."""
        return reader.model()

    @app.post("/nli", dependencies=guarded, responses=_NO_NLI, tags=["nli"])
    def entail(question: Question) -> Answer:
        """Give each pair's probabilities. Asking twice changes nothing."""
        return reader.ask(question.pairs)

    texts_encoder = Encoder(settings.dense_model)

    @app.get("/vectors", dependencies=guarded, responses=_NO_ENCODER, tags=["vectors"])
    def encoder() -> ServedModel:
        """Name the sentence encoder; loads it where it is not."""
        return texts_encoder.model()

    @app.post("/vectors", dependencies=guarded, responses=_NO_ENCODER, tags=["vectors"])
    def encode(texts: Texts) -> Vectors:
        """Give each text's vector, of length 1. Asking twice changes nothing."""
        return texts_encoder.ask(texts)

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


def _version() -> str:
    try:
        return version("retest")
    except PackageNotFoundError:
        return "0"
