"""One event of a mapping: when a row yields it, and how its record is filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.catalogue import EVENTS
from schemas.errors import RecordError
from schemas.event_type import EventType
from schemas.events.state import OCCURRENCES
from schemas.forms import VALUE_BRANCHES, Field
from streams.importing.conditions import TestMaker, read_conditions
from streams.importing.marked import Node
from streams.importing.row import Getter, Layout, Maker, Names, Row
from streams.importing.values import constant, only_name, read_value

EVENT_NAMES = ("topic", "id", "when", "unless", "fields")
RecordMaker = Callable[[Row], dict[str, Any] | None]


class FieldMaker(NamedTuple):
    """How a field's value is made of a row, and how it becomes the field's type."""

    make: Maker
    parse: Callable[[Any], Any]


@dataclass(frozen=True)
class EventPlan:
    """An event as the mapping file states it."""

    event: EventType
    label: str
    """Tells the events of one row apart; part of the event's id."""
    fixed: dict[str, Any]
    """Fields that are the same in every record."""
    makers: dict[str, FieldMaker]
    condition: TestMaker | None
    handed: dict[str, str]
    """Fields that are one name's value as it is, such as an option's."""

    def bind(self, layout: Layout) -> RecordMaker:
        """The function from a row to this event's record; None when the row does not yield it."""
        holds = self.condition(layout) if self.condition else None
        getters = [(name, maker.make(layout), maker.parse) for name, maker in self.makers.items()]
        base = {name: field.default for name, field in self.event.fields.items() if not field.required}
        base |= self.fixed
        required = [name for name, field in self.event.fields.items() if field.required and name not in self.fixed]
        empty, validate = self._may_be_empty, self.event.validate

        def record_of(row: Row) -> dict[str, Any] | None:
            if holds is not None and not holds(row):
                return None
            record = base.copy()
            name = ""
            try:
                for name, get, parse in getters:
                    value = get(row)
                    if value is not None:
                        record[name] = parse(value)
            except RecordError as error:
                raise error.within(name) if error.field is None else error from None
            for name in required:
                if name not in record:
                    if not empty(name, record):
                        raise RecordError("missing_field", "is missing", name)
                    record[name] = None
            validate(record)
            return record

        return record_of

    def _may_be_empty(self, name: str, record: Mapping[str, Any]) -> bool:
        """Whether null is a value of the required field `name`: a system holds nothing. An amount is never nothing."""
        is_open = self.event.fields[name].avro["type"] == VALUE_BRANCHES
        return is_open and record.get("attribute") not in OCCURRENCES


def read_event(node: Node, names: Names, topic: Node | None, shared: dict[str, Node]) -> EventPlan:
    """An entry of `events`; `topic` and `shared` fields are those of the whole mapping."""
    table = node.table(EVENT_NAMES, "an event")
    event = _event_type(table.get("topic", topic), node)
    if "id" not in table:
        node.fail("an event needs `id`, a word that tells it from the row's other events")
    own = table["fields"].table(what="`fields`") if "fields" in table else {}
    fields = {name: value for name, value in (shared | own).items() if value.value is not None}
    fixed: dict[str, Any] = {}
    makers: dict[str, FieldMaker] = {}
    for name, value in fields.items():
        if name not in event.fields:
            value.fail(f"{event.topic} has no field `{name}`; it has {', '.join(event.fields)}")
        _read_field(name, value, event.fields[name], names, fixed, makers)
    for name, field in event.fields.items():
        if field.required and name not in fields:
            node.fail(f"{event.topic} needs the field `{name}`")
    handed = {name: only for name, value in fields.items() if (only := only_name(value)) is not None}
    return EventPlan(event, table["id"].text("`id`"), fixed, makers, read_conditions(node, names), handed)


def _event_type(topic: Node | None, node: Node) -> EventType:
    if topic is None:
        node.fail("an event needs `topic`, here or for the whole mapping")
    name = topic.text("`topic`")
    if name not in EVENTS:
        topic.fail(f"there is no topic {name}; the topics are {', '.join(sorted(EVENTS))}")
    return EVENTS[name]


def _read_field(
    name: str, node: Node, field: Field, names: Names, fixed: dict[str, Any], makers: dict[str, FieldMaker]
) -> None:
    kind = _without_null(field.avro["type"])
    if isinstance(kind, dict) and kind["type"] == "map":
        makers[name] = FieldMaker(_map_of(node, names, textual=kind["values"] == "string"), field.parse)
        return
    textual = kind == "string" or (isinstance(kind, dict) and kind["type"] == "enum")
    same, value = constant(node)
    if same:
        fixed[name] = _checked(node, field, as_text(value) if textual else value)
    else:
        makers[name] = FieldMaker(read_value(node, names), as_text if textual else field.parse)


def _without_null(kind: Any) -> Any:
    return kind[1] if isinstance(kind, list) and len(kind) == 2 else kind


def _checked(node: Node, field: Field, value: Any) -> Any:
    try:
        parsed = field.parse(value)
        if field.check is not None and parsed is not None:
            field.check(parsed)
    except RecordError as error:
        node.fail(f"`{field.name}`: {error}")
    return parsed


def as_text(value: Any) -> str:
    """The text of a value for a field that is a text."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _map_of(node: Node, names: Names, textual: bool) -> Maker:
    members = {name: read_value(value, names) for name, value in node.table(what="the field").items()}

    def make(layout: Layout) -> Getter:
        getters = [(name, maker(layout)) for name, maker in members.items()]

        def value(row: Row) -> dict[str, Any] | None:
            found = {}
            for name, get in getters:
                member = get(row)
                if member is not None:
                    found[name] = as_text(member) if textual else member
            return found or None

        return value

    return make
