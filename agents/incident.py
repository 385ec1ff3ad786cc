"""Incidents (#50): all open anomalies of one check, area and cause, of which technicians are told once. Pure.

An incident is told when it has lasted for a moment (`wait`), and is over when none has been open for as long: what
heals by itself at once, or comes and goes, is not told again and again. While it fires, it is told anew when it has hit
twice as many, when it is graver, or is less so for a moment, and once a day: so it is known to who reads the topic from
its beginning, however long ago it began. One that comes back within an hour is the same.

Ledger record `~incident/KEY`, KEY being that of `yupan.internal.incident.v1`: `Incident`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NotRequired, TypedDict, cast

from agents.texts import span_text

EXAMPLES = 5
"""Masked customers that an alert names."""
REMEMBERED = 3_600_000
"""Milliseconds after its end in which an incident that comes back is the same one."""
AGAIN = 86_400_000
"""Milliseconds after which one that fires is told again; less than the topic of alerts keeps."""
SOONEST = 1_000
"""Milliseconds after which one that is too small is looked at again, at least."""
LOOK = 3_600_000
"""Milliseconds after which one that is too small is looked at again, at most: its file may say less by then."""
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

    def describe(self) -> Mapping[str, object]:
        """The key `alert` as a file says it, for `checks show`."""
        by, wait = "region" if self.by_region else "all", span_text(self.wait, "en")
        guidance = {"guidance": dict(self.guidance)} if self.guidance else {}
        return {"by": by, "at_least": self.at_least, "wait": wait, **guidance}


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
    """Anomalies that were, all together; one that opens again counts once."""
    told: int
    """What `hit` was when it was told last."""
    told_at: NotRequired[int]
    severity: str
    """Of one that fires as it was told last, else the gravest that is open."""
    severities: NotRequired[dict[str, int]]
    """How many are open of each; left out by older records: all are of `severity`."""
    old: NotRequired[bool]
    """Whether all that joined it was too old to act when it came; left out: it was not."""
    examples: list[str]
    ended_at: int | None
    """When it was told to be over, the last time."""
    due: int | None
    """When to look again: to tell it (again), to end it, to forget it."""


class Change(NamedTuple):
    """What an incident has become, and what is to be told of it: FIRING, RESOLVED or nothing."""

    incident: Incident | None
    tell: str | None = None


def joined(known: Incident | None, record: Mapping[str, Any], cause_id: str, alerting: Alerting) -> Change:
    """An anomaly has opened."""
    at = record["occurred_at"]
    incident = _new(record, cause_id) if known is None or _is_past(known, at) else known
    before, is_news = incident["open"], _is_news(incident, record)
    incident = _with(
        incident,
        open=before + 1,
        hit=max(incident["hit"] + (not record["again"]), before + 1),
        severities=_counted(incident, joins=record["severity"]),
        old=is_old(incident) and not is_news,
        examples=shown(incident["examples"], record["example"]),
    )
    if incident["status"] == "FIRING":
        return _told(incident, at) if is_news else _fires(incident, at, alerting)
    return _gathers(incident, at, alerting, before)


def graver(known: Incident | None, record: Mapping[str, Any], alerting: Alerting) -> Change:
    """One of the anomalies is graver than it was, or less so."""
    if known is None or known["open"] == 0:
        return Change(known)
    severities, at = _counted(known, leaves=record["was"], joins=record["severity"]), record["occurred_at"]
    is_news = _is_news(known, record)
    incident = _with(known, severities=severities, old=is_old(known) and not is_news)
    if incident["status"] == "FIRING":
        return _told(incident, at) if is_news else _fires(incident, at, alerting)
    return _gathers(incident, at, alerting, incident["open"])


def left(known: Incident | None, record: Mapping[str, Any], alerting: Alerting) -> Change:
    """An anomaly has ended."""
    if known is None or known["open"] == 0:
        return Change(known)  # it had joined before incidents were counted
    at, before = record["occurred_at"], known["open"]
    incident = _with(known, open=before - 1, severities=_counted(known, leaves=record["severity"]))
    if incident["status"] == "FIRING":
        return _fires(incident, at, alerting)
    return _gathers(incident, at, alerting, before) if incident["open"] else Change(_rested(incident))


def fall_due(incident: Incident, at: int, alerting: Alerting) -> Change:
    """The time to look again has come."""
    is_open = incident["open"] > 0
    if incident["status"] == "FIRING" and not is_open:
        return Change(_with(incident, status="OVER", ended_at=at, due=at + REMEMBERED), "RESOLVED")
    if incident["status"] == "FIRING" or incident["open"] >= alerting.at_least:
        return _told(incident, at)
    return _gathers(incident, at, alerting, incident["open"]) if is_open else Change(None)


def _fires(incident: Incident, at: int, alerting: Alerting) -> Change:
    """One that fires has changed: it is told anew at once when that is worse, else looked at in time."""
    soon = at + alerting.wait
    if not incident["open"]:
        return Change(_with(incident, due=soon))
    rank, known = RANK.index(_gravest(incident)), RANK.index(incident["severity"])
    if rank > known or incident["hit"] >= 2 * incident["told"]:
        return _told(incident, at)
    if rank < known:
        return Change(_with(incident, due=min(soon, incident["due"] or soon)))
    return Change(_with(incident, due=max(at, incident.get("told_at", at) + AGAIN)))


def _gathers(incident: Incident, at: int, alerting: Alerting, before: int) -> Change:
    """One that is not told yet is looked at when it has lasted. `before`: how many were open until now."""
    due = at + alerting.wait
    if incident["open"] < alerting.at_least:
        due = at + max(alerting.wait, SOONEST, min(at - incident["first_at"], LOOK))
    elif before >= alerting.at_least and incident["due"] is not None:
        due = min(due, incident["due"])
    return Change(_with(incident, status="GATHERING", severity=_gravest(incident), due=due))


def _told(incident: Incident, at: int) -> Change:
    told = {"severity": _gravest(incident), "told": incident["hit"], "told_at": at, "due": at + AGAIN}
    return Change(_with(incident, status="FIRING", **told), "FIRING")


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
        "severities": {},
        "old": bool(record["old"]),
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


def is_old(incident: Incident) -> bool:
    """Whether it is history: an import or a replay tells of nothing that technicians should get up for."""
    return incident.get("old", False)


def _is_news(incident: Incident, record: Mapping[str, Any]) -> bool:
    """Whether what was history is so no more by this change."""
    return is_old(incident) and not record["old"]


def _counted(incident: Incident, *, leaves: str | None = None, joins: str | None = None) -> dict[str, int]:
    """How many are open of each severity, when one leaves and one joins."""
    counts = {**_severities(incident)}
    if leaves is not None:  # its check's file may have said another severity when it joined
        name = leaves if leaves in counts else min(counts, key=RANK.index)
        counts[name] -= 1
    if joins is not None:
        counts[joins] = counts.get(joins, 0) + 1
    return {name: count for name, count in counts.items() if count}


def _severities(incident: Incident) -> Mapping[str, int]:
    return incident.get("severities", {incident["severity"]: incident["open"]})


def _gravest(incident: Incident) -> str:
    return max(_severities(incident), key=RANK.index)


def shown(examples: list[str], example: str | None) -> list[str]:
    """`examples` with one more, as far as there is room."""
    if example is None or example in examples or len(examples) >= EXAMPLES:
        return examples
    return [*examples, example]


def _with(incident: Incident, **changes: Any) -> Incident:
    changed: Any = {**incident, **changes}
    return cast(Incident, changed)
