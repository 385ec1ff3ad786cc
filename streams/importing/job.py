"""One import: rows in, events onto Kafka, what cannot be used to people."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from schemas.errors import RecordError, UsageError
from schemas.events.call import CallKeys
from sinks.clickhouse import ClickHouse
from streams.importing.cells import SYNTHETIC
from streams.importing.left_out import LeftOut
from streams.importing.program import STATE, Made, Program
from streams.importing.reader import Line, Table
from streams.importing.words import Words
from streams.wording import counted

CALL = "yupan.call.v1"
LIST = "yupan.list.v1"
_SAID = 20
"""Rows whose reason is told one by one; the rest is counted."""
_TELL_EVERY = 500


class Sink(Protocol):
    """Where the events go: `sinks.producer.EventProducer`, or nowhere."""

    def publish(self, topic: str, record: dict[str, Any], *, event_id: str, source: str, key: str | None) -> None:
        """Hand over one event. Raises `RecordError` when it is too large."""


class Nowhere:
    """A sink for `--dry-run`."""

    def publish(self, topic: str, record: dict[str, Any], *, event_id: str, source: str, key: str | None) -> None:
        """Forget the event."""


@dataclass
class Tally:
    """What became of the rows."""

    rows: int = 0
    events: int = 0
    rejected: int = 0
    repeated: int = 0
    synthetic: int = 0
    """Rows whose customer has no MSISDN and got a synthetic number."""
    systems: Counter[str] = field(default_factory=Counter)
    """States by system."""
    left_out: int = 0
    """States of a complete export that say what it does not have."""


class Job:
    """Sends a file's rows through a program to a sink."""

    def __init__(
        self,
        table: Table,
        program: Program,
        sink: Sink,
        rejects: Rejects,
        words: Words,
        left_out: LeftOut | None = None,
    ) -> None:
        """`words`: notes what states and entries say; `left_out`: of a complete export."""
        self.tally = Tally()
        self._words = words
        self._left_out = left_out
        self._table = table
        self._program = program
        self._sink = sink
        self._rejects = rejects
        self._keys = CallKeys()

    def run(self, told: Callable[[Tally], None]) -> Tally:
        """Send all; `told` hears of the progress every some hundred rows. Raises `PartError`."""
        tally = self.tally
        for line in self._table:
            tally.rows += 1
            try:
                self._row(line)
            except RecordError as error:
                tally.rejected += 1
                self._rejects.add(line, error)
            if tally.rows % _TELL_EVERY == 0:
                told(tally)
        if tally.rejected < tally.rows or not tally.rows:  # of a file misread as a whole, `--replace` empties no list
            for made in self._program.at_end():
                self._send(made)
        tally.repeated = self._program.repeated
        told(tally)
        return tally

    def complete(self, db: ClickHouse, at: int, told: Callable[[Tally], None]) -> None:
        """After `run`: tell what a complete export of time `at` (ms) leaves out. Raises `PartError`."""
        for made in self._left_out.events(db, at) if self._left_out is not None else ():
            self._send(made)
            self.tally.left_out += 1
            if self.tally.left_out % _TELL_EVERY == 0:
                told(self.tally)

    def _row(self, line: Line) -> None:
        if line.error is not None:
            raise line.error
        made = self._program.events(line.number, line.cells)
        for event in made:
            self._send(event)
            if event.event.topic == LIST:
                self._words.note_entry(event.record)
            if event.event.topic == STATE:
                self._words.note(event.record)
                if self._left_out is not None:
                    self._left_out.note(event.record)
        if made and str(made[0].record.get("msisdn")).startswith(SYNTHETIC):
            self.tally.synthetic += 1

    def _send(self, made: Made) -> None:
        topic, record = made.event.topic, made.record
        key = self._keys.of(record) if topic == CALL else made.event.key(record)
        self._sink.publish(topic, record, event_id=made.id, source=self._program.source, key=key)
        self.tally.events += 1
        if topic == STATE:
            self.tally.systems[record["system"]] += 1


class Rejects:
    """Rows that cannot be used: the first are told, all go into the file of `--rejects`."""

    def __init__(self, tell: Callable[[str], None], file: IO[str] | None, header: list[str]) -> None:
        self._tell = tell
        self._writer = csv.writer(file) if file else None
        self._count = 0
        if self._writer:
            self._writer.writerow(["row", "line", "reason", *header])

    def add(self, line: Line, error: RecordError) -> None:
        """A row and why it cannot be used."""
        self._count += 1
        if self._count <= _SAID:
            self._tell(f"row {line.number} (line {line.line}): {error}")
        if self._writer:
            self._writer.writerow([line.number, line.line, str(error), *line.cells])

    def close(self) -> None:
        """Say how many were not told."""
        if self._count > _SAID:
            where = "all are in the file of --rejects" if self._writer else "--rejects FILE writes them all"
            self._tell(f"… and {counted(self._count - _SAID, 'more row')} ({where})")


@contextmanager
def rejects_to(path: Path | None, tell: Callable[[str], None], header: list[str]) -> Iterator[Rejects]:
    """The rejected rows of one import. Raises `UsageError` for a file that cannot be written."""
    file = None
    try:
        file = path.open("w", encoding="utf-8", newline="") if path else None
    except OSError as error:
        raise UsageError(f"--rejects {path}: {error.strerror or error}") from None
    try:
        rejects = Rejects(tell, file, header)
        yield rejects
        rejects.close()
    finally:
        if file:
            file.close()


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def seconds(self) -> float:
        """Seconds since then, never 0."""
        return max(time.monotonic() - self._began, 1e-6)
