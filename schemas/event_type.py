"""One event type: its record, topic, key, version and examples, and what follows from them.

The Avro schema, the validation and the reading of JSON are all derived from the record's `TypedDict`,
so that a field is written down once.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from schemas.errors import RecordError
from schemas.fields import MaybeValue, Rule, Value, millis

Record = Mapping[str, Any]
VALUE_BRANCHES = ["null", "string", "long", "double", "boolean"]
_AVRO_OF = {str: "string", int: "long", float: "double", bool: "boolean"}


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
    keys: Callable[[Record], frozenset[str]] | None = None
    """Further right keys (calls and contacts have them), beside `key`."""
    rule: Callable[[Record], None] | None = None
    """What holds between fields; raises `RecordError`."""
    default_source: Callable[[Record], str] | None = None
    """Who the event comes from when `ce_source` is missing."""
    compatibility: str = field(default="FULL_TRANSITIVE")

    @property
    def name(self) -> str:
        """`yupan.state.v1` as `state`; also the CloudEvents type is the topic."""
        return self.topic.removeprefix("yupan.").rsplit(".", 1)[0]

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Field name to its form, in the order of the record."""
        return {n: Field.of(n, t) for n, t in get_type_hints(self.record, include_extras=True).items()}

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
        stripped: dict[str, Any] = _without_logical_types(self.avro)
        return stripped

    @cached_property
    def _checks(self) -> tuple[tuple[str, Callable[[Any], None]], ...]:
        return tuple((f.name, f.check) for f in self.fields.values() if f.check is not None)

    def validate(self, record: Record) -> None:
        """Raise `RecordError` when a decoded record breaks a rule that Avro cannot state."""
        name = ""
        try:
            for name, check in self._checks:
                value = record[name]
                if value is not None:
                    check(value)
        except RecordError as error:
            raise RecordError(error.reason, str(error), error.field or name) from None
        if self.rule is not None:
            self.rule(record)

    def from_json(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A record from JSON: defaults filled in, times as milliseconds, everything validated.

        Raises `RecordError`, which names the field.
        """
        unknown = [name for name in data if name not in self.fields]
        if unknown:
            raise RecordError("bad_value", f"no such field; known are {', '.join(self.fields)}", unknown[0])
        record = {}
        for name, form in self.fields.items():
            try:
                record[name] = form.read(data)
            except RecordError as error:
                raise RecordError(error.reason, str(error), name) from None
        self.validate(record)
        return record

    def source_of(self, record: Record) -> str:
        """The CloudEvents source when the producer names none: the record's system or channel, else our name."""
        return self.default_source(record) if self.default_source else f"yupan/{self.name}"


@dataclass(frozen=True)
class Field:
    """One field: how Avro writes it, how JSON is read into it, what is checked."""

    name: str
    avro: dict[str, Any]
    kind: Any
    nullable: bool
    is_time: bool
    check: Callable[[Any], None] | None
    words: tuple[str, ...]

    @classmethod
    def of(cls, name: str, annotation: Any) -> Field:
        """Derive a field from its annotation: nullable defaults to null, maps and arrays to empty."""
        kind, nullable = _strip_none(annotation)
        rule = _rule_of(kind)
        avro_type = ["null", _avro(kind)] if nullable and kind != Value else _avro(kind)
        avro: dict[str, Any] = {"name": name, "type": avro_type}
        bare = get_origin(kind)
        if nullable:
            avro["default"] = None
        elif bare is dict:
            avro["default"] = {}
        elif bare is list:
            avro["default"] = []
        is_time = rule is not None and isinstance(rule.avro, dict)
        check = rule.check if rule is not None else None
        return cls(name, avro, kind, nullable, is_time, check, rule.words if rule else ())

    def read(self, data: Mapping[str, Any]) -> Any:
        """This field's value out of a JSON object. Raises `RecordError` without the field's name."""
        if self.name not in data:
            if "default" not in self.avro:
                raise RecordError("missing_field", "is missing")
            default = self.avro["default"]
            return default.copy() if isinstance(default, (dict, list)) else default
        value = data[self.name]
        if value is None and (self.nullable or self.kind is Value):
            return None
        if self.is_time:
            return millis(value)
        return _typed(value, self.kind)


def _strip_none(annotation: Any) -> tuple[Any, bool]:
    """(`T`, whether it may be left out). The open `Value` stays what it is: null is one of its branches."""
    if annotation == MaybeValue:
        return Value, True
    if annotation == Value:
        return Value, False
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [a for a in get_args(annotation) if a is not type(None)]
        if len(rest) == 1:
            return rest[0], True
        if set(rest) == {str, int, float, bool}:
            return Value, True
    return annotation, False


def _rule_of(kind: Any) -> Rule | None:
    if get_origin(kind) is Annotated:
        return next((m for m in kind.__metadata__ if isinstance(m, Rule)), None)
    return None


def _avro(kind: Any) -> Any:
    rule = _rule_of(kind)
    if rule is not None:
        return rule.avro or _avro(get_args(kind)[0])
    if kind == Value:
        return VALUE_BRANCHES
    origin = get_origin(kind)
    if origin is list:
        return {"type": "array", "items": _avro(get_args(kind)[0])}
    if origin is dict:
        return {"type": "map", "values": _avro(get_args(kind)[1])}
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        return {
            "type": "record",
            "name": kind.__name__,
            "fields": [Field.of(n, t).avro for n, t in hints.items()],
        }
    return _AVRO_OF[kind]


def enum(name: str, *symbols: str) -> Rule:
    """A closed set: an Avro enum `name` with the default UNKNOWN."""
    known = frozenset(symbols)

    def check(value: str) -> None:
        if value not in known:
            raise RecordError("bad_value", f"{value[:40]!r} is not one of {', '.join(symbols)}")

    avro = {"type": "enum", "name": name, "symbols": ["UNKNOWN", *symbols], "default": "UNKNOWN"}
    return Rule(check, avro=avro, words=symbols)


def _typed(value: Any, kind: Any) -> Any:
    """`value` if it has the type that `kind` states, else `RecordError(bad_type)`."""
    if get_origin(kind) is Annotated:
        return _typed(value, get_args(kind)[0])
    if kind == Value:
        wanted: tuple[type, ...] = (str, int, float, bool, type(None))
    else:
        wanted = {float: (int, float), int: (int,)}.get(kind, (get_origin(kind) or kind,))
        if is_typeddict(kind):
            wanted = (dict,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        names = " or ".join(t.__name__ for t in wanted)
        raise RecordError("bad_type", f"is {type(value).__name__}, should be {names}")
    return _inside(value, kind)


def _inside(value: Any, kind: Any) -> Any:
    origin = get_origin(kind)
    if origin is dict:
        item = _strip_none(get_args(kind)[1])[0]
        return {str(k): _typed(v, item) for k, v in value.items()}
    if origin is list:
        return [_typed(v, get_args(kind)[0]) for v in value]
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        return {n: Field.of(n, t).read(value) for n, t in hints.items()}
    if kind is float:
        return float(value)
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise RecordError("bad_type", "does not fit a 64-bit integer")
    return value


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {k: _without_logical_types(v) for k, v in schema.items() if k != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(s) for s in schema]
    return schema
