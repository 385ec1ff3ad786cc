"""What is known of one customer, read from the history. Rows are plain; rules over them are decided elsewhere.

Rows carry the names of the records' fields, null as None, plus `ce_source ce_id sequence` and the order
of arrival (`arrival_topic arrival_partition arrival_offset arrived_at`). Times are milliseconds (UTC).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_lowercase
from typing import Any

from sinks.calls import CALL, status
from sinks.clickhouse import ClickHouse
from sinks.statements import Params
from sinks.tables import record, select

_LATER = "arrived_at DESC, arrival_offset DESC"
"""Newest first as it arrived; ours arrive in the order in which they were decided."""
_DAY = 86_400_000

Rows = list[dict[str, Any]]


def facts(db: ClickHouse, msisdn: str, versions: int = 1) -> Rows:
    """The newest `versions` of each fact by `occurred_at`, then arrival; a removed one has the value None (#55)."""
    order = f"ORDER BY occurred_at DESC, {_LATER} LIMIT {{versions}} BY fact"
    return _rows(db, "facts", f"WHERE msisdn = {{msisdn}} {order}", {"msisdn": msisdn, "versions": versions})


def lists(db: ClickHouse, msisdn: str) -> Rows:
    """The customer's list entries and the `REPLACED` of every list (msisdn None), as they arrived (#3)."""
    where = "WHERE msisdn IN ({msisdn}, '') ORDER BY arrived_at, arrival_offset"
    return _rows(db, "lists", where, {"msisdn": msisdn})


def states(db: ClickHouse, msisdn: str, without: Sequence[str] = ()) -> Rows:
    """All that the systems said, as it arrived, without the attributes `without` (occurrences).

    Which of two states wins depends on their order of arrival, so that all are given, not the newest.
    """
    leave_out = "AND attribute NOT IN {without}" if without else ""
    where = f"WHERE msisdn = {{msisdn}} {leave_out} ORDER BY arrived_at, arrival_offset"
    return _rows(db, "states", where, {"msisdn": msisdn, "without": tuple(without)})


def told_of(db: ClickHouse, names: Sequence[str], most: int) -> Rows:
    """The newest `most` rows of states of these names (`system.attribute`, perhaps `.PRODUCT`), as they arrived."""
    asked: list[str] = []
    params: dict[str, Any] = {"most": most}
    for letter, name in zip(ascii_lowercase, names, strict=False):
        system, _, attribute = name.partition(".")
        stem = attribute.removesuffix("PRODUCT")
        is_it = "attribute = {%s}" if stem == attribute else "startsWith(attribute, {%s})"
        asked.append(f"(system = {{system_{letter}}} AND {is_it % f'attribute_{letter}'})")
        params |= {f"system_{letter}": system, f"attribute_{letter}": stem}
    newest = "ORDER BY arrived_at DESC, arrival_partition DESC, arrival_offset DESC LIMIT {most}"
    return _rows(db, "states", f"WHERE {' OR '.join(asked)} {newest}", params)[::-1]


def holders(db: ClickHouse, system: str, attribute: str, until: int, page: int = 100_000) -> Iterator[dict[str, Any]]:
    """`{"msisdn", "region"}` of all of whom `system` held a value of `attribute` at `until` (ms), by number."""
    params: dict[str, Any] = {"system": system, "attribute": attribute, "until": until, "page": page, "after": ""}
    newest = "(occurred_at, arrived_at, arrival_offset)"
    statement = f"""
        SELECT msisdn, argMax(region, {newest}) AS newest_region
        FROM states FINAL
        WHERE msisdn > {{after}} AND system = {{system}} AND attribute = {{attribute}} AND occurred_at <= {{until}}
        GROUP BY msisdn HAVING argMax(value, {newest}) != 'null'
        ORDER BY msisdn LIMIT {{page}}
    """
    while rows := db.query(statement, params):
        yield from ({"msisdn": row["msisdn"], "region": row["newest_region"] or None} for row in rows)
        params["after"] = rows[-1]["msisdn"]


def anomalies(db: ClickHouse, msisdn: str) -> Rows:
    """The latest record of each anomaly, the last opened first."""
    return _latest(db, "anomalies", "anomaly_id", msisdn, "opened_at")


def reminders(db: ClickHouse, msisdn: str) -> Rows:
    """The latest of each reminder, newest first; `withdrawn` tells those that are gone."""
    return _latest(db, "reminders", "reminder_id", msisdn, "occurred_at")


def told_facts(db: ClickHouse, msisdn: str) -> Rows:
    """All facts that were told, as they arrived; those of one record have its id."""
    return _arrived(db, "facts", msisdn)


def decided(db: ClickHouse, msisdn: str) -> Rows:
    """Every record of every anomaly, as it arrived."""
    return _arrived(db, "anomalies", msisdn)


def phases(db: ClickHouse, msisdn: str) -> Rows:
    """The phases of a customer's calls, as they arrived, also those that name nobody."""
    order = "ORDER BY arrived_at, arrival_offset"
    mine = _rows(db, "calls", f"WHERE msisdn = {{msisdn}} AND tagged = 0 {order}", {"msisdn": msisdn})
    partial = [row for row in mine if row["keyed_by_call"]]
    if not partial:
        return mine
    where = "WHERE msisdn = '' AND tagged = 0 AND call_id IN {ids} AND occurred_at BETWEEN {low} AND {high}"
    params: Params = {
        "ids": tuple({row["call_id"] for row in partial}),
        "low": min(row["occurred_at"] for row in partial) - _DAY,
        "high": max(row["occurred_at"] for row in partial) + _DAY,
    }
    return mine + _rows(db, "calls", f"{where} {order}", params)


def tickets(db: ClickHouse, msisdn: str) -> Rows:
    """Every step of every ticket, as it arrived; `agents.tickets` tells what became of each."""
    return _arrived(db, "tickets", msisdn)


def tasks(db: ClickHouse, msisdn: str) -> Rows:
    """Every step of every retention task, as it arrived; `agents.tasks` tells what became of each."""
    return _arrived(db, "tasks", msisdn)


def timeline(db: ClickHouse, msisdn: str, limit: int = 50, since: int = 0) -> Rows:
    """Contacts of every channel and calls since `since`, newest first (#38, #59, #60).

    Each is `{"time", "channel", "kind", "text", "status", "staff"}`; a hotline call is one entry.
    """
    entries = _contacts(db, msisdn, limit, since) + _calls(db, msisdn, limit, since)
    return sorted(entries, key=lambda entry: entry["time"], reverse=True)[:limit]


def _rows(db: ClickHouse, table: str, rest: str, params: Params) -> Rows:
    return [record(table, row) for row in db.query(f"{select(table)} {rest}", params)]


def _latest(db: ClickHouse, table: str, identity: str, msisdn: str, newest: str) -> Rows:
    where = f"WHERE msisdn = {{msisdn}} ORDER BY {_LATER} LIMIT 1 BY {identity}"
    rows = _rows(db, table, where, {"msisdn": msisdn})
    return sorted(rows, key=lambda row: row[newest] or 0, reverse=True)


def _arrived(db: ClickHouse, table: str, msisdn: str) -> Rows:
    return _rows(db, table, "WHERE msisdn = {msisdn} ORDER BY arrived_at, arrival_offset", {"msisdn": msisdn})


def _contacts(db: ClickHouse, msisdn: str, limit: int, since: int) -> Rows:
    wanted = ("occurred_at", "channel", "kind", "subject", "text", "status", "staff")
    rest = "WHERE msisdn = {msisdn} AND occurred_at >= {since} ORDER BY occurred_at DESC, contact_id LIMIT {limit}"
    rows = db.query(f"{select('contacts', wanted)} {rest}", {"msisdn": msisdn, "since": since, "limit": limit})
    entries = [record("contacts", row) for row in rows]
    return [
        {
            "time": entry["occurred_at"],
            "channel": entry["channel"],
            "kind": entry["kind"],
            "text": entry["text"] or entry["subject"],
            "status": entry["status"],
            "staff": entry["staff"],
        }
        for entry in entries
    ]


def _calls(db: ClickHouse, msisdn: str, limit: int, since: int) -> Rows:
    mine: Params = {"msisdn": msisdn, "since": since, "limit": limit}
    order = "ORDER BY started_at DESC, call_id LIMIT {limit}"
    calls = db.query(f"{CALL} WHERE msisdn = {{msisdn}} GROUP BY call_id HAVING started_at >= {{since}} {order}", mine)
    partial = [call for call in calls if call["by_call"]]
    if partial:
        calls = [call for call in calls if not call["by_call"]] + _whole(db, msisdn, partial)
    return [_entry(call) for call in calls if call["phases"]]


def _whole(db: ClickHouse, msisdn: str, partial: Rows) -> Rows:
    """Calls that named their customer later: their other phases stand under no MSISDN."""
    params: Params = {
        "msisdn": msisdn,
        "ids": tuple(call["call_id"] for call in partial),
        "low": min(call["started_at"] for call in partial) - _DAY,
        "high": max(call["ended_at"] for call in partial) + _DAY,
    }
    where = "WHERE msisdn IN ({msisdn}, '') AND call_id IN {ids} AND occurred_at BETWEEN {low} AND {high}"
    return db.query(f"{CALL} {where} GROUP BY call_id", params)


def _entry(call: dict[str, Any]) -> dict[str, Any]:
    return {
        "time": call["started_at"],
        "channel": "HOTLINE",
        "kind": "CALL",
        "text": call["needed"] or None,
        "status": status(call),
        "staff": call["served_by"] or None,
    }
