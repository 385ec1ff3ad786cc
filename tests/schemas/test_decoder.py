"""The written-out decoder against fastavro, on random records and on broken bytes."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from schemas.catalogue import EVENTS
from schemas.decoder import decoder

BROKEN = (ValueError, IndexError, KeyError, struct.error)
LONG = st.integers(-(2**63), 2**63 - 1)
SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": LONG | st.integers(-70, 70),
    "double": st.floats(allow_nan=False),
    "string": st.text(max_size=3) | st.text(min_size=62, max_size=70),
}


def values(schema: Any) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.one_of(*map(values, schema))
    if isinstance(schema, str):
        return SIMPLE[schema]
    kind = schema["type"]
    if kind == "record":
        return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in schema["fields"]})
    if kind == "enum":
        return st.sampled_from(schema["symbols"])
    if kind == "map":
        return st.dictionaries(st.text(max_size=5), values(schema["values"]), max_size=3)
    if kind == "array":
        return st.lists(values(schema["items"]), max_size=3)
    return values(kind)


def written(schema: Any, record: Any) -> bytes:
    out = io.BytesIO()
    schemaless_writer(out, schema, record)
    return out.getvalue()


def read(schema: Any, data: bytes) -> tuple[Any, int]:
    body = io.BytesIO(data)
    return schemaless_reader(body, schema, None), body.tell()


@pytest.mark.parametrize("topic", EVENTS)
def test_it_reads_what_fastavro_wrote(topic: str) -> None:
    wire = EVENTS[topic].wire
    decode, parsed = decoder(wire), parse_schema(wire)

    @seed(1)
    @settings(max_examples=50, deadline=None, database=None)
    @given(values(wire), st.binary(max_size=3))
    def compare(record: Any, before: bytes) -> None:
        data = written(parsed, record)
        found = decode(before + data, len(before))
        assert found == (read(parsed, data)[0], len(before) + len(data))
        assert [type(v) for v in found[0].values()] == [type(v) for v in read(parsed, data)[0].values()]

    compare()


def test_broken_bytes_are_refused_or_read_as_fastavro_reads_them() -> None:
    wire = EVENTS["yupan.state.v1"].wire
    decode, parsed = decoder(wire), parse_schema(wire)

    @seed(2)
    @settings(max_examples=2_000, deadline=None, database=None)
    @given(values(wire), st.data())
    def compare(record: Any, data: st.DataObject) -> None:
        whole = bytearray(written(parsed, record))
        at = data.draw(st.integers(0, len(whole) - 1))
        if data.draw(st.booleans()):
            del whole[at:]
        else:
            whole[at] = data.draw(st.integers(0, 255))
        try:
            found, end = decode(bytes(whole), 0)
        except BROKEN:
            return
        if end <= len(whole):  # what is cut off is told by its end
            assert repr((found, end)) == repr(read(parsed, bytes(whole)))

    compare()


@pytest.mark.parametrize("cut", range(1, 60))
def test_what_is_cut_off_never_ends_within_the_bytes(cut: int) -> None:
    event = EVENTS["yupan.state.v1"]
    whole = written(parse_schema(event.wire), event.from_json(event.examples[1]))
    try:
        _, end = decoder(event.wire)(whole[:-cut], 0)
    except BROKEN:
        return
    assert end > len(whole) - cut


@pytest.mark.parametrize(
    "data",
    [
        b"\x01",  # a negative length
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a number of more than 64 bits
        b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a length of 2^63 - 1
    ],
)
def test_absurd_lengths_are_refused_at_once(data: bytes) -> None:
    with pytest.raises(BROKEN):
        decoder(EVENTS["yupan.state.v1"].wire)(data, 0)


def test_maps_in_blocks_with_sizes_are_read() -> None:
    wire = {"type": "record", "name": "M", "fields": [{"name": "m", "type": {"type": "map", "values": "long"}}]}
    # a block of -1 entries with its size, then one of 1 entry, then the end
    data = b"\x01\x06\x02a\x02" + b"\x02\x02b\x04" + b"\x00"
    assert decoder(wire)(data, 0) == ({"m": {"a": 1, "b": 2}}, len(data))
    assert read(parse_schema(wire), data)[0] == {"m": {"a": 1, "b": 2}}
