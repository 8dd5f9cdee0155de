"""Models are built, cached and loaded for real; nothing is fetched."""

import os
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from lab.errors import InvalidSpec

pytestmark = pytest.mark.slow
SHAPE = {"width": 16, "layers": 1, "heads": 2, "context": 32}


def build_and_count(folder: str) -> bool:
    """Ask for the same base in a process of its own; tell whether it came from the cache."""
    os.environ["RETEST_LAB_CACHE"] = folder
    from lab import models

    def build():
        (Path(folder) / f"built-{os.getpid()}").touch()
        return models.build_tiny(models.Shape(**SHAPE), ["a", "b"], 3), {"curve": [[1, 2.0]]}

    _, record = models.cached({"what": "a base"}, build)
    return record["from_cache"]


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("RETEST_LAB_CACHE", str(tmp_path))
    from lab import models

    return models


def tiny(models, seed=3):
    return models.build_tiny(models.Shape(**SHAPE), ["a", "b", "c"], seed)


def halved(loaded):
    """Write the weights, and they alone, in bf16."""
    import torch

    for weight in loaded.model.parameters():
        weight.data = weight.data.to(torch.bfloat16)
    return loaded


def same(one, other):
    import torch

    a, b = one.model.state_dict(), other.model.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_builds_the_same_model_and_leaves_the_random_state_alone(models):
    import torch

    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one, again, other = tiny(models), tiny(models), tiny(models, seed=4)
    assert torch.equal(before, torch.random.get_rng_state())
    assert same(one, again)
    assert not same(one, other)
    assert one.tokenizer.decode(one.tokenizer("a b  c nonsense")["input_ids"]) == "a b c <unknown>"


def test_a_copy_shares_no_weight(models):
    import torch

    one = tiny(models)
    other = models.copy_of(one)
    assert same(one, other)
    with torch.no_grad():
        next(other.model.parameters()).add_(1.0)
    assert not same(one, other)


def test_a_base_is_built_once_and_then_read_from_safetensors(models, tmp_path):
    one, first = models.cached({"what": 1}, lambda: (tiny(models), {"probes": {"score": 0.5}}))
    assert not first["from_cache"]
    two, second = models.cached({"what": 1}, lambda: pytest.fail("built again"))
    assert second["from_cache"]
    assert second["probes"] == {"score": 0.5}
    assert second["origin"]["shape"]["width"] == 16
    assert same(one, two)
    names = {f.name for f in tmp_path.rglob("*") if f.is_file()}
    assert "model.safetensors" in names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)


@pytest.mark.parametrize("damage", ["flip", "truncate", "manifest", "missing"])
def test_a_damaged_base_is_built_again(models, tmp_path, damage):
    one, _ = models.cached({"what": 2}, lambda: (tiny(models), {}))
    weights = next(tmp_path.rglob("model.safetensors"))
    if damage == "flip":
        content = bytearray(weights.read_bytes())
        content[-3] ^= 0xFF
        weights.write_bytes(content)
    elif damage == "truncate":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "manifest":
        next(tmp_path.rglob("manifest.json")).write_text("{")
    else:
        weights.unlink()
    two, record = models.cached({"what": 2}, lambda: (tiny(models), {}))
    assert not record["from_cache"]
    assert same(one, two)
    _, third = models.cached({"what": 2}, lambda: pytest.fail("built again"))
    assert third["from_cache"]


def test_two_processes_that_want_one_base_build_it_once(tmp_path):
    with get_context("spawn").Pool(2) as pool:
        came_from_cache = pool.map(build_and_count, [str(tmp_path)] * 2)
    assert sorted(came_from_cache) == [False, True]
    assert len(list(tmp_path.glob("built-*"))) == 1


def test_a_local_folder_is_loaded_and_named_by_its_content(models, tmp_path):
    one = tiny(models)
    folder = tmp_path / "somewhere" / "mine"
    one.model.save_pretrained(folder)
    one.tokenizer.save_pretrained(folder)
    loaded = models.load_pinned(str(folder), "")
    assert same(one, loaded)
    assert loaded.origin["model"] == "mine"
    assert loaded.origin["revision"].startswith("sha256:")


def test_a_model_works_on_a_gpu_in_half_the_bits_and_a_tiny_or_gpu_less_one_in_full(models):
    import torch

    assert models.placement(135_000_000, has_cuda=True) == ("cuda", torch.bfloat16)
    assert models.placement(135_000_000, has_cuda=False) == ("cpu", torch.float32)
    assert models.placement(models.TINY - 1, has_cuda=True) == ("cpu", torch.float32)


def test_a_base_works_the_same_fresh_and_from_the_cache_whatever_its_weights_were_written_in(models):
    import torch

    fresh, _ = models.cached({"what": 3}, lambda: (halved(tiny(models)), {}))
    again, record = models.cached({"what": 3}, lambda: pytest.fail("built again"))
    assert record["from_cache"]
    assert {fresh.model.dtype, again.model.dtype} == {torch.float32}
    assert same(fresh, again)
    asked = fresh.tokenizer("a b c", return_tensors="pt")["input_ids"]
    assert torch.equal(fresh.model(asked).logits, again.model(asked).logits)


def test_a_copy_in_half_the_bits_keeps_its_positions_in_full(models):
    import torch

    one = halved(tiny(models))
    other = models.copy_of(one)
    assert other.model.dtype == torch.bfloat16
    assert all(torch.equal(a, b) for a, b in zip(one.model.buffers(), other.model.buffers(), strict=True))


def test_a_replaced_local_model_gives_another_base(models, tmp_path):
    from lab.protocols.design import Parameters
    from lab.protocols.workbench import Workbench
    from lab.worlds.task import Example

    params = Parameters(model=str(tmp_path / "m"), pretrain_steps=1, pretrain_batch=2)
    found = []
    for seed in (3, 4, 4):
        one = tiny(models, seed)
        one.model.save_pretrained(tmp_path / "m")
        one.tokenizer.save_pretrained(tmp_path / "m")
        bench = Workbench(params, seed=0, folder=tmp_path / "run", report=lambda **_: None, protocol="any")
        bench.base(["a"], lambda: [Example("a", "b"), Example("b", "c")], lambda _: {})
        found.append(bench.record())
    first, second, third = (record["bases"]["base"] for record in found)
    assert [one["from_cache"] for one in (first, second, third)] == [False, False, True]
    assert first["weights"] != second["weights"] == third["weights"]
    assert found[0]["devices"] == {"base": {"device": "cpu", "dtype": "float32"}}


def test_the_cache_names_a_bases_weights_by_their_bytes(models, tmp_path):
    _, first = models.cached({"what": 4}, lambda: (tiny(models), {}))
    _, second = models.cached({"what": 4}, lambda: pytest.fail("built again"))
    weights = next(tmp_path.rglob("model.safetensors"))
    assert first["weights"] == second["weights"] == {"model.safetensors": models.file_digest(weights)}


@pytest.mark.parametrize("changed", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_local_model_is_another_one_when_any_file_that_makes_it_changes(models, tmp_path, changed):
    one = tiny(models)
    one.model.save_pretrained(tmp_path / "m")
    one.tokenizer.save_pretrained(tmp_path / "m")
    before = models.identity(str(tmp_path / "m"), "")
    (tmp_path / "m" / "README.md").write_text("says nothing")
    assert models.identity(str(tmp_path / "m"), before["revision"]) == before
    with (tmp_path / "m" / changed).open("ab") as file:
        file.write(b" ")
    assert models.identity(str(tmp_path / "m"), "") != before
    with pytest.raises(InvalidSpec, match="other content"):
        models.identity(str(tmp_path / "m"), before["revision"])


def test_a_file_that_was_replaced_with_its_times_and_size_kept_is_read_again(tmp_path):
    from lab import models

    path = tmp_path / "m.gguf"
    path.write_bytes(b"weights")
    os.utime(path, ns=(1, 1))
    before = models.identity(str(path), "")
    assert models.identity(str(path), "") == before
    time.sleep(0.02)  # the clock of the file system ticks no finer
    path.write_bytes(b"thgiews")
    os.utime(path, ns=(1, 1))
    assert models.identity(str(path), "") != before


@pytest.mark.parametrize("broken", ["weights", "config", "tokenizer"])
def test_a_folder_that_holds_no_whole_model_is_refused_in_a_sentence(models, tmp_path, broken):
    one = tiny(models)
    one.model.save_pretrained(tmp_path / "m")
    one.tokenizer.save_pretrained(tmp_path / "m")
    name = {"weights": "model.safetensors", "config": "config.json", "tokenizer": "tokenizer.json"}[broken]
    (tmp_path / "m" / name).write_text("{}" if broken == "config" else "nonsense")
    with pytest.raises(InvalidSpec, match="cannot be loaded"):
        models.load_pinned(str(tmp_path / "m"), "")


def test_a_hub_model_without_a_pin_and_a_folder_without_safetensors_are_refused(models, tmp_path):
    with pytest.raises(InvalidSpec, match="40 hex digits"):
        models.load_pinned("someone/some-model", "main")
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(InvalidSpec, match="no safetensors"):
        models.load_pinned(str(tmp_path / "pickled"), "")
    with pytest.raises(InvalidSpec, match="no such folder"):
        models.load_pinned(str(tmp_path / "away"), "a" * 40)
