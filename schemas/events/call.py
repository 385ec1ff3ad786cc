"""`yupan.call.v1`: a call to the hotline has reached a phase (#1, #7, #35)."""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Any, TypedDict

from schemas.event_type import EventType, Record
from schemas.fields import Id, Int, Millis, Msisdn, enum, is_msisdn, open_set

PHASES = (
    "IVR_ENTERED",
    "NEED_CHOSEN",
    "IVR_LEFT",
    "QUEUED",
    "OFFERED",
    "ANSWERED",
    "HELD",
    "TRANSFERRED",
    "ENDED",
    "ABANDONED",
)


class Call(TypedDict):
    """One phase of one call, as the switch reports it."""

    call_id: Id
    msisdn: Msisdn | None
    phase: Annotated[str, open_set(*PHASES)]
    hotline: str | None
    brand: str | None
    need: str | None
    pool: str | None
    seat: str | None
    staff: str | None
    priority: Int | None
    wait_ms: int | None
    talk_ms: int | None
    outcome: Annotated[str, enum("CallOutcome", "ANSWERED", "ABANDONED", "PHANTOM")] | None
    details: dict[str, str]
    occurred_at: Millis


class FirstPhaseKeys(Container[str]):
    """The right keys of a call: what its first phase was keyed by, which this phase cannot know for certain.

    A phase without MSISDN may follow one that had it, and the other way round.
    """

    def __init__(self, call: Record) -> None:
        self._call = call

    def __contains__(self, key: Any) -> bool:
        if key == self._call["call_id"]:
            return True
        return self._call["msisdn"] is None and is_msisdn(key)


def call_key(call: Record) -> str:
    """The MSISDN, else the call's id."""
    return str(call["msisdn"] or call["call_id"])


class CallKeys:
    """The key of each call's first phase within one file, for all its phases (contracts, "Keys").

    Remembers the `most` newest calls: a longer one is over.
    """

    def __init__(self, most: int = 200_000) -> None:
        self._keys: dict[str, str] = {}
        self._most = most

    def of(self, call: Record) -> str:
        """The key of this phase."""
        key = self._keys.get(call["call_id"])
        if key is None:
            key = self._keys[call["call_id"]] = call_key(call)
            if len(self._keys) > self._most:
                del self._keys[next(iter(self._keys))]
        return key


EVENT = EventType(
    record=Call,
    topic="yupan.call.v1",
    key=call_key,
    keys=FirstPhaseKeys,
    examples=(
        {
            "call_id": "AA0101-33116-2010-08-01",
            "msisdn": "8613800138000",
            "phase": "IVR_ENTERED",
            "hotline": "10086",
            "brand": "GOTONE",
            "occurred_at": "2026-11-22T12:00:00+08:00",
        },
        {"call_id": "c-2", "phase": "NEED_CHOSEN", "need": "bill", "occurred_at": 1795320000000},
        {
            "call_id": "c-2",
            "phase": "ENDED",
            "pool": "expert",
            "seat": "A-17",
            "staff": "1001",
            "priority": 2,
            "wait_ms": 12000,
            "talk_ms": 95000,
            "outcome": "ANSWERED",
            "details": {"type": "PS"},
            "occurred_at": 1795320107000,
        },
    ),
    bad=(
        ("missing_field", {"call_id": ...}),
        ("bad_value", {"call_id": ""}),
        ("bad_msisdn", {"msisdn": "1380013800"}),
        ("bad_value", {"phase": "RINGING"}),
        ("bad_value", {"outcome": "UNKNOWN"}),
        ("bad_type", {"wait_ms": "12 s"}),
        ("bad_type", {"wait_ms": 12.5}),
        ("bad_value", {"priority": 2**31}),
        ("bad_time", {"occurred_at": True}),
    ),
)
