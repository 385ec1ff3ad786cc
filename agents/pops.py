"""What a desk sees when a call comes in (#1, #13, #37, #53, #56, #59, #60): the screen pop.

Everything newest first, 20 at most, and nothing of an earlier owner of the number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agents import contacts, tasks, tickets
from agents.calls import Call
from agents.profile import Profile, fact, owner_since
from schemas.events.screen_pop import MOST


class Known(NamedTuple):
    """The ledger's records of the caller; all None for one who is not identified."""

    profile: Profile | None = None
    contacts: dict[str, Any] | None = None
    reminders: dict[str, Any] | None = None
    tasks: dict[str, Any] | None = None
    tickets: dict[str, Any] | None = None


def pop(record: Mapping[str, Any], call: Call, known: Known) -> dict[str, Any]:
    """The record of `yupan.screen-pop.v1` for a phase of `call`."""
    at = record["occurred_at"]
    since = owner_since(known.profile, at)
    return {
        "call_id": record["call_id"],
        "msisdn": call["msisdn"] or record["msisdn"],
        "seat": record["seat"],
        "segment": call["segment"],
        "receipt": call["receipt"],
        "brand": call["brand"] or _brand(known.profile, at),
        "greeting": call["greeting"],
        "reminders": open_reminders(known.reminders, at, since)[:MOST],
        "retention_tasks": tasks.open_tasks(known.tasks, since)[:MOST],
        "contacts": contacts.last_contacts(known.contacts, since, without=record["call_id"])[:MOST],
        "tickets": tickets.open_tickets(known.tickets, since)[:MOST],
        "occurred_at": at,
    }


_LISTS = ("reminders", "retention_tasks", "contacts", "tickets")


def without_oldest(pop: Mapping[str, Any]) -> dict[str, Any] | None:
    """`pop` without the oldest of all its entries; None when it has none: a call must not wait for what is too much."""
    ends = [(pop[name][-1]["occurred_at"], name) for name in _LISTS if pop[name]]
    if not ends:
        return None
    _, oldest = min(ends)
    return {**pop, oldest: pop[oldest][:-1]}


def pop_id(record: Mapping[str, Any]) -> str:
    """What identifies a pop: a repeat replaces itself."""
    return f"{record['call_id']}|{record['seat'] or ''}"


def open_reminders(held: dict[str, Any] | None, at: int, since: int | None = None) -> list[dict[str, Any]]:
    """The reminders that stand as of `at`, newest first; those older than `since` are an earlier owner's."""
    found = [
        reminder
        for reminder in (held["open"] if held else {}).values()
        if (reminder["expires_at"] is None or at < reminder["expires_at"])
        and (since is None or reminder["occurred_at"] >= since)
    ]
    return sorted(found, key=lambda reminder: (reminder["occurred_at"], reminder["reminder_id"]), reverse=True)


def _brand(profile: Profile | None, at: int) -> str | None:
    found = fact(profile, "brand", at)
    return found[0] if found else None
