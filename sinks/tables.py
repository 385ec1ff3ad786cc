"""The tables of the history: which columns each has, how a value becomes a cell and a cell a value.

Columns are named like the fields of the records. The DDL in `migrations/` says the same in SQL; a test
compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

TEXT = "text"
"""String; null is kept as the empty string."""
INT = "int"
"""Nullable(Int64); times are milliseconds since the epoch (UTC)."""
JSON = "json"
"""String holding JSON: what is typed (values) or a map. Null is `null`."""
FLAG = "flag"
"""UInt8, 0 or 1."""

ARRIVAL = {
    "occurred_at": INT,
    "ce_source": TEXT,
    "ce_id": TEXT,
    "sequence": INT,
    "arrival_topic": TEXT,
    "arrival_partition": INT,
    "arrival_offset": INT,
    "arrived_at": INT,
    "row_version": INT,
}
"""What every row carries. The engine adds `inserted_at`."""


def _columns(text: str, ints: str = "", maps: str = "", flags: str = "") -> dict[str, str]:
    kinds = {TEXT: text, INT: ints, JSON: maps, FLAG: flags}
    named = {name: kind for kind, names in kinds.items() for name in names.split()}
    return {"msisdn": TEXT, **named, **ARRIVAL}


TABLES: dict[str, dict[str, str]] = {
    "calls": _columns(
        "call_id phase hotline brand need pool seat staff outcome segment",
        ints="priority wait_ms talk_ms",
        maps="details receipt",
        flags="tagged keyed_by_call",
    ),
    "contacts": _columns(
        "contact_id channel direction kind subject text status order_id staff handle",
        ints="audience score",
        maps="details",
    ),
    "states": _columns("system attribute transaction region reason", maps="value previous details"),
    "facts": _columns("fact", maps="value"),
    "lists": _columns("list action version name station", ints="valid_from valid_to", maps="guidance wording"),
    "anomalies": _columns(
        "anomaly_id cell region check status severity cause_code trigger_id reason",
        ints="opened_at",
        maps="evidence cause wording guidance",
    ),
    "reminders": _columns(
        "reminder_id kind progress severity source_id",
        ints="expires_at",
        maps="title cause wording guidance",
        flags="withdrawn",
    ),
    "tickets": _columns("ticket_id action class segment text region staff call_id"),
    "tasks": _columns("task_id action product policy script owner", ints="due_at priority"),
}

Cell = str | int | None

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _text(value: Any) -> Cell:
    if value is None or isinstance(value, str):
        return value or ""
    return _dumps(value)


def _json(value: Any) -> Cell:
    return "null" if value is None else _dumps(value)


_WRITE: dict[str, Callable[[Any], Cell]] = {
    TEXT: _text,
    INT: lambda value: value,
    JSON: _json,
    FLAG: lambda value: 1 if value else 0,
}
_WRITERS = {table: [(name, _WRITE[kind]) for name, kind in columns.items()] for table, columns in TABLES.items()}


def cells(table: str, values: Mapping[str, Any]) -> list[Cell]:
    """A row of `table` in the order of its columns; what `values` lacks is null."""
    get = values.get
    return [write(get(name)) for name, write in _WRITERS[table]]


def record(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row read back (any of its columns) as plain values: empty text is None, JSON is parsed."""
    kinds = TABLES[table]
    return {name: _read(kinds.get(name), cell) for name, cell in row.items()}


def _read(kind: str | None, cell: Any) -> Any:
    if kind == JSON:
        return json.loads(cell) if cell else None
    if kind == FLAG:
        return bool(cell)
    return None if kind == TEXT and cell == "" else cell


def select(table: str, names: Iterable[str] | None = None) -> str:
    """`SELECT columns FROM table FINAL`: every row once, whatever was repeated."""
    wanted = TABLES[table] if names is None else names
    return f"SELECT {', '.join(f'`{name}`' for name in wanted)} FROM `{table}` FINAL"
