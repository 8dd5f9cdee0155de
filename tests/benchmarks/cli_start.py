"""How long a command takes to start, as a whole process, beside a Python that does nothing, in turns.

python -m tests.benchmarks.cli_start
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.rows import Row, print_rows

ROUNDS = 9
ROOT = Path(__file__).parents[2]
RUN = "from agent.cli.main import main; main({})"


def rows() -> list[Row]:
    """Measure."""
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], "RETEST_HOME": home, "PYTHONPATH": str(ROOT)}
        run = ["run", "--no-lab", "--source", "library", "--out", f"{home}/report"]
        subprocess.run([sys.executable, "-c", RUN.format(run)], env=env, check=True, capture_output=True)
        commands = {
            "python -c pass": "pass",
            "retest --help": RUN.format(["--help"]),
            "retest list (6 claims)": RUN.format(["list"]),
            "retest show CLAIM": RUN.format(["show", "lima"]),
        }
        took: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(ROUNDS + 1):
            for name, code in commands.items():
                began = time.perf_counter()
                subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True)
                if turn:
                    took[name].append(time.perf_counter() - began)
    bare = statistics.median(took["python -c pass"])
    return [
        Row(
            name,
            statistics.median(seconds),
            "s",
            len(seconds),
            "" if code == "pass" or "show" in name else f"<= {bare + 0.4:.2f} s",
            f"{statistics.median(seconds) - bare:+.2f} s over a bare Python, slowest {max(seconds):.2f} s",
        )
        for (name, code), seconds in zip(commands.items(), took.values(), strict=True)
    ]


if __name__ == "__main__":
    print_rows("Start of a command", rows())
