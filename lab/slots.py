"""Slots of this machine: cores and GPUs, each a lock file.

The descriptors of the locks are handed to the run, which holds them for its life together with its children. So two
runs cannot be on one slot, whatever becomes of the control worker that started them, and a slot frees itself when the
last process on it is gone.
"""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lab.runs import held


class Slots(NamedTuple):
    """Slots that were taken."""

    fds: tuple[int, ...]
    """open descriptors that hold the locks"""
    gpus: tuple[int, ...]
    """numbers of the GPUs"""

    def let_go(self) -> None:
        """Close our copies; a child that inherited them keeps the slots."""
        for fd in self.fds:
            os.close(fd)


def take_slots(folder: Path, *, cpus: int, of_cpus: int, gpus: int, of_gpus: int) -> Slots | None:
    """Take so many cores and GPUs, all or nothing; None when there is no room now.

    A run that asks for more cores than there are gets all of them. One that asks for more GPUs than there are waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / "take.lock"):
        cores = _take_free([folder / f"cpu-{n}.lock" for n in range(of_cpus)], min(cpus, of_cpus))
        if cores is None:
            return None
        cards = _take_free([folder / f"gpu-{n}.lock" for n in range(of_gpus)], gpus)
        if cards is None:
            Slots(tuple(cores.values()), ()).let_go()
            return None
    return Slots((*cores.values(), *cards.values()), tuple(cards))


def _take_free(paths: Sequence[Path], wanted: int) -> dict[int, int] | None:
    taken: dict[int, int] = {}
    for number, path in enumerate(paths):
        if len(taken) == wanted:
            break
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
        else:
            taken[number] = fd
    if len(taken) == wanted:
        return taken
    for fd in taken.values():
        os.close(fd)
    return None
