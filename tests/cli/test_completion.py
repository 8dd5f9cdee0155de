"""Shells are asked for completions, as when somebody presses the tab key."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from claims.store import Store
from tests.cli.test_commands import ROOT, retest
from tests.nights import claim_about

pytestmark = pytest.mark.slow

CLAIM = claim_about("curated")

ASK = {
    "bash": 'eval "$(retest completion bash)"; read -ra COMP_WORDS <<< "$1"; [[ $1 == *" " ]] && COMP_WORDS+=("")\n'
    'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _retest_completion retest; printf "%s\\n" "${COMPREPLY[@]}"',
    "fish": 'retest completion fish | source; complete --do-complete "$argv[1]"',
    # zsh has no line editor without a terminal: its script is loaded, and what its function asks is asked.
    "zsh": 'autoload -Uz compinit; compinit -D; eval "$(retest completion zsh)"; (( $+functions[_retest_completion] ));'
    ' env COMP_WORDS="$1" COMP_CWORD=$(( ${#${(z)1}} - 1 )) _RETEST_COMPLETE=zsh_complete retest',
}


def completed(shell: str, home: Path, line: str) -> list[str]:
    """Ask a real shell what it would offer at the end of a line."""
    found = shutil.which(shell)
    if not found:
        pytest.skip(f"{shell} is not installed")
    flags = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    script = home / "retest"
    if not script.exists():
        script.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from agent.cli.main import main; main()' \"$@\"\n")
        script.chmod(0o755)
    done = subprocess.run(
        [found, *flags, "-c", ASK[shell], *([] if shell == "fish" else [shell]), line],
        env={
            "PATH": f"{home}:{os.environ['PATH']}",
            "HOME": str(home),
            "RETEST_HOME": str(home),
            "PYTHONPATH": str(ROOT),
        },
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [word.partition("\t")[0] for word in done.stdout.splitlines()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Store.open(f"sqlite:///{tmp_path / 'retest.sqlite3'}") as store:
        store.put_claim(CLAIM)
    return tmp_path


@pytest.mark.parametrize("shell", ASK)
def test_a_shell_completes_commands_options_and_claims(shell: str, home: Path) -> None:
    commands = completed(shell, home, "retest re")
    assert {"report", "refresh", "restore"} <= set(commands)
    assert "doctor" not in commands
    assert "--as-of" in completed(shell, home, "retest show --a")
    assert CLAIM.id in completed(shell, home, f"retest show {CLAIM.id[:4]}")
    assert "protocols" in completed(shell, home, "retest lab p")


def test_completing_in_an_empty_home_offers_nothing_and_makes_nothing(tmp_path: Path) -> None:
    assert [word for word in completed("bash", tmp_path, "retest show x") if word] == []
    assert [path.name for path in tmp_path.iterdir()] == ["retest"]


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", ".local/share/bash-completion/completions/retest"),
        ("zsh", ".zfunc/_retest"),
        ("fish", ".config/fish/completions/retest.fish"),
    ],
)
def test_installing_writes_the_script_where_the_shell_looks(shell: str, place: str, tmp_path: Path) -> None:
    done = retest(tmp_path, "completion", shell, "--install", HOME=str(tmp_path))
    assert done.code == 0, done.err
    assert place in done.out
    assert (tmp_path / place).read_text().strip() == retest(tmp_path, "completion", shell).out.strip()
    assert retest(tmp_path, "completion", "tcsh").code == 2
