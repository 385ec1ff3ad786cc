"""`yupan.list.v1`: numbers enter and leave lists, and lists are replaced as a whole (#2, #3, #5, #54)."""

from __future__ import annotations

import re
from typing import Annotated, TypedDict

from schemas.errors import RecordError
from schemas.event_type import EventType, Record
from schemas.fields import Millis, Msisdn, Rule, Text, enum
from schemas.masking import shown

LISTS = ("mid_high", "campus", "rural")
"""The lists that segments are made of."""
WATCH = "watch:"
"""Lists of this prefix yield reminders."""

_WATCH_LIST = re.compile(r"watch:[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII).fullmatch


def is_watch_list(name: str) -> bool:
    """Whether `name` is one of a watch list, `watch:NAME`."""
    return _WATCH_LIST(name) is not None


def _check_list(name: str) -> None:
    if name not in LISTS and not is_watch_list(name):
        small = " in small letters, digits, '-', '_' and '.'" if name.startswith(WATCH) else ""
        raise RecordError("bad_value", f"{shown(name)} is not one of {', '.join(LISTS)} or {WATCH}NAME{small}")


class ListEntry(TypedDict):
    """One number enters or leaves a list, or a new version of the list counts from now on."""

    list: Annotated[str, Rule(_check_list)]
    action: Annotated[str, enum("ListAction", "ADD", "REMOVE", "REPLACED")]
    msisdn: Msisdn | None
    version: str | None
    name: str | None
    station: str | None
    valid_from: Millis | None
    valid_to: Millis | None
    guidance: Text | None
    wording: Text | None
    occurred_at: Millis


def check_entry(entry: Record) -> None:
    """Only `REPLACED` speaks of no single number; what is valid ends after it begins."""
    if entry["msisdn"] is None and entry["action"] != "REPLACED":
        raise RecordError("bad_msisdn", f"{entry['action']} needs one; only REPLACED has none", "msisdn")
    begin, end = entry["valid_from"], entry["valid_to"]
    if begin is not None and end is not None and end <= begin:
        raise RecordError("bad_value", "is not after valid_from", "valid_to")


EVENT = EventType(
    record=ListEntry,
    topic="yupan.list.v1",
    key=lambda r: None if r["action"] == "REPLACED" else r["msisdn"],
    rule=check_entry,
    examples=(
        {
            "list": "rural",
            "action": "ADD",
            "msisdn": "8613800138000",
            "name": "王秀英",
            "station": "南昌县",
            "occurred_at": "2026-11-22T12:00:00+08:00",
        },
        {"list": "campus", "action": "REPLACED", "version": "2026-11", "occurred_at": 1795320000000},
        {
            "list": "watch:roaming-bill",
            "action": "ADD",
            "msisdn": "8613800138000",
            "version": "7",
            "valid_from": 1795320000000,
            "valid_to": 1795406400000,
            "guidance": {"zh": "说明账单将更正", "en": "Say that the bill will be corrected"},
            "wording": {"zh": "漫游账单正在更正"},
            "occurred_at": 1795320000000,
        },
        {"list": "campus", "action": "REMOVE", "msisdn": "8613800138000", "occurred_at": 1795320000000},
    ),
    bad=(
        ("bad_value", {"list": "friends"}),
        ("bad_value", {"list": "watch:"}),
        ("bad_value", {"action": "EMPTIED"}),
        ("bad_msisdn", {"msisdn": None}),
        ("bad_msisdn", {"msisdn": "12345"}),
        ("bad_value", {"valid_from": 1795320000000, "valid_to": 1795320000000}),
        ("bad_type", {"guidance": "one language only"}),
        ("bad_type", {"version": 7}),
    ),
)
