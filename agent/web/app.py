"""The web application: pages, the JSON API under /api/v1, static files, and how errors are answered."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from agent.settings import Settings
from agent.web import api, pages
from agent.web.door import Door
from claims.clock import Clock
from claims.errors import RetestError

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """Give the application. The store is opened by the first request that needs it."""
    door = Door(settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            door.jobs.open()
        except RetestError as exc:
            log.error("jobs that an earlier server left cannot be taken over: %s", exc)
        yield
        door.close()

    app = FastAPI(title="retest", lifespan=lifespan)
    app.state.settings = settings
    app.state.door = door
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")
    app.include_router(api.router)
    app.include_router(pages.router)
    return app
