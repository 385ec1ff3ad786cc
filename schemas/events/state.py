"""`yupan.state.v1`: what one system holds of a customer has changed (#48)."""

from __future__ import annotations

from typing import TypedDict

from schemas.errors import RecordError
from schemas.event_type import EventType, Record
from schemas.fields import Id, MaybeValue, Millis, Msisdn, System, Value

OCCURRENCES = frozenset({"charge", "credit", "gift", "payment"})
"""Attributes whose every event counts; all others are states, of which the newest counts."""
SNAPSHOT = "snapshot"
"""The reason of a state that is part of a full export, not a change."""
EACH_PRODUCT = ".PRODUCT"
"""What the names of states of each product end in, in checks: no product is called so."""

WORDS: dict[str, dict[str, tuple[str, ...] | str]] = {
    "order": {"opening": ("accepted", "completed", "cancelled"), "payment": "yuan"},
    "crm": {
        "status": ("active", "suspended", "half_suspended", "closed"),
        "network_type": ("2g", "3g", "4g", "5g"),
        "subscription.": "boolean",
        "charge": "yuan",
        "gift": "number",
        "tariff": "text",
        "service_password": ("initial", "changed"),
    },
    "hlr": {
        "status": ("active", "barred_outgoing", "barred", "absent"),
        "network_type": ("2g", "3g", "4g", "5g"),
        "service.": "boolean",
    },
    "ocs": {
        "account": ("open", "frozen", "closed"),
        "balance": "yuan",
        "charge": "yuan",
        "credit": "yuan",
        "gift": "number",
        "allowance.": "number",
        "suspend_at": "milliseconds",
    },
    "vas": {"subscription.": "boolean"},
    "sacp": {"network_type": ("2g", "3g", "4g", "5g")},
    "smsc": {"status": ("active", "blocked")},
}
"""System to its known attributes and their values; a name that ends in `.` is followed by a product or allowance.

Unknown attributes are not refused: they wait in the ledger for a check that reads them.
"""


class State(TypedDict):
    """One attribute of one system took a value, or something was charged, credited or given."""

    msisdn: Msisdn
    system: System
    attribute: Id
    value: Value
    previous: MaybeValue
    transaction: str | None
    sequence: int | None
    region: str | None
    reason: str | None
    details: dict[str, str]
    occurred_at: Millis


def check_state(state: Record) -> None:
    """An attribute names its product: what a check's file says of each is none, and would pass any check's products."""
    if state["attribute"].endswith(EACH_PRODUCT):
        raise RecordError("bad_value", "ends in PRODUCT, which stands for a product's name: say which", "attribute")


EVENT = EventType(
    record=State,
    rule=check_state,
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
        {
            "msisdn": "8613800138000",
            "system": "vas",
            "attribute": "subscription.video",
            "value": True,
            "previous": None,
            "reason": SNAPSHOT,
            "occurred_at": "2026-11-22T04:00:00.123Z",
        },
    ),
    bad=(
        ("bad_msisdn", {"msisdn": "1380013800"}),
        ("bad_msisdn", {"msisdn": "nobody"}),
        ("bad_value", {"system": "fax"}),
        ("bad_value", {"value": float("nan")}),
        ("bad_value", {"attribute": ""}),
        ("bad_value", {"attribute": "subscription.PRODUCT"}),
        ("bad_value", {"colour": "red"}),
        ("missing_field", {"attribute": ...}),
        ("missing_field", {"value": ...}),
        ("bad_type", {"value": []}),
        ("bad_type", {"value": 2**63}),
        ("bad_type", {"details": {"product": 5}}),
        ("bad_time", {"occurred_at": "1989-12-31T23:59:59Z"}),
        ("bad_time", {"occurred_at": "2026-11-22T12:00:00"}),
        ("bad_time", {"occurred_at": "yesterday"}),
        ("bad_time", {"occurred_at": 10**15}),
    ),
)
