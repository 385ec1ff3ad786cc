"""What is open joins its incident, or the report of works, and leaves it (#50): what customers' partitions tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from agents import anomalies, shadow
from agents.ports import Batch
from agents.rules import Check
from agents.shell import Shell
from agents.verdicts import Decision, Open, Wait

INCIDENT = "yupan.internal.incident.v1"


class Group(NamedTuple):
    """An open anomaly and where it is: what makes it part of an incident."""

    anomaly: Open
    region: str | None
    cell: str | None = None

    @property
    def key(self) -> tuple[str | None, ...]:
        """What is equal for all that are one incident of a check; of works, one report has all that they began."""
        works = self.anomaly.get("cutover")
        return (works,) if works else (self.anomaly["cause_code"], self.region, self.cell)


def changes(check: Check, before: Group | None, after: Group | None) -> Iterator[tuple[Group, str]]:
    """What becomes of incidents when an open anomaly was part of one group and is part of another."""
    if before is not None and after is not None and before.key == after.key:
        if anomalies.severity_of(check, before.anomaly) != anomalies.severity_of(check, after.anomaly):
            yield after, "GRAVER"
        return
    if before is not None:
        yield before, "LEAVES"
    if after is not None:
        yield after, "JOINS"


def group_of(check: Check, wait: Wait | None) -> Group | None:
    """Where the anomaly of a customer is; None: nothing is open that anybody is told of."""
    if wait is None or wait["open"] is None or shadow.is_silent(wait["open"]):
        return None
    return Group(wait["open"], wait["region"] if check.alert.by_region else None)


def join(
    shell: Shell,
    batch: Batch,
    check: Check,
    groups: tuple[Group | None, Group | None],
    decision: Decision,
    example: str | None = None,
) -> None:
    """What is open was part of one group and is part of another: tell the incidents. `example`: whose, masked."""
    before = groups[0]
    for group, change in changes(check, *groups):
        was = anomalies.severity_of(check, before.anomaly) if before and change == "GRAVER" else None
        bring(shell, batch, check, group, change, decision, example=example, was=was)


def bring(
    shell: Shell, batch: Batch, check: Check, group: Group, change: str, decision: Decision, **more: str | None
) -> None:
    """Bring one change to the key of its incident or works."""
    record = {
        "check": check.id,
        "cause_code": group.anomaly["cause_code"],
        "cell": group.cell,
        "region": group.region,
        "severity": anomalies.severity_of(check, group.anomaly),
        "change": change,
        "again": change == "JOINS" and "since" in group.anomaly,
        "cutover": group.anomaly.get("cutover"),
        "old": decision.arrived - decision.at >= shell.act_within,
        "occurred_at": decision.at,
        **more,
    }
    event_id = f"{group.anomaly['id']}|{change}|{decision.cause_id}"
    shell.emit(batch, INCIDENT, record, event_id, traceparent=decision.traceparent)
