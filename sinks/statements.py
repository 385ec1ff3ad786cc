"""What the ways to ClickHouse share: parameters in SQL, and what an error of the engine means for us."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.errors import PartError, UsageError, YupanError
from schemas.masking import mask

Row = dict[str, Any]
Params = Mapping[str, object]

SETTING = "YUPAN_CLICKHOUSE"


class RefusedError(YupanError):
    """ClickHouse refuses the data of an insert: trying again changes nothing."""


class NotMigratedError(PartError):
    """The database, a table or a column is not there (yet)."""


_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0", "\n": "\\n", "\r": "\\r"})


def render(sql: str, params: Params | None) -> str:
    """Put the literals of `params` in the place of `{name}`; server-side parameters came after 18.16."""
    values = params or {}
    return _PLACEHOLDER.sub(lambda match: literal(values[match[1]]), sql)


def literal(value: object) -> str:
    """One value as SQL; a list or tuple becomes what stands behind IN."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return f"'{value.translate(_ESCAPES)}'"
    if isinstance(value, (list, tuple)) and value:
        return f"({', '.join(literal(each) for each in value)})"
    raise TypeError(f"no literal for {type(value).__name__}")


_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


def insert_into(table: str, columns: Iterable[str]) -> str:
    """The head of an INSERT; raises `UsageError` for what is no plain name."""
    names = list(columns)
    for name in (table, *names):
        if not _IDENTIFIER.fullmatch(name):
            raise UsageError("an insert names a table and columns in lower-case letters, digits and _")
    return f"INSERT INTO `{table}` ({', '.join(f'`{name}`' for name in names)})"


_MISSING = {16, 60, 81}
"""NO_SUCH_COLUMN_IN_TABLE, UNKNOWN_TABLE, UNKNOWN_DATABASE."""
_DATA = {6, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 131, 190, 349, 469}
"""What only the rows of an insert can cause; any other code means ClickHouse, not the row, is unwell."""
_STATEMENT = {42, 43, 44, 46, 47, 48, 62, 184, 215}
"""A statement of ours that is wrong: syntax, unknown names, wrong arguments."""
_ACCESS = {164, 192, 193, 194, 195, 291, 497, 516}
_FULL = {243}
_NO_SPACE = re.compile(r"not enough space|No space left|errno: 28", re.IGNORECASE)


def fault(code: int, text: str, where: str) -> YupanError:
    """What an error of the engine means for us, in one line that names the setting and the remedy."""
    if code in _MISSING:
        return NotMigratedError(f"{where} (YUPAN_CLICKHOUSE) lacks our tables (run `yupan migrate`): {clean(text)}")
    if code in _FULL or _NO_SPACE.search(text):
        return PartError(f"the disk of {where} is full: free space there, or let {SETTING} name another place")
    if code in _DATA:
        return RefusedError(f"ClickHouse refuses the data (code {code}): {without_data(text)}")
    if code in _STATEMENT:
        return YupanError(f"ClickHouse refuses a statement of ours (code {code}): {clean(text)}")
    if code in _ACCESS:
        return PartError(f"{where} refuses us; check user, password and rights ({SETTING}): {clean(text)}")
    return PartError(f"{where} cannot do it now (code {code}; see {SETTING}): {clean(text)}")


def unreachable(where: str, error: BaseException) -> PartError:
    """Nobody answers at the address."""
    reason = clean(str(error)) or type(error).__name__
    return PartError(f"{where} cannot be reached; start it, or correct {SETTING}: {reason}")


_CODE = re.compile(r"Code: (\d+)")
_LONG_NUMBER = re.compile(r"\d{11,}")
_NOISE = re.compile(r"Code: \d+\.?|DB::Exception:|\(version [\d.]+[^)]*\)")


def code_of(text: str) -> int:
    """The engine's error code in an error text, 0 when it names none."""
    found = _CODE.search(text)
    return int(found[1]) if found else 0


def clean(text: str) -> str:
    """An engine's error text as one line without stack trace and without any MSISDN."""
    short = " ".join(_NOISE.sub("", text.split("Stack trace", 1)[0]).split())
    return _LONG_NUMBER.sub(lambda match: mask(match[0]), short)[:300].rstrip(" .,")


_COLUMN = re.compile(r"(?:key|Column) `?([a-z_]+)")


def without_data(text: str) -> str:
    """An error text about rows, cut before it quotes them: they hold what customers wrote."""
    column = _COLUMN.search(text)
    head = clean(re.split(r"before:|: \(|\bvalue\b|\n", text, maxsplit=1)[0])
    return f"{head} (column {column[1]})" if column else head
