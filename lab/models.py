"""Models: tiny ones built from a config on the spot, hub or path models pinned by revision, and a cache of bases.

Weights are safetensors, `trust_remote_code` is never set, nothing is unpickled. A base is named by the digest of
everything that went into it, so arms and seeds share one; a damaged one is built again.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field

from claims.ids import digest
from lab.errors import InvalidSpec

PAD, END, UNKNOWN = "<pad>", "<end>", "<unknown>"

_REVISION = re.compile(r"[0-9a-f]{40}")
_MANIFEST = "manifest.json"


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


def load_pinned(name: str, revision: str) -> Loaded:
    """Load a hub model at a revision of 40 hex digits, or a local folder or `.gguf` file. Safetensors or GGUF only.

    Raises InvalidSpec when a hub model is not pinned, or the path holds no such model.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    where: dict[str, Any] = {"trust_remote_code": False}
    path = Path(name).expanduser()
    if path.is_file() and path.suffix == ".gguf":
        source, where["gguf_file"] = str(path.parent), path.name
        found = file_digest(path)
    elif path.is_dir():
        weights = sorted(path.glob("*.safetensors"))
        if not weights:
            raise InvalidSpec(f"{name!r} holds no safetensors weights")
        source, found = str(path), digest([file_digest(w) for w in weights])
    elif _REVISION.fullmatch(revision):
        source, where["revision"], found = name, revision, revision
    else:
        raise InvalidSpec(
            f"{name!r} is no local folder, and a hub model needs `revision` as 40 hex digits, got {revision!r}"
        )
    only_safe = {} if "gguf_file" in where else {"use_safetensors": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **where)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **only_safe, **where)
    except (OSError, ValueError) as exc:
        raise InvalidSpec(f"model {name!r} cannot be loaded: {exc}") from exc
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if torch.cuda.is_available():
        model.to("cuda")
    model.eval()
    # Machine paths stay out of the record: a folder is named by its content.
    return Loaded(model, tokenizer, {"model": path.name if path.exists() else name, "revision": found})


def copy_of(loaded: Loaded) -> Loaded:
    """Give a model of its own with the same weights, free of what a trainer hung on it."""
    model = type(loaded.model)(loaded.model.config)
    model.load_state_dict(loaded.model.state_dict())
    model.generation_config = loaded.model.generation_config
    model.to(device=loaded.model.device, dtype=loaded.model.dtype)
    model.eval()
    return Loaded(model, loaded.tokenizer, loaded.origin)


def cache_folder() -> Path:
    """Give the folder for bases: `RETEST_LAB_CACHE`, else the user's cache folder."""
    named = os.environ.get("RETEST_LAB_CACHE")
    return Path(named).expanduser().absolute() if named else user_cache_path("retest", appauthor=False) / "bases"


def cached(recipe: dict[str, Any], build: Callable[[], tuple[Loaded, dict[str, Any]]]) -> tuple[Loaded, dict[str, Any]]:
    """Give the base that `recipe` names, from the cache or by building it once, with the record kept beside it.

    The record gets `base` (the digest of the recipe) and `from_cache`. Two processes that want the same base build it
    once: the second waits. A base whose files are not those that were written is built again.
    """
    name = digest(recipe)
    folder = cache_folder() / name.removeprefix("sha256:")[:24]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        record = _intact(folder)
        if record is not None:
            return _load_base(folder, record), {**record, "base": name, "from_cache": True}
        loaded, record = build()
        half = folder.with_suffix(f".{os.getpid()}.half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        loaded.model.save_pretrained(half)
        loaded.tokenizer.save_pretrained(half)
        record = {**record, "origin": loaded.origin}
        files = {f.name: file_digest(f) for f in sorted(half.iterdir())}
        (half / _MANIFEST).write_text(json.dumps({"recipe": recipe, "record": record, "files": files}))
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
        return loaded, {**record, "base": name, "from_cache": False}


def file_digest(path: Path) -> str:
    """Name a file by its bytes."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _intact(folder: Path) -> dict[str, Any] | None:
    """Give the record of a base whose files are all as they were written; None for any other folder."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        if all(file_digest(folder / name) == was for name, was in manifest["files"].items()):
            record: dict[str, Any] = manifest["record"]
            return record
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _load_base(folder: Path, record: dict[str, Any]) -> Loaded:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, trust_remote_code=False)
    model.eval()
    return Loaded(model, tokenizer, record["origin"])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
