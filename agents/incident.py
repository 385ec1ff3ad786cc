"""Incidents (#50): all open anomalies of one check, area and cause, of which technicians are told once. Pure.

An incident is told when it has lasted for a moment (`wait`), and is over when none has been open for as long: what
heals by itself at once, or comes and goes, is not told again and again. While it fires, it is told anew when it has hit
twice as many. One that comes back within an hour is the same.

Ledger record `~incident/KEY`, KEY being that of `yupan.internal.incident.v1`: `Incident`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict, cast

EXAMPLES = 5
"""Masked customers that an alert names."""
REMEMBERED = 3_600_000
"""Milliseconds after its end in which an incident that comes back is the same one."""
RANK = ("WARNING", "MINOR", "MAJOR", "CRITICAL")
"""Severities, the gravest last."""


@dataclass(frozen=True)
class Alerting:
    """How the anomalies of a check become incidents, as its file says. Times are milliseconds."""

    by_region: bool = True
    """Whether each region is an incident by itself."""
    at_least: int = 1
    """Fewer open anomalies are none."""
    wait: int = 10_000
    guidance: Mapping[str, str] = field(default_factory=dict)
    """What technicians should do, by language."""


class Incident(TypedDict):
    """What is kept of one. Times are milliseconds."""

    v: int
    id: str
    first_at: int
    """When the first of its anomalies opened."""
    status: str
    """GATHERING: it has not been told; FIRING; OVER: it was, and may come back."""
    open: int
    """Anomalies that are open."""
    hit: int
    """Anomalies that were, all together."""
    told: int
    """What `hit` was when it was told last."""
    severity: str
    examples: list[str]
    ended_at: int | None
    """When it was told to be over, the last time."""
    due: int | None
    """When to look again: to tell it, to end it, to forget it."""


class Change(NamedTuple):
    """What an incident has become, and what is to be told of it: FIRING, RESOLVED or nothing."""

    incident: Incident | None
    tell: str | None = None


def joined(known: Incident | None, record: Mapping[str, Any], cause_id: str, alerting: Alerting) -> Change:
    """An anomaly has opened."""
    at = record["occurred_at"]
    incident = _new(record, cause_id) if known is None or _is_past(known, at) else known
    severity = max(incident["severity"], record["severity"], key=RANK.index)
    is_graver = severity != incident["severity"]
    incident = _with(
        incident,
        open=incident["open"] + 1,
        hit=incident["hit"] + 1,
        severity=severity,
        examples=shown(incident["examples"], record["example"]),
    )
    if incident["status"] == "FIRING":
        tell = is_graver or incident["hit"] >= 2 * incident["told"]
        changed = _with(incident, due=None, told=incident["hit"] if tell else incident["told"])
        return Change(changed, "FIRING" if tell else None)
    if incident["open"] < alerting.at_least:
        return Change(_with(incident, status="GATHERING", due=None))
    waits = incident["status"] == "GATHERING" and incident["due"] is not None
    return Change(incident if waits else _with(incident, status="GATHERING", due=at + alerting.wait))


def graver(known: Incident | None, record: Mapping[str, Any]) -> Change:
    """One of the anomalies is graver than it was."""
    if known is None or RANK.index(record["severity"]) <= RANK.index(known["severity"]):
        return Change(known)
    incident = _with(known, severity=record["severity"])
    return Change(incident, "FIRING" if incident["status"] == "FIRING" else None)


def left(known: Incident | None, record: Mapping[str, Any], alerting: Alerting) -> Change:
    """An anomaly has ended."""
    if known is None or known["open"] == 0:
        return Change(known)  # it had joined before incidents were counted
    incident = _with(known, open=known["open"] - 1)
    if incident["status"] == "FIRING":
        return Change(incident if incident["open"] else _with(incident, due=record["occurred_at"] + alerting.wait))
    if incident["open"] >= alerting.at_least:
        return Change(incident)
    return Change(_with(incident, due=None) if incident["open"] else _rested(incident))


def fall_due(incident: Incident, at: int, alerting: Alerting) -> Change:
    """The time to look again has come."""
    if incident["status"] == "FIRING":
        over = _with(incident, status="OVER", ended_at=at, due=at + REMEMBERED)
        return Change(_with(incident, due=None)) if incident["open"] else Change(over, "RESOLVED")
    if incident["open"] >= alerting.at_least:
        return Change(_with(incident, status="FIRING", told=incident["hit"], due=None), "FIRING")
    return Change(_with(incident, due=None) if incident["open"] else None)


def _new(record: Mapping[str, Any], cause_id: str) -> Incident:
    """The same cause makes the same incident, also when it is replayed."""
    cause = "\x00".join((record["check"], record["cause_code"], cause_id))
    return {
        "v": 1,
        "id": hashlib.sha256(cause.encode()).hexdigest()[:32],
        "first_at": record["occurred_at"],
        "status": "GATHERING",
        "open": 0,
        "hit": 0,
        "told": 0,
        "severity": record["severity"],
        "examples": [],
        "ended_at": None,
        "due": None,
    }


def _rested(incident: Incident) -> Incident | None:
    """What healed by itself before it was told: nothing, or what it was before."""
    ended = incident["ended_at"]
    return None if ended is None else _with(incident, status="OVER", due=ended + REMEMBERED)


def _is_past(incident: Incident, at: int) -> bool:
    """One that fires again is not, whenever it was over before: its end is still to be told."""
    ended = incident["ended_at"]
    return incident["status"] == "OVER" and ended is not None and at > ended + REMEMBERED


def shown(examples: list[str], example: str | None) -> list[str]:
    """`examples` with one more, as far as there is room."""
    if example is None or example in examples or len(examples) >= EXAMPLES:
        return examples
    return [*examples, example]


def _with(incident: Incident, **changes: Any) -> Incident:
    changed: Any = {**incident, **changes}
    return cast(Incident, changed)
