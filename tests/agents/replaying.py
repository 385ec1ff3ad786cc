"""Scenarios as JSON lines through the command `yupan checks replay`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from schemas.fields import iso
from streams import cli

NOON = 1_795_320_000_000
"""2026-11-22T12:00+08:00."""
MIN = 60_000
HOUR = 60 * MIN
ANNA, BERT = "8613800138000", "8613900139000"

Line = dict[str, Any]


def state(minute: float, name: str, value: Any, *, msisdn: str = ANNA, **more: Any) -> Line:
    """One input line; `name` is `system.attribute`; `id` and `source` go beside the record."""
    system, _, attribute = name.partition(".")
    beside = {key: more.pop(key) for key in ("id", "source") if key in more}
    at = NOON + round(minute * MIN)
    record = {"msisdn": msisdn, "system": system, "attribute": attribute, "value": value, "occurred_at": iso(at)}
    return {"topic": "yupan.state.v1", "record": record | more, **beside}


def minutes(at: str) -> float:
    """A decision's `at` as minutes after noon."""
    from schemas.fields import millis

    return (millis(at) - NOON) / MIN


class Replayed:
    """What one run of the command gave."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.err = err
        self.lines: list[Line] = [json.loads(line) for line in out.splitlines()]

    @property
    def anomalies(self) -> list[Line]:
        return [line for line in self.lines if line["kind"] == "anomaly"]

    @property
    def story(self) -> list[tuple[float, str]]:
        """(minute, status) of each change of an anomaly's status."""
        return [(minutes(line["at"]), line["status"]) for line in self.anomalies]


Replaying = Callable[..., Replayed]


@pytest.fixture
def replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Replaying:
    """`replay(lines, until=minute, *options)` runs the command in this process."""

    def run(lines: Iterable[Line | str], *options: str, until: float | None = None) -> Replayed:
        file = tmp_path / "events.jsonl"
        file.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines), "utf-8")
        end = () if until is None else ("--until", iso(NOON + round(until * MIN)))
        capsys.readouterr()
        code = cli.run(["checks", "replay", str(file), "--json", *end, *options])
        said = capsys.readouterr()
        return Replayed(code, said.out, said.err)

    return run
