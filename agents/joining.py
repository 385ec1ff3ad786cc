"""What is open joins its incident, or the report of works, and leaves it (#50): what customers' partitions tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from zlib import crc32

from agents import anomalies, shadow
from agents.cutover import collecting
from agents.ports import Batch
from agents.rules import Check
from agents.shell import Shell
from agents.verdicts import Decision, Outcome, Rule
from agents.waiting import Open, Wait

INCIDENT = "yupan.internal.incident.v1"
MOST_JOINED = 8
"""Incidents and works of which an anomaly knows that it has joined them."""


class Group(NamedTuple):
    """An open anomaly and where it is: what makes it part of an incident."""

    anomaly: Open
    region: str | None
    cell: str | None = None

    @property
    def name(self) -> str:
        """A hash of what it is, which the anomaly keeps of it (`Open.joined`)."""
        return f"{crc32(repr(self.key).encode()):x}"

    @property
    def key(self) -> tuple[str | None, ...]:
        """What is equal for all that are one incident of a check; of works, one report has all that they began."""
        works = self.anomaly.get("cutover")
        return (works,) if works else (self.anomaly["cause_code"], self.region, self.cell)


def entered(before: Group | None, after: Group | None) -> Open | None:
    """What is open, with the incident or works that it joins noted; None: it joins none."""
    if after is None or (before is not None and before.key == after.key):
        return None
    joined = dict(after.anomaly.get("joined", {}))
    joined[after.name] = joined.pop(after.name, 0) + 1
    return {**after.anomaly, "joined": dict(list(joined.items())[-MOST_JOINED:])}


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


def group_of(wait: Wait | None) -> Group | None:
    """Where the anomaly of a customer is; None: nothing is open that anybody is told of."""
    if wait is None or wait["open"] is None or shadow.is_silent(wait["open"]):
        return None
    return Group(wait["open"], None if wait["open"].get("everywhere") else wait["region"])


def belonging(
    check: Check, rule: Rule, works: Mapping[str, Any] | None, before: Wait | None, outcome: Outcome
) -> Outcome:
    """What opens is part of the works in whose window it began, or of an incident; so is what is open and begins anew.

    `works`: the ledger's record of those that are known; `outcome` has decisions.
    """
    wait = outcome.wait
    if wait is None or wait["open"] is None or shadow.is_silent(wait["open"]):
        return outcome
    anomaly: Open = {**wait["open"]}
    begun = None if before is None or before["open"] is None else before["since"]
    if begun != wait["since"]:
        anomaly.pop("cutover", None)
        window = works and collecting(works["windows"], rule.watches, wait["region"], wait["since"])
        if window:
            anomaly["cutover"] = window
    if begun is None and not check.alert.by_region:
        anomaly["everywhere"] = True
    wait = {**wait, "open": anomaly}
    joins = entered(group_of(before), group_of(wait))
    return outcome._replace(wait=wait if joins is None else {**wait, "open": joins})


def join(
    shell: Shell,
    batch: Batch,
    check: Check,
    groups: tuple[Group | None, Group | None],
    decision: Decision,
    example: str | None = None,
) -> None:
    """What is open was part of one group and is part of another: tell the incidents. `example`: whose, masked."""
    before, after = groups
    for group, change in changes(check, *groups):
        was = anomalies.severity_of(check, before.anomaly) if before and change == "GRAVER" else None
        moves = change == "LEAVES" and after is not None
        bring(shell, batch, check, group, change, decision, example=example, was=was, moves=moves)


def bring(
    shell: Shell, batch: Batch, check: Check, group: Group, change: str, decision: Decision, **more: str | bool | None
) -> None:
    """Bring one change to the key of its incident or works."""
    record = {
        "check": check.id,
        "cause_code": group.anomaly["cause_code"],
        "cell": group.cell,
        "region": group.region,
        "severity": anomalies.severity_of(check, group.anomaly),
        "change": change,
        "again": change == "JOINS" and group.anomaly["joined"][group.name] > 1,
        "cutover": group.anomaly.get("cutover"),
        "old": decision.arrived - decision.at >= shell.act_within,
        "occurred_at": decision.at,
        **more,
    }
    event_id = f"{group.anomaly['id']}|{change}|{decision.cause_id}"
    shell.emit(batch, INCIDENT, record, event_id, traceparent=decision.traceparent)
