"""The values of a mapping: constants, texts with `{names}`, and the operations that make something of a cell.

An operation is read once (`Args`, which fails with the line of a mistake), bound once to the file's columns
(`Layout`), and then is a plain function of a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.errors import RecordError
from schemas.masking import shown
from streams.importing import cells
from streams.importing.conditions import guard
from streams.importing.marked import Node, Scalar
from streams.importing.row import Getter, Layout, Maker, Names, Row
from streams.importing.times import EPOCH_UNITS, clock_ms

COMMON = ("none", "when", "unless")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Args:
    """An operation's table in the mapping: its own argument under its name, and its options."""

    node: Node
    operation: str
    names: Names

    @property
    def subject(self) -> Node:
        """What stands behind the operation's name."""
        node: Node = self.node.value[self.operation]
        return node

    def name(self) -> str:
        """The operation's argument as a name."""
        return self.refer(self.subject)

    def refer(self, node: Node) -> str:
        """A column, value, option or built-in name that `node` holds."""
        name = node.text("a name")
        if "{" in name:
            node.fail(f"`{self.operation}` takes a name without braces")
        self.names.refer(name, f"{node.file}:{node.line}")
        return name

    def option(self, name: str) -> Node | None:
        """An option's node, None when it is not given."""
        return self.node.table().get(name)

    def word(self, name: str) -> str | None:
        """An option that is a text."""
        node = self.option(name)
        return node.text(f"`{name}`") if node else None

    def none(self) -> frozenset[str]:
        """The words that mean: no value."""
        node = self.option("none")
        return frozenset(n.text("`none`") for n in node.one_or_more()) if node else frozenset()


@dataclass(frozen=True)
class Operation:
    """A way to make a value: the options that it takes, and how it is read."""

    read: Callable[[Args], Maker]
    options: tuple[str, ...] = ()


def read_value(node: Node, names: Names) -> Maker:
    """A value: a constant, a text with `{names}`, or a table with one operation."""
    if not node.is_table:
        return _template(node, names)
    table = node.table()
    named = [name for name in table if name in OPERATIONS]
    if len(named) != 1:
        node.fail(f"a value is a text, a number, or a table with one of {', '.join(OPERATIONS)}")
    operation = OPERATIONS[named[0]]
    node.table((named[0], *operation.options, *COMMON), f"`{named[0]}`")
    return guard(operation.read(Args(node, named[0], names)), node, names)


def constant(node: Node) -> tuple[bool, Scalar]:
    """(whether the value is the same for every row, that value)."""
    if node.is_table or node.is_list or "{" in str(node.value):
        return False, None
    return True, node.scalar()


def only_name(node: Node) -> str | None:
    """The name that a value hands on as it is, `"{customer}"`; None of any other value."""
    found = _PLACEHOLDER.fullmatch(node.value) if isinstance(node.value, str) else None
    return found[1].strip() if found else None


def _template(node: Node, names: Names) -> Maker:
    value = node.scalar("a value")
    if not isinstance(value, str) or "{" not in value:
        return lambda layout: lambda row: value
    pieces = _PLACEHOLDER.split(value)
    wanted = [piece.strip() for piece in pieces[1::2]]
    if any("{" in piece or "}" in piece for piece in pieces[0::2]) or "" in wanted:
        node.fail("braces enclose a name, as in `{line}-{date}`")
    for name in wanted:
        names.refer(name, f"{node.file}:{node.line}")
    if len(wanted) == 1 and not pieces[0] and not pieces[2]:
        return lambda layout: layout.getter(wanted[0])
    return lambda layout: _joined(pieces[0::2], [layout.getter(name) for name in wanted])


def _joined(between: list[str], getters: list[Getter]) -> Getter:
    form = "%s".join(text.replace("%", "%%") for text in between)

    def join(row: Row) -> str | None:
        found = tuple([get(row) for get in getters])
        return None if None in found else form % found

    return join


def _of_text(args: Args, convert: Callable[[Layout], Callable[[str], Any]]) -> Maker:
    """An operation that turns the text of one name into something; no text, no value."""
    name, none = args.name(), args.none()

    def make(layout: Layout) -> Getter:
        get, change = layout.getter(name, none), convert(layout)

        def value(row: Row) -> Any:
            text = get(row)
            if text is None:
                return None
            try:
                return change(text if type(text) is str else str(text))
            except RecordError as error:
                raise error.within(name) from None

        return value

    return make


def _text(args: Args) -> Maker:
    return _of_text(args, lambda layout: str)


def _number(args: Args) -> Maker:
    factor = _factor(args)
    return _of_text(args, lambda layout: lambda text: cells.number(text, factor))


def _scalar(args: Args) -> Maker:
    return _of_text(args, lambda layout: cells.scalar)


def _factor(args: Args) -> Decimal | None:
    node = args.option("times")
    if node is None:
        return None
    try:
        return Decimal(node.text("`times`"))
    except InvalidOperation:
        node.fail("`times` is a number")


_UNITS = {"milliseconds": 1, "seconds": 1000, "minutes": 60_000, "hours": 3_600_000}


def _duration(args: Args) -> Maker:
    node = args.option("unit")
    unit = args.word("unit") or "seconds"
    if node and unit not in (*_UNITS, "clock"):
        node.fail(f"`unit` is one of {', '.join(_UNITS)}, or clock for 1:02:03")
    if unit == "clock":
        return _of_text(args, lambda layout: clock_ms)
    factor = Decimal(_UNITS[unit])
    return _of_text(args, lambda layout: lambda text: _length(cells.number(text, factor)))


def _length(ms: int | float) -> int:
    if ms < 0:
        raise RecordError("bad_value", "a length of time is not negative")
    return round(ms)


def _boolean(args: Args) -> Maker:
    return _of_text(args, lambda layout: cells.boolean)


def _msisdn(args: Args) -> Maker:
    return _of_text(args, lambda layout: lambda text: cells.msisdn(text, layout.country_code))


def _customer(args: Args) -> Maker:
    return _of_identifier(args, lambda layout: lambda text: cells.customer(text, layout.country_code))


def _synthetic(args: Args) -> Maker:
    return _of_identifier(args, lambda layout: cells.synthetic)


def _of_identifier(args: Args, convert: Callable[[Layout], Callable[[str], str]]) -> Maker:
    def or_nobody(layout: Layout) -> Callable[[str], str | None]:
        change = convert(layout)
        return lambda text: None if text in cells.NOBODY else change(text)

    return _of_text(args, or_nobody)


def _lookup(args: Args) -> Maker:
    node = args.option("in")
    if node is None:
        args.node.fail("`lookup` needs `in`, a table of the words and what they become")
    table = {word: value.scalar("what a word becomes") for word, value in node.table(what="`in`").items()}
    other = args.option("else")
    if other is None:
        return _of_text(args, lambda layout: lambda text: _found(table, text))
    rest = other.scalar("`else`")
    return _of_text(args, lambda layout: lambda text: table.get(text, rest))


def _found(table: dict[str, Scalar], text: str) -> Scalar:
    try:
        return table[text]
    except KeyError:
        raise RecordError("bad_value", f"{shown(text)} is not one of {', '.join(table)}") from None


def _split(args: Args) -> Maker:
    by = args.word("by") or ";"
    return _of_text(args, lambda layout: lambda text: [p for p in (part.strip() for part in text.split(by)) if p])


def _first(args: Args) -> Maker:
    makers = [read_value(node, args.names) for node in args.subject.items("`first`")]

    def make(layout: Layout) -> Getter:
        getters = [maker(layout) for maker in makers]

        def first(row: Row) -> Any:
            for get in getters:
                value = get(row)
                if value is not None:
                    return value
            return None

        return first

    return make


def _value(args: Args) -> Maker:
    if args.subject.is_table:
        args.subject.fail("`value` takes a text or a number")
    return _template(args.subject, args.names)


def read_zone(node: Node | None) -> str | None:
    """The name of a time zone that is known, None without a node."""
    if node is None:
        return None
    zone = node.text("`zone`")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        node.fail("`zone` is a time zone of the IANA list, such as Asia/Shanghai")
    return zone


def _format(args: Args) -> str | None:
    node, form = args.option("format"), args.word("format")
    if node and form and form not in EPOCH_UNITS:
        try:
            datetime.strptime(datetime(2001, 2, 3).strftime(form), form)
        except (ValueError, re.error):
            node.fail(f"`format` is {', '.join(EPOCH_UNITS)}, or a pattern such as %d.%m.%Y %H:%M")
    return form


def _time(args: Args) -> Maker:
    parts = [args.refer(node) for node in args.subject.one_or_more()]
    if not 1 <= len(parts) <= 2:
        args.subject.fail("`time` takes one name, or a list of two: date and time of day")
    near_node = args.option("near")
    near = args.refer(near_node) if near_node else None
    zone, form, none = read_zone(args.option("zone")), _format(args), args.none()

    def make(layout: Layout) -> Getter:
        local = layout.local_time(zone, form)
        last = layout.getter(parts[-1], none)
        first = layout.getter(parts[0], none)
        reference = layout.getter(near) if near else _no_reference

        def of_parts(row: Row) -> int | None:
            day, clock = first(row), last(row)
            if day is None or clock is None:
                return None
            try:
                return local.of_parts(day, clock, reference(row))
            except RecordError as error:
                raise error.within(parts[-1]) from None

        def of_text(row: Row) -> int | None:
            text = last(row)
            if text is None:
                return None
            try:
                return local.closest(local.of_text(text), reference(row))
            except RecordError as error:
                raise error.within(parts[-1]) from None

        return of_parts if len(parts) == 2 else of_text

    return make


def _no_reference(row: Row) -> None:
    return None


def _months_before(args: Args) -> Maker:
    node = args.option("of")
    if node is None:
        args.node.fail("`months_before` needs `of`, the name of a time")
    name, of, none, zone = args.name(), args.refer(node), args.none(), read_zone(args.option("zone"))

    def make(layout: Layout) -> Getter:
        local, months, end = layout.local_time(zone, None), layout.getter(name, none), layout.getter(of)

        def before(row: Row) -> int | None:
            text, at = months(row), end(row)
            if text is None or at is None:
                return None
            try:
                return local.months_before(at, int(cells.number(str(text))))
            except RecordError as error:
                raise error.within(name) from None

        return before

    return make


OPERATIONS: dict[str, Operation] = {
    "text": Operation(_text),
    "number": Operation(_number, ("times",)),
    "boolean": Operation(_boolean),
    "scalar": Operation(_scalar),
    "lookup": Operation(_lookup, ("in", "else")),
    "time": Operation(_time, ("format", "zone", "near")),
    "duration": Operation(_duration, ("unit",)),
    "months_before": Operation(_months_before, ("of", "zone")),
    "msisdn": Operation(_msisdn),
    "customer": Operation(_customer),
    "synthetic": Operation(_synthetic),
    "split": Operation(_split, ("by",)),
    "first": Operation(_first),
    "value": Operation(_value),
}
"""All operations by name; docs/import.md explains each."""
