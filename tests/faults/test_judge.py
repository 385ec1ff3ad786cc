"""The judge of the fault harness finds what is lost, doubled or changed: one that cannot fail proves nothing.

A whole run is made up without Kafka: a workload as it would lie there, and what an engine without faults leaves.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import NamedTuple

import pytest

from schemas import dead_letter as dead
from schemas import headers as wire
from schemas.errors import RecordError
from schemas.partition import partition_of
from schemas.topics import LEDGER
from streams.engine.committer import OWNER
from streams.engine.store import encode
from tests.faults.answer import RATE, Answer, is_rerouted
from tests.faults.judge import Verdict, judge
from tests.faults.run import expected, found, longest_pause
from tests.faults.seen import Record, TableRow
from tests.faults.workload import CODECS, PARTITIONS, Stories, Workload

BASE = 1_795_600_000_000
SEED = random.randrange(10**6)
OUT = (
    "yupan.anomaly.v1",
    "yupan.reminder.v1",
    "yupan.tagged-call.v1",
    "yupan.internal.list.v1",
    "yupan.internal.rate.v1",
    "yupan.internal.incident.v1",
    "yupan.internal.repair.v1",
    "yupan.repair.v1",
    dead.DEAD_LETTER,
)
BACK = (
    "yupan.internal.list.v1",
    "yupan.internal.rate.v1",
    "yupan.internal.incident.v1",
    "yupan.internal.repair.v1",
    "yupan.state.v1",
)
"""Copies of lists, counts of cells, what joins incidents, and re-routed records."""


class Made(NamedTuple):
    """A run that was made up."""

    workload: Workload
    records: list[Record]
    rows: list[TableRow]


@cache
def made_up() -> Made:
    """What a run without faults leaves behind."""
    print(f"seed {SEED}")
    workload = Stories(random.Random(SEED), BASE, SEED).tell(60)
    offsets = count()
    given = [
        record(line.topic, line.key, line.value, line.headers, line.partition, next(offsets))
        for lines in workload.stages
        for line in lines
    ]
    back: list[Record] = []
    for _ in range(3):  # what comes back as input makes more that does
        engine = Answer({})
        letters = engine.decide([*given, *back], BASE + 60_000)["dead letter"]
        came, back = back, []
        for o in engine.outputs:
            if o.topic in BACK:
                back.append(record(o.topic, o.key, o.value, o.headers, o.partition, next(offsets)))
    given += came
    left = [record(o.topic, o.key, o.value, o.headers, o.partition, next(offsets)) for o in engine.outputs]
    left = [r for r in left if r.topic not in BACK]
    left += [letter(place, next(offsets)) for place in letters.elements()]
    left += [record(LEDGER, key.encode(), encode(data), [], n, 0) for (n, key), data in engine.ledger.items()]
    left += [record(LEDGER, key.encode(), encode(data), [], n, 0) for (n, key), data in due_records(engine).items()]
    left.append(record(LEDGER, OWNER, b"somebody", [], 0, 0))
    return Made(workload, given + left, sorted(engine.rows, key=repr))


def record(
    topic: str, key: bytes | None, value: bytes | None, headers: wire.Headers, partition: int | None, offset: int
) -> Record:
    """A record as a reader gets it."""
    place = partition if partition not in (None, -1) else partition_of(key or b"", PARTITIONS)
    return Record(topic, place, offset, BASE, key, value, headers, wire.read(headers))  # type: ignore[arg-type]


def letter(place: tuple[str, int, int, str], offset: int) -> Record:
    """A dead letter for the record at a place."""
    topic, partition, at, reason = place
    cause = record(topic, b"k", b"v", [], partition, at)
    made = dead.dead_letter(Raw(cause), RecordError(reason, "for a reason"), "yupan-decide", BASE)
    return record(dead.DEAD_LETTER, made.key, made.value, made.headers, 0, offset)


class Raw:
    """A record with confluent_kafka's methods."""

    def __init__(self, of: Record) -> None:
        self.topic, self.partition, self.offset = (lambda: of.topic), (lambda: of.partition), (lambda: of.offset)
        self.key, self.value, self.headers = (lambda: of.key), (lambda: of.value), (lambda: of.wire)


def due_records(engine: Answer) -> dict[tuple[int, str], list[list[object]]]:
    """The armed deadlines as the engine keeps them."""
    found: dict[tuple[int, str], list[list[object]]] = {}
    for partition, customer, name, at in engine.armed:
        found.setdefault((partition, f"~due/{customer}"), []).append([name, at, ["yupan.state.v1"]])
    return found


def verdict(records: list[Record], rows: list[TableRow]) -> Verdict:
    """The judge on these."""
    given = made_up()
    return judge(expected(given.records, given.workload, {}, BASE), found(records, rows))


def some(records: list[Record], wanted: Callable[[Record], bool]) -> Record:
    """One of these."""
    return random.Random(SEED).choice([r for r in records if wanted(r)])


def tells_progress(record: Record) -> bool:
    """Whether it only tells how far a partition has come."""
    return record.topic == RATE and CODECS[RATE].decode(record.value)["until"] is not None


def test_a_whole_run_has_no_differences() -> None:
    made = made_up()
    assert verdict(made.records, made.rows) == Verdict({}, {})
    assert {r.topic for r in made.records} >= set(OUT)
    assert {table for table, _ in made.rows} == {
        "anomalies", "calls", "contacts", "facts", "lists", "reminders", "states", "tasks", "tickets"
    }  # fmt: skip


@pytest.mark.parametrize("topic", OUT)
def test_an_output_that_is_missing_or_there_twice_is_found(topic: str) -> None:
    made = made_up()
    one = some(made.records, lambda r: r.topic == topic and not tells_progress(r))
    less = verdict([r for r in made.records if r is not one], made.rows)
    assert (less.losses > 0, less.doubles) == (True, 0)
    more = verdict([*made.records, one], made.rows)
    assert (more.losses, more.doubles > 0) == (0, True)


def test_an_incident_of_which_nobody_is_told_or_twice_is_found() -> None:
    made = made_up()
    alert = some(made.records, lambda r: r.topic == "yupan.alert.v1")
    less = verdict([r for r in made.records if r.topic != alert.topic or r.key != alert.key], made.rows)
    assert (less.losses, less.doubles, set(less.lost)) == (1, 0, {alert.topic})
    more = verdict([*made.records, alert], made.rows)
    assert (more.losses, more.doubles) == (0, 1)


def test_a_pop_may_repeat_itself_and_must_not_be_missing() -> None:
    made = made_up()
    pop = some(made.records, lambda r: r.topic == "yupan.screen-pop.v1")
    assert verdict([*made.records, pop], made.rows) == Verdict({}, {})
    assert set(verdict([r for r in made.records if r is not pop], made.rows).lost) == {pop.topic, "story"}


def test_a_rerouted_record_that_came_twice_is_found() -> None:
    made = made_up()
    copy = some(made.records, lambda r: r.topic == "yupan.state.v1" and is_rerouted(r.headers))
    assert verdict([*made.records, copy], made.rows).doubles == 2  # the copy, and the story's end


@pytest.mark.parametrize(
    "key", ["states/", "waits/", "profile/", "contacts/", "calls/", "reminders/", "watched/", "~list/"]
)
def test_a_ledger_record_that_is_another_is_lost_and_doubled(key: str) -> None:
    made = made_up()
    one = some(made.records, lambda r: r.topic == LEDGER and (r.key or b"").startswith(key.encode()))
    changed = verdict([*made.records, one._replace(value=encode({"v": 1}))], made.rows)
    assert (changed.losses, changed.doubles, set(changed.lost), set(changed.doubled)) == (1, 1, {"ledger"}, {"ledger"})
    deleted = verdict([*made.records, one._replace(value=None)], made.rows)
    assert (deleted.losses, deleted.doubles) == (1, 0)


def test_a_deadline_that_is_not_armed_or_still_armed_is_found() -> None:
    made = made_up()
    one = some(made.records, lambda r: (r.key or b"").startswith(b"~due/"))
    assert set(verdict([*made.records, one._replace(value=None)], made.rows).lost) == {"deadline"}
    left = one._replace(value=encode([["check/gone", BASE, ["yupan.state.v1"]]]), key=b"~due/8613900000000")
    assert set(verdict([*made.records, left], made.rows).doubled) == {"deadline"}


def test_a_row_that_is_missing_or_changed_or_there_twice_is_found() -> None:
    made = made_up()
    first, *rest = made.rows
    assert verdict(made.records, rest).losses == 1
    assert verdict(made.records, [first, *made.rows]).doubles == 1
    changed = verdict(made.records, [(first[0], ("8613900000000", *first[1][1:])), *rest])
    assert (changed.losses, changed.doubles) == (1, 1)


def test_what_is_lost_is_told() -> None:
    made = made_up()
    assert "lost 1 of row: " in verdict(made.records, made.rows[1:]).told()


def test_the_answer_does_not_come_from_what_was_seen() -> None:
    """An engine that decides wrongly in the same way every time would be found by the stories."""
    made = made_up()
    wrong = Workload(made.workload.stages, made.workload.known + made.workload.known)
    found_so = found(made.records, made.rows)
    assert set(judge(expected(made.records, wrong, {}, BASE), found_so).lost) == {"story"}


def test_the_longest_pause_is_from_arrival_to_first_sight() -> None:
    made = made_up()
    calls = [r for r in made.records if r.topic == "yupan.call.v1"]
    seen = {f"{r.headers['ce_source']}|{r.headers['ce_id']}": r.at + 250 for r in calls}
    name = next(iter(seen))
    assert longest_pause(made.records, seen) == 0.25
    assert longest_pause(made.records, {**seen, name: BASE + 7_000}) == 7.0
