"""A decision as the record of an anomaly (`yupan.anomaly.v1`): its texts filled in, its ids computed (#48, #53)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.rules import Check
from agents.texts import NEVER_SEEN, fill, span_text
from agents.verdicts import Decision
from agents.waiting import Open

TOPIC = "yupan.anomaly.v1"
UNTOLD = "–"
"""What texts say of a placeholder that the evidence says nothing of."""


def anomaly_record(check: Check, decision: Decision, msisdn: str | None = None, area: str = "") -> dict[str, Any]:
    """The anomaly of a customer, or of an area (`cell:ID`, `region:NAME`), as of this decision."""
    per, _, name = area.partition(":")
    texts = {name: _text(check, decision, name) for name in ("cause", "wording", "guidance")}
    return {
        "anomaly_id": decision.anomaly["id"],
        "msisdn": msisdn,
        "cell": name if per == "cell" else None,
        "region": decision.region,
        "check": check.id,
        "status": decision.status,
        "severity": severity_of(check, decision.anomaly),
        "cause_code": decision.anomaly["cause_code"],
        "evidence": decision.evidence,
        **texts,
        "trigger_id": decision.trigger,
        "opened_at": decision.anomaly["opened_at"],
        "occurred_at": decision.at,
        "reason": decision.reason,
    }


def severity_of(check: Check, anomaly: Open) -> str:
    """The check's, or what a repair that did not help has made of it."""
    return anomaly.get("severity", check.severity)


def event_id(decision: Decision) -> str:
    """The `ce_id` of what a decision sends: the same again when the same cause is decided again."""
    return f"{decision.anomaly['id']}|{decision.status}|{decision.cause_id}"


def _text(check: Check, decision: Decision, name: str) -> dict[str, str]:
    """The text speaks of the evidence while divergent, also when the systems agree again."""
    nothing = dict.fromkeys(check.rule.placeholders, UNTOLD)  # evidence of before the file was changed
    values = {**nothing, **check.rule.words(decision.subject, decision.anomaly["evidence"])}
    texts: Mapping[str, str] = getattr(check, name)
    filled: dict[str, str] = {}
    for language, text in texts.items():
        said = {n: NEVER_SEEN.get(language, v) if v == "never seen" else v for n, v in values.items()}
        filled |= fill({language: text}, {**said, "within": span_text(check.rule.within, language)})
    return filled
