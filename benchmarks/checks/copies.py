"""Further checks of an operator: copies of shipped ones under other ids, as files in a directory."""

from __future__ import annotations

import re
from pathlib import Path

from agents.rules import SHIPPED

COPIED = ("activation", "subscription", "subscription.network", "sacp-signing", "opening", "charging", "gift")


def write(directory: Path, count: int, *, own_attributes: bool) -> Path:
    """Write so many checks.

    With `own_attributes` each is of a product of its own, which nothing else reads. Else all read what ours read, and
    each event is judged by all copies of its check, too: the worst that an operator can do.
    """
    for number in range(count):
        shipped = "subscription" if own_attributes else COPIED[number % len(COPIED)]
        text = (SHIPPED / f"{shipped}.yaml").read_text("utf-8")
        text = re.sub(r"^id: .*$", f"id: own.c{number}", text, count=1, flags=re.MULTILINE)
        if own_attributes:
            text = re.sub(r"^within:", f"products: [own-{number}]\nwithin:", text, count=1, flags=re.MULTILINE)
        (directory / f"own-{number}.yaml").write_text(text, "utf-8")
    return directory
