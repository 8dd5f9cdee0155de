"""What a handler of a page or of the API asks for in its arguments: the store, the settings, the clock.

The store is opened by the first request that needs it and shared by the server's threads; a store that cannot be
opened is an answer with its reason, and the next request tries again.
"""

import threading
from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from agent.errors import LlmRefused
from agent.settings import Settings
from agent.web.jobs import Jobs
from agent.wiring import open_llm, open_store
from claims.clock import Clock, SystemClock
from claims.errors import InputError
from claims.store import Store

if TYPE_CHECKING:
    from agent.llm import ChatModel


class Door:
    """Everything that outlives a request. Safe to share between threads."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.jobs = Jobs(settings, self.clock)
        """long actions"""
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._store: Store | None = None
        self._model: tuple[date, ChatModel] | None = None

    @property
    def store(self) -> Store:
        """The open store. Raises what `Store.open` raises."""
        with self._lock:
            if self._store is None:
                self._store = self._open.enter_context(open_store(self.settings, self.clock))
            return self._store

    def chat_model(self) -> "ChatModel | None":
        """Give the configured chat model; None where none is. Its budget is for one day of this server.

        Raises LlmRefused when it cannot be had as it is configured: nobody who asks can mend that.
        """
        if not self.settings.llm:
            return None
        today = self.clock.now().date()
        with self._lock:
            if self._model is None or self._model[0] != today:
                try:
                    self._model = (today, open_llm(self.settings))
                except InputError as exc:
                    raise LlmRefused(self.settings.llm, str(exc)) from exc
            return self._model[1]

    def close(self) -> None:
        """Close what was opened, and let jobs stop at their next step."""
        self.jobs.close()
        with self._lock:
            self._store = None
            self._open.close()


def door_of(request: Request) -> Door:
    """Give the door of the application that a request came to."""
    door: Door = request.app.state.door
    return door


def _store(request: Request) -> Store:
    return door_of(request).store


def _settings(request: Request) -> Settings:
    return door_of(request).settings


def _clock(request: Request) -> Clock:
    return door_of(request).clock


def _jobs(request: Request) -> Jobs:
    return door_of(request).jobs


DoorDep = Annotated[Door, Depends(door_of)]
"""Everything that outlives a request."""

StoreDep = Annotated[Store, Depends(_store)]
"""`def page(request: Request, store: StoreDep)`: the store."""

SettingsDep = Annotated[Settings, Depends(_settings)]
"""The settings."""

ClockDep = Annotated[Clock, Depends(_clock)]
"""The clock."""

JobsDep = Annotated[Jobs, Depends(_jobs)]
"""What starts long actions and tells how they are."""
