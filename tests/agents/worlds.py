"""All agents over one ledger in memory, with checks that may be exchanged while they run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from agents.replay import Input, Line, Replay
from agents.rules import Check, Checks
from schemas.catalogue import EVENTS
from schemas.fields import millis
from tests.agents.desk_world import shipped

NOON = 1_795_320_000_000
"""2026-11-22T12:00+08:00."""
MIN = 60_000
ANNA = "8613800138000"
STATE, USAGE, COMMAND = "yupan.state.v1", "yupan.usage.v1", "yupan.command.v1"


def check(name: str, **changes: Any) -> Check:
    """A shipped check with some of its fields replaced."""
    return replace(shipped().by_id[name], **changes)


class World:
    """One replay; times are minutes after noon."""

    def __init__(self, *files: Any) -> None:
        self.replay = Replay(checks_of(*files), exchanged=True)
        self.lines: list[Line] = []
        self.number = 0

    def load(self, *files: Any) -> None:
        """These are the files from now on."""
        self.replay.conclusions.checks = checks_of(*files)

    def feed(self, topic: str, minute: float, **fields: Any) -> None:
        self.number += 1
        record = EVENTS[topic].from_json({"occurred_at": NOON + round(minute * MIN), **fields})
        self.lines += self.replay.feed(Input(topic, record, f"e-{self.number}"))

    def state(self, minute: float, name: str, value: Any, msisdn: str = ANNA, **more: Any) -> None:
        system, _, attribute = name.partition(".")
        self.feed(STATE, minute, msisdn=msisdn, system=system, attribute=attribute, value=value, **more)

    def fail(self, minute: float, result: str = "FAILED", msisdn: str = ANNA, **more: Any) -> None:
        self.feed(USAGE, minute, msisdn=msisdn, kind="CALL_ATTEMPT", result=result, **more)

    def cell(self, minute: float, succeeded: int, failed: int) -> None:
        """Attempts of as many customers in the cell c-1."""
        for number in range(succeeded + failed):
            result, whose = "OK" if number < succeeded else "FAILED", f"86139{self.number:08}"
            self.fail(minute + number / 10_000, result, whose, cell="c-1")

    def order(self, minute: float, kind: str, anomaly_id: str, msisdn: str | None = ANNA) -> None:
        said = {"command_id": f"k-{self.number}", "kind": kind, "anomaly_id": anomaly_id, "staff": "1001"}
        self.feed(COMMAND, minute, msisdn=msisdn, **said)

    def until(self, minute: float) -> None:
        self.lines += self.replay.finish(NOON + round(minute * MIN))

    def of(self, *kinds: str) -> list[Line]:
        return [line for line in self.lines if line["kind"] in kinds]

    @property
    def kinds(self) -> Counter[str]:
        """How many lines there are of each kind."""
        return Counter(line["kind"] for line in self.lines)

    @property
    def told(self) -> list[tuple[float, str, str]]:
        """(minute, status, reason) of each anomaly that was announced."""
        return [(minute(line), line["status"], line["reason"]) for line in self.of("anomaly")]

    @property
    def silent(self) -> list[tuple[float, str]]:
        """(minute, what would be told) of all that was decided in shadow."""
        return [(minute(line), line["would"]) for line in self.of("shadow")]

    def record(self, key: str) -> Any:
        """A ledger record."""
        return self.replay.worlds[0].records.get(key)


def minute(line: Line) -> float:
    """When, in minutes after noon."""
    return (millis(line["at"]) - NOON) / MIN


def checks_of(*files: Any) -> Checks:
    """Checks and watch lists, told apart."""
    return Checks(
        [one for one in files if isinstance(one, Check)], [one for one in files if not isinstance(one, Check)]
    )
