"""A thread belongs to one process at a time, and to nobody once that process is dead."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.lease import ThreadTaken, lease

HOLD = """
import sys, time
from pathlib import Path
from agent.lease import lease
with lease(Path(sys.argv[1]), "claim@pass"):
    print("mine", flush=True)
    time.sleep(60)
"""


def test_a_thread_that_another_process_holds_is_left_alone_until_that_process_dies(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "mine\n"
    with pytest.raises(ThreadTaken, match="claim@pass"), lease(tmp_path, "claim@pass"):
        pass
    with lease(tmp_path, "another@pass"):
        pass
    other.send_signal(signal.SIGKILL)
    other.wait()
    with lease(tmp_path, "claim@pass", wait_s=5):
        pass
