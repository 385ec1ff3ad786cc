"""Shadow: a check or a watch list decides and counts, and tells nobody (#49). Pure.

The mode is the file's. Whether an anomaly or a reminder is told is settled when it opens and holds until it ends: so a
change of the mode neither announces what was found silently, nor leaves open what was announced.
"""

from __future__ import annotations

from typing import Any

from agents.verdicts import Decision
from agents.waiting import Open
from schemas.fields import iso

ON, SHADOW, OFF = MODES = ("on", "shadow", "off")
"""on: it is in force; shadow: it decides and tells nobody; off: as if its file were not there."""
EVIDENCE = "evidence"
"""What would be told of an anomaly that stays open and is known by other evidence."""


def silenced(anomaly: Open) -> Open:
    """It opens, and nobody is told as long as it is open."""
    return {**anomaly, "shadow": True}


def is_silent(anomaly: Open | None) -> bool:
    """Whether it opened in shadow."""
    return anomaly is not None and anomaly.get("shadow", False)


def would(decision: Decision) -> str:
    """What would be told: the status, or that the evidence changes."""
    return decision.status if decision.changes_status else EVIDENCE


def line(check: str, decision: Decision, msisdn: str | None, area: str = "") -> dict[str, Any]:
    """A decision that nobody is told, for `checks replay`; `area` is `cell:ID` or `region:NAME`."""
    per, _, name = area.partition(":")
    where = {} if msisdn is not None else {"cell": name if per == "cell" else None, "region": decision.region}
    return {
        "kind": SHADOW,
        "at": iso(decision.at),
        "check": check,
        "msisdn": msisdn,
        "would": would(decision),
        "anomaly_id": decision.anomaly["id"],
        "evidence": decision.evidence,
        "reason": decision.reason,
        **where,
    }
