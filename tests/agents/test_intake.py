from __future__ import annotations

from typing import Any

import pytest

from agents.event import Event
from agents.intake import TOO_LATE, Intake, Reroute
from agents.memory import Delivered, MemoryBatch, World
from agents.observe import Observe
from agents.shell import Shell
from schemas.catalogue import EVENTS
from schemas.codec import codecs
from schemas.errors import RecordError
from schemas.fields import FAR_FUTURE
from schemas.headers import cloud_event
from schemas.partition import partition_of
from schemas.topics import MAX_VALUE

STATE, USAGE, CALL = "yupan.state.v1", "yupan.usage.v1", "yupan.call.v1"
NOW = 1_795_320_000_000
PARTITIONS = 12
KEY = b"8613800138000"
CODECS = codecs()
WALL, EVENTS_CLOCK = Intake(CODECS, PARTITIONS), Intake(CODECS, PARTITIONS, events_clock=True)


def record(topic: str = STATE, **fields: Any) -> dict[str, Any]:
    return EVENTS[topic].from_json({**EVENTS[topic].examples[0], "occurred_at": NOW} | fields)


def delivered(value: Any = None, key: bytes | None = KEY, topic: str = STATE, **more: Any) -> Delivered:
    """A message on its right partition, unless `_partition` says otherwise."""
    body = value if isinstance(value, bytes) else CODECS[topic].encode(value or record(topic))
    place = {"_partition": 0 if key is None else partition_of(key, PARTITIONS), "_timestamp": NOW}
    return Delivered(topic, body, key, **place | more)


def refused(message: Delivered, intake: Intake = WALL, now: int = NOW) -> RecordError:
    with pytest.raises(RecordError) as raised:
        intake.read(message, now)
    return raised.value


def read(message: Delivered, intake: Intake = WALL, now: int = NOW) -> Event:
    event = intake.read(message, now)
    assert isinstance(event, Event)
    return event


def test_a_valid_record_becomes_an_event_with_its_identity_and_its_place() -> None:
    headers = cloud_event(STATE, "e-1", "boss", NOW, "00-trace-01")
    event = read(delivered(_headers=headers, _offset=7, _timestamp=NOW + 5))
    assert (event.id, event.source, event.traceparent) == ("e-1", "boss", "00-trace-01")
    assert (event.topic, event.key, event.customer) == (STATE, KEY.decode(), KEY.decode())
    assert (event.partition, event.offset) == (partition_of(KEY, PARTITIONS), 7)
    assert (event.occurred_at, event.arrived_at) == (NOW, NOW + 5)
    assert event.record["value"] == "active"


def test_without_headers_the_id_is_that_of_the_content_and_the_source_the_system() -> None:
    event = read(delivered())
    assert event.id == EVENTS[STATE].content_id(record())
    assert event.source == "crm"
    assert event.traceparent is None
    assert read(delivered(record(value="closed"))).id != event.id


@pytest.mark.parametrize("value", [None, b"", b"hello", b"\x00\x00", b"\x01\x40\x00\x00\x00abc"])
def test_what_is_no_avro_is_refused(value: bytes | None) -> None:
    assert refused(Delivered(STATE, value, KEY)).reason == "not_avro"


def test_bytes_that_do_not_fit_the_schema_are_refused() -> None:
    whole = CODECS[STATE].encode(record())
    assert refused(delivered(whole[:-3])).reason == "not_avro"
    assert refused(delivered(whole + b"more")).reason == "not_avro"


def test_an_unknown_schema_id_is_refused() -> None:
    whole = CODECS[STATE].encode(record())
    assert refused(delivered(whole[:1] + b"\x00\x00\x00\x07" + whole[5:])).reason == "unknown_schema"


def test_a_value_of_2_mb_is_refused_unread() -> None:
    assert refused(delivered(b"\x00" * 2_000_000)).reason == "too_large"
    assert refused(delivered(b"\x00" * MAX_VALUE)).reason == "unknown_schema"  # the largest that is read


@pytest.mark.parametrize("msisdn", ["13800138000", "nobody", "", "86138001380001234"])
def test_an_msisdn_that_is_none_or_national_is_refused_and_not_told(msisdn: str) -> None:
    error = refused(delivered(CODECS[STATE].encode({**record(), "msisdn": msisdn})))
    assert (error.reason, error.field) == ("bad_msisdn", "msisdn")
    assert "13800138000 " not in str(error)


def test_a_number_is_national_only_in_its_own_country() -> None:
    """`14155551234` is an MSISDN of North America, and would be a national number of China."""
    number = "14155551234"
    message = delivered(CODECS[STATE].encode({**record(), "msisdn": number}), key=number.encode())
    read = Intake(CODECS, 0, country_code="1").read(message, NOW)
    assert isinstance(read, Event)
    assert read.customer == number
    with pytest.raises(RecordError, match=r"^msisdn: a national number"):
        Intake(CODECS, 0, country_code="86").read(message, NOW)


def test_a_call_follows_no_national_number() -> None:
    event = CODECS["yupan.call.v1"].event
    for call_id, reason in (("c-1", "wrong_key"), ("13800138000", None)):  # a switch may number calls so
        call = event.from_json({"call_id": call_id, "phase": "QUEUED", "occurred_at": NOW})
        message = delivered(CODECS[event.topic].encode(call), key=b"13800138000", topic=event.topic)
        intake = Intake(CODECS, 0)
        if reason is None:
            assert isinstance(intake.read(message, NOW), Event)
        else:
            with pytest.raises(RecordError) as caught:
                intake.read(message, NOW)
            assert caught.value.reason == reason


def test_a_system_outside_the_list_is_refused() -> None:
    error = refused(delivered(CODECS[STATE].encode({**record(), "system": "fax"})))
    assert (error.reason, error.field) == ("bad_value", "system")


# --- keys and partitions


@pytest.mark.parametrize("key", [b"8613900139000", b"", b"\xff\xfe", None])
def test_a_key_that_differs_from_the_records_msisdn_is_refused(key: bytes | None) -> None:
    error = refused(delivered(key=key))
    assert error.reason == "wrong_key"
    assert "139" not in str(error)


def test_a_call_may_be_keyed_by_its_first_phases_msisdn_or_by_its_id() -> None:
    unknown = record(CALL, call_id="c-1", msisdn=None)
    assert read(delivered(unknown, b"c-1", CALL)).customer is None
    assert read(delivered(unknown, KEY, CALL)).key == KEY.decode()
    assert read(delivered(record(CALL, call_id="c-1"), b"c-1", CALL)).customer == KEY.decode()
    assert refused(delivered(unknown, b"c-2", CALL)).reason == "wrong_key"


def test_a_key_on_the_wrong_partition_is_rerouted_once_with_all_its_headers() -> None:
    right = partition_of(KEY, PARTITIONS)
    wrong = (right + 1) % PARTITIONS
    headers = cloud_event(STATE, "e-1", "boss", NOW)
    decided = WALL.read(delivered(_partition=wrong, _headers=headers), NOW)
    assert decided == Reroute(right, [*headers, ("yupan.rerouted", str(wrong).encode())])
    assert read(delivered(_headers=decided.headers)).id == "e-1"


def test_a_second_time_the_wrong_partition_is_refused() -> None:
    wrong = (partition_of(KEY, PARTITIONS) + 1) % PARTITIONS
    again = delivered(_partition=wrong, _headers=[("yupan.rerouted", b"3")])
    assert refused(again).reason == "wrong_partition"


def test_the_history_takes_keys_wherever_they_lie() -> None:
    anywhere = Intake(CODECS, partitions=0)
    wrong = (partition_of(KEY, PARTITIONS) + 1) % PARTITIONS
    assert read(delivered(_partition=wrong), anywhere).partition == wrong


# --- times


def test_before_1990_is_refused() -> None:
    error = refused(delivered(CODECS[STATE].encode({**record(), "occurred_at": 0})))
    assert (error.reason, error.field) == ("bad_time", "occurred_at")


def test_more_than_an_hour_ahead_of_the_wall_clock_is_refused() -> None:
    assert read(delivered(record(occurred_at=NOW + FAR_FUTURE)))
    error = refused(delivered(record(occurred_at=NOW + FAR_FUTURE + 1)))
    assert (error.reason, error.field) == ("bad_time", "occurred_at")


def test_with_the_event_clock_nothing_is_the_far_future() -> None:
    ahead = delivered(record(occurred_at=NOW + 1000 * FAR_FUTURE))
    assert read(ahead, EVENTS_CLOCK).occurred_at == NOW + 1000 * FAR_FUTURE


@pytest.mark.parametrize("attribute", ["charge", "credit", "gift", "payment"])
def test_an_occurrence_more_than_24_h_before_its_broker_timestamp_is_too_late(attribute: str) -> None:
    at_the_limit = record(attribute=attribute, value=1.0, occurred_at=NOW - TOO_LATE)
    assert read(delivered(at_the_limit))
    assert refused(delivered(at_the_limit, _timestamp=NOW + 1)).reason == "too_late"


def test_a_state_is_never_too_late() -> None:
    assert read(delivered(record(occurred_at=NOW - 365 * TOO_LATE)))


@pytest.mark.skipif(USAGE not in EVENTS, reason="usage has no event type yet")
def test_usage_is_an_occurrence() -> None:
    old = record(USAGE, occurred_at=NOW - TOO_LATE - 1)
    assert refused(delivered(old, old["msisdn"].encode(), USAGE)).reason == "too_late"


def test_with_the_event_clock_too_late_is_told_by_that_clock_not_by_the_broker() -> None:
    old = record(attribute="charge", value=1.0, occurred_at=NOW - TOO_LATE - 1)
    assert read(delivered(old), EVENTS_CLOCK, now=NOW - 1)
    assert refused(delivered(old), EVENTS_CLOCK).reason == "too_late"


# --- the shell


class Counts:
    def __init__(self) -> None:
        self.counted: list[tuple[Any, ...]] = []

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        self.counted.append((name, amount, *labels.values()))


def test_the_shell_sends_a_misplaced_record_on_unchanged_and_counts_it() -> None:
    counts, world = Counts(), World()
    wrong = (partition_of(KEY, PARTITIONS) + 1) % PARTITIONS
    message = delivered(_partition=wrong)
    Observe(Shell(WALL, CODECS, counts)).process(MemoryBatch(world, STATE, [message], partition=wrong))
    (sent,) = world.outputs
    assert (sent.topic, sent.value, sent.key) == (STATE, message.value(), KEY)
    assert sent.partition == partition_of(KEY, PARTITIONS)
    assert counts.counted == [("yupan_rerouted", 1, STATE)]


def test_the_shell_tells_the_batch_when_its_events_occurred() -> None:
    world = World()
    Observe(Shell(EVENTS_CLOCK, CODECS)).process(MemoryBatch(world, STATE, [delivered()]))
    assert world.clock == NOW
    assert world.outputs == []


def test_an_event_is_too_old_to_act_after_act_within() -> None:
    counts, world = Counts(), World()
    world.clock = NOW
    shell, batch = Shell(WALL, CODECS, counts, act_within=600_000), MemoryBatch(world, STATE, [])
    assert shell.acts(batch, NOW - 599_999, "pop")
    assert not shell.acts(batch, NOW - 600_000, "pop")
    assert counts.counted == [("yupan_too_old_to_act", 1, "pop")]
