"""A live call: its segment is decided at its first phase and goes with it to the end (#7).

The ledger's record `calls/KEY`, by the call's Kafka key (MSISDN, else `call_id`):

    {"v": 1, "calls": {call_id: call}}
    call = {"at": ms of the first phase seen, "last": ms of the newest, "ended": ms?, "msisdn"?, "brand"?,
            "segment"?, "receipt", "greeting"?, "ids": ids of the phases seen, "seats": seats that had a pop,
            "popped": ms of the newest phase with a pop, "answered": ms?, "to": MSISDN?}

A call that is keyed by its id, and whose first phase names an MSISDN, is decided where that customer's state lies:
here it is only known that its phases are brought `to` there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agents.event import Event
from agents.greetings import greeting
from agents.segments import Segment
from schemas.fields import is_msisdn

Call = dict[str, Any]
Calls = dict[str, Any]

AFTER_END = 3_600_000
"""Milliseconds from the end of a call until its tag is forgotten."""
WITHOUT_END = 24 * 3_600_000
"""Milliseconds from the last phase of a call whose end never comes."""
LIVE = 32
"""Calls a key; then the one that moved longest ago goes."""
IDS = 64
"""Ids of phases a call; then the oldest goes."""
SEATS = 64
"""Seats a call that had a pop; then the first goes."""
_POPS = ("OFFERED", "ANSWERED")
_ENDS = ("ENDED", "ABANDONED")


def customer_of(event: Event) -> str | None:
    """Whose call this is: the MSISDN that the phase names, or that the call's first phase was keyed by."""
    if event.customer is not None:
        return event.customer
    return event.key if event.key != event.record["call_id"] and is_msisdn(event.key) else None


def brought(event: Event) -> Event:
    """A phase of `yupan.internal.call.v1` as it arrived on its own topic."""
    record = dict(event.record)
    return replace(event, arrived_at=record.pop("arrived_at"), record=record)


def find(calls: Calls | None, call_id: str, at: int | None = None) -> Call | None:
    """The live call, or None when this is its first phase seen.

    `at` (ms): the phase's time. What comes later than an hour after the end is another call, also for a worker that
    catches up and has forgotten nothing yet.
    """
    call: Call | None = calls["calls"].get(call_id) if calls else None
    over = call is not None and at is not None and call["ended"] is not None and at > call["ended"] + AFTER_END
    return None if over else call


def begin(event: Event, customer: str | None, segment: Segment, to: str | None = None) -> Call:
    """A call at its first phase seen, tagged with `segment` as of that phase; `to`: the customer it is brought to."""
    return {
        "at": event.occurred_at,
        "last": event.occurred_at,
        "ended": None,
        "msisdn": customer,
        "brand": None,
        "segment": segment.name,
        "receipt": segment.receipt,
        "greeting": greeting(segment.match),
        "ids": [],
        "seats": [],
        "popped": None,
        "answered": None,
        "to": to,
    }


def with_phase(call: Call, event: Event) -> Call | None:
    """`call` with one phase more, in whatever order they arrive; None for one that it has seen."""
    phase_id = f"{event.source}|{event.id}"
    if phase_id in call["ids"]:
        return None
    at, record = event.occurred_at, event.record
    return {
        **call,
        "last": max(call["last"], at),
        "ended": max(at, call["ended"] or at) if record["phase"] in _ENDS else call["ended"],
        "brand": record["brand"] or call["brand"],
        "answered": _answered(call, record),
        "ids": [*call["ids"], phase_id][-IDS:],
    }


def _answered(call: Call, record: Mapping[str, Any]) -> int | None:
    """When somebody first spoke with the caller; an imported log has only the end, with its outcome."""
    known: int | None = call.get("answered")  # calls of before this was kept have none
    if record["phase"] != "ANSWERED" and record["outcome"] != "ANSWERED":
        return known
    at: int = record["occurred_at"]
    return at if known is None else min(at, known)


def news(before: Call | None, call: Call) -> tuple[int | None, int | None]:
    """When the call was answered, and when one that was is over; None where that is not new."""
    answered, over = call.get("answered"), call["ended"]
    if answered is None:
        return None, None
    known = (None, None) if before is None else (before.get("answered"), before["ended"])
    first = answered if known[0] is None else None
    return first, over if over is not None and (first is not None or over != known[1]) else None


def is_pop_due(call: Call, record: Mapping[str, Any]) -> bool:
    """Whether this phase brings the call to a desk: one pop a seat when it is first offered or answered there.

    Again at each transfer. A phase older than one that had a pop speaks of a desk that the call has left;
    one without a seat is worth a pop only before any.
    """
    phase, seat = record["phase"], record["seat"]
    if call["popped"] is not None and record["occurred_at"] < call["popped"]:
        return False
    if phase in _POPS:
        return seat not in call["seats"] if seat else call["popped"] is None
    return bool(phase == "TRANSFERRED")


def with_pop(call: Call, record: Mapping[str, Any]) -> Call:
    """`call` after a pop was sent for this phase."""
    seat = record["seat"]
    seats = call["seats"] if not seat or seat in call["seats"] else [*call["seats"], seat][-SEATS:]
    return {**call, "seats": seats, "popped": record["occurred_at"]}


def tagged(call: Call, record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of `yupan.tagged-call.v1`: the phase with the call's tag, and its MSISDN also where left out."""
    msisdn = record["msisdn"] or call["msisdn"]
    return {**record, "msisdn": msisdn, "segment": call["segment"], "receipt": call["receipt"]}


def forget_at(call: Call) -> int:
    """When (ms) the call and its tag may be forgotten."""
    ended: int | None = call["ended"]
    return ended + AFTER_END if ended is not None else int(call["last"]) + WITHOUT_END


def with_call(calls: Calls | None, call_id: str, call: Call) -> Calls:
    """`calls` with `call` in its new form."""
    live = {**(calls["calls"] if calls else {}), call_id: call}
    if len(live) > LIVE:
        del live[min(live, key=lambda name: (live[name]["last"], name))]
    return {"v": 1, "calls": live}


def without_call(calls: Calls, call_id: str) -> Calls | None:
    """`calls` without one that is forgotten; None when it was the last."""
    rest = {name: call for name, call in calls["calls"].items() if name != call_id}
    return {"v": 1, "calls": rest} if rest else None
