"""YAML that is read strictly: every key known, every type right, every error with its file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from agents.texts import PLACEHOLDER
from schemas.errors import UsageError
from schemas.fields import LONGEST

LANGUAGES = ("zh", "en")
_SPAN = re.compile(r"(\d{1,15}) ?(ms|s|min|h|d)").fullmatch
_WIDE = re.compile(r"\s*(?:- +)*([A-Za-z_][\w.]*) *：").match
"""A key before the colon of a Chinese keyboard, which is none to YAML: what follows is taken for something else."""
_KEY = re.compile(r"\s*(?:- +)*[\w.]+:(?:\s|$)").match
_SHARE = re.compile(r"(\d{1,3}(?:\.\d+)?) ?%").fullmatch
_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_PLAIN = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null"))
_TABLES = frozenset(f"tag:yaml.org,2002:{name}" for name in ("map", "seq"))


class FileError(UsageError):
    """What is wrong in a file, and where: `activation.yaml:12: within: …`."""

    def __init__(self, file: Path, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.line = line
        self.reason = reason


def load(file: Path) -> Section:
    """The mapping that `file` holds. Raises `FileError`."""
    text = _text(file)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _wide_before(file, text, line) or FileError(file, line, f"not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise FileError(file, 1, f"not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise FileError(file, 1, "is nested too deeply") from None
    if node is None:
        raise FileError(file, 1, "is empty")
    return Section(file, Item(file, "", node).must(yaml.MappingNode, "a mapping of keys to values"), "")


def _wide_before(file: Path, text: str, line: int) -> FileError | None:
    """The error to raise when it is a full-width colon, above, that makes `line` no YAML."""
    for number, told in reversed(list(enumerate(text.splitlines()[:line], 1))):
        if found := _WIDE(told):
            return FileError(file, number, f"{found[1]}: {_wide_colon(found[1])}")
        if number < line and _KEY(told):
            return None
    return None


def _wide_colon(key: str) -> str:
    return f"stands before a full-width colon (：); write `{key}:` with the colon of ASCII, and a space"


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise FileError(file, 1, f"cannot be read ({error.strerror})") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(file, data.count(b"\n", 0, error.start) + 1, "is not UTF-8; save it as UTF-8") from None


class Item:
    """One value and where it stands. `path` names it for people: `cases[2].at`."""

    def __init__(self, file: Path, path: str, node: yaml.Node) -> None:
        self.file = file
        self.path = path
        self.node = node
        self.key_line = node.start_mark.line + 1
        self._key: Item | None = None

    @property
    def key(self) -> Item:
        """The name under which a mapping has it."""
        return self if self._key is None else self._key  # not kept as itself: a worker's memory holds cycles for ever

    @key.setter
    def key(self, name: Item) -> None:
        self._key = name

    def fail(self, reason: str) -> FileError:
        """The error to raise about this value."""
        text = f"{self.path}: {reason}" if self.path else reason
        return FileError(self.file, self.node.start_mark.line + 1, text)

    def must(self, kind: type[yaml.Node], wanted: str) -> Any:
        """The node, which has to be of `kind`."""
        if not isinstance(self.node, kind):
            found = _WIDE(str(self.node.value)) if kind is yaml.MappingNode else None
            raise self.fail(f"{found[1]} {_wide_colon(found[1])}" if found else f"should be {wanted}")
        if isinstance(self.node, yaml.CollectionNode) and self.node.tag not in _TABLES:
            raise self.fail(f"should be {wanted}, without a tag")
        return self.node

    def plain(self) -> str | int | float | bool | None:
        """The scalar as YAML understands it."""
        node = self.must(yaml.ScalarNode, "a single value")
        if node.tag not in _PLAIN:
            raise self.fail("should be a text, a number or a boolean; put a date into quotes")
        try:
            value: str | int | float | bool | None = SafeConstructor().construct_object(node, deep=True)
        except (ValueError, LookupError):
            raise self.fail("is not what its tag says, or too long a number") from None
        return value

    def text(self) -> str:
        """A text that is not empty."""
        value = self.plain()
        if not isinstance(value, str) or not value.strip():
            raise self.fail("should be a text that is not empty")
        return value

    def whole(self) -> int:
        """A whole number."""
        value = self.plain()
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.fail("should be a whole number")
        return value

    def count(self, most: int | None = None) -> int:
        """A whole number of at least one."""
        value = self.whole()
        if value < 1:
            raise self.fail("should be at least 1")
        if most is not None and value > most:
            raise self.fail(f"should be at most {most}")
        return value

    def flag(self) -> bool:
        """`true` or `false`."""
        value = self.plain()
        if not isinstance(value, bool):
            raise self.fail("should be true or false")
        return value

    def share(self) -> float:
        """The part of one that `90 %` is."""
        found = _SHARE(str(self.plain()))
        if found is None or not 0 < float(found[1]) <= 100:
            raise self.fail("should be a share such as 90 % or 99.5 %")
        return float(found[1]) / 100

    def span(self) -> int:
        """Milliseconds of `30 s`, `10 min`, `24 h`."""
        found = _SPAN(str(self.plain()))
        if found is None:
            raise self.fail("should be a time span such as 30 s, 10 min, 24 h or 3 d")
        span = int(found[1]) * _UNITS[found[2]]
        if span >= LONGEST:
            raise self.fail(f"should be less than {LONGEST // _UNITS['d']} d")
        return span

    def positive_span(self) -> int:
        """A time span that is more than nothing, in milliseconds."""
        span = self.span()
        if span == 0:
            raise self.fail("should be more than nothing")
        return span

    def one_of(self, *words: str) -> str:
        """One of `words`."""
        value = self.text()
        if value not in words:
            raise self.fail(f"{value!r} is not one of {', '.join(words)}")
        return value

    def mode(self, *words: str) -> str:
        """One of `words` as it is written: YAML takes a bare `on` or `off` for a boolean."""
        text = str(self.must(yaml.ScalarNode, "a single value").value)
        if text not in words:
            raise self.fail(f"{text!r} is not one of {', '.join(words)}")
        return text

    def filled(self, known: frozenset[str]) -> dict[str, str]:
        """A text for people whose placeholders can all be filled in."""
        texts, section = self.texts(), self.section()
        for language in texts:
            section.take(language).template(known)
        return texts

    def template(self, known: frozenset[str]) -> str:
        """A single text whose placeholders can all be filled in."""
        text = self.text()
        for name in PLACEHOLDER.findall(text):
            if name not in known:
                names = ", ".join(f"{{{n}}}" for n in sorted(known)) or "none"
                raise self.fail(f"unknown placeholder {{{name}}}; known are {names}")
        if any(brace in PLACEHOLDER.sub("", text) for brace in "{}"):
            raise self.fail("has a brace without its counterpart; a placeholder is {NAME}")
        return text

    def items(self) -> list[Item]:
        """The members of a list."""
        node = self.must(yaml.SequenceNode, "a list")
        return [Item(self.file, f"{self.path}[{n}]", member) for n, member in enumerate(node.value, 1)]

    def section(self) -> Section:
        """The mapping that this is."""
        return Section(self.file, self.must(yaml.MappingNode, "a mapping of keys to values"), self.path)

    def texts(self) -> dict[str, str]:
        """A text for people: both languages, no other."""
        section = self.section()
        section.only(*LANGUAGES)
        return {language: section.take(language).text().strip() for language in LANGUAGES}


class Section:
    """A mapping of which each key stands there once; `only` refuses what nobody knows."""

    def __init__(self, file: Path, node: yaml.MappingNode, path: str) -> None:
        self.here = Item(file, path, node)
        self._items: dict[str, Item] = {}
        for key, value in node.value:
            name = str(key.value)
            item = Item(file, f"{path}.{name}" if path else name, value)
            if found := _WIDE(name):
                raise Item(file, path, key).fail(f"{found[1]} {_wide_colon(found[1])}")
            if name in self._items:
                raise FileError(file, key.start_mark.line + 1, f"{item.path}: stands here twice")
            item.key_line = key.start_mark.line + 1
            item.key = Item(file, item.path, key)
            self._items[name] = item

    def take(self, name: str) -> Item:
        """The value of a key that has to be there."""
        item = self.get(name)
        if item is None:
            raise self.here.fail(f"{name} is missing")
        return item

    def get(self, name: str) -> Item | None:
        """The value of a key that may be left out."""
        return self._items.get(name)

    def items(self) -> Iterable[tuple[str, Item]]:
        """All keys with their values."""
        return self._items.items()

    def only(self, *known: str) -> None:
        """Raise `FileError` for a key that is not `known`: first of all, since a misspelt one is missing, too."""
        for name, item in self._items.items():
            if name not in known:
                raise FileError(
                    self.here.file, item.key_line, f"{item.path}: unknown key; known are {', '.join(known)}"
                )
