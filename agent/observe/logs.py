"""Log lines for people, or one JSON object a line with ids for programs; never with a secret."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from agent.observe.secrets import Redactor, known_secrets
from agent.observe.spans import current_ids
from agent.settings import Settings

OURS = ("agent", "claims", "lab")
PLAIN = "%(asctime)s %(levelname)s %(name)s %(message)s"


class Redacted(logging.Formatter):
    """Lines for people."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__(PLAIN)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Write a record, traceback included."""
        return self._redact(super().format(record))


class Json(logging.Formatter):
    """One JSON object a line: `at` (UTC), `level`, `logger`, `message`, the ids that hold, `error` with its traceback.

    A line adds ids of its own by `extra={"ids": {"paper": id}}`.
    """

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        for name, value in {**current_ids(), **getattr(record, "ids", {})}.items():
            line.setdefault(name, self._redact(value) if isinstance(value, str) else value)
        if record.exc_info:
            line["error"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=lambda value: self._redact(str(value)))


def set_up_logs(settings: Settings, *, debug: bool = False, stream: TextIO | None = None) -> None:
    """Log as the settings say, to stderr: ours from `info` on with `json`, from `debug` on with `debug`."""
    redact = Redactor(known_secrets(settings))
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Json(redact) if settings.log == "json" else Redacted(redact))
    root = logging.getLogger()
    for old in list(root.handlers):
        if type(old) is logging.StreamHandler:  # of an earlier set-up; a test's own are left alone
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    # DBOS brings a handler of its own unless it has one, and would write past ours.
    engine = logging.getLogger("dbos")
    engine.handlers, engine.propagate = [handler], False
    for name in OURS:
        logging.getLogger(name).setLevel(
            logging.DEBUG if debug else logging.INFO if settings.log == "json" else logging.NOTSET
        )
