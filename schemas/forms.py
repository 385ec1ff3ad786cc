"""What follows from one field's annotation: its Avro type, how JSON is read into it, what is checked."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from schemas.errors import RecordError
from schemas.fields import TIME, MaybeValue, Rule, Value, check_length, check_value, millis

VALUE_BRANCHES = ["null", "string", "long", "double", "boolean"]
Reader = Callable[[Any], Any]
_REQUIRED = object()
_AVRO_OF = {str: "string", int: "long", float: "double", bool: "boolean"}
_LONG = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Field:
    """One field. `parse` makes its value out of JSON's, `check` judges a value that is not null."""

    name: str
    avro: dict[str, Any]
    kind: Any
    nullable: bool
    is_time: bool
    check: Callable[[Any], None] | None
    words: tuple[str, ...]
    parse: Reader
    default: Any

    @classmethod
    def of(cls, name: str, annotation: Any) -> Field:
        """Derive a field from its annotation: nullable defaults to null, maps and arrays to empty."""
        kind, nullable = _strip_none(annotation)
        rule = _rule_of(kind)
        avro: dict[str, Any] = {"name": name, "type": _avro(kind)}
        if nullable and kind != Value:
            avro["type"] = ["null", avro["type"]]
        bare = get_origin(_bare(kind))
        if nullable:
            avro["default"] = None
        elif bare in (dict, list):
            avro["default"] = bare()
        return cls(
            name=name,
            avro=avro,
            kind=kind,
            nullable=nullable,
            is_time=rule is not None and rule.avro is TIME,
            check=rule.check if rule else _check_of(kind),
            words=rule.words if rule else (),
            parse=_maybe(parser(kind)) if nullable else parser(kind),
            default=avro.get("default", _REQUIRED),
        )

    @property
    def required(self) -> bool:
        """Whether the field has no default."""
        return self.default is _REQUIRED

    def read(self, data: Mapping[str, Any]) -> Any:
        """This field's value out of a JSON object. Raises `RecordError` that names the field."""
        if self.name not in data:
            return self.left_out()
        try:
            return self.parse(data[self.name])
        except RecordError as error:
            raise error.within(self.name) from None

    def left_out(self) -> Any:
        """The value where the field is not written. Raises `RecordError(missing_field)` where it must be."""
        if self.default is _REQUIRED:
            raise RecordError("missing_field", "is missing", self.name)
        return self.default.copy() if self.default is not None else None


def fields_of(record: type) -> dict[str, Field]:
    """Field name to its form, in the order of a `TypedDict`."""
    return {n: Field.of(n, t) for n, t in get_type_hints(record, include_extras=True).items()}


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _strip_none(annotation: Any) -> tuple[Any, bool]:
    """(`T`, whether it may be left out). The open `Value` stays what it is: null is one of its branches."""
    if annotation == MaybeValue:
        return Value, True
    if annotation == Value:
        return Value, False
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [a for a in get_args(annotation) if a is not type(None)]
        if len(rest) != 1:
            raise TypeError(f"{annotation}: of unions only `T | None` and Value have an Avro form")
        return rest[0], True
    return annotation, False


def _rule_of(kind: Any) -> Rule | None:
    if get_origin(kind) is Annotated:
        return next((m for m in kind.__metadata__ if isinstance(m, Rule)), None)
    return None


def _check_of(kind: Any) -> Callable[[Any], None] | None:
    """The check of what has no rule of its own: names are not too long, values are finite."""
    if kind is str:
        return check_length
    if kind == Value:
        return check_value
    if get_origin(kind) is dict and get_args(kind)[1] == Value:
        return _check_values
    return None


def _check_values(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        try:
            check_length(name)
            check_value(value)
        except RecordError as error:
            raise error.within(name) from None


def _avro(kind: Any) -> Any:
    rule = _rule_of(kind)
    if rule is not None:
        return rule.avro or _avro(_bare(kind))
    kind = _bare(kind)
    if kind == Value:
        return VALUE_BRANCHES
    origin = get_origin(kind)
    if origin is list:
        return {"type": "array", "items": _avro(get_args(kind)[0])}
    if origin is dict:
        return {"type": "map", "values": _avro(get_args(kind)[1])}
    if is_typeddict(kind):
        return {"type": "record", "name": kind.__name__, "fields": [f.avro for f in fields_of(kind).values()]}
    return _AVRO_OF[kind]


def parser(kind: Any) -> Reader:
    """What makes a value of `kind` out of JSON's, or raises `RecordError(bad_type)` with the place inside."""
    rule = _rule_of(kind)
    if rule is not None and rule.avro is TIME:
        return millis
    kind = _bare(kind)
    origin = get_origin(kind)
    if origin is list:
        return _list_parser(parser(get_args(kind)[0]))
    if origin is dict:
        return _map_parser(parser(get_args(kind)[1]))
    if is_typeddict(kind):
        return _record_parser(fields_of(kind))
    return _value if kind == Value else _SCALARS[kind]


def _maybe(parse: Reader) -> Reader:
    return lambda value: None if value is None else parse(value)


def _wrong_type(value: object, *wanted: str) -> RecordError:
    return RecordError("bad_type", f"is {_JSON_NAMES.get(type(value), 'unknown')}, should be {' or '.join(wanted)}")


_JSON_NAMES = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
    dict: "an object",
    list: "an array",
}


def _string(value: Any) -> Any:
    if type(value) is not str:
        raise _wrong_type(value, "a string")
    return value


def _boolean(value: Any) -> Any:
    if type(value) is not bool:
        raise _wrong_type(value, "a boolean")
    return value


def _integer(value: Any) -> Any:
    if type(value) is not int:
        raise _wrong_type(value, "an integer")
    if value not in _LONG:
        raise RecordError("bad_type", "does not fit a 64-bit integer")
    return value


def _number(value: Any) -> Any:
    if type(value) is int:
        return float(_integer(value))
    if type(value) is not float:
        raise _wrong_type(value, "a number")
    return value


def _value(value: Any) -> Any:
    if type(value) is int:
        return _integer(value)
    if value is not None and type(value) not in (str, float, bool):
        raise _wrong_type(value, "null", "a string", "a number", "a boolean")
    return value


_SCALARS: Mapping[type, Reader] = {str: _string, int: _integer, float: _number, bool: _boolean}


def _list_parser(item: Reader) -> Reader:
    def parse(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _wrong_type(value, "an array")
        return [_at(str(i), item, v) for i, v in enumerate(value)]

    return parse


def _map_parser(item: Reader) -> Reader:
    def parse(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong_type(value, "an object")
        return {k: _at(k, item, v) for k, v in value.items()}

    return parse


def _record_parser(fields: Mapping[str, Field]) -> Reader:
    def parse(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _wrong_type(value, "an object")
        return {name: field.read(value) for name, field in fields.items()}

    return parse


def _at(place: str, item: Reader, value: Any) -> Any:
    try:
        return item(value)
    except RecordError as error:
        raise error.within(place) from None
