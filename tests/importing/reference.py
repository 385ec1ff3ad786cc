"""The call report computed straight from a call log's CSV: nothing of Yupan is used here."""

from __future__ import annotations

import csv
import gzip
import math
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a call log, plain or gzip."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def group_of(row: dict[str, str], by: str) -> str:
    """The group that a call counts in: the log knows no brand and no segment."""
    if by == "hour":
        return f"{int(row['vru_entry'].split(':')[0]):02}"
    return row["priority"] if by == "priority" else "none"


def call_report(path: Path, by: str = "priority") -> list[dict[str, Any]]:
    """What `yupan report calls --by … --json` must print for a log that was imported into empty tables."""
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(path):
        if row["outcome"] != "PHANTOM":
            groups[group_of(row, by)].append(row)
    return [figures(group, calls) for group, calls in sorted(groups.items())]


def figures(group: str, calls: list[dict[str, str]]) -> dict[str, Any]:
    """One line of the report."""
    answered = [row for row in calls if row["server"] != "NO_SERVER"]
    waits = sorted(int(row["q_time"]) for row in answered)
    times = [int(row["ser_time"]) for row in answered]
    return {
        "group": group,
        "calls": len(calls),
        "answered": len(answered),
        "connect_rate": rounded(Fraction(len(answered), len(calls))),
        "abandoned": len(calls) - len(answered),
        "wait_mean_s": mean(waits),
        "wait_p90_s": float(waits[math.ceil(Fraction(9 * len(waits), 10)) - 1]) if waits else 0.0,
        "handling_mean_s": mean(times),
    }


def mean(values: list[int]) -> float:
    """The mean, to three digits; 0.0 of nothing."""
    return rounded(Fraction(sum(values), len(values))) if values else 0.0


def rounded(value: Fraction) -> float:
    """To three digits; the one division is exact until then."""
    return round(float(value), 3)
