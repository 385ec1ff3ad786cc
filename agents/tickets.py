"""A customer's complaint tickets, for the screen pop and `yupan customer`.

The ledger's record `tickets/MSISDN`:

    {"v": 1, "items": {ticket_id: {"fields": newest of each, "opened": ms?, "closed": ms?,
                                   "first": ms, "last": ms, "action": the newest, "over": bool}}}

A closed ticket stays as a mark without fields, so that a late event does not open it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents import newest

KEPT = 40
"""Tickets a customer, closed ones included."""
_TOLD = ("class", "segment", "text", "region", "staff", "call_id")


def with_ticket(held: dict[str, Any] | None, record: Mapping[str, Any]) -> dict[str, Any]:
    """`held` with an event of `yupan.ticket.v1`, in whatever order they arrive.

    A ticket is over when it was CLOSED and not OPENED later than that; PROGRESSED opens nothing again.
    """
    items = held["items"] if held else {}
    at, action = record["occurred_at"], record["action"]
    item = items.get(record["ticket_id"]) or {"fields": {}, "opened": None, "closed": None, "first": at, "last": at}
    opened = _later(item["opened"], at) if action == "OPENED" else item["opened"]
    closed = _later(item["closed"], at) if action == "CLOSED" else item["closed"]
    over = closed is not None and (opened is None or opened <= closed)
    told = {name: record[name] for name in _TOLD}
    newer = {
        "fields": {} if over else newest.merged(item["fields"], told, at),
        "opened": opened,
        "closed": closed,
        "first": min(item["first"], at),
        "last": max(item["last"], at),
        "action": action if at >= item["last"] else item["action"],
        "over": over,
    }
    return {"v": 1, "items": newest.bounded({**items, record["ticket_id"]: newer}, KEPT)}


def open_tickets(held: dict[str, Any] | None, since: int | None = None) -> list[dict[str, Any]]:
    """The open tickets, newest first; those begun before `since` are an earlier owner's."""
    found = [
        {"ticket_id": name, "action": item["action"], "occurred_at": item["last"], **newest.values(item["fields"])}
        for name, item in (held["items"] if held else {}).items()
        if not item["over"] and (since is None or item["first"] >= since)
    ]
    return sorted(found, key=lambda ticket: (ticket["occurred_at"], ticket["ticket_id"]), reverse=True)


def _later(known: int | None, at: int) -> int:
    return at if known is None else max(known, at)
