"""The results of all recorded runs, a line each in `results.jsonl`, and what they add up to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults.run import Result

FILE = Path(__file__).with_name("results.jsonl")
SUMMED = ("events", "lost", "doubled")
Line = dict[str, Any]


def keep(result: Result, file: Path = FILE) -> None:
    """Add a run."""
    said = {**line(result), "date": datetime.now(UTC).date().isoformat(), "commit": commit()}
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(said) + "\n")


def line(result: Result) -> Line:
    """What is kept of a run."""
    names = ("fault", "seed", "events", "lost", "doubled", "pause_s", "restarts")
    return {name: getattr(result, name) for name in names}


def commit() -> str:
    """The commit that was run; with `+` where files of it are changed, other than the results."""
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", f":!{FILE.name}", ":(top,exclude)docs")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def git(*words: str) -> str:
    """What git answers; nothing where this is no checkout."""
    done = subprocess.run(["git", *words], cwd=FILE.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def kept(file: Path = FILE) -> Iterator[Line]:
    """All runs."""
    if file.exists():
        yield from map(json.loads, file.read_text("utf-8").splitlines())


def totals(lines: Iterable[Mapping[str, Any]], by: str = "fault") -> dict[str, Line]:
    """Sums by what lines say under `by`, in the order of their names; what they do not say is `all`."""
    found: dict[str, Line] = {}
    for said in lines:
        sums = found.setdefault(said.get(by, "all"), {"runs": 0, **dict.fromkeys(SUMMED, 0)})
        sums["runs"] += 1
        for name in SUMMED:
            sums[name] += said[name]
        sums["longest_pause_s"] = max(sums.get("longest_pause_s", 0.0), said["pause_s"])
        sums.setdefault("seeds", []).append(said["seed"])
    return dict(sorted(found.items()))
