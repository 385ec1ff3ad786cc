"""How the phases of a call become one call when read: idempotent aggregates, so that repeats change nothing.

What the switch measured (outcome, wait, talk) goes before what the times of the phases say.
"""

from __future__ import annotations

from typing import Any

_ORDER = (
    "['ABANDONED', 'IVR_ENTERED', 'NEED_CHOSEN', 'IVR_LEFT', 'QUEUED', 'OFFERED', "
    "'ANSWERED', 'HELD', 'TRANSFERRED', 'ENDED']"
)
"""Decides between phases of the same millisecond (logs often count in seconds)."""

AGGREGATES = f"""
    call_id,
    minIf(occurred_at, tagged = 0) AS started_at,
    maxIf(occurred_at, tagged = 0) AS ended_at,
    countIf(tagged = 0) AS phases,
    max(keyed_by_call) AS by_call,
    max(need) AS needed,
    max(brand) AS of_brand,
    max(segment) AS of_segment,
    max(priority) AS of_priority,
    max(outcome) AS measured,
    maxIf(staff, phase != 'OFFERED') AS served_by,
    argMaxIf(phase, occurred_at * 16 + indexOf({_ORDER}, phase), tagged = 0) AS last_phase,
    countIf(phase = 'ABANDONED') AS abandoned_phases
"""
"""`measured` is the largest of PHANTOM, ANSWERED, ABANDONED and none: a phantom stays one. Staff to whom
a call was only offered did not serve it."""

CALL = f"SELECT {AGGREGATES} FROM calls"
"""Follow it with WHERE and `GROUP BY call_id`. `phases` is 0 while only the tag of a call has arrived."""


def status(call: dict[str, Any]) -> str:
    """The measured outcome, else what the phases show, else the last phase."""
    if call["measured"]:
        return str(call["measured"])
    if call["served_by"]:
        return "ANSWERED"
    return "ABANDONED" if call["abandoned_phases"] else str(call["last_phase"])
