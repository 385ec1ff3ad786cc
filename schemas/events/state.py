"""`yupan.state.v1`: what one system holds of a customer has changed (#48)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType
from schemas.fields import Id, MaybeValue, Millis, Msisdn, Value, open_set

SYSTEMS = ("order", "crm", "hlr", "ocs", "vas", "sacp", "smsc")
OCCURRENCES = frozenset({"charge", "credit", "gift", "payment"})
"""Attributes whose every event counts; all others are states, of which the newest counts."""


class State(TypedDict):
    """One attribute of one system took a value, or something was charged, credited or given."""

    msisdn: Msisdn
    system: Annotated[str, open_set(*SYSTEMS)]
    attribute: Id
    value: Value
    previous: MaybeValue
    transaction: str | None
    sequence: int | None
    region: str | None
    reason: str | None
    details: dict[str, str]
    occurred_at: Millis


EVENT = EventType(
    record=State,
    topic="yupan.state.v1",
    key=lambda r: r["msisdn"],
    default_source=lambda r: str(r["system"]),
    examples=(
        {
            "msisdn": "8613800138000",
            "system": "crm",
            "attribute": "status",
            "value": "active",
            "occurred_at": "2026-11-22T12:00:00+08:00",
        },
        {
            "msisdn": "8613800138000",
            "system": "ocs",
            "attribute": "charge",
            "value": 19.9,
            "transaction": "T-1",
            "sequence": 7,
            "region": "nanchang",
            "details": {"product": "5g-199"},
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("bad_msisdn", {"msisdn": "13800138000"}),
        ("bad_msisdn", {"msisdn": "nobody"}),
        ("bad_value", {"system": "fax"}),
        ("missing_field", {"attribute": ...}),
        ("bad_type", {"value": []}),
        ("bad_time", {"occurred_at": "1989-12-31T23:59:59Z"}),
        ("bad_time", {"occurred_at": "2026-11-22T12:00:00"}),
    ),
)
