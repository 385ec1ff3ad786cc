"""Records to bytes and back: Avro in Confluent framing (magic byte 0, schema id, body).

Without a schema registry a schema's id is 2^30 plus the low 30 bits of its CRC-64-AVRO fingerprint,
so that every worker knows every committed schema without asking. With a registry, `learn` adds its ids.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.catalogue import EVENTS
from schemas.errors import RecordError
from schemas.event_type import EventType, without_logical_types

FOLDER = Path(__file__).with_name("avro")
"""The committed schemas, TOPIC/N.avsc."""
_HEAD = struct.Struct(">bI")
HEAD_SIZE = _HEAD.size


def own_id(schema: Mapping[str, Any]) -> int:
    """The id of `schema` without a registry (contracts, "Records")."""
    crc = fingerprint(to_parsing_canonical_form(dict(schema)), "CRC-64-AVRO")
    return (1 << 30) + (int.from_bytes(bytes.fromhex(crc), "little") & ((1 << 30) - 1))


def committed(topic: str) -> list[dict[str, Any]]:
    """Every version of a topic's schema that was ever committed, oldest first."""
    versions = sorted((FOLDER / topic).glob("*.avsc"), key=lambda p: int(p.stem))
    return [json.loads(p.read_text("utf-8")) for p in versions]


class Codec:
    """Encodes and decodes the records of one topic. Decoded records have times as int milliseconds."""

    def __init__(self, event: EventType) -> None:
        self.event = event
        self._schema = parse_schema(event.wire)
        self.id = own_id(event.avro)
        self._head = _HEAD.pack(0, self.id)
        self._writers: dict[int, Any] = {self.id: None}  # None: our own schema, nothing to resolve
        self.resolve: Callable[[int], Mapping[str, Any] | None] | None = None
        """Asked for a schema id that is not known, where there is a registry."""
        for old in committed(event.topic):
            self.learn(own_id(old), old)

    def learn(self, schema_id: int, schema: Mapping[str, Any]) -> None:
        """Take `schema_id` (a registry's, or an older version's) as one that producers may write."""
        same = own_id(schema) == self.id
        self._writers[schema_id] = None if same else parse_schema(without_logical_types(dict(schema)))

    def write_as(self, schema_id: int) -> None:
        """Frame what is encoded from now on with the registry's id of our schema."""
        self._head = _HEAD.pack(0, schema_id)
        self._writers[schema_id] = None

    def knows(self, schema_id: int) -> bool:
        """Whether records of this schema can be decoded; asks `resolve` for what is not known yet."""
        if schema_id in self._writers:
            return True
        schema = self.resolve(schema_id) if self.resolve is not None else None
        if schema is None or schema.get("name") != self.event.avro["name"]:  # an id of another topic's
            return False
        self.learn(schema_id, schema)
        return True

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """The framed bytes of `record`. Raises `RecordError(bad_type)` when it does not fit the schema."""
        out = io.BytesIO()
        out.write(self._head)
        try:
            schemaless_writer(out, self._schema, record)
        except (ValueError, TypeError, OverflowError, AttributeError, KeyError) as error:
            raise RecordError("bad_type", f"does not fit {self.event.topic}: {type(error).__name__}") from None
        return out.getvalue()

    def decode(self, value: bytes | None) -> dict[str, Any]:
        """The record in framed `value`.

        Raises `RecordError`: `not_avro`, `unknown_schema`, and where its writer's schema does not resolve to ours
        `missing_field` or `bad_type`.
        """
        if not value or value[0] != 0 or len(value) < HEAD_SIZE:
            raise RecordError("not_avro", "no Confluent framing (magic byte 0 and four bytes of schema id)")
        schema_id = int.from_bytes(value[1:HEAD_SIZE], "big")
        if schema_id not in self._writers and not self.knows(schema_id):
            raise RecordError("unknown_schema", f"schema id {schema_id} is not known for {self.event.topic}")
        writer = self._writers[schema_id]
        try:
            record, end = self._read(value, writer)
        except SchemaResolutionError as error:  # its text names fields and types, no data
            reason = "missing_field" if str(error).startswith("No default value") else "bad_type"
            raise RecordError(reason, f"written with schema id {schema_id}: {error}") from None
        except Exception as error:  # fastavro raises whatever broken bytes lead it into
            raise RecordError("not_avro", f"the bytes do not fit the schema ({type(error).__name__})") from None
        if end != len(value):
            left = len(value) - end
            raise RecordError("not_avro", f"{left} bytes are left over behind the record" if left > 0 else "is cut off")
        return record

    def _read(self, value: bytes, writer: Any) -> tuple[dict[str, Any], int]:
        """The record and where it ends; one that another version of the schema wrote is resolved to ours."""
        body = io.BytesIO(value)
        body.seek(HEAD_SIZE)
        own = self._schema
        record: Any = schemaless_reader(body, own, None) if writer is None else schemaless_reader(body, writer, own)
        return record, body.tell()


def codecs() -> dict[str, Codec]:
    """A codec a topic."""
    return {topic: Codec(event) for topic, event in EVENTS.items()}
