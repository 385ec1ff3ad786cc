"""A mapping file: how one row of a CSV file becomes events. Strict: every mistake has its line and its reason."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from schemas.errors import UsageError
from schemas.masking import masked
from streams.importing.fields import EventPlan, read_event
from streams.importing.marked import MappingError, Node, read_yaml
from streams.importing.row import BUILT_IN, Maker, Names
from streams.importing.values import OPERATIONS, read_value, read_zone

TOP = (
    *("about", "source", "topic", "zone", "encoding", "delimiter", "options"),
    *("optional", "identity", "values", "fields", "events", "at_end"),
)


@dataclass(frozen=True)
class Option:
    """A word that is given with the command, not in the file."""

    name: str
    required: bool
    default: str | None


@dataclass(frozen=True)
class Mapping:
    """A mapping, read and checked, not yet bound to a file's columns."""

    name: str
    source: str
    zone: str | None
    encoding: str
    delimiter: str
    options: tuple[Option, ...]
    optional: frozenset[str]
    identity: tuple[str, ...]
    """What makes a row the row that it is; empty: all its cells."""
    values: AnyMapping[str, Maker]
    events: tuple[EventPlan, ...]
    at_end: tuple[EventPlan, ...]
    names: Names


def shipped() -> list[str]:
    """The names of the mappings that come with Yupan."""
    folder = files("streams.importing") / "mappings"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))


def load(name: str) -> Mapping:
    """The mapping of a shipped name, or of a file. Raises `UsageError` (`FILE:LINE: reason`)."""
    if name in shipped():
        text = (files("streams.importing") / "mappings" / f"{name}.yaml").read_text("utf-8")
        return read_mapping(text, f"{name}.yaml")
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"there is no mapping and no file `{masked(name)}`; shipped are {', '.join(shipped())}")
    try:
        return read_mapping(path.read_text("utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 text: {error}") from None


def read_mapping(text: str, file: str) -> Mapping:
    """The mapping in `text`; `file` names it in messages. Raises `MappingError`."""
    root = read_yaml(text, file)
    top = root.table(TOP, "a mapping")
    delimiter = _delimiter(top)
    options = tuple(_option(name, node) for name, node in _entries(top, "options").items())
    names = Names(known={*BUILT_IN, *(option.name for option in options)})
    identity = _identity(top, names)
    values = _values(top, names)
    events = _events(top, "events", names, _shared(top, names, values))
    if not events:
        root.fail("a mapping needs `events`, a list with at least one")
    at_end = _at_end(top, options, names)
    name = Path(file).name.removesuffix(".yaml").removesuffix(".yml")
    return Mapping(
        name=name,
        source=_word(top, "source") or name,
        zone=read_zone(top.get("zone")),
        encoding=_word(top, "encoding") or "utf-8",
        delimiter=delimiter,
        options=options,
        optional=_optional(top),
        identity=identity,
        values=values,
        events=events,
        at_end=at_end,
        names=names,
    )


def _entries(top: dict[str, Node], name: str) -> dict[str, Node]:
    return top[name].table(what=f"`{name}`") if name in top else {}


def _word(top: dict[str, Node], name: str) -> str | None:
    return top[name].text(f"`{name}`") if name in top else None


def _option(name: str, node: Node) -> Option:
    if name in BUILT_IN:
        node.fail(f"`{name}` is a built-in name")
    table = node.table(("about", "required", "default"), f"option `{name}`")
    required = table["required"].scalar() if "required" in table else False
    if not isinstance(required, bool):
        table["required"].fail("`required` is true or false")
    return Option(name, required, _word(table, "default"))


def _optional(top: dict[str, Node]) -> frozenset[str]:
    members = top["optional"].items("`optional`") if "optional" in top else []
    return frozenset(member.text("a column") for member in members)


def _delimiter(top: dict[str, Node]) -> str:
    word = _word(top, "delimiter") or ","
    found = {"tab": "\t"}.get(word, word)
    if len(found) != 1:
        top["delimiter"].fail("`delimiter` is one character, or tab")
    return found


def _identity(top: dict[str, Node], names: Names) -> tuple[str, ...]:
    if "identity" not in top:
        return ()
    node = top["identity"]
    found = tuple(member.text("a name") for member in node.one_or_more())
    for name in found:
        if name in BUILT_IN:
            node.fail(f"`{name}` cannot be part of `identity`: it differs from import to import")
        names.refer(name, f"{node.file}:{node.line}")
    return found


def _values(top: dict[str, Node], names: Names) -> dict[str, Maker]:
    makers = {}
    for name, node in _entries(top, "values").items():
        if name in names.known:
            node.fail(f"`{name}` is already an option or a built-in name")
        maker = read_value(node, names)
        if name in names.columns:
            node.fail(f"`{name}` is a column ({names.columns[name]}): give the value another name")
        makers[name] = maker
        names.known.add(name)
    return makers


def _shared(top: dict[str, Node], names: Names, values: dict[str, Maker]) -> dict[str, Node]:
    """The fields of every event; what differs from row to row becomes a value, made once a row."""
    shared = {}
    for name, node in _entries(top, "fields").items():
        shared[name] = node
        if node.is_table and not set(node.value).isdisjoint(OPERATIONS):
            values[f"fields.{name}"] = read_value(node, names)
            names.known.add(f"fields.{name}")
            shared[name] = Node(f"{{fields.{name}}}", node.file, node.line)
    return shared


def _events(
    top: dict[str, Node], where: str, names: Names, shared: dict[str, Node] | None = None
) -> tuple[EventPlan, ...]:
    if where not in top:
        return ()
    plans: dict[str, EventPlan] = {}
    for node in top[where].items(f"`{where}`"):
        plan = read_event(node, names, top.get("topic"), shared or {})
        if plan.label in plans:
            raise MappingError(f"{node.file}:{node.line}: two events have the id `{plan.label}`")
        plans[plan.label] = plan
    return tuple(plans.values())


def _at_end(top: dict[str, Node], options: tuple[Option, ...], names: Names) -> tuple[EventPlan, ...]:
    ending = Names(known={*BUILT_IN[2:], *(option.name for option in options)})
    plans = _events(top, "at_end", ending)
    for name, where in ending.columns.items():
        raise MappingError(f"{where}: `{name}` belongs to a row; at the end there are options and `file_time` only")
    names.used |= ending.used
    return plans
