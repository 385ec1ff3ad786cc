"""The checks of a fault run: the shipped ones, made for runs of less than a minute that follow one another."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from agents.rules import SHIPPED, Checks, load_checks
from tests.faults.workload import DEADLINES, REPAIRS


def write(directory: Path) -> Path:
    """Into a new directory: incidents are told after a second, all is repaired at once, and no repair fails."""
    directory.mkdir()
    for file in SHIPPED.glob("*.yaml"):
        text = file.read_text("utf-8").replace("\nalert:\n", "\nalert:\n  wait: 1 s\n")
        text = re.sub(r"\n  command: .*\n", r"\g<0>  per_minute: 60000\n  per_day: 1000000\n  within: 1 d\n", text)
        (directory / file.name).write_text(text, "utf-8")
    return directory


@cache
def loaded() -> Checks:
    """As a worker reads them."""
    with TemporaryDirectory(prefix="yupan-faults-") as directory:
        return load_checks((write(Path(directory) / "checks"),), DEADLINES, REPAIRS)
