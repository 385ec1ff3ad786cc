"""`yupan import` from beginning to end: mapping, file, Kafka, and the wait until ClickHouse has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.rules import load_checks
from schemas.catalogue import EVENTS
from schemas.codec import Codec
from schemas.errors import RecordError, UsageError
from schemas.events.list import is_watch_list
from schemas.fields import FAR_FUTURE, iso
from schemas.headers import cloud_event
from sinks.clickhouse import open_clickhouse
from sinks.producer import EventProducer
from sinks.registry import attach
from streams.importing import mapping as mappings
from streams.importing.job import LIST, Job, Nowhere, Stopwatch, Tally, rejects_to
from streams.importing.left_out import LeftOut
from streams.importing.program import Program, Surroundings
from streams.importing.progress import Bars
from streams.importing.reader import Table
from streams.importing.row import FILE_TIME
from streams.importing.times import LocalTime
from streams.importing.waiting import Waiting
from streams.importing.words import Words
from streams.settings import Settings

BASELINE = "yupan.internal.baseline.v1"


@dataclass(frozen=True)
class Order:
    """What somebody asks `yupan import` to do."""

    mapping: str
    file: Path
    options: Mapping[str, str]
    at: str | None
    encoding: str | None
    rejects: Path | None
    dry_run: bool
    wait: bool
    snapshot: bool = False
    """Whether the file is a full export of one system."""
    complete: bool = False
    """Whether what that export leaves out is told, too."""


@dataclass(frozen=True)
class Done:
    """What an import has done, and how far the events are."""

    tally: Tally
    seconds: float
    state: str
    left_out: int | None = None
    """Of a complete export: how many states that are known it does not have; None where that was not looked at."""

    def document(self) -> dict[str, Any]:
        """The answer of `--json` (contracts, "The command line")."""
        return {
            "rows": self.tally.rows,
            "events": self.tally.events,
            "rejected": self.tally.rejected,
            "seconds": round(self.seconds, 3),
            "rows_per_s": round(self.tally.rows / self.seconds, 1),
            **({} if self.left_out is None else {"left_out": self.left_out}),
        }


def import_file(order: Order, settings: Settings, tell: Callable[[str], None]) -> Done:
    """Import `order.file`; `tell` hears a line for each row that cannot be used.

    Raises `UsageError` for a wrong mapping, file or option, `PartError` when Kafka does not take the events
    or the workers stand still.
    """
    watch = Stopwatch()
    if order.complete and not order.snapshot:
        raise UsageError("--complete: goes with --snapshot, a full export of one system")
    mapping = mappings.load(order.mapping)
    _spare_inputs(order)
    lists = _lists_with_a_file(mapping, settings)
    with Table(order.file, order.encoding or mapping.encoding, mapping.delimiter) as table:
        around = _surroundings(order, mapping, settings)
        program = Program(mapping, table.header, around)
        producer = None if order.dry_run else _producer(mapping, settings)
        with Bars(table.size) as bars, rejects_to(order.rejects, tell, table.header) as rejects:
            words = Words(once=order.snapshot, lists=lists)
            job = Job(table, program, producer or Nowhere(), rejects, words, LeftOut() if order.complete else None)
            tally = job.run(lambda so_far: bars.read(table.position(), so_far))
            # whose row cannot be used is not left out, nor who has no number among those who have one
            complete = order.complete and not tally.rejected and tally.synthetic in (0, tally.rows)
            if complete:
                with closing(open_clickhouse(settings.clickhouse)) as db:
                    job.complete(db, around.file_time, lambda so_far: bars.read(table.position(), so_far))
            if producer is not None and order.snapshot:
                _tell_baseline(producer, tally, around.file_time)
            for line in words.warnings():
                tell(line)
            state = "nothing was sent" if producer is None else _finish(producer, order, settings, bars)
    return Done(tally, watch.seconds(), state, tally.left_out if complete else None)


def _lists_with_a_file(mapping: mappings.Mapping, settings: Settings) -> list[str]:
    """The watch lists of our files, as far as `mapping` makes entries of lists. Raises `UsageError` for a wrong one."""
    if LIST not in {plan.event.topic for plan in mapping.events}:
        return []
    return [name for name in load_checks(settings.checks).files if is_watch_list(name)]


def _spare_inputs(order: Order) -> None:
    """The file of --rejects is emptied before the first row is read."""
    if order.rejects is None or not order.rejects.exists():
        return
    for read in (order.file, Path(order.mapping)):
        if read.exists() and read.samefile(order.rejects):
            raise UsageError(f"--rejects {order.rejects}: is a file that is read here; name another")


def _tell_baseline(producer: EventProducer, tally: Tally, at: int) -> None:
    """The full export is written: every partition is told, behind its last state."""
    producer.flush()
    event = EVENTS[BASELINE]
    for system, rows in sorted(tally.systems.items()):
        record = {"system": system, "rows": rows, "occurred_at": at}
        value = producer.encode(BASELINE, record)
        for partition in range(producer.partitions(BASELINE)):
            name = f"{event.content_id(record)}|{partition}"
            producer.send(BASELINE, value, None, cloud_event(BASELINE, name, event.source_of(record), at), partition)


def _finish(producer: EventProducer, order: Order, settings: Settings, bars: Bars) -> str:
    written = {place: last + 1 for place, last in producer.flush().items()}
    if not order.wait:
        return "in Kafka"
    waiting = Waiting(settings.kafka, settings.kafka_config, progress=bars.waited)
    waiting.until_readable(written)
    return "readable in ClickHouse"


def _surroundings(order: Order, mapping: mappings.Mapping, settings: Settings) -> Surroundings:
    """Raises `UsageError` for a time that workers would refuse."""
    at = _file_time(order, settings.timezone)
    counts = order.at is not None or FILE_TIME in mapping.names.used
    if counts and settings.clock == "wall" and at > time.time() * 1000 + FAR_FUTURE:
        what = f"--at: {order.at}" if order.at else f"{order.file}: was last changed at {iso(at)}, which"
        raise UsageError(f"{what} is more than 1 h ahead of now; events of the far future are refused")
    return Surroundings(settings.timezone, settings.country_code, at, order.options, order.snapshot, str(order.file))


def _file_time(order: Order, zone: str) -> int:
    if order.at is None:
        return int(order.file.stat().st_mtime * 1000)
    try:
        return LocalTime(zone).of_text(order.at)
    except RecordError as error:
        raise UsageError(f"--at: {error}") from None


def _producer(mapping: mappings.Mapping, settings: Settings) -> EventProducer:
    codecs = {plan.event.topic: Codec(plan.event) for plan in (*mapping.events, *mapping.at_end)}
    codecs[BASELINE] = Codec(EVENTS[BASELINE])
    attach(codecs, settings.schema_registry)
    producer = EventProducer(settings.kafka, codecs, settings.kafka_config)
    for topic in codecs:
        producer.partitions(topic)
    return producer
