"""Serves one sequence-classification model for natural language inference, in a process of its own.

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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from claims.entailment import Answer, Chances, EntailmentModel, Pair
from claims.ids import digest
from lab.errors import InvalidSpec, LabError
from lab.models import file_digest

log = logging.getLogger(__name__)

LOAD_S: Final = 540.0
"""Seconds that loading may take; a hub model is downloaded first."""
ANSWER_S: Final = 240.0
"""Seconds that a question may take: 64 long pairs on two busy cores and a model of 400 M parameters."""
BUSY_S: Final = 120.0
"""Seconds that a question waits for those before it."""
IDLE_S: Final = 600.0
"""Seconds without a question after which the model is unloaded."""
MOST_TOKENS: Final = 512
"""Of a pair; the longer of its texts is cut."""
_AT_ONCE: Final = 16
_COLUMNS: Final = ("entailment", "neutral", "contradiction")
_KEPT_FROM_IT: Final = ("RETEST_LAB_TOKEN", "RETEST_LAB_DATABASE_URL", "RETEST_DATABASE_URL")


class NoModel(LabError):
    """This lab was given no model to serve."""

    def __init__(self) -> None:
        super().__init__(
            "this lab serves no NLI model: set RETEST_NLI_MODEL (hub id or folder) where it runs, and start it again"
        )


class ModelAway(LabError):
    """The model's process died, is busy or takes too long; the same question may be answered later."""


class Reader:
    """The model's process as the server holds it. Safe to share between threads; questions are taken one by one."""

    def __init__(self, name: str | None, *, idle_s: float = IDLE_S) -> None:
        self._name = name
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._model: EntailmentModel | None = None
        self._idle: threading.Timer | None = None

    def model(self) -> EntailmentModel:
        """Name the model, loading it where it is not. Raises NoModel, InvalidSpec, ModelAway."""
        with self._held():
            return self._started()

    def ask(self, pairs: Sequence[Pair]) -> Answer:
        """Ask about pairs. Raises NoModel, InvalidSpec when the model cannot be used, ModelAway."""
        with self._held():
            model = self._started()
            said = self._exchange({"pairs": [[p.premise, p.hypothesis] for p in pairs]}, ANSWER_S)
        try:
            return Answer(
                model=model, chances=tuple(Chances(**dict(zip(_COLUMNS, row, strict=True))) for row in said["chances"])
            )
        except (KeyError, ValueError, TypeError, ValidationError) as exc:
            raise ModelAway(f"the NLI model gave no probabilities: {said.get('error', 'unreadable')}") from exc

    def close(self) -> None:
        """End the model's process."""
        with self._lock:
            self._end()

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        if self._name is None:
            raise NoModel
        if not self._lock.acquire(timeout=BUSY_S):
            raise ModelAway("the NLI model is busy with other questions")
        try:
            if self._idle is not None:
                self._idle.cancel()
            yield
            self._idle = threading.Timer(self._idle_s, self.close)
            self._idle.daemon = True
            self._idle.start()
        finally:
            self._lock.release()

    def _started(self) -> EntailmentModel:
        if self._process is not None and self._process.poll() is None and self._model is not None:
            return self._model
        self._end()
        assert self._name is not None
        kept = {name: value for name, value in os.environ.items() if name not in _KEPT_FROM_IT}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.nli", self._name],
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
        self._model = EntailmentModel(name=said["name"], version=said["version"])
        log.info("the NLI model %s (%s) is loaded on %s", self._model.name, self._model.version, said["device"])
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
            raise ModelAway(f"the NLI model's process ended (exit code {code}); the lab's log says more")
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


class Loaded(NamedTuple):
    """A model in the memory of its process."""

    model: Any
    tokenizer: Any
    columns: tuple[int, int, int]
    """where entailment, neutral and contradiction stand in its output"""
    most_tokens: int
    named: EntailmentModel

    def chances(self, pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
        """Give (pairs, 3) probabilities in the order of entailment, neutral, contradiction, to four places.

        Raises ValueError when the model gives numbers that are none.
        """
        import torch

        out: list[list[float]] = []
        for start in range(0, len(pairs), _AT_ONCE):
            some = pairs[start : start + _AT_ONCE]
            batch = self.tokenizer(
                [p for p, _ in some],
                [h for _, h in some],
                truncation=True,
                max_length=self.most_tokens,
                padding=True,
                return_tensors="pt",
            ).to(self.model.device)
            with torch.inference_mode():
                shares = self.model(**batch).logits.float().softmax(dim=-1)[:, list(self.columns)]
            if not bool(torch.isfinite(shares).all()):
                raise ValueError("its probabilities are not finite")
            out += [[round(x, 4) for x in row] for row in shares.tolist()]
        return out


def columns_of(labels: Mapping[int, str]) -> tuple[int, int, int]:
    """Find entailment, neutral and contradiction among a model's labels. Raises InvalidSpec when they are not there.

    Labels without names (`LABEL_0`) are refused: models differ in their order, and a wrong guess swaps stances.
    """
    found = []
    for start in ("entail", "neutral", "contradict"):
        places = [n for n, label in labels.items() if str(label).lower().startswith(start)]
        if len(places) != 1:
            named = ", ".join(str(label) for label in labels.values())
            raise InvalidSpec(f"it names its labels {named[:200]}; entailment, neutral and contradiction are needed")
        found.append(int(places[0]))
    return found[0], found[1], found[2]


def load(name: str) -> Loaded:
    """Load a folder, or a hub model as `id` or `id@revision`. Raises InvalidSpec that says why it cannot be used."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    where: dict[str, Any] = {"trust_remote_code": False}
    folder = Path(name).expanduser()
    source, version, shown = name, "", name
    if folder.is_dir():
        weights = sorted(folder.glob("*.safetensors"))
        if not weights:
            raise InvalidSpec(f"{name!r} holds no safetensors weights")
        files = [f for f in sorted(folder.iterdir()) if f.suffix in (".safetensors", ".json", ".txt", ".model")]
        source, shown = str(folder), folder.resolve().name
        version = digest([[f.name, file_digest(f)] for f in files]).removeprefix("sha256:")[:12]
    elif name.startswith((".", "/", "~")):
        raise InvalidSpec(f"there is no folder {name!r}")
    else:
        source, _, revision = name.partition("@")
        shown = source
        if revision:
            where["revision"] = revision
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **where)
        model = AutoModelForSequenceClassification.from_pretrained(
            source, use_safetensors=True, dtype=torch.float32, **where
        )
        columns = columns_of(model.config.id2label)
        model.to("cuda" if torch.cuda.is_available() else "cpu")
    except InvalidSpec as exc:
        raise InvalidSpec(f"NLI model {shown!r} cannot be used: {exc}") from exc
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as exc:
        raise InvalidSpec(f"NLI model {shown!r} cannot be loaded: {str(exc)[:500]}") from exc
    model.eval()
    # RoBERTa and its kin keep two positions to themselves.
    positions = int(getattr(model.config, "max_position_embeddings", MOST_TOKENS + 2)) - 2
    most = max(8, min(MOST_TOKENS, int(tokenizer.model_max_length), positions if positions > 8 else MOST_TOKENS))
    version = version or str(getattr(model.config, "_commit_hash", None) or where.get("revision", "unknown"))[:12]
    return Loaded(model, tokenizer, columns, most, EntailmentModel(name=shown, version=version))


def main(arguments: Sequence[str]) -> int:
    """Be the model's process: `python -m lab.nli MODEL`. One JSON line a question on stdin, one on stdout."""
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
    say({**loaded.named.model_dump(), "device": str(loaded.model.device)})
    for line in sys.stdin:
        try:
            say({"chances": loaded.chances([(p, h) for p, h in json.loads(line)["pairs"]])})
        except (ValueError, RuntimeError, IndexError) as exc:
            say({"error": f"{type(exc).__name__}: {str(exc)[:500]}"})
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
