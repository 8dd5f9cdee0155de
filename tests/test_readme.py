"""What README shows is what the commands print. `python -m tests.test_readme` writes the screen anew."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SCREEN = re.compile(r"(<!-- screen -->\n```\n)(.*?)(```)", re.DOTALL)
COMMAND = ["run", "--no-lab", "--source", "library", "--as-of", "2026-08-21", "--out", "retest-report"]


def printed(folder: Path, *args: str) -> str:
    """Run the command in an empty folder with an empty home and give what it prints on stdout."""
    env = {"PATH": os.environ["PATH"], "RETEST_HOME": str(folder / "home"), "COLUMNS": "110", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", "from agent.cli.main import main; main()", *args],
        capture_output=True,
        text=True,
        cwd=folder,
        env=env,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return "".join(line.rstrip() + "\n" for line in done.stdout.splitlines())


def screen(folder: Path) -> str:
    """Give the screen that README shows: the command, and what it prints."""
    return f"$ retest {' '.join(COMMAND[:-2])}\n{printed(folder, *COMMAND)}"


@pytest.mark.slow
def test_the_screen_in_the_readme_is_what_the_command_prints(tmp_path: Path) -> None:
    shown = SCREEN.search(README.read_text())
    assert shown is not None
    assert shown[2] == screen(tmp_path)


@pytest.mark.slow
def test_the_commands_that_the_readme_names_exist(tmp_path: Path) -> None:
    named = set(re.findall(r"^retest ([a-z]+)", README.read_text(), re.MULTILINE))
    assert len(named) > 5
    help_text = printed(tmp_path, "--help")
    assert {name for name in named if f"  {name} " not in help_text} == set()


def test_the_two_commands_of_the_readme_stand_where_ci_looks_for_them() -> None:
    text = README.read_text()
    for name in ("one", "two"):
        block = re.search(rf"<!-- command {name} -->\n```bash\n(.*?)```", text, re.DOTALL)
        assert block is not None
        assert "-c .ci/constraints.txt" in block[1]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        shown = screen(Path(folder))
    README.write_text(SCREEN.sub(lambda match: match[1] + shown + match[3], README.read_text()))
