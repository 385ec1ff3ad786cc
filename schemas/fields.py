"""The types of the fields of our records, as annotations that also carry their Avro form and their rule.

A record is a plain dict at run time (a `TypedDict` for the type checker), because a decoded Avro
record is one already and the hot path copies nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

from schemas.errors import RecordError
from schemas.masking import shown

EARLIEST = 631_152_000_000
"""1990-01-01T00:00Z in milliseconds: what is older is a broken clock, not an event."""
LATEST = 253_402_300_799_999
"""The last millisecond of the year 9999: what is later has no ISO 8601 form."""
FAR_FUTURE = 3_600_000
"""How far ahead of the wall clock, in milliseconds, an event may lie."""

NAME = 256
"""Characters of a name or an identifier: what is longer is none."""
VALUE = 1_000
"""Characters of a text that is the value of a state or a fact."""
LANGUAGES = 4
"""Languages of a text for people."""

_MSISDN = re.compile(r"[1-9][0-9]{10,14}", re.ASCII).fullmatch
NATIONAL = {"86": "1[3-9][0-9]{9}", "1": "[2-9][0-9]{9}", "852": "[4-9][0-9]{7}", "853": "6[0-9]{7}"}
"""Country code to the national numbers of its mobile subscribers: what `publish` and `import` complete."""
_is_national = {code: re.compile(pattern, re.ASCII).fullmatch for code, pattern in NATIONAL.items()}


@dataclass(frozen=True, eq=False)
class Rule:
    """What Avro cannot say about a field: `check(value)` raises `RecordError` without naming the field."""

    check: Callable[[Any], None]
    avro: Any = None
    """The Avro type when the annotation's Python type does not say it all."""
    words: tuple[str, ...] = ()
    """The known words of an *open* set; the set may grow without a new schema."""


def is_msisdn(value: object, country_code: str = "") -> bool:
    """Whether `value` is digits with country code, 11 to 15 (`8613800138000`).

    With `country_code`: and no national number of that country, which for 86 may be as long.
    """
    return isinstance(value, str) and _MSISDN(value) is not None and not is_national(value, country_code)


def is_national(number: str, country_code: str) -> bool:
    """Whether `number` is one as people of that country write it, without the country's code."""
    matches = _is_national.get(country_code)
    return matches is not None and matches(number) is not None


def check_international(msisdn: str | None, country_code: str) -> None:
    """Refuse a record's `msisdn` that is a national number of that country. Raises `RecordError(bad_msisdn)`."""
    if msisdn is not None and is_national(msisdn, country_code):
        said = "a national number; topics carry the country code (publish and import add it)"
        raise RecordError("bad_msisdn", said, "msisdn")


def _check_msisdn(value: str) -> None:
    if _MSISDN(value) is None:
        raise RecordError("bad_msisdn", "no MSISDN: 11 to 15 digits, with country code")


def check_time(value: int) -> None:
    """Refuse what lies before 1990; the far future depends on a clock and is intake's to judge."""
    if not EARLIEST <= value <= LATEST:
        raise RecordError("bad_time", "before 1990" if value < EARLIEST else "after the year 9999")


def international(number: str, country_code: str) -> str:
    """A number as people write it, with the country code: what `publish` and `import` do for upstream.

    `13800138000`, `+86 138-0013-8000` and `008613800138000` all become `8613800138000`; what is no number of
    `NATIONAL` comes back as it is, for the validation to judge.
    """
    digits = re.sub(r"[\s\-()]", "", number)
    if digits.startswith("+"):
        return digits[1:]
    if digits.startswith("00"):
        return digits[2:]
    return country_code + digits if is_national(digits, country_code) else digits


def millis(value: object) -> int:
    """Epoch milliseconds from milliseconds or ISO 8601 with offset. Raises `RecordError(bad_time)`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise RecordError("bad_time", "a time is epoch milliseconds or ISO 8601 with offset")
    if isinstance(value, (int, float)):
        if isinstance(value, float) and not value.is_integer():
            raise RecordError("bad_time", "epoch milliseconds are whole")
        return int(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise RecordError("bad_time", f"{shown(value)} is not ISO 8601") from None
    if moment.tzinfo is None:
        raise RecordError("bad_time", f"{shown(value)} has no offset; write for example +08:00 or Z")
    return round((moment - _EPOCH).total_seconds() * 1000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = 10_000 * 86_400_000
"""Milliseconds: every time span in settings and files of checks is less, so that times stay in the calendar."""


def iso(at: int) -> str:
    """Epoch milliseconds as ISO 8601 UTC with milliseconds: `2026-11-22T04:00:00.000Z`."""
    second, ms = divmod(at, 1000)
    return f"{_iso_second(second)}.{ms:03d}Z"


@lru_cache(maxsize=4096)
def _iso_second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def open_set(*words: str) -> Rule:
    """A string validated against a list that may grow without a new schema version."""
    return Rule(_one_of(words), words=words)


def enum(name: str, *symbols: str) -> Rule:
    """A closed set: an Avro enum `name` with the default UNKNOWN, which stands for a symbol that we do not know yet.

    UNKNOWN is refused like any other foreign word: the dead letter can be replayed once we know the symbol.
    """
    avro = {"type": "enum", "name": name, "symbols": ["UNKNOWN", *symbols], "default": "UNKNOWN"}
    return Rule(_one_of(symbols), avro=avro, words=symbols)


def _one_of(words: tuple[str, ...]) -> Callable[[str], None]:
    known = frozenset(words)

    def check(value: str) -> None:
        if value not in known:
            raise RecordError("bad_value", f"{shown(value)} is not one of {', '.join(words)}")

    return check


def each(check: Callable[[Any], None], most: int | None = None) -> Rule:
    """A list of which every item keeps `check`, of at most so many items."""

    def check_all(values: list[Any]) -> None:
        if most is not None and len(values) > most:
            raise RecordError("too_large", f"has {len(values)} items, at most {most} are taken")
        for value in values:
            check(value)

    return Rule(check_all)


def bounded(low: float, high: float, avro: Any = None) -> Rule:
    """A number within `low` and `high`, both included."""

    def check(value: float) -> None:
        if not low <= value <= high:
            raise RecordError("bad_value", f"{shown(value)} is not between {low:g} and {high:g}")

    return Rule(check, avro=avro)


def check_length(value: str, most: int = NAME) -> None:
    """Refuse a text that is too long: what is kept of a customer is bounded (docs/ARCHITECTURE.md, "The ledger")."""
    if len(value) > most:
        raise RecordError("too_large", f"has {len(value)} characters, at most {most} are taken")


def check_value(value: object) -> None:
    """Refuse a text that is too long, and a number that is none: NaN and infinity cannot be rounded to whole fen."""
    if type(value) is str:
        check_length(value, VALUE)
    elif type(value) is float and value - value != 0.0:
        raise RecordError("bad_value", "is not a finite number")


def check_filled(value: str) -> None:
    """Refuse the empty text."""
    if not value:
        raise RecordError("bad_value", "is empty")


def _check_id(value: str) -> None:
    check_filled(value)
    check_length(value)


def check_text(text: dict[str, str], most: int | None = None) -> None:
    """Refuse a text in too many languages, or of more than `most` characters in one of them."""
    if len(text) > LANGUAGES:
        raise RecordError("too_large", f"has {len(text)} languages, at most {LANGUAGES} are taken")
    for language, words in text.items():
        check_length(language, 16)
        if most is not None:
            check_length(words, most)


TIME = {"type": "long", "logicalType": "timestamp-millis"}

Millis = Annotated[int, Rule(check_time, avro=TIME)]
"""A moment: epoch milliseconds, UTC."""
Msisdn = Annotated[str, Rule(_check_msisdn)]
Id = Annotated[str, Rule(_check_id)]
"""An identifier: any string but the empty one, up to `NAME` characters, as every `str` of a record."""
Prose = Annotated[str, "of any length"]
"""What people have written; what is kept of it for the desk is cut."""
Share = Annotated[float, bounded(0, 1)]
Int = Annotated[int, bounded(-(2**31), 2**31 - 1, avro="int")]
Value = None | str | int | float | bool
"""The value of a state or fact. Its Avro branches (null, string, long, double, boolean) are fixed for ever."""
MaybeValue = Annotated[Value, "default null"]
"""A value that may be left out."""
Text = Annotated[dict[str, str], Rule(check_text)]
"""A text for people: language (`zh`, `en`) to wording."""
SYSTEMS = ("order", "crm", "hlr", "ocs", "vas", "sacp", "smsc")
System = Annotated[str, open_set(*SYSTEMS)]
"""Who holds a state (an open set)."""
SEGMENTS = ("MID_HIGH", "NEW", "CAMPUS", "RURAL")
Segment = Annotated[str, open_set(*SEGMENTS)]
"""A customer's one segment; null stands for none."""
Severity = Annotated[str, enum("Severity", "CRITICAL", "MAJOR", "MINOR", "WARNING")]
Facts = dict[str, Value]
"""A map of names to values."""
