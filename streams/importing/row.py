"""The names that a mapping's values refer to, and where a row has them.

A row is one list: the cells of the file (stripped, None for empty ones), a None for columns that may be
missing, what is known of every row (built-in names, options), then the mapping's own values in their order.
A name becomes an index once, before the first row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from schemas.errors import UsageError
from schemas.masking import masked
from streams.importing.reader import header_doubt
from streams.importing.times import LocalTime

Row = list[Any]
Getter = Callable[[Row], Any]
Test = Callable[[Row], bool]

ROW_ID, ROW_NUMBER, FILE_TIME = "row_id", "row_number", "file_time"
BUILT_IN = (ROW_ID, ROW_NUMBER, FILE_TIME)


@dataclass(frozen=True)
class Layout:
    """Name to index, for one file, and the settings that values need."""

    places: Mapping[str, int]
    zone: str
    country_code: str

    def getter(self, name: str, none: frozenset[str] = frozenset()) -> Getter:
        """Read `name` from a row: None when it has no value, or one of the words `none`."""
        index = self.places[name]
        if not none:
            return itemgetter(index)
        return lambda row: None if row[index] in none else row[index]

    def local_time(self, zone: str | None, form: str | None) -> LocalTime:
        """Times as the file writes them."""
        return LocalTime(zone or self.zone, form)


Maker = Callable[[Layout], Getter]


@dataclass
class Names:
    """What may be referred to at this point of a mapping, and which columns were."""

    known: set[str]
    columns: dict[str, str] = field(default_factory=dict)
    """Column to the place of its first use, `FILE:LINE`."""
    used: set[str] = field(default_factory=set)

    def refer(self, name: str, where: str) -> None:
        """Note a use of `name`: a value, option or built-in name, else a column of the file."""
        self.used.add(name)
        if name not in self.known:
            self.columns.setdefault(name, where)


def places_of(
    columns: list[str],
    static: Iterable[str],
    values: Iterable[str],
    names: Names,
    optional: frozenset[str],
    file: str,
) -> dict[str, int]:
    """The index of every name. Raises `UsageError` for a column that `file` has not."""
    places = {name: index for index, name in enumerate(columns)}
    for name, where in names.columns.items():
        if name not in places and name not in optional:
            has = masked(", ".join(columns)) + header_doubt(columns)
            raise UsageError(f"{file}: has no column `{name}`, which {where} reads; it has {has}")
    absent = {name: len(columns) for name in optional if name not in places}
    further = {name: index for index, name in enumerate((*static, *values), len(columns) + 1)}
    return absent | places | further
