"""Where figures are kept: `results/PART.json`, with what they were measured on.

Beside them people write what a profile says of goals that are missed (`results/PART.profile.md`), and in the file,
under `measured`, a `remark` on what disturbed the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.surroundings import surroundings

FOLDER = Path(__file__).with_name("results")
COMMON = {"reference_work", "ratios", "latency_ms"}
"""What stands on its own in the last line, whichever part tells it."""


def store(part: str, found: Mapping[str, Any], *, quick: bool, seconds: int) -> Path:
    """Keep what a part found; returns the file."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{part}.json"
    kept = {"measured": {**surroundings(), "quick": quick, "seconds": seconds}, **found}
    file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return file


def load(part: str) -> dict[str, Any] | None:
    """What was kept of a part, if anything, with its `profile` if there is one."""
    file, profile = FOLDER / f"{part}.json", FOLDER / f"{part}.profile.md"
    found: dict[str, Any] | None = json.loads(file.read_text("utf-8")) if file.exists() else None
    if found is not None and profile.exists():
        found["profile"] = profile.read_text("utf-8").strip()
    return found


def line(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What all parts found as one object: what is `COMMON` together, all else under the part's name."""
    together: dict[str, Any] = {}
    for part, pieces in found.items():
        own = {name: value for name, value in pieces.items() if name not in COMMON}
        for name in COMMON & pieces.keys():
            together[name] = {**together.get(name, {}), **pieces[name]}
        if own:
            together[part] = own.get(part, own) if len(own) == 1 else own
    return together
