"""YAML in which every value knows its line, so that a mistake is named by file and line.

Plain scalars are `true`, `false`, `null`, numbers, and else texts: `0:00:00`, `2010-08-01` and `Yes` stay what
they look like, unlike in YAML 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from agents.texts import written
from schemas.errors import UsageError

Scalar = str | int | float | bool | None
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None, "~": None, "": None}
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII).fullmatch
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+", re.ASCII).fullmatch


class MappingError(UsageError):
    """A mistake in a mapping file: `FILE:LINE: reason`."""


@dataclass(frozen=True)
class Node:
    """One value of the file: a scalar, a list of nodes or a table (name to node)."""

    value: Any
    file: str
    line: int

    def fail(self, reason: str) -> NoReturn:
        """Raise `MappingError` for this place."""
        raise MappingError(f"{self.file}:{self.line}: {reason}")

    @property
    def is_table(self) -> bool:
        """Whether this is a table (name: value)."""
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        """Whether this is a list."""
        return isinstance(self.value, list)

    def table(self, known: Iterable[str] | None = None, what: str = "this") -> dict[str, Node]:
        """The table's entries; fails for anything else, and for a name that is not `known`."""
        if not isinstance(self.value, dict):
            self.fail(f"{what} is a table of `name: value`")
        for name, node in self.value.items() if known is not None else ():
            if name not in (known or ()):
                node.fail(f"{what} has no `{name}`; it may have {', '.join(known or ())}")
        return self.value

    def items(self, what: str = "this") -> list[Node]:
        """The list's members; fails for anything else."""
        if not isinstance(self.value, list):
            self.fail(f"{what} is a list")
        return self.value

    def one_or_more(self, what: str = "this") -> list[Node]:
        """A list's members, or the one value itself."""
        return self.items(what) if self.is_list else [self]

    def scalar(self, what: str = "this") -> Scalar:
        """A text, number, `true`, `false` or null; fails for anything else."""
        if isinstance(self.value, (dict, list)):
            self.fail(f"{what} is one value, no list and no table")
        value: Scalar = self.value
        return value

    def text(self, what: str = "this") -> str:
        """A text that is not empty; numbers and `true` become their text."""
        value = self.scalar(what)
        if value is None or value == "":
            self.fail(f"{what} is empty")
        return written(value)


class _Loader(yaml.SafeLoader):
    """Without anchors and aliases: a reader should see at each place what stands there."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event: yaml.Event = self.get_event()  # type: ignore[no-untyped-call]
            problem = "anchors and aliases are not used here"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)  # type: ignore[arg-type]
        return super().compose_node(parent, index)


def read_yaml(text: str, file: str) -> Node:
    """The root of a YAML text. Raises `MappingError` with the line of what is no YAML."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise MappingError(f"{file}:{mark.line + 1 if mark else 1}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise MappingError(f"{file}:1: not YAML: {' '.join(str(error).split())}") from None
    if root is None:
        raise MappingError(f"{file}:1: the file is empty")
    return _node(root, file)


def _node(found: yaml.Node, file: str) -> Node:
    line = found.start_mark.line + 1
    if isinstance(found, yaml.ScalarNode):
        return Node(found.value if found.style else _plain(found.value), file, line)
    if isinstance(found, yaml.SequenceNode):
        return Node([_node(member, file) for member in found.value], file, line)
    table: dict[str, Node] = {}
    for key, value in found.value:
        place = Node(None, file, key.start_mark.line + 1)
        if not isinstance(key, yaml.ScalarNode):
            place.fail("a name is one word, no list and no table")
        if key.value in table:
            place.fail(f"`{key.value}` stands here twice")
        table[key.value] = _node(value, file)
    return Node(table, file, line)


def _plain(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if _INT(text):
        return int(text)
    return float(text) if _FLOAT(text) else text
