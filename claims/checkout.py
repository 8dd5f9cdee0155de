"""Which code this is: the release, and in a git checkout the commit."""

import importlib.metadata
import subprocess
from functools import cache
from pathlib import Path


def release() -> str:
    """The version of the package that is installed."""
    return importlib.metadata.version("retest")


@cache
def code_commit(*folders: str) -> str | None:
    """The commit of this code, ending in `-dirty` when files in `folders` differ from it; None outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return None
    changed = git("status", "--porcelain", "--untracked-files=no", "--", *folders)
    return commit + ("-dirty" if changed else "")
