"""What a run has left behind, read from outside: topics by a read_committed reader, the changelog, ClickHouse."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from schemas import headers as wire
from schemas.topics import LEDGER, MAX_MESSAGE, TOPICS
from sinks.clickhouse import ClickHouse
from sinks.groups import Groups, Place
from sinks.tables import ARRIVAL, TABLES, select
from streams.engine.committer import OWNER
from streams.engine.store import decode
from tests.faults.workload import PARTITIONS

PLACES: tuple[Place, ...] = tuple((topic, number) for topic in TOPICS for number in range(PARTITIONS))
READ_S = 30.0


class Record(NamedTuple):
    """A committed Kafka record."""

    topic: str
    partition: int
    offset: int
    at: int
    """The broker's timestamp."""
    key: bytes | None
    value: bytes | None
    wire: wire.Headers
    headers: Mapping[str, str]


class Reader:
    """Reads all our topics, read_committed, from marks to their ends. Call `close`."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "faults-reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.message.max.bytes": 2 * MAX_MESSAGE,
                "fetch.wait.max.ms": 20,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    def ends(self) -> dict[Place, int]:
        """Where all partitions end now."""
        return self._groups().ends(PLACES)

    def _groups(self) -> Groups:
        """Made anew for each question: an admin client that has seen its broker go may never answer again."""
        return Groups(self._bootstrap)

    def behind(self, group: str, topics: Iterable[str]) -> dict[Place, tuple[int, int]]:
        """Where a group has not committed all of these topics: its offset, and the end (markers have offsets, too)."""
        committed, ends, wanted = self._groups().committed(group), self.ends(), set(topics)
        standing = {place: (committed.get(place, 0), end) for place, end in ends.items() if place[0] in wanted}
        return {place: (offset, end) for place, (offset, end) in standing.items() if offset < end}

    def read(self, marks: Mapping[Place, int]) -> list[Record]:
        """Everything committed behind the marks, in order within a partition."""
        ends = {place: end for place, end in self.ends().items() if end > marks[place]}
        self._consumer.assign([TopicPartition(*place, marks[place]) for place in ends])
        found: list[Record] = []
        until = time.monotonic() + READ_S
        while ends:
            for message in self._consumer.consume(5_000, 0.1):
                error = message.error()
                if error is None:
                    found.append(_record(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    place = (message.topic() or "", message.partition() or 0)
                    if (message.offset() or 0) >= ends.get(place, 0):
                        ends.pop(place, None)
            assert time.monotonic() < until, f"an open transaction hides the ends of {sorted(ends)[:3]}"
        self._consumer.unassign()
        return found

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def _record(message: Message) -> Record:
    pairs: Any = message.headers() or []
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        pairs,
        wire.read(pairs),
    )


def changes(records: Iterable[Record]) -> dict[tuple[int, str], Any]:
    """The ledger records that changed, by partition and key, as they are now; None: deleted."""
    changed: dict[tuple[int, str], Any] = {}
    for record in records:
        if record.topic == LEDGER and record.key is not None and record.key != OWNER:
            changed[record.partition, record.key.decode()] = decode(record.value) if record.value else None
    return changed


TableRow = tuple[str, tuple[Any, ...]]
"""A table and the cells of one of its rows, without when and where it arrived."""
_ARRIVED = ("sequence", *(name for name in ARRIVAL if name.startswith("arriv")), "row_version")


def told(table: str) -> list[str]:
    """The columns of a table but those that say when and where a row arrived."""
    return [name for name in TABLES[table] if name not in _ARRIVED]


def all_rows(clickhouse: ClickHouse, since: int) -> Iterator[TableRow]:
    """The rows of all events that came to the broker since then (ms), as a reader of `FINAL` sees them."""
    for table in TABLES:
        columns = told(table)
        for row in clickhouse.query(f"{select(table, columns)} WHERE arrived_at >= {since}"):
            yield table, tuple(row[name] for name in columns)
