"""A mapping bound to one file's columns: rows in, events out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.errors import RecordError, UsageError
from schemas.event_type import EventType
from schemas.events.state import EVENT as STATE_EVENT
from schemas.events.state import SNAPSHOT
from schemas.masking import masked
from streams.importing.mapping import Mapping
from streams.importing.row import BUILT_IN, FILE_TIME, Getter, Layout, places_of

STATE = STATE_EVENT.topic
OWN_NAMES = ("list", "version")
"""Options of a mapping that `yupan import` takes by their own names; any other is given with --set."""


class Made(NamedTuple):
    """An event that a row yields. `id` is the same in every import of the same row."""

    event: EventType
    record: dict[str, Any]
    id: str


@dataclass(frozen=True)
class Surroundings:
    """What an import knows besides the rows."""

    zone: str
    country_code: str
    file_time: int
    """When the file was last changed (ms), or the time given with `--at`."""
    options: AnyMapping[str, str]
    snapshot: bool = False
    """Whether the file is a full export of one system: its states say so."""
    file: str = "the file"
    """Its name in messages."""


class Program:
    """Turns the rows of one file into events."""

    def __init__(self, mapping: Mapping, header: list[str], around: Surroundings) -> None:
        """Raise `UsageError` for a missing column or option."""
        options = _options(mapping, around.options)
        static = (*BUILT_IN, *options)
        places = places_of(header, static, mapping.values, mapping.names, mapping.optional, around.file)
        layout = Layout(places, mapping.zone or around.zone, around.country_code)
        self.source = mapping.source
        self.repeated = 0
        """Rows that repeat an earlier row of the same identity to the letter: they yield nothing."""
        self._width = len(header)
        self._file_time = around.file_time
        self._options = list(options.values())
        self._values = [maker(layout) for maker in mapping.values.values()]
        self._identity = [layout.getter(name) for name in mapping.identity]
        self._events = [(plan.event, plan.label, plan.bind(layout)) for plan in mapping.events]
        self._at_end = [(plan.event, plan.bind(layout)) for plan in mapping.at_end]
        self._salt = _salt(mapping, options, around.file_time)
        self._snapshot = around.snapshot
        if around.snapshot and STATE not in {plan.event.topic for plan in mapping.events}:
            raise UsageError(f"--snapshot: the mapping {mapping.name} makes no states ({STATE})")
        self._seen: dict[str, tuple[int, ...]] = {}

    def events(self, number: int, cells: list[str]) -> list[Made]:
        """The events of row `number` (1: the first below the header). Raises `RecordError`: the row yields none."""
        row: list[Any] = [cell.strip() or None for cell in cells]
        row += (None, None, number, self._file_time, *self._options)
        row_id = self._row_id(cells, row)
        if row_id is None:
            self.repeated += 1
            return []
        row[self._width + 1] = row_id
        for value in self._values:
            row.append(value(row))
        digest = hashlib.blake2b((self._salt + row_id).encode(), digest_size=16).hexdigest()
        made = []
        for event, label, record_of in self._events:
            record = record_of(row)
            if record is not None:
                if self._snapshot and event.topic == STATE:
                    record["reason"] = SNAPSHOT
                made.append(Made(event, record, f"{digest}-{label}"))
        return made

    def at_end(self) -> list[Made]:
        """The events that follow the last row."""
        row: list[Any] = [None] * (self._width + 3) + [self._file_time, *self._options]
        found = [(event, record_of(row)) for event, record_of in self._at_end]
        return [Made(event, record, event.content_id(record)) for event, record in found if record is not None]

    def _row_id(self, cells: list[str], row: list[Any]) -> str | None:
        """The identity's texts with `-` between, then `~2`, `~3` for further rows of that identity; None: a repeat."""
        if not self._identity:
            return hashlib.blake2b("\x1f".join(cells).encode(), digest_size=16).hexdigest()
        found = _texts(self._identity, row)
        content = hash(tuple(cells))
        seen = self._seen.get(found)
        if seen is None:
            self._seen[found] = (content,)
            return found
        if content in seen:
            return None
        self._seen[found] = (*seen, content)
        return f"{found}~{len(seen) + 1}"


def _texts(identity: list[Getter], row: list[Any]) -> str:
    found = [get(row) for get in identity]
    if not any(found):
        raise RecordError("missing_field", "the columns of the row's identity are empty")
    return "-".join("" if part is None else part for part in found)


def _options(mapping: Mapping, given: AnyMapping[str, str]) -> dict[str, str | None]:
    known = {option.name: option for option in mapping.options}
    for name in given:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"the mapping {mapping.name} has no option `{masked(name)}`; {has}")
    for option in mapping.options:
        if option.required and option.name not in given:
            how = f"--{option.name} …" if option.name in OWN_NAMES else f"--set {option.name}=…"
            raise UsageError(f"the mapping {mapping.name} needs the option `{option.name}` ({how})")
    options = {name: given.get(name, option.default) for name, option in known.items()}
    for plan in (*mapping.events, *mapping.at_end):
        for field, name in plan.handed.items() if plan.condition is None else ():
            _check_option(plan.event, field, name, options.get(name))
    return options


def _check_option(event: EventType, field: str, option: str, word: str | None) -> None:
    """Refuse a word that every row would be refused for. Raises `UsageError`."""
    check = event.fields[field].check
    try:
        if word is not None and check is not None:
            check(event.fields[field].parse(word))
    except RecordError as error:
        raise UsageError(f"the option `{option}`: {error}") from None


def _salt(mapping: Mapping, options: AnyMapping[str, str | None], file_time: int) -> str:
    parts = [mapping.source, *(f"{name}={value}" for name, value in options.items())]
    if FILE_TIME in mapping.names.used:
        parts.append(str(file_time))
    return "\x1f".join(parts) + "\x1e"
