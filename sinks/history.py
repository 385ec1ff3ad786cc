"""Events to rows of the history, and the writer that brings them to ClickHouse in batches.

The rows are built by pure functions. Every row can be written again at any time: its key holds the
identity of its event, and of rows with one key the one that arrived first stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, Protocol

from schemas.fields import is_msisdn
from sinks.clickhouse import ClickHouse
from sinks.statements import RefusedError
from sinks.tables import TABLES, Cell, cells

_MONTH = 2_629_800_000
"""An average month in milliseconds; rows of one touch three partitions (calendar months) at most."""
_MONTHS_AN_INSERT = 33
"""ClickHouse refuses an insert into more than 100 partitions, and an import may span decades."""


class HistoryEvent(Protocol):
    """What a row needs of an event (`agents.event.Event` has this shape). Times are milliseconds (UTC)."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> str | None: ...
    @property
    def record(self) -> Mapping[str, Any] | None:
        """None (or empty) for a tombstone."""

    @property
    def id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def occurred_at(self) -> int: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def arrived_at(self) -> int: ...


Row = list[Cell]
Rows = tuple[str, list[Row]]
"""A table and the rows of one event for it."""


def rows_of(event: HistoryEvent) -> Rows | None:
    """The rows of an event; None for a topic that the history does not keep."""
    build = _BUILDERS.get(event.topic)
    if build is None:
        return None
    table, values = build(event)
    arrival = _arrival(event)
    return table, [cells(table, each | arrival) for each in values]


def _arrival(event: HistoryEvent) -> dict[str, Any]:
    record = event.record or {}
    return {
        "occurred_at": event.occurred_at,
        "ce_source": event.source,
        "ce_id": event.id,
        "sequence": record.get("sequence"),
        "arrival_topic": event.topic,
        "arrival_partition": event.partition,
        "arrival_offset": event.offset,
        "arrived_at": event.arrived_at,
        "row_version": first_wins(event.arrived_at, event.offset),
    }


def first_wins(arrived_at: int, offset: int) -> int:
    """A version (UInt64) that is the higher the earlier a record arrived.

    A repeat must not count as newer than what came between, so the first arrival of an id stays.
    """
    return (1 << 63) - ((arrived_at << 20) | (offset & 0xFFFFF))


Built = tuple[str, list[dict[str, Any]]]
Builder = Callable[[HistoryEvent], Built]


def _plain(table: str) -> Builder:
    """Columns are the record's fields."""

    def build(event: HistoryEvent) -> Built:
        return table, [dict(event.record or {})]

    return build


def _call(event: HistoryEvent) -> Built:
    """A phase. Later phases may name no MSISDN: then the key does, unless the call is keyed by its id."""
    record = dict(event.record or {})
    keyed_by_call = event.key == record.get("call_id")
    if not record.get("msisdn") and not keyed_by_call and is_msisdn(event.key):
        record["msisdn"] = event.key
    return "calls", [record | {"keyed_by_call": keyed_by_call}]


def _tag(event: HistoryEvent) -> Built:
    """The tag of a phase. What the phase itself says stands in the row of `yupan.call.v1`."""
    table, (call,) = _call(event)
    kept = ("msisdn", "call_id", "phase", "keyed_by_call", "segment", "receipt")
    return table, [{name: call.get(name) for name in kept} | {"tagged": True}]


def _facts(event: HistoryEvent) -> Built:
    record = event.record or {}
    facts: Mapping[str, Any] = record.get("facts") or {}
    return "facts", [{"msisdn": record.get("msisdn"), "fact": name, "value": facts[name]} for name in facts]


def _reminder(event: HistoryEvent) -> Built:
    """A reminder, or its withdrawal: a tombstone of which only the key tells whose it was."""
    if event.record:
        return "reminders", [dict(event.record)]
    msisdn, _, reminder_id = (event.key or "").partition("|")
    return "reminders", [{"msisdn": msisdn, "reminder_id": reminder_id, "withdrawn": True}]


_BUILDERS: dict[str, Builder] = {
    "yupan.call.v1": _call,
    "yupan.tagged-call.v1": _tag,
    "yupan.contact.v1": _plain("contacts"),
    "yupan.state.v1": _plain("states"),
    "yupan.customer.v1": _facts,
    "yupan.list.v1": _plain("lists"),
    "yupan.anomaly.v1": _plain("anomalies"),
    "yupan.reminder.v1": _reminder,
    "yupan.ticket.v1": _plain("tickets"),
    "yupan.retention-task.v1": _plain("tasks"),
}

TOPICS = tuple(_BUILDERS)
"""What the history reads."""


class RefusedRow(NamedTuple):
    """An event of which ClickHouse itself refuses a row, and why (without the row's data)."""

    event: HistoryEvent
    table: str
    reason: str


Pending = list[tuple[Row, HistoryEvent]]


class HistoryWriter:
    """Collects rows and writes them a table at a time. For one thread; `flush` blocks."""

    def __init__(self, db: ClickHouse, largest: int = 100_000) -> None:
        """Write to `db`, at most `largest` rows an insert."""
        self._db = db
        self._largest = largest
        self._pending: dict[str, Pending] = {}
        self._refused: list[RefusedRow] = []

    @property
    def rows(self) -> int:
        """How many rows wait for `flush`."""
        return sum(map(len, self._pending.values()))

    def add(self, event: HistoryEvent) -> int:
        """Collect the rows of an event; returns how many there are (0: the history does not keep it)."""
        built = rows_of(event)
        if built is None:
            return 0
        table, rows = built
        self._pending.setdefault(table, []).extend((row, event) for row in rows)
        return len(rows)

    def flush(self) -> list[RefusedRow]:
        """Write what waits; returns the rows that ClickHouse refuses, to be dead-lettered.

        Raises `PartError` when ClickHouse is away: what is not written yet waits on, so call it again.
        """
        for table in list(self._pending):
            refused: list[RefusedRow] = []
            for part in _parts(table, self._pending[table], self._largest):
                refused += self._insert(table, part)
            self._refused += refused
            del self._pending[table]
        done, self._refused = self._refused, []
        return done

    def _insert(self, table: str, part: Pending) -> list[RefusedRow]:
        """Insert, and halve what is refused until the rows at fault stand alone."""
        try:
            self._db.insert(table, list(TABLES[table]), [row for row, _ in part])
        except RefusedError as error:
            if len(part) == 1:
                return [RefusedRow(part[0][1], table, str(error))]
            middle = len(part) // 2
            return self._insert(table, part[:middle]) + self._insert(table, part[middle:])
        return []


def _parts(table: str, pending: Pending, largest: int) -> Iterator[Pending]:
    """Cut what waits into inserts of at most `largest` rows over few months."""
    column = list(TABLES[table]).index("occurred_at")
    months: dict[int, Pending] = {}
    for each in pending:
        at = each[0][column]
        months.setdefault(at // _MONTH if isinstance(at, int) else 0, []).append(each)
    groups: list[Pending] = list(months.values())
    for first in range(0, len(groups), _MONTHS_AN_INSERT):
        together = list(chain.from_iterable(groups[first : first + _MONTHS_AN_INSERT]))
        yield from _slices(together, largest)


def _slices(rows: Sequence[tuple[Row, HistoryEvent]], largest: int) -> Iterator[Pending]:
    for start in range(0, len(rows), largest):
        yield list(rows[start : start + largest])
