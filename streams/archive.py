"""The role `history`: every event that the history keeps becomes rows in ClickHouse, then its offset is committed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass

from agents import reminders
from agents.event import Event
from agents.intake import Intake, Reroute
from agents.ports import Batch, Clock, Message
from schemas import headers as wire
from schemas.dead_letter import DEAD_LETTER, dead_letter
from schemas.errors import PartError, RecordError
from schemas.fields import millis
from sinks.clickhouse import ClickHouse
from sinks.history import HistoryWriter, RefusedRow
from sinks.statements import Params, Row
from streams.engine.batch import Output
from streams.engine.deadletters import DeadLetterLimit
from streams.metrics import Metrics

STAGE = "yupan-history"


@dataclass(slots=True)
class Arrived(Event):
    """An event with the record that it came in, for the dead letter of a row that ClickHouse refuses."""

    message: Message | None = None


class Archive:
    """`process` collects (event loop), `flush` writes (committer's thread); the list between them is handed over whole.

    What cannot be read is skipped and counted: `decide` dead-letters it, once.
    """

    def __init__(
        self,
        intake: Intake,
        writer: HistoryWriter,
        metrics: Metrics,
        clock: Clock,
        limit: DeadLetterLimit | None = None,
    ) -> None:
        self._intake = intake
        self._writer = writer
        self._metrics = metrics
        self._clock = clock
        self._limit = limit or DeadLetterLimit()
        self._waiting: list[Arrived] = []
        self._unwritten: list[Arrived] = []
        """Handed to the writer; more than the last flush brought while ClickHouse is away."""
        self._metrics.set("yupan_sink_up", 1, sink="clickhouse")

    def process(self, batch: Batch) -> None:
        """Collect the events of a batch."""
        for message in batch.messages:
            try:
                event = self._read(message, batch.now())
            except RecordError as error:
                self._metrics.count("yupan_skipped", topic=batch.topic, reason=error.reason)
            else:
                batch.occurred(event.occurred_at)
                self._waiting.append(event)

    def _read(self, message: Message, now: int) -> Arrived:
        if message.value() is None and message.topic() == reminders.TOPIC:  # the one compacted topic here
            return _tombstone(message)
        event = self._intake.read(message, now)
        if isinstance(event, Reroute):
            raise RecordError("wrong_partition", "a copy comes on its own partition")
        return _arrived(event, message)

    def flush(self) -> Sequence[Output]:
        """Insert all that was collected; returns dead letters for rows that ClickHouse refuses.

        Raises `PartError`, and `TooManyDeadLettersError` when it refuses (nearly) all.
        """
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._writer.add(event)
        self._unwritten += waiting
        try:
            refused = self._writer.flush()
        except PartError:
            self._metrics.count("yupan_sink_failures", sink="clickhouse")
            self._metrics.set("yupan_sink_up", 0, sink="clickhouse")
            raise
        self._metrics.set("yupan_sink_up", 1, sink="clickhouse")
        written, self._unwritten = self._unwritten, []
        by_event = {id(row.event): row for row in reversed(refused)}  # an event may have several rows
        self._judge(written, by_event.keys())
        return [self._dead_letter(row) for row in by_event.values()]

    def _judge(self, written: Sequence[Arrived], refused: Container[int]) -> None:
        """Tell the limit of each event, in order; one that a person replayed says nothing of this deployment."""
        if not refused:
            for topic, events in Counter(event.topic for event in written).items():
                self._limit.passed(topic, events)
            return
        for event in written:
            if id(event) not in refused:
                self._limit.passed(event.topic)
            elif event.message is None or not wire.is_replayed(event.message.headers()):
                self._limit.failed(event.topic)

    def _dead_letter(self, row: RefusedRow) -> Output:
        assert isinstance(row.event, Arrived)
        assert row.event.message is not None
        error = RecordError("sink_refused", f"{row.table}: {row.reason}")
        self._metrics.count("yupan_dead_letters", topic=row.event.topic, reason=error.reason)
        value, key, headers = dead_letter(row.event.message, error, STAGE, self._clock.now_ms())
        return Output(DEAD_LETTER, value, key, headers)


class Measured:
    """A `ClickHouse` whose inserts are timed and counted by table."""

    def __init__(self, db: ClickHouse, metrics: Metrics) -> None:
        self._db = db
        self._metrics = metrics

    @property
    def version(self) -> tuple[int, ...]:
        """See `sinks.clickhouse.ClickHouse`."""
        return self._db.version

    def query(self, sql: str, params: Params | None = None) -> list[Row]:
        """See `sinks.clickhouse.ClickHouse`."""
        return self._db.query(sql, params)

    def execute(self, sql: str) -> None:
        """See `sinks.clickhouse.ClickHouse`."""
        self._db.execute(sql)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """See `sinks.clickhouse.ClickHouse`."""
        began = time.perf_counter()
        self._db.insert(table, columns, rows)
        self._metrics.observe("yupan_sink_latency_seconds", time.perf_counter() - began, table=table)
        self._metrics.observe("yupan_sink_batch_rows", len(rows), table=table)

    def create_database(self) -> None:
        """See `sinks.clickhouse.ClickHouse`."""
        self._db.create_database()

    def close(self) -> None:
        """See `sinks.clickhouse.ClickHouse`."""
        self._db.close()


def _arrived(event: Event, message: Message) -> Arrived:
    values = {name: getattr(event, name) for name in Event.__slots__}
    return Arrived(**values, message=message)


def _tombstone(message: Message) -> Arrived:
    """A reminder's withdrawal: only its key and headers say whose it was, when and why."""
    key, headers = message.key(), wire.read(message.headers())
    if key is None or "ce_id" not in headers:
        raise RecordError("not_avro", "an empty record")
    at = millis(headers["ce_time"]) if "ce_time" in headers else message.timestamp()[1]
    return Arrived(
        topic=message.topic(),
        record={},
        id=headers["ce_id"],
        source=headers.get("ce_source", ""),
        occurred_at=at,
        key=key.decode("utf-8", "replace"),
        partition=message.partition(),
        offset=message.offset(),
        arrived_at=message.timestamp()[1],
        message=message,
    )
