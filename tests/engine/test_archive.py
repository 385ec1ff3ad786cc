"""The role `history`: what it keeps and what it skips, by the clock that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agents.intake import Intake
from agents.memory import Delivered, MemoryBatch, World
from schemas.catalogue import EVENTS
from schemas.codec import codecs
from schemas.errors import PartError
from sinks.history import HistoryWriter, RefusedRow
from streams.archive import Archive
from streams.engine.clock import ManualClock
from streams.engine.deadletters import DeadLetterLimit, TooManyDeadLettersError
from streams.metrics import Metrics

STATE = "yupan.state.v1"
NOON = 1_795_320_000_000
DAY = 86_400_000
ANNA = "8613800138000"


class Rows:
    """The part of ClickHouse that takes rows."""

    def __init__(self) -> None:
        self.times: list[Any] = []

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        at = list(columns).index("occurred_at")
        self.times += [row[at] for row in rows]


def stored(*times: int, events_clock: bool, **more: Any) -> tuple[list[Any], float]:
    """The times of the rows that are stored of states that occurred at `times`, and how many were skipped."""
    known, rows, metrics, world = codecs(), Rows(), Metrics(), World()
    world.clock = 0 if events_clock else NOON
    intake = Intake(known, partitions=0, events_clock=events_clock)
    archive = Archive(intake, HistoryWriter(rows), metrics, ManualClock(NOON))  # type: ignore[arg-type]
    for at in times:
        record = {"msisdn": ANNA, "system": "crm", "attribute": "status", "value": "active", "occurred_at": at} | more
        value = known[STATE].encode(EVENTS[STATE].from_json(record))
        message = Delivered(STATE, value, ANNA.encode(), [], 0, NOON)
        archive.process(MemoryBatch(world, STATE, [message]))
    assert archive.flush() == []
    skipped = [
        sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "yupan_skipped_total"
    ]
    return rows.times, sum(skipped)


def test_the_far_future_is_skipped_and_counted() -> None:
    assert stored(NOON, NOON + DAY, events_clock=False) == ([NOON], 1)


def test_simulated_days_are_kept_whether_they_lie_ahead_or_in_the_past() -> None:
    times = [NOON - 300 * DAY, NOON + 300 * DAY]
    assert stored(*times, events_clock=True) == (times, 0)
    assert stored(*times, events_clock=True, attribute="charge", value=5) == (times, 0)


def test_an_occurrence_too_late_for_the_clock_of_the_events_is_skipped_as_decide_refuses_it() -> None:
    times = [NOON + DAY, NOON - 1, NOON]
    assert stored(*times, events_clock=True, attribute="charge", value=5) == ([NOON + DAY, NOON], 1)


class RefusesAll:
    """A writer whose ClickHouse takes no row."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def add(self, event: Any) -> None:
        self.events.append(event)

    def flush(self) -> list[RefusedRow]:
        return [RefusedRow(event, "states", "no such column") for event in self.events]


def collecting(writer: Any, limit: DeadLetterLimit, events: int) -> tuple[Archive, MemoryBatch]:
    known, world = codecs(), World()
    world.clock = NOON
    archive = Archive(Intake(known, partitions=0), writer, Metrics(), ManualClock(NOON), limit)
    value = known[STATE].encode(EVENTS[STATE].from_json({**EVENTS[STATE].examples[0], "occurred_at": NOON}))
    messages = [Delivered(STATE, value, ANNA.encode(), [], n, NOON) for n in range(events)]
    return archive, MemoryBatch(world, STATE, messages)


def test_a_clickhouse_that_refuses_all_stops_the_worker_before_its_dead_letters_are_sent() -> None:
    archive, batch = collecting(RefusesAll(), DeadLetterLimit(run=2), events=3)
    archive.process(batch)
    with pytest.raises(TooManyDeadLettersError):
        archive.flush()


class RefusesSome(RefusesAll):
    """Refuses every tenth event, in two rows each, once it is back."""

    away = True

    def flush(self) -> list[RefusedRow]:
        if self.away:
            raise PartError("away")
        return [RefusedRow(event, "states", "no such column") for event in self.events[::10] for _ in range(2)]


def test_what_is_refused_here_and_there_stops_nobody_and_is_one_dead_letter_an_event() -> None:
    writer = RefusesSome()
    archive, batch = collecting(writer, DeadLetterLimit(run=2, window=10), events=90)
    archive.process(batch)
    with pytest.raises(PartError):
        archive.flush()
    writer.away = False
    assert len(archive.flush()) == 9
