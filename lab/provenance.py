"""What a run was made with: code commit, package versions, device. Written before the first step."""

import importlib.metadata
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

from claims.checkout import code_commit
from claims.experiment import Limits

PACKAGES = (
    "retest",
    "torch",
    "transformers",
    "trl",
    "accelerate",
    "datasets",
    "peft",
    "tokenizers",
    "safetensors",
    "numpy",
    "scipy",
    "dbos",
    "pydantic",
)
"""Packages whose version may change a measurement."""


def code_and_machine(limits: Limits) -> dict[str, Any]:
    """Give everything but the data and the models that is needed to run again."""
    return {
        "code_commit": code_commit("lab", "claims"),
        "packages": package_versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device(),
        "limits": limits.model_dump(mode="json"),
    }


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that are there."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def device() -> dict[str, Any]:
    """The processor, and the machine's GPUs where this run may see any. Asks the driver's files, not torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = []
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")) if visible != "" else ():
        for line in information.read_text(errors="replace").splitlines():
            if line.startswith("Model:"):
                gpus.append(line.removeprefix("Model:").strip())
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "gpus": gpus,
        "cuda_visible_devices": visible or "",
    }


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
