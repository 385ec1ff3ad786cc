"""The life of an anomaly (#53): OPEN → ACKNOWLEDGED → RESOLVED or WITHDRAWN. Pure.

A kind knows only whether something is open. What a person has made of it is kept beside, in the open anomaly's
`status`, and an anomaly that opens again soon after it was resolved, about the same, is the same one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from agents.event import Event
from agents.repair import left_of
from agents.shadow import is_silent, silenced
from agents.verdicts import AreaChange, Change, Decision, Outcome, Rule, on_event, since_of
from agents.waiting import Former, Open, Rates, Wait

REOPENED_WITHIN = 3_600_000
"""Milliseconds after its end in which an anomaly that opens again is the same one."""
ENDED = ("RESOLVED", "WITHDRAWN")
ORDERED = {"ACKNOWLEDGE": "ACKNOWLEDGED", "WITHDRAW": "WITHDRAWN"}
"""What a person's command makes of an anomaly."""
FROM = {"ACKNOWLEDGE": ("OPEN",), "WITHDRAW": ("OPEN", "ACKNOWLEDGED", "REPAIRING")}
"""In which statuses it can be followed."""


def status_of(anomaly: Open) -> str:
    """The status of an open anomaly."""
    return anomaly.get("status", "OPEN")


def former_of(decision: Decision) -> Former | None:
    """What is remembered of an anomaly that this decision has ended: one that was withdrawn does not come back."""
    anomaly = decision.anomaly
    if decision.status != "RESOLVED":
        return None
    former: Former = {
        "id": anomaly["id"],
        "opened_at": anomaly["opened_at"],
        "ended_at": decision.at,
        "about": anomaly.get("about"),
    }
    if is_silent(anomaly):
        former["silent"] = True
    if (repair := left_of(anomaly)) is not None:
        former["repair"] = repair
    if "joined" in anomaly:
        former["joined"] = anomaly["joined"]
    return former


def placed(decision: Decision, former: Former | None, *, shadow: bool = False) -> Decision:
    """`decision` in its place in the anomaly's life. `former`: the last one of the same cause, if it was resolved.

    `shadow`: nobody is to be told of what opens. It is not the same as one that was announced, nor the other way.
    """
    if decision.status != "OPEN":
        return decision
    if not decision.changes_status:
        return decision._replace(status=status_of(decision.anomaly))
    if shadow:
        decision = decision._replace(anomaly=silenced(decision.anomaly))
    if former is None or not 0 <= decision.at - former["ended_at"] <= REOPENED_WITHIN:
        return decision
    if (former["about"], former.get("silent", False)) != (decision.anomaly.get("about"), shadow):
        return decision
    again: Open = {
        **decision.anomaly,
        "id": former["id"],
        "opened_at": former["opened_at"],
        "since": decision.at,
    }
    if "repair" in former:
        again["repair"] = former["repair"]
    if "joined" in former:
        again["joined"] = former["joined"]
    return decision._replace(anomaly=again)


def continued(outcome: Outcome, former: Former | None, *, shadow: bool = False) -> Outcome:
    """`outcome` with each decision in its place (`shadow`: see `placed`), the wait with the anomaly as they tell it."""
    wait = outcome.wait
    decisions = tuple(placed(decision, former, shadow=shadow) for decision in outcome.decisions)
    last = decisions[-1] if decisions else None
    if wait is not None and wait["open"] is not None and last is not None and last.status not in ENDED:
        wait = {**wait, "open": last.anomaly}
    return outcome._replace(wait=wait, decisions=decisions)


def ordered(
    event: Event, subject: str, rule: Rule | None, wait: Wait, msisdn: str
) -> tuple[Wait | None, Decision] | None:
    """What a command makes of the open anomaly of `wait`; None when it cannot be followed.

    Without the `rule` (its file is gone) nothing is kept of what is withdrawn.
    """
    followed = _followed(event, wait["open"])
    if followed is None:
        return None
    anomaly, at, why = followed
    status = status_of(anomaly)
    decision = on_event(Change("", subject, {}, {}, event, msisdn), status, why, wait, anomaly, anomaly["evidence"])
    decision = decision._replace(at=at)
    if status not in ENDED:
        return {**wait, "open": anomaly}, decision
    return None if rule is None else rule.withdrawn(wait, at), decision


def ordered_of_area(event: Event, area: str, region: str | None, rates: Rates) -> AreaChange | None:
    """The same of a cell or region; what is withdrawn opens no more until the rate has recovered."""
    followed = _followed(event, rates["open"])
    if followed is None:
        return None
    anomaly, at, why = followed
    status, cause = status_of(anomaly), f"{event.source}|{event.id}"
    decision = Decision(area, status, at, why, anomaly, anomaly["evidence"], cause, region, cause, event.traceparent)
    kept: Rates = {**rates, "open": None, "muted": True} if status in ENDED else {**rates, "open": anomaly}
    return AreaChange(kept, None, (decision,))


def _followed(event: Event, anomaly: Open | None) -> tuple[Open, int, str] | None:
    """The anomaly with its new status, as of when, and why; None when the command cannot be followed."""
    command = event.record
    if anomaly is None or status_of(anomaly) not in FROM.get(command["kind"], ()):
        return None
    if "since" in anomaly and event.occurred_at < anomaly["since"]:
        return None  # it was about the anomaly's life before it opened again
    status = ORDERED[command["kind"]]
    changed: Open = {**anomaly, "status": status}
    return changed, max(event.occurred_at, since_of(anomaly)), told(command, status)


def told(command: Mapping[str, Any], status: str) -> str:
    """The reason of what a person ordered: `acknowledged by 1001`, `withdrawn by 1002: planned works`.

    A name that could be read otherwise stands in quotes: `withdrawn by "ops: night": planned works`.
    """
    staff, why = command["staff"], f": {command['reason']}" if command["reason"] else ""
    plain = ": " not in staff and not staff.startswith('"')
    return f"{status.lower()} by {staff if plain else json.dumps(staff, ensure_ascii=False)}{why}"


def order_told(reason: str) -> dict[str, str | None] | None:
    """The command that an anomaly's `reason` tells of, as fields of `yupan.command.v1`; None: nobody ordered it."""
    for kind, status in ORDERED.items():
        begin = f"{status.lower()} by "
        if reason.startswith(begin):
            staff, why = _staff_and_why(reason.removeprefix(begin))
            return {"kind": kind, "staff": staff, "reason": why or None}
    return None


def _staff_and_why(said: str) -> tuple[str, str]:
    if said.startswith('"'):
        with suppress(ValueError):
            staff, end = json.JSONDecoder().raw_decode(said)
            return staff, said[end:].removeprefix(": ")
    staff, _, why = said.partition(": ")
    return staff, why
