"""A bar is for who looks: on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

SCRIPT = """
from streams.progress import over_count
with over_count(40, "replaying") as done:
    done(20)
    done(40)
"""


def test_a_count_has_a_bar_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", SCRIPT], stderr=theirs, env=environ, check=True, timeout=60)
    os.close(theirs)
    said = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "replaying" in said
    assert "40/40" in said


def test_a_count_says_nothing_in_a_pipe() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"")
