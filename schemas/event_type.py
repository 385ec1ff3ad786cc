"""One event type: its record, topic, key, version and examples, and what follows from them.

The Avro schema, the validation and the reading of JSON are all derived from the record's `TypedDict`,
so that a field is written down once.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import msgspec

from schemas.errors import RecordError
from schemas.fields import enum
from schemas.forms import VALUE_BRANCHES, Field, fields_of
from schemas.headers import content_hash

__all__ = ["VALUE_BRANCHES", "EventType", "Field", "Record", "enum", "without_logical_types"]

Record = Mapping[str, Any]
_canonical = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True)
class EventType:
    """A contract. `key(record)` is the Kafka key; `examples` must pass and `bad` must fail with their reason."""

    record: type
    topic: str
    key: Callable[[Record], str | None]
    examples: Sequence[Mapping[str, Any]]
    bad: Sequence[tuple[str, Mapping[str, Any]]]
    """(reason, fields laid over the first example); a value of `...` removes the field."""
    version: int = 1
    keys: Callable[[Record], Container[str]] | None = None
    """Further right keys (calls and contacts have them), beside `key`."""
    partition_key: Callable[[Record], str | None] | None = None
    """What decides the partition where it is not the whole key (reminders: the MSISDN)."""
    tidy: Callable[[dict[str, Any]], None] | None = None
    """Brings what may be written in several forms to one, in place, before the checks."""
    rule: Callable[[Record], None] | None = None
    """What holds between fields; raises `RecordError`."""
    default_source: Callable[[Record], str] | None = None
    """Who the event comes from when `ce_source` is missing."""
    compatibility: str = "FULL_TRANSITIVE"
    flow: Literal["in", "out", "internal"] = "in"
    """Whether others publish it, we do, or we do for ourselves."""

    @property
    def name(self) -> str:
        """`yupan.state.v1` as `state`; the CloudEvents type is the whole topic."""
        return self.topic.removeprefix("yupan.").rsplit(".", 1)[0]

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Field name to its form, in the order of the record."""
        return fields_of(self.record)

    @cached_property
    def avro(self) -> dict[str, Any]:
        """The Avro schema, as it is committed and registered."""
        return {
            "type": "record",
            "name": self.record.__name__,
            "namespace": f"yupan.v{self.topic.rsplit('.v', 1)[1]}",
            "doc": (self.record.__doc__ or "").strip().splitlines()[0],
            "fields": [f.avro for f in self.fields.values()],
        }

    @cached_property
    def wire(self) -> dict[str, Any]:
        """The same bytes without logical types, so that times are read and written as plain ints."""
        stripped: dict[str, Any] = without_logical_types(self.avro)
        return stripped

    @cached_property
    def _checks(self) -> tuple[tuple[str, Callable[[Any], None]], ...]:
        return tuple((f.name, f.check) for f in self.fields.values() if f.check is not None)

    def validate(self, record: dict[str, Any]) -> None:
        """Raise `RecordError` when a decoded record breaks a rule that Avro cannot state.

        Brings the record to its one form first (`tidy`), in place.
        """
        if self.tidy is not None:
            self.tidy(record)
        name = ""
        try:
            for name, check in self._checks:
                value = record[name]
                if value is not None:
                    check(value)
        except RecordError as error:
            raise error.within(name) from None
        if self.rule is not None:
            self.rule(record)

    def from_json(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A record from JSON: defaults filled in, times as milliseconds, everything validated.

        Raises `RecordError`, which names the field.
        """
        record: dict[str, Any] = {}
        for name, form in self.fields.items():  # as `form.read` does, without a call a field
            if name not in data:
                record[name] = None if form.default is None else form.left_out()
                continue
            try:
                record[name] = form.parse(data[name])
            except RecordError as error:
                raise error.within(name) from None
        for name in data:
            if name not in record:
                raise RecordError("bad_value", f"no such field; known are {', '.join(self.fields)}", name)
        self.validate(record)
        return record

    def source_of(self, record: Record) -> str:
        """The CloudEvents source when the producer names none: the record's system or channel, else our name."""
        return self.default_source(record) if self.default_source else f"yupan/{self.name}"

    def content_id(self, record: Record) -> str:
        """The id of a record that came without one: a hash of its canonical JSON, defaults left out.

        The same content is the same event, however its JSON was written and whatever optional fields
        a later version adds.
        """
        said = {n: v for n, v in record.items() if v is not None and v != {} and v != []}
        return content_hash(_canonical(said))

    def has_right_key(self, record: Record, key: str | None) -> bool:
        """Whether `key` is one that this record may carry (contracts, "Keys")."""
        if key == self.key(record):
            return True
        return key is not None and self.keys is not None and key in self.keys(record)


def without_logical_types(schema: Any) -> Any:
    """A copy of an Avro schema without `logicalType`: the same bytes, read as plain numbers."""
    if isinstance(schema, dict):
        return {k: without_logical_types(v) for k, v in schema.items() if k != "logicalType"}
    if isinstance(schema, list):
        return [without_logical_types(s) for s in schema]
    return schema
