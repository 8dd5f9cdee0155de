"""Holds a model that this lab serves, in a process of its own.

The process is started by the first question, ends some time after the last one (so that a GPU's memory is free for
runs), and takes nothing of the lab with it when it dies. It talks JSON lines over its standard input and output, and
ends when the input does. Weights are safetensors; no code of a model is run.

What this does not do: it takes no slot of the run queue. On a GPU that a run fills, loading fails and says so.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from claims.ids import digest
from claims.served import ServedModel
from lab.errors import InvalidSpec, LabError
from lab.models import file_digest

log = logging.getLogger(__name__)

LOAD_S: Final = 540.0
"""Seconds that loading may take; a hub model is downloaded first."""
ANSWER_S: Final = 240.0
"""Seconds that a question may take: 64 long texts on two busy cores and a model of 400 M parameters."""
BUSY_S: Final = 120.0
"""Seconds that a question waits for those before it."""
IDLE_S: Final = 600.0
"""Seconds without a question after which the model is unloaded."""
_KEPT_FROM_IT: Final = ("RETEST_LAB_TOKEN", "RETEST_LAB_DATABASE_URL", "RETEST_DATABASE_URL")


class Kind(NamedTuple):
    """A kind of model that a lab can serve."""

    module: str
    """what the process runs: `python -m lab.nli MODEL`"""
    what: str
    """as messages call it"""
    setting: str
    """which names the model"""


class NoModel(LabError):
    """This lab was given no model of a kind to serve."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        super().__init__(
            f"this lab serves no {kind.what}: set {kind.setting} (hub id or folder) where it runs, and start it again"
        )


class ModelAway(LabError):
    """The model's process died, is busy or takes too long; the same question may be answered later."""


class Said(NamedTuple):
    """An answer, and the model that gave it."""

    model: ServedModel
    answer: dict[str, Any]


class Served:
    """A model's process as the server holds it. Safe to share between threads; questions are taken one by one."""

    def __init__(self, kind: Kind, name: str | None, *, idle_s: float = IDLE_S) -> None:
        self._kind = kind
        self._name = name
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._model: ServedModel | None = None
        self._idle: threading.Timer | None = None

    def model(self) -> ServedModel:
        """Name the model, loading it where it is not. Raises NoModel, InvalidSpec, ModelAway."""
        with self._held():
            return self._started()

    def exchange(self, question: Mapping[str, object]) -> Said:
        """Ask. Raises NoModel, InvalidSpec when the model cannot be used, ModelAway."""
        with self._held():
            model = self._started()
            return Said(model, self._exchange(question, ANSWER_S))

    def close(self) -> None:
        """End the model's process."""
        with self._lock:
            self._end()

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        if self._name is None:
            raise NoModel(self._kind)
        if not self._lock.acquire(timeout=BUSY_S):
            raise ModelAway(f"the {self._kind.what} is busy with other questions")
        try:
            if self._idle is not None:
                self._idle.cancel()
            yield
            self._idle = threading.Timer(self._idle_s, self.close)
            self._idle.daemon = True
            self._idle.start()
        finally:
            self._lock.release()

    def _started(self) -> ServedModel:
        if self._process is not None and self._process.poll() is None and self._model is not None:
            return self._model
        self._end()
        assert self._name is not None
        kept = {name: value for name, value in os.environ.items() if name not in _KEPT_FROM_IT}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", self._kind.module, self._name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=kept
            | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TOKENIZERS_PARALLELISM": "false"},
        )
        said = self._exchange(None, LOAD_S)
        if "error" in said:
            self._end()
            raise InvalidSpec(str(said["error"]))
        self._model = ServedModel(name=said["name"], version=said["version"])
        where = (self._kind.what, self._model.name, self._model.version, said["device"])
        log.info("the %s %s (%s) is loaded on %s", *where)
        return self._model

    def _exchange(self, question: Mapping[str, object] | None, within_s: float) -> dict[str, Any]:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        watch = threading.Timer(within_s, process.kill)
        watch.start()
        try:
            if question is not None:
                process.stdin.write(json.dumps(question) + "\n")
                process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            code = process.poll()
            self._end()
            raise ModelAway(f"the {self._kind.what}'s process ended (exit code {code}); the lab's log says more")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _end(self) -> None:
        process, self._process, self._model = self._process, None, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Place(NamedTuple):
    """Where a model's files are, and what they are called."""

    source: str
    """a folder, or a hub id"""
    revision: str | None
    """of a hub model, where one was named"""
    model: ServedModel
    """its version is empty for a hub model that was not loaded yet"""

    def loaded(self, commit: str | None) -> ServedModel:
        """Name the model with the version that was loaded. commit: the hub's, where the library tells it."""
        version = self.model.version or (commit or self.revision or "unknown")[:12]
        return self.model.model_copy(update={"version": version})


def place_of(name: str) -> Place:
    """Find a folder, or read a hub model as `id` or `id@revision`. Raises InvalidSpec."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not any(folder.rglob("*.safetensors")):
            raise InvalidSpec(f"{name!r} holds no safetensors weights")
        files = [f for f in sorted(folder.rglob("*")) if f.suffix in (".safetensors", ".json", ".txt", ".model")]
        version = digest([[str(f.relative_to(folder)), file_digest(f)] for f in files]).removeprefix("sha256:")[:12]
        return Place(str(folder), None, ServedModel(name=folder.resolve().name, version=version))
    if name.startswith((".", "/", "~")):
        raise InvalidSpec(f"there is no folder {name!r}")
    source, _, revision = name.partition("@")
    return Place(source, revision or None, ServedModel(name=source, version=""))


class Model(NamedTuple):
    """A model in the memory of its process."""

    named: ServedModel
    device: str
    answer: Callable[[dict[str, Any]], dict[str, object]]
    """raises ValueError, RuntimeError or IndexError, which is told and ends nothing"""


def serve(load: Callable[[str], Model], arguments: Sequence[str]) -> int:
    """Be a model's process: one JSON line a question on stdin, one on stdout."""
    # Libraries print; what the server reads must be ours alone.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(value: Mapping[str, object]) -> None:
        out.write(json.dumps(value) + "\n")
        out.flush()

    try:
        loaded = load(arguments[0])
    except LabError as exc:
        say({"error": str(exc)})
        return 2
    say({**loaded.named.model_dump(), "device": loaded.device})
    for line in sys.stdin:
        try:
            say(loaded.answer(json.loads(line)))
        except (ValueError, RuntimeError, IndexError) as exc:
            say({"error": f"{type(exc).__name__}: {str(exc)[:500]}"})
    return 0
