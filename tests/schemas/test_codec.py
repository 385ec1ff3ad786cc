"""Bytes on the wire: what is written is read, and whatever else comes is refused and never crashes."""

from __future__ import annotations

import copy
import io
import struct
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue import EVENTS
from schemas.codec import HEAD_SIZE, Codec, codecs, own_id
from schemas.errors import RecordError
from schemas.event_type import EventType, without_logical_types
from schemas.fields import EARLIEST, LATEST

CODECS = codecs()
TOPICS = st.sampled_from(sorted(CODECS))
LONG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "string": TEXT,
    "long": LONG,
    "int": st.integers(-(2**31), 2**31 - 1),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """What an Avro type can hold."""
    if isinstance(kind, list):
        return st.one_of([values(branch) for branch in kind])
    if isinstance(kind, str):
        return SCALARS[kind]
    match kind["type"]:
        case "enum":
            return st.sampled_from(kind["symbols"])
        case "array":
            return st.lists(values(kind["items"]), max_size=3)
        case "map":
            return st.dictionaries(TEXT, values(kind["values"]), max_size=3)
        case "record":
            return st.fixed_dictionaries({f["name"]: values(f["type"]) for f in kind["fields"]})
        case name:
            return st.integers(EARLIEST, LATEST) if "logicalType" in kind else SCALARS[name]


RECORDS = {topic: values(codec.event.avro) for topic, codec in CODECS.items()}


def same(left: Any, right: Any) -> bool:
    """Equal, and 1, 1.0 and True told apart."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@given(st.data(), TOPICS)
@settings(max_examples=200, deadline=None)
def test_whatever_fits_the_schema_survives(data: st.DataObject, topic: str) -> None:
    record = data.draw(RECORDS[topic])
    assert same(CODECS[topic].decode(CODECS[topic].encode(record)), record)


@given(st.data(), TOPICS)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_bytes_are_read_or_refused(data: st.DataObject, topic: str) -> None:
    codec = CODECS[topic]
    value = bytearray(codec.encode(data.draw(RECORDS[topic])))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(value) - 1))
        match data.draw(st.sampled_from("sdi")):
            case "s":
                value[place] = data.draw(st.integers(0, 255))
            case "d":
                del value[place + 1 :]
            case "i":
                value[place:place] = data.draw(st.binary(max_size=10))
    read_or_refuse(codec, bytes(value))


@given(st.binary(max_size=300), TOPICS)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(body: bytes, topic: str) -> None:
    read_or_refuse(CODECS[topic], body)
    read_or_refuse(CODECS[topic], struct.pack(">bI", 0, CODECS[topic].id) + body)


def read_or_refuse(codec: Codec, value: bytes) -> None:
    try:
        record = codec.decode(value)
        codec.event.validate(record)
    except RecordError:
        return
    assert same(codec.decode(codec.encode(record)), record)


STATE = EVENTS["yupan.state.v1"]


def state(**changes: Any) -> dict[str, Any]:
    return STATE.from_json({**STATE.examples[0], **changes})


@pytest.mark.parametrize("value", [None, b"", b"\x00", b"\x00\x40\x00\x00", b'{"msisdn": "8613800138000"}'])
def test_what_has_no_framing_is_not_avro(value: bytes | None) -> None:
    with pytest.raises(RecordError, match="no Confluent framing") as caught:
        Codec(STATE).decode(value)
    assert caught.value.reason == "not_avro"


def test_bytes_left_over_are_refused() -> None:
    codec = Codec(STATE)
    with pytest.raises(RecordError, match="1 bytes are left over") as caught:
        codec.decode(codec.encode(state()) + b"\x00")
    assert caught.value.reason == "not_avro"


def test_an_unknown_schema_is_named() -> None:
    with pytest.raises(RecordError, match="schema id 7 is not known") as caught:
        Codec(STATE).decode(b"\x00\x00\x00\x00\x07" + b"\x00" * 40)
    assert caught.value.reason == "unknown_schema"


def test_a_record_that_does_not_fit_is_refused() -> None:
    with pytest.raises(RecordError, match=r"does not fit yupan.state.v1") as caught:
        Codec(STATE).encode({**state(), "value": object()})
    assert caught.value.reason == "bad_type"


def test_without_a_registry_the_id_comes_from_the_schema() -> None:
    codec = Codec(STATE)
    assert 1 << 30 <= codec.id < 1 << 31
    assert codec.encode(state())[:HEAD_SIZE] == struct.pack(">bI", 0, codec.id)
    assert len({own_id(e.avro) for e in EVENTS.values()}) == len(EVENTS)


def with_symbol(event: EventType, field: str, symbol: str) -> dict[str, Any]:
    """The schema as a producer has it that knows one more symbol."""
    schema = copy.deepcopy(event.avro)
    kind = next(f["type"] for f in schema["fields"] if f["name"] == field)
    (kind[1] if isinstance(kind, list) else kind)["symbols"].append(symbol)
    return schema


def written(schema: dict[str, Any], schema_id: int, record: dict[str, Any]) -> bytes:
    """`record` as a producer writes it that has another version of the schema."""
    body = io.BytesIO()
    schemaless_writer(body, parse_schema(without_logical_types(schema)), record)
    return struct.pack(">bI", 0, schema_id) + body.getvalue()


def test_a_newer_symbol_is_read_as_unknown_and_refused_by_name() -> None:
    event = EVENTS["yupan.usage.v1"]
    newer = with_symbol(event, "result", "DROPPED")
    codec = Codec(event)
    codec.learn(77, newer)
    record = codec.decode(written(newer, 77, {**event.from_json(event.examples[0]), "result": "DROPPED"}))
    assert record["result"] == "UNKNOWN"
    with pytest.raises(RecordError, match="result: 'UNKNOWN' is not one of OK, FAILED"):
        event.validate(record)


def test_an_older_version_is_read_with_todays_defaults() -> None:
    older = copy.deepcopy(STATE.avro)
    older["fields"] = [f for f in older["fields"] if f["name"] != "region"]
    codec = Codec(STATE)
    codec.learn(own_id(older), older)
    assert codec.decode(written(older, own_id(older), state())) == state()


def test_the_schema_of_another_topic_is_not_taken() -> None:
    codec = Codec(STATE)
    codec.resolve = lambda schema_id: EVENTS["yupan.call.v1"].avro
    assert not codec.knows(5)
    codec.resolve = lambda schema_id: STATE.avro
    assert codec.knows(5)
