"""Which core does what."""

from __future__ import annotations

import os


def pair() -> tuple[int, int]:
    """The broker's core and the program's. Ends the command on a machine that has only one."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise SystemExit("two cores are needed: one for the broker, one for the program")
    return usable[0], usable[1]
