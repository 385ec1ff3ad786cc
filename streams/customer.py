"""One customer, all that is known, from the history (#33, #55).

Rows come from ClickHouse; the pure functions that a worker decides with judge them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents import lists, states, tasks, tickets
from agents.event import Event
from agents.profile import Profile, facts_at, owner_since, with_entry, with_facts
from agents.segments import LISTS, ORDER, segment_at
from schemas.events.state import OCCURRENCES
from schemas.fields import iso
from sinks import queries
from sinks.clickhouse import ClickHouse
from sinks.tables import ARRIVAL

Rows = list[dict[str, Any]]
TOLD = 1_000
"""Rows of each fact that are read, the newest: of one that is told every night, the last years."""
ENDED = ("RESOLVED", "WITHDRAWN")


def customer(db: ClickHouse, msisdn: str, now: int, limit: int = 50, order: Sequence[str] = ORDER) -> dict[str, Any]:
    """The answer of `yupan customer` (contracts, "Output for programs"), as of `now` (ms).

    `order` ranks the segments, as it does for a worker.
    Nothing of an earlier owner of the number is shown. Raises `PartError`.
    """
    entries = queries.lists(db, msisdn)
    profile = _profile(queries.facts(db, msisdn, TOLD), entries, msisdn)
    segment = segment_at(profile, _heads(entries) if profile else {}, now, order)
    since = owner_since(profile, now) or 0
    return {
        "msisdn": msisdn,
        "segment": segment.name,
        "receipt": _readable(segment.receipt),
        "facts": facts_at(profile, now),
        "states": states_since(queries.states(db, msisdn, tuple(OCCURRENCES)), since),
        "anomalies": [_plain(a) for a in queries.anomalies(db, msisdn) if _is_open(a) and a["opened_at"] >= since],
        "reminders": [_plain(r) for r in queries.reminders(db, msisdn) if _is_shown(r, now, since)],
        "retention_tasks": _folded(queries.tasks(db, msisdn), tasks.with_task, tasks.open_tasks, since),
        "tickets": _folded(queries.tickets(db, msisdn), tickets.with_ticket, tickets.open_tickets, since),
        "timeline": [{**e, "time": iso(e["time"])} for e in queries.timeline(db, msisdn, limit, since)],
    }


def _profile(facts: Rows, entries: Rows, msisdn: str) -> Profile | None:
    profile: Profile | None = None
    for row in reversed(facts):  # of two at the same time the later arrival is the newer
        profile = with_facts(profile, {"facts": {row["fact"]: row["value"]}, "occurred_at": row["occurred_at"]})
    for row in entries:
        if row["msisdn"] == msisdn:
            profile = with_entry(profile, row)
    return profile


def _heads(entries: Rows) -> Mapping[str, lists.Head | None]:
    heads: dict[str, lists.Head | None] = dict.fromkeys(LISTS)
    for row in entries:
        if row["action"] == "REPLACED":
            heads[row["list"]] = lists.with_replaced(heads.get(row["list"]), row)
    return heads


def states_since(rows: Rows, since: int) -> dict[str, dict[str, Any]]:
    """Each state and since when it has that value: a repeat (a nightly full export) does not make it younger."""
    held: states.Held = {}
    began: dict[str, int] = {}
    for row in rows:
        if row["occurred_at"] < since:
            continue
        name = f"{row['system']}.{row['attribute']}"
        event = Event("yupan.state.v1", row, row["ce_id"], row["ce_source"], row["occurred_at"])
        before = states.value_of(held, name)
        held, what = states.apply(held, name, event)
        if what == "new" and not (name in began and states.equal(name, before, states.value_of(held, name))):
            began[name] = row["occurred_at"]
    found: dict[str, dict[str, Any]] = {}
    for name, entry in sorted(held.items()):
        system, _, attribute = name.partition(".")
        if entry[0] is not None:
            found.setdefault(system, {})[attribute] = {"value": entry[0], "since": iso(began[name])}
    return found


def _is_open(anomaly: Mapping[str, Any]) -> bool:
    return anomaly["status"] not in ENDED


def _is_shown(reminder: Mapping[str, Any], now: int, since: int) -> bool:
    ended = reminder["withdrawn"] or (reminder["expires_at"] is not None and reminder["expires_at"] <= now)
    return not ended and reminder["occurred_at"] >= since


def _folded(rows: Rows, with_row: Callable[..., Any], still_open: Callable[..., Rows], since: int) -> Rows:
    held = None
    for row in rows:
        held = with_row(held, row)
    return [_readable(item) for item in still_open(held, since)]


_HIDDEN = frozenset(ARRIVAL) - {"occurred_at"} | {"withdrawn"}
_TIMES = frozenset({"occurred_at", "opened_at", "expires_at", "due_at", "valid_from", "valid_to"})


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return _readable({name: value for name, value in row.items() if name not in _HIDDEN})


def _readable(row: Mapping[str, Any]) -> dict[str, Any]:
    return {n: iso(v) if n in _TIMES and isinstance(v, int) else v for n, v in row.items()}
