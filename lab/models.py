"""Models: tiny ones built from a config on the spot, hub or path models pinned by content, and a cache of bases.

Weights are safetensors, `trust_remote_code` is never set, nothing is unpickled. A base is named by the digest of
everything that went into it, so arms and seeds share one; a damaged one is built again. Where a model works, and how
precisely, is told by its size and the machine alone, so that a base is the same fresh and from the cache.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field

from claims.ids import digest
from lab.errors import InvalidSpec

PAD, END, UNKNOWN = "<pad>", "<end>", "<unknown>"

TINY = 20_000_000
"""Parameters below which a model is trained whole, on one thread of the processor; larger ones get LoRA and the GPU."""

_REVISION = re.compile(r"[0-9a-f]{40}")
_MANIFEST = "manifest.json"
_MAKES_A_MODEL = frozenset({".safetensors", ".json", ".model", ".txt", ".tiktoken", ".jinja"})
"""Endings of the files that weights, config and tokenizer are read from."""


class Shape(BaseModel):
    """The size of a tiny model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=64, ge=8, le=1024)
    layers: int = Field(default=3, ge=1, le=32)
    heads: int = Field(default=4, ge=1, le=32)
    context: int = Field(default=160, ge=16, le=4096)
    """positions"""


class Loaded(NamedTuple):
    """A model in memory with its tokenizer."""

    model: Any
    """a transformers PreTrainedModel"""
    tokenizer: Any
    """its PreTrainedTokenizerBase"""
    origin: dict[str, Any]
    """config and digest of a tiny one; name and revision of another: what is needed to get it again"""

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(int(p.numel()) for p in self.model.parameters())


def build_tiny(shape: Shape, vocabulary: Sequence[str], seed: int) -> Loaded:
    """Build an untrained model that reads text word by word. The same arguments give the same weights."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    ids = {word: i for i, word in enumerate(dict.fromkeys((PAD, END, UNKNOWN, *vocabulary)))}
    plain = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token=PAD, eos_token=END, unk_token=UNKNOWN, clean_up_tokenization_spaces=False
    )
    config = LlamaConfig(
        vocab_size=len(ids),
        hidden_size=shape.width,
        intermediate_size=2 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        pad_token_id=ids[PAD],
        eos_token_id=ids[END],
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.eval()
    return Loaded(model, tokenizer, {"shape": shape.model_dump(), "words": len(ids), "init_seed": seed})


class Placement(NamedTuple):
    """Where a model works, and how precisely."""

    device: str
    """`cuda` or `cpu`"""
    dtype: Any
    """a torch dtype, of the weights"""


def placement(parameters: int, *, has_cuda: bool) -> Placement:
    """Choose where a model of so many weights works: on a GPU in bf16, else on the processor in fp32.

    A tiny one stays on the processor: it is trained whole, which is too fine for weights of bf16.
    """
    import torch

    if has_cuda and parameters >= TINY:
        return Placement("cuda", torch.bfloat16)
    return Placement("cpu", torch.float32)


def has_cuda() -> bool:
    """Whether this process may use a GPU."""
    import torch

    return bool(torch.cuda.is_available())


def placed(loaded: Loaded) -> Loaded:
    """Bring a model to where it works, ready to answer."""
    where = placement(loaded.parameters, has_cuda=has_cuda())
    _move(loaded.model, where.device, where.dtype)
    return loaded


def whereabouts(loaded: Loaded) -> dict[str, str]:
    """Tell where a model really is and in what precision, for the record."""
    import torch

    device = loaded.model.device
    name = {"name": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    return {"device": str(device), "dtype": str(loaded.model.dtype).removeprefix("torch."), **name}


def is_path(name: str) -> bool:
    """Whether a model's name can only be a path, and no hub id."""
    return name.startswith(("/", ".", "~")) or name.endswith(".gguf")


def identity(name: str, revision: str) -> dict[str, str]:
    """Name a model by what it is: `model` and `revision`, which is a hub's 40 hex digits or a local one's digest.

    Machine paths stay out: a folder is named by its content. Raises InvalidSpec when a hub model is not pinned, the
    path holds no model, or `revision` is the digest of another content.
    """
    path = Path(name).expanduser()
    if path.is_file() and path.suffix == ".gguf":
        found = _known_digest(path)
    elif path.is_dir():
        files = sorted(f for f in path.iterdir() if f.is_file() and f.suffix in _MAKES_A_MODEL)
        if not any(f.suffix == ".safetensors" for f in files):
            raise InvalidSpec(f"{name!r} holds no safetensors weights")
        found = digest({f.name: _known_digest(f) for f in files})
    elif not name or is_path(name):
        raise InvalidSpec(f"there is no such folder or .gguf file: {name!r}")
    elif _REVISION.fullmatch(revision):
        return {"model": name, "revision": revision}
    else:
        raise InvalidSpec(
            f"{name!r} is no local folder, and a hub model needs `revision` as 40 hex digits, got {revision!r}"
        )
    if revision.startswith("sha256:") and revision != found:
        raise InvalidSpec(f"{name!r} has other content now: {found}, asked for {revision}")
    return {"model": path.name, "revision": found}


def load_pinned(name: str, revision: str) -> Loaded:
    """Load a hub model at a revision of 40 hex digits, or a local folder or `.gguf` file. Safetensors or GGUF only.

    Raises InvalidSpec when a hub model is not pinned, or the path holds no such model.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    origin = identity(name, revision)
    path = Path(name).expanduser()
    where: dict[str, Any] = {"trust_remote_code": False}
    weights: dict[str, Any] = {"use_safetensors": True}
    if path.is_file():
        source, where["gguf_file"], weights = str(path.parent), path.name, {}
    elif path.is_dir():
        source = str(path)
    else:
        source, where["revision"] = name, revision
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **where)
        model = AutoModelForCausalLM.from_pretrained(source, dtype="auto", **weights, **where)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as exc:
        raise InvalidSpec(f"model {name!r} cannot be loaded: {exc}") from exc
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return placed(Loaded(model, tokenizer, origin))


def copy_of(loaded: Loaded) -> Loaded:
    """Give a model of its own with the same weights, free of what a trainer hung on it."""
    model = type(loaded.model)(loaded.model.config)
    model.load_state_dict(loaded.model.state_dict())
    model.generation_config = loaded.model.generation_config
    _move(model, loaded.model.device, loaded.model.dtype)
    return Loaded(model, loaded.tokenizer, loaded.origin)


def _move(model: Any, device: Any, dtype: Any) -> None:
    """Move a model and set the precision of its weights. Its buffers keep theirs: they hold positions, which bf16
    would blur."""
    model.to(device)
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    model.eval()


def cache_folder() -> Path:
    """Give the folder for bases: `RETEST_LAB_CACHE`, else the user's cache folder."""
    named = os.environ.get("RETEST_LAB_CACHE")
    return Path(named).expanduser().absolute() if named else user_cache_path("retest", appauthor=False) / "bases"


def cached(recipe: dict[str, Any], build: Callable[[], tuple[Loaded, dict[str, Any]]]) -> tuple[Loaded, dict[str, Any]]:
    """Give the base that `recipe` names, from the cache or by building it once, with the record kept beside it.

    The record gets `base` (the digest of the recipe), `weights` (the digest of each file of weights) and `from_cache`.
    Two processes that want the same base build it once: the second waits. A base whose files are not those that were
    written is built again.
    """
    name = digest(recipe)
    folder = cache_folder() / name.removeprefix("sha256:")[:24]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        kept = _intact(folder)
        if kept is not None:
            return _load_base(folder, kept.record), _noted(kept, name, from_cache=True)
        loaded, record = build()
        half = folder.with_suffix(f".{os.getpid()}.half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        loaded.model.save_pretrained(half)
        loaded.tokenizer.save_pretrained(half)
        made = _Kept({**record, "origin": loaded.origin}, {f.name: file_digest(f) for f in sorted(half.iterdir())})
        (half / _MANIFEST).write_text(json.dumps({"recipe": recipe, **made._asdict()}))
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
        return placed(loaded), _noted(made, name, from_cache=False)


def file_digest(path: Path) -> str:
    """Name a file by its bytes."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _known_digest(path: Path) -> str:
    """Name a file by its bytes, read again only when it was changed: a lab is asked about one model many times."""
    at = path.stat()
    # The time of the last change of anything; that of the contents can be set by whoever changed them.
    return _digest_as_of(path, at.st_size, at.st_ino, at.st_ctime_ns)


@lru_cache(maxsize=512)
def _digest_as_of(path: Path, *stamp: int) -> str:
    del stamp
    return file_digest(path)


class _Kept(NamedTuple):
    """A base in the cache."""

    record: dict[str, Any]
    files: dict[str, str]
    """name to digest"""


def _noted(kept: _Kept, name: str, *, from_cache: bool) -> dict[str, Any]:
    weights = {file: was for file, was in kept.files.items() if file.endswith(".safetensors")}
    return {**kept.record, "base": name, "weights": weights, "from_cache": from_cache}


def _intact(folder: Path) -> _Kept | None:
    """Give a base whose files are all as they were written; None for any other folder."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        if all(file_digest(folder / name) == was for name, was in manifest["files"].items()):
            return _Kept(manifest["record"], manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _load_base(folder: Path, record: dict[str, Any]) -> Loaded:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", use_safetensors=True, trust_remote_code=False)
    return placed(Loaded(model, tokenizer, record["origin"]))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
