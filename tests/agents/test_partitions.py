"""A replay of several partitions: each has a ledger and a clock of its own, and they tell each other what they must."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

from agents import anomalies
from agents.memory import Delivered
from agents.replay import Line, Replay
from agents.rules import Checks, load_checks
from schemas.codec import codecs
from schemas.errors import RecordError
from schemas.partition import partition_of
from tests.agents.replaying import HOUR, MIN, NOON

CODECS = codecs()
STATE, USAGE, LIST = (f"yupan.{name}.v1" for name in ("state", "usage", "list"))
MANY = 4
NUMBERS = [f"86139{number:08d}" for number in range(40)]


def message(topic: str, data: dict[str, Any], partitions: int, place: int, arrived: int | None = None) -> Delivered:
    """A record as the broker gives it."""
    codec = CODECS[topic]
    record = codec.event.from_json(data)
    name = codec.event.key(record)
    key = None if name is None else name.encode()
    partition = 0 if key is None else partition_of(key, partitions)
    head = [("ce_id", f"e-{place}".encode()), ("ce_source", b"test")]
    at = record["occurred_at"] if arrived is None else arrived
    return Delivered(topic, codec.encode(record), key, head, place, at, partition)


def replayed(checks: Checks, events: Iterable[tuple[str, dict[str, Any]]], partitions: int, end: int) -> list[Line]:
    replay, lines = Replay(checks, partitions=partitions, told=(anomalies.TOPIC, "yupan.reminder.v1")), []
    for place, (topic, data) in enumerate(events):
        lines += replay.take(message(topic, data, partitions, place))
    return lines + list(replay.finish(end))


def only(*names: str) -> Checks:
    checks = load_checks()
    rules = [check for name, check in checks.by_id.items() if name in names]
    return Checks(rules, [watch for name, watch in checks.watches.items() if name in names])


def told(lines: list[Line]) -> list[tuple[Any, ...]]:
    said = ((line["at"], line.get("anomaly_id"), line.get("status"), line.get("withdrawn")) for line in lines)
    return sorted(said, key=str)


def states(chance: random.Random) -> list[tuple[str, dict[str, Any]]]:
    found, at = [], NOON
    for _ in range(600):
        at += chance.randrange(40_000)
        system, values = chance.choice((("crm", ("active", "suspended")), ("hlr", ("active", "barred"))))
        record = {"msisdn": chance.choice(NUMBERS), "system": system, "attribute": "status"}
        found.append((STATE, {**record, "value": chance.choice(values), "occurred_at": at}))
    return found


def attempts(chance: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """Of two cells, of which one fails for half an hour; in order of time, all customers all the time."""
    found = []
    for second in range(0, 5_400, 2):
        bad = 1_800 <= second < 3_600
        failed = chance.random() < (0.5 if bad else 0.01)
        record = {"msisdn": chance.choice(NUMBERS), "kind": "CALL_ATTEMPT", "cell": "c-1", "region": "nanchang"}
        result = {"result": "FAILED", "cause": "drop"} if failed else {"result": "OK"}
        found.append((USAGE, {**record, **result, "occurred_at": NOON + second * 1000}))
    return found


@pytest.mark.parametrize(("check", "make"), [("activation", states), ("network-connect-rate", attempts)])
def test_several_partitions_decide_what_one_does(check: str, make: Any) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    events = make(random.Random(seed))
    one, many = (replayed(only(check), events, count, NOON + 24 * HOUR) for count in (1, MANY))
    assert told(one) == told(many)
    assert {line["status"] for line in one if "status" in line} >= {"OPEN", "RESOLVED"}


def test_a_replaced_list_reaches_every_partition() -> None:
    entry = {"list": "watch:roaming-bill", "action": "ADD", "version": "1"}
    events: list[tuple[str, dict[str, Any]]] = [
        (LIST, {**entry, "action": "REPLACED", "occurred_at": NOON}),
        *((LIST, {**entry, "msisdn": number, "occurred_at": NOON}) for number in NUMBERS),
        (LIST, {**entry, "action": "REPLACED", "version": "2", "occurred_at": NOON + HOUR}),
    ]
    lines = replayed(only("watch:roaming-bill"), events, MANY, NOON + 2 * HOUR)
    opened = {line["msisdn"] for line in lines if "withdrawn" not in line}
    assert opened == {line["msisdn"] for line in lines if "withdrawn" in line} == set(NUMBERS)
    assert {partition_of(number.encode(), MANY) for number in NUMBERS} == set(range(MANY))


def test_each_partition_has_its_own_clock() -> None:
    """What lies ahead in one partition fires no deadline in another: an import comes partition by partition."""
    first, other = (next(n for n in NUMBERS if partition_of(n.encode(), MANY) == part) for part in (0, 1))

    def status(number: str, system: str, minute: int) -> tuple[str, dict[str, Any]]:
        record = {"msisdn": number, "system": system, "attribute": "status", "value": "active"}
        return STATE, {**record, "occurred_at": NOON + minute * MIN}

    ahead = [status(first, system, minute) for minute in (0, 60) for system in ("crm", "hlr")]
    behind = [status(other, "crm", 0), status(other, "hlr", 9)]
    assert replayed(only("activation"), [*ahead, *behind], MANY, NOON) == []


def test_what_does_not_matter_only_moves_the_clock() -> None:
    replay = Replay(only("activation"), partitions=MANY, told=(anomalies.TOPIC,))
    number = NUMBERS[0]
    record = {"msisdn": number, "system": "crm", "attribute": "status", "value": "active", "occurred_at": NOON}
    assert list(replay.take(message(STATE, record, MANY, 0))) == []
    later = {**record, "attribute": "tariff", "value": "x", "occurred_at": NOON + HOUR}
    lines = list(replay.take(message(STATE, later, MANY, 1), lambda told: told["attribute"] == "status"))
    assert [line["status"] for line in lines] == ["OPEN"]
    assert replay.clock == NOON + HOUR
    assert set(replay.present(number).states) == {"crm.status"}


def test_what_a_worker_on_the_wall_clock_refuses_moves_no_clock() -> None:
    replay = Replay(only("activation"), partitions=MANY)
    record = {"msisdn": NUMBERS[0], "system": "crm", "attribute": "status", "value": "active"}
    far = message(STATE, {**record, "occurred_at": NOON + 2 * HOUR}, MANY, 0, arrived=NOON)
    with pytest.raises(RecordError, match="ahead of its arrival"):
        list(replay.take(far, by_wall=True))
    assert replay.clock == 0
    assert list(replay.take(far)) == []
    assert replay.clock == NOON + 2 * HOUR
