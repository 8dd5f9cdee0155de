"""The web application: pages, the JSON API under /api/v1, static files, behind one guard."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from agent.settings import Settings
from agent.web import api, health, login, pages, problems
from agent.web.callers import Desk, check_exposure
from agent.web.door import Door
from agent.web.guard import Guard, check_form
from agent.web.keys import Keys
from claims.clock import Clock
from claims.errors import RetestError

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """Give the application. The store is opened by the first request that needs it.

    Raises InputError for settings that would let strangers in.
    """
    check_exposure(settings)
    door = Door(settings, clock)
    keys = Keys(settings.home / "web.key")
    desk = Desk(settings, keys, door.clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            door.jobs.open()
        except RetestError as exc:
            log.error("jobs that an earlier server left cannot be taken over: %s", exc)
        yield
        door.close()

    app = FastAPI(
        title="retest",
        summary="Does a published claim about training language models still hold?",
        description=api.DESCRIPTION,
        version=health.installed_version(),
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.door = door
    app.state.keys = keys
    app.state.desk = desk
    problems.install(app)
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")
    app.include_router(health.router)
    app.include_router(login.router)
    app.include_router(api.router)
    app.include_router(pages.router, dependencies=[Depends(check_form)])
    app.add_middleware(Guard, settings=settings, keys=keys, desk=desk)
    return app
