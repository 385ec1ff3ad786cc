"""`yupan.customer.v1`: facts about a customer; the newest of each wins (#2, #4, #18)."""

from __future__ import annotations

import re
from typing import Any, TypedDict

from schemas.errors import RecordError
from schemas.event_type import EventType, Record
from schemas.fields import Facts, Millis, Msisdn, check_time, millis
from schemas.masking import shown

TIMES = ("opened_at", "owner_changed_at", "left_at")
"""Facts that are moments: ISO 8601 or milliseconds when they come, milliseconds once read."""
AMOUNTS = ("q4_arpu", "monthly_fee")
"""Facts in yuan."""
WORDS = ("brand", "preferred_channel", "tariff")
BIRTHDAY = "birthday"
KNOWN = (*TIMES, *AMOUNTS, *WORDS, BIRTHDAY)
"""The facts that decisions read; others are kept and shown."""

_MONTH_DAY = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", re.ASCII).fullmatch


class Customer(TypedDict):
    """Some facts about a customer as they are now; null removes one."""

    msisdn: Msisdn
    facts: Facts
    occurred_at: Millis


def _tidy(customer: dict[str, Any]) -> None:
    facts = customer["facts"]
    for name in TIMES:
        if facts.get(name) is None:
            continue
        try:
            facts[name] = millis(facts[name])
            check_time(facts[name])
        except RecordError as error:
            raise error.within(f"facts.{name}") from None


def _rule(customer: Record) -> None:
    facts = customer["facts"]
    for name in AMOUNTS:
        if facts.get(name) is not None and type(facts[name]) not in (int, float):
            raise RecordError("bad_type", "should be an amount in yuan", f"facts.{name}")
    for name in WORDS:
        if facts.get(name) is not None and type(facts[name]) is not str:
            raise RecordError("bad_type", "should be a string", f"facts.{name}")
    birthday = facts.get(BIRTHDAY)
    if birthday is not None and not (isinstance(birthday, str) and _MONTH_DAY(birthday)):
        raise RecordError("bad_value", f"{shown(birthday)} is not a birthday (MM-DD)", f"facts.{BIRTHDAY}")


EVENT = EventType(
    record=Customer,
    topic="yupan.customer.v1",
    key=lambda r: r["msisdn"],
    tidy=_tidy,
    rule=_rule,
    examples=(
        {
            "msisdn": "8613800138000",
            "facts": {"brand": "GOTONE", "q4_arpu": 412.5, "opened_at": "2026-11-01T09:30:00+08:00"},
            "occurred_at": "2026-11-22T12:00:00+08:00",
        },
        {
            "msisdn": "8613800138000",
            "facts": {"left_at": None, "opened_at": 1793496600000, "birthday": "02-29", "monthly_fee": 59, "vip": True},
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"msisdn": ...}),
        ("bad_type", {"facts": []}),
        ("bad_type", {"facts": {"brand": ["GOTONE"]}}),
        ("bad_type", {"facts": {"brand": 7}}),
        ("bad_type", {"facts": {"q4_arpu": "much"}}),
        ("bad_value", {"facts": {"q4_arpu": float("inf")}}),
        ("bad_value", {"facts": {"birthday": "1990-05-01"}}),
        ("bad_time", {"facts": {"opened_at": "2026-11-01"}}),
        ("bad_time", {"facts": {"left_at": 5}}),
    ),
)
