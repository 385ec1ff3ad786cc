"""The last contacts of a customer over all channels, orders included (#59, #60), for the screen pop.

The ledger's record `contacts/MSISDN`, newest first; a hotline call is one entry of kind CALL:

    {"v": 1, "contacts": [{"contact_id", "channel", "kind", "direction"?, "subject"?, "text"?, "status"?,
                           "order_id"?, "staff"?, "occurred_at"}, ...]}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.texts import short

SHOWN = 20
"""Contacts in a pop."""
KEPT = SHOWN + 1
"""Contacts a customer in the ledger: the call that is being shown does not show itself."""
_TOLD = ("contact_id", "channel", "kind", "direction", "subject", "text", "status", "order_id", "staff", "occurred_at")

Held = dict[str, Any]


def with_contact(held: Held | None, record: Mapping[str, Any]) -> Held | None:
    """`held` with an event of `yupan.contact.v1`; `held` itself when it is a repeat or too old to be shown."""
    return _with(held, short({name: record[name] for name in _TOLD if record[name] is not None}))


def with_call(held: Held | None, call_id: str, began_at: int, record: Mapping[str, Any]) -> Held | None:
    """`held` with a phase of a hotline call that began at `began_at` (ms): one entry a call, its later phases told."""
    known: dict[str, Any] = {}
    for contact in held["contacts"] if held else ():
        if contact["contact_id"] == call_id and contact["kind"] == "CALL":
            known = contact
    entry = {
        "contact_id": call_id,
        "channel": "HOTLINE",
        "kind": "CALL",
        "direction": "IN",
        "occurred_at": began_at,
        **known,
    }
    told = {"subject": record["need"], "status": _status(record), "staff": record["staff"]}
    entry.update({name: value for name, value in told.items() if value is not None})
    return held if entry == known else _with(held, entry)


def last_contacts(held: Held | None, since: int | None = None, without: str | None = None) -> list[dict[str, Any]]:
    """What a pop shows, newest first: not what is older than `since` (an earlier owner's), nor the call `without`."""
    contacts = held["contacts"] if held else []
    return [
        contact
        for contact in contacts
        if (since is None or contact["occurred_at"] >= since) and contact["contact_id"] != without
    ][:SHOWN]


def _status(record: Mapping[str, Any]) -> str | None:
    """How the call went as far as this phase tells; the switch's own measure goes first."""
    outcome: str | None = record["outcome"]
    phase: str = record["phase"]
    return outcome or (phase if phase in ("ANSWERED", "ABANDONED") else None)


def _with(held: Held | None, entry: dict[str, Any]) -> Held | None:
    contacts: list[dict[str, Any]] = held["contacts"] if held else []
    rest = []
    for contact in contacts:
        if contact["contact_id"] != entry["contact_id"] or contact["kind"] != entry["kind"]:
            rest.append(contact)
        elif contact == entry or contact["occurred_at"] > entry["occurred_at"]:
            return held
    place = next((i for i, c in enumerate(rest) if c["occurred_at"] <= entry["occurred_at"]), len(rest))
    if place >= KEPT:
        return held
    return {"v": 1, "contacts": [*rest[:place], entry, *rest[place:]][:KEPT]}
