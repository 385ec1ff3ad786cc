"""Bad input over the wire: each bad record becomes a dead letter with its reason, and its neighbours are decided.

A neighbour is a customer of the same partition whose `crm.status` turns active while the HLR knows nothing of
them, right before and right after the bad record: it is decided when its anomaly opens, and kept when it is a row.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from fastavro import parse_schema, schemaless_writer

from schemas.catalogue import EVENTS
from schemas.dead_letter import MAX_VALUE
from schemas.event_type import without_logical_types
from schemas.headers import Headers, cloud_event
from schemas.partition import partition_of
from streams.supervisor import Worker
from tests.e2e import odd_worker
from tests.e2e.kit import CODECS, Live, Seen, contact, encoded, msisdn, now_ms, state, with_key

STATE, CALL, CONTACT, USAGE = "yupan.state.v1", "yupan.call.v1", "yupan.contact.v1", "yupan.usage.v1"
ANOMALY, TAGGED, DEAD = "yupan.anomaly.v1", "yupan.tagged-call.v1", "yupan.dead-letter.v1"
HOUR = 3_600_000
IN_TOPICS = [topic for topic, event in EVENTS.items() if event.flow == "in"]
CASE = "x-case"
"""Our own header on a bad record, and so on its dead letter."""


class Bad(NamedTuple):
    """A bad record as it is written."""

    value: bytes | None
    key: bytes | None


def active(number: str, **changes: Any) -> bytes:
    """A good state, laid over with what makes it bad, as a careless producer would write it."""
    record = EVENTS[STATE].from_json(state("8613800138000", "crm", "status", "active"))
    return CODECS[STATE].encode({**record, "msisdn": number, **changes})


def charge(number: str, at: int) -> bytes:
    return active(number, system="ocs", attribute="charge", value=1.0, transaction="t", occurred_at=at)


def usage(number: str, at: int) -> bytes:
    return encoded(USAGE, {"msisdn": number, "kind": "CALL_ATTEMPT", "result": "OK", "occurred_at": at})


def of(number: str, value: bytes | None) -> Bad:
    return Bad(value, number.encode())


Make = Callable[[str], Bad]
BAD: Mapping[str, tuple[str, Make]] = {
    "json": ("not_avro", lambda n: of(n, b'{"msisdn": "x", "system": "crm"}')),
    "no value": ("not_avro", lambda n: of(n, None)),
    "empty value": ("not_avro", lambda n: of(n, b"")),
    "another type": ("not_avro", lambda n: of(n, active(n)[:5] + b"\xff" * 30)),
    "a field is missing: cut short": ("not_avro", lambda n: of(n, active(n)[:-3])),
    "more than a record": ("not_avro", lambda n: of(n, active(n) + b"\x00")),
    "another topic's record": (
        "unknown_schema",
        lambda n: of(n, encoded(CONTACT, contact(n, "c", "", at=now_ms()))),
    ),
    "unknown schema id": ("unknown_schema", lambda n: of(n, b"\x00\x00\x00\x00\x07" + active(n)[5:])),
    "no msisdn": ("bad_msisdn", lambda n: of("", active(""))),
    "words for an msisdn": ("bad_msisdn", lambda n: of("unknown", active("unknown"))),
    "national msisdn": ("bad_msisdn", lambda n: of(n[2:], active(n[2:]))),
    "msisdn with a plus": ("bad_msisdn", lambda n: of("+" + n, active("+" + n))),
    "foreign word": ("bad_value", lambda n: of(n, active(n, system="fax"))),
    "no number": ("bad_value", lambda n: of(n, active(n, value=float("nan")))),
    "far future": ("bad_time", lambda n: of(n, active(n, occurred_at=now_ms() + 2 * HOUR))),
    "seconds for milliseconds": ("bad_time", lambda n: of(n, active(n, occurred_at=now_ms() // 1000))),
    "1989": ("bad_time", lambda n: of(n, active(n, occurred_at=631_151_999_999))),
    "2 MB": ("too_large", lambda n: of(n, active(n, details={"blob": "x" * 2_000_000}))),
    "another's key": ("wrong_key", lambda n: of(n, active(msisdn()))),
    "no key": ("wrong_key", lambda n: Bad(active(n), None)),
    "key not text": ("wrong_key", lambda n: Bad(active(n), b"\xff\xfe" + n.encode())),
    "an occurrence 25 h old": ("too_late", lambda n: of(n, charge(n, now_ms() - 25 * HOUR))),
}


class Spoilt(NamedTuple):
    """What was written for a case, and what came of it."""

    bad: Bad
    number: str
    partition: int
    neighbours: tuple[str, str]
    headers: Headers


@pytest.fixture(scope="module")
def spoilt(stack: Live) -> Mapping[str, Spoilt]:
    """All bad records, each between two good ones of its partition, written at once."""
    written = {}
    for name, (_, make) in BAD.items():
        number = msisdn()
        partition = partition_of(number.encode(), 4)
        before, after = msisdn(partition), msisdn(partition)
        bad = make(number)
        headers = [*cloud_event(STATE, f"bad-{name}", "boss", now_ms(), "00-4bf9-00f0-01"), (CASE, name.encode())]
        stack.produce(STATE, active(before), before)
        stack.produce(STATE, bad.value, bad.key, headers, partition)
        stack.produce(STATE, active(after), after)
        written[name] = Spoilt(bad, number, partition, (before, after), headers)
    stack.flush()
    return written


def dead_letters(stack: Live, *cases: str) -> list[Seen]:
    """The dead letters of these cases, once each has one, and any more that there are then."""
    wanted = set(cases)
    stack.read(DEAD, until=lambda found: wanted <= {seen.headers.get(CASE) for seen in found})
    return [seen for seen in stack.read(DEAD) if seen.headers.get(CASE) in wanted]


@pytest.fixture(scope="module")
def letters(stack: Live, spoilt: Mapping[str, Spoilt]) -> Mapping[str, list[Seen]]:
    """The dead letters by case."""
    found = dead_letters(stack, *spoilt)
    return {case: [seen for seen in found if seen.headers[CASE] == case] for case in spoilt}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_dead_lettered_once_as_it_came(
    case: str, spoilt: Mapping[str, Spoilt], letters: Mapping[str, list[Seen]]
) -> None:
    told, (letter,) = spoilt[case], letters[case]
    assert letter.key == told.bad.key
    assert letter.value == (told.bad.value and told.bad.value[:MAX_VALUE])
    assert letter.names[: len(told.headers)] == [name for name, _ in told.headers]
    assert {name: letter.headers[name].encode() for name, _ in told.headers} == dict(told.headers)


@pytest.mark.parametrize("case", BAD)
def test_a_dead_letter_says_why(case: str, spoilt: Mapping[str, Spoilt], letters: Mapping[str, list[Seen]]) -> None:
    said = {n.removeprefix("yupan.error."): v for n, v in letters[case][0].headers.items() if "yupan.error" in n}
    assert said["type"] == BAD[case][0]
    assert (said["topic"], said["partition"], said["stage"]) == (STATE, str(spoilt[case].partition), "yupan-decide")
    assert said["attempt"] == "1"
    assert said["first_failed_at"].startswith("20")
    assert said["offset"].isdigit()
    assert spoilt[case].number[2:] not in said["message"]
    assert ("truncated" in said) == (case == "2 MB")


def test_the_neighbours_of_bad_records_are_decided(stack: Live, spoilt: Mapping[str, Spoilt]) -> None:
    numbers = [number for told in spoilt.values() for number in told.neighbours]
    opened = stack.read(ANOMALY, until=with_key(*numbers))
    ours = [seen.record["msisdn"] for seen in opened if seen.record["msisdn"] in numbers]
    assert sorted(ours) == sorted(numbers)


def test_the_neighbours_of_bad_records_are_kept_and_the_bad_ones_are_not(
    stack: Live, spoilt: Mapping[str, Spoilt], letters: Mapping[str, list[Seen]]
) -> None:
    stack.settle()
    rows = stack.clickhouse.query("SELECT msisdn FROM states FINAL WHERE attribute IN ('status', 'charge')")
    kept = {row["msisdn"] for row in rows}
    assert {number for told in spoilt.values() for number in told.neighbours} <= kept
    unreadable = {told.number for case, told in spoilt.items() if BAD[case][0] != "too_late"}
    assert not kept & {*unreadable, ""}


def test_the_metrics_count_bad_records_by_reason(
    stack: Live, spoilt: Mapping[str, Spoilt], letters: Mapping[str, list[Seen]]
) -> None:
    for reason in {reason for reason, _ in BAD.values()}:
        count = sum(reason == other for other, _ in BAD.values())
        assert stack.metric("decide", "yupan_dead_letters_total", topic=STATE, reason=reason) >= count
    stack.settle()
    assert stack.metric("history", "yupan_skipped_total", topic=STATE, reason="not_avro") >= 6
    assert stack.metric("history", "yupan_dead_letters_total") == 0


def test_rubbish_on_any_topic_that_comes_in_is_dead_lettered(stack: Live) -> None:
    for topic in IN_TOPICS:
        stack.produce(topic, b"rubbish", msisdn(), [(CASE, topic.encode())])
    stack.flush()
    found = dead_letters(stack, *IN_TOPICS)
    assert sorted(seen.headers["yupan.error.topic"] for seen in found) == sorted(IN_TOPICS)
    assert {seen.headers["yupan.error.type"] for seen in found} == {"not_avro"}


def test_a_usage_event_a_day_late_is_dead_lettered_and_younger_ones_are_not(stack: Live) -> None:
    number, now = msisdn(), now_ms()
    for case, age in (("in time", 23), ("late", 25)):
        stack.produce(USAGE, usage(number, now - age * HOUR), number, [(CASE, case.encode())])
    stack.flush()
    (letter,) = dead_letters(stack, "late")
    assert letter.headers["yupan.error.type"] == "too_late"
    stack.settle()
    assert "in time" not in {seen.headers.get(CASE) for seen in stack.read(DEAD)}


def test_bad_calls_stop_no_calls(stack: Live) -> None:
    number = msisdn()
    phases = [
        encoded(CALL, {"call_id": f"bad-{number}", "msisdn": number, "phase": phase, "occurred_at": now_ms()})
        for phase in ("IVR_ENTERED", "OFFERED", "ENDED")
    ]
    for one in [phases[0], b"rubbish", phases[1], phases[1][:9], phases[2]]:
        stack.produce(CALL, one, number, [] if one in phases else [(CASE, b"in a call")])
    stack.flush()
    tagged = stack.read(TAGGED, until=lambda found: sum(seen.key == number.encode() for seen in found) == 3)
    ours = [seen.record["phase"] for seen in tagged if seen.key == number.encode()]
    assert ours == ["IVR_ENTERED", "OFFERED", "ENDED"]
    assert len(dead_letters(stack, "in a call")) == 2


# --- keys on the wrong partition


def test_a_key_on_the_wrong_partition_is_rerouted_decided_once_and_kept_once(stack: Live) -> None:
    right = msisdn()
    home = partition_of(right.encode(), 4)
    wrong = (home + 1) % 4
    before, after = msisdn(wrong), msisdn(wrong)
    headers = [*cloud_event(STATE, f"astray-{right}", "boss", now_ms()), (CASE, b"astray")]
    rerouted = stack.metric("decide", "yupan_rerouted_total", topic=STATE)
    mark = stack.mark(STATE)
    stack.produce(STATE, active(before), before)
    stack.produce(STATE, value := active(right), right, headers, wrong)
    stack.produce(STATE, active(after), after)
    stack.flush()

    opened = stack.read(ANOMALY, until=with_key(before, right, after))
    stack.settle()
    came = {seen.partition: seen for seen in stack.read(STATE, mark) if seen.headers.get(CASE) == "astray"}
    assert came.keys() == {wrong, home}
    assert (came[home].key, came[home].value) == (right.encode(), value)
    assert came[home].headers == {**came[wrong].headers, "yupan.rerouted": str(wrong)}
    assert sum(seen.key == right.encode() for seen in opened) == 1
    rows = stack.clickhouse.query(f"SELECT ce_id FROM states FINAL WHERE msisdn = '{right}'")
    assert rows == [{"ce_id": f"astray-{right}"}]
    assert stack.metric("decide", "yupan_rerouted_total", topic=STATE) == rerouted + 1
    assert "astray" not in {seen.headers.get(CASE) for seen in stack.read(DEAD)}


def test_the_second_time_on_the_wrong_partition_is_the_end(stack: Live) -> None:
    number = msisdn()
    wrong = (partition_of(number.encode(), 4) + 1) % 4
    neighbours = msisdn(wrong), msisdn(wrong)
    headers = [(CASE, b"astray again"), ("yupan.rerouted", b"2")]
    stack.produce(STATE, active(neighbours[0]), neighbours[0])
    stack.produce(STATE, active(number), number, headers, wrong)
    stack.produce(STATE, active(neighbours[1]), neighbours[1])
    stack.flush()
    (letter,) = dead_letters(stack, "astray again")
    assert letter.headers["yupan.error.type"] == "wrong_partition"
    assert letter.headers["yupan.rerouted"] == "2"
    opened = stack.read(ANOMALY, until=with_key(*neighbours))
    assert number.encode() not in {seen.key for seen in opened}


def test_every_second_record_bad_is_half_a_history(stack: Live) -> None:
    number, began = msisdn(), now_ms() - 60_000
    for index in range(40):
        good = encoded(CONTACT, contact(number, f"order-{index}", str(index), at=began + index))
        stack.produce(CONTACT, good if index % 2 else good[:-2], number)
    stack.flush()
    found = stack.customer(number, until=lambda c: len(c["timeline"]) >= 20)["timeline"]
    assert [int(entry["text"]) for entry in reversed(found)] == list(range(1, 40, 2))


# --- our own faults, and schemas that do not resolve


def written_with(schema_id: int, number: str) -> bytes:
    """A state as an upstream writes it with a schema of its own."""
    record = EVENTS[STATE].from_json(state(number, "crm", "status", "active"))
    if schema_id == odd_worker.NUMERIC_MSISDN:
        record["msisdn"] = int(number)
    out = io.BytesIO(struct.pack(">bI", 0, schema_id))
    out.seek(0, io.SEEK_END)
    schemaless_writer(out, parse_schema(without_logical_types(odd_worker.upstream(schema_id))), record)
    return out.getvalue()


@pytest.fixture(scope="module")
def odd(stack: Live) -> Iterator[Worker]:
    """A deciding worker whose code fails for some customers."""
    with stack.instead("tests.e2e.odd_worker") as worker:
        yield worker


@pytest.mark.parametrize(
    ("schema_id", "reason"), [(odd_worker.WITHOUT_SYSTEM, "missing_field"), (odd_worker.NUMERIC_MSISDN, "bad_type")]
)
def test_a_schema_that_does_not_resolve_to_ours_is_dead_lettered(
    stack: Live, odd: Worker, schema_id: int, reason: str
) -> None:
    number = msisdn()
    partition = partition_of(number.encode(), 4)
    neighbours = msisdn(partition), msisdn(partition)
    value = written_with(schema_id, number)
    stack.produce(STATE, active(neighbours[0]), neighbours[0])
    stack.produce(STATE, value, number, [(CASE, reason.encode())])
    stack.produce(STATE, active(neighbours[1]), neighbours[1])
    stack.flush()
    (letter,) = dead_letters(stack, reason)
    assert (letter.headers["yupan.error.type"], letter.value) == (reason, value)
    stack.read(ANOMALY, until=with_key(*neighbours))


def test_an_agent_that_raises_on_one_event_of_a_batch(stack: Live, odd: Worker) -> None:
    """It leaves nothing behind: the customer's next event counts, though it is older."""
    number = msisdn()
    partition = partition_of(number.encode(), 4)
    neighbours = msisdn(partition), msisdn(partition)
    stack.produce(STATE, active(neighbours[0]), neighbours[0])
    stack.produce(STATE, value := active(number, region=odd_worker.RAISES), number, [(CASE, b"raises")])
    stack.produce(STATE, active(neighbours[1]), neighbours[1])
    stack.flush()
    (letter,) = dead_letters(stack, "raises")
    assert letter.headers["yupan.error.type"] == "agent_raised"
    assert letter.headers["yupan.error.message"].startswith("LookupError: ")
    assert number not in letter.headers["yupan.error.message"]
    assert (letter.key, letter.value) == (number.encode(), value)
    opened = stack.read(ANOMALY, until=with_key(*neighbours))
    assert number.encode() not in {seen.key for seen in opened}
    assert odd.read("yupan_dead_letters_total") >= 1
    assert number not in odd.log.read_text()
    stack.produce(STATE, active(number, occurred_at=now_ms() - 60_000), number)
    stack.flush()
    stack.read(ANOMALY, until=with_key(number))


def test_a_deadline_that_raises_is_dead_lettered_and_the_next_ones_fire(stack: Live, odd: Worker) -> None:
    number = msisdn()
    neighbour = msisdn(partition_of(number.encode(), 4))
    stack.produce(STATE, active(number, region=odd_worker.RAISES_LATER), number)
    stack.produce(STATE, active(neighbour), neighbour)
    stack.flush()
    stack.read(ANOMALY, until=with_key(neighbour))
    found = stack.read(DEAD, until=with_key(number))
    letter = next(seen for seen in found if seen.key == number.encode())
    assert letter.headers["yupan.error.type"] == "agent_raised"
    assert letter.headers["yupan.error.stage"] == "yupan-decide"
    assert b"activation" in (letter.value or b"")
