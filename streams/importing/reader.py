"""CSV files, plain or gzip, row by row: what cannot be read of one row does not stop the others."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, NamedTuple

from schemas.errors import RecordError, UsageError
from schemas.masking import shown

_GZIP = b"\x1f\x8b"
_BOM = "\ufeff"
_DIGIT, _LETTER = re.compile(r"\d").search, re.compile(r"[^\W\d_]").search


class Line(NamedTuple):
    """A row below the header. `number` counts rows from 1, `line` is its last line in the file."""

    number: int
    line: int
    cells: list[str]
    error: RecordError | None


class Table(AbstractContextManager["Table"]):
    """An open CSV file: `header`, then the rows.

    Raises `UsageError` for a file that cannot be opened, has no header, or names a column twice.
    """

    def __init__(self, path: Path, encoding: str, delimiter: str) -> None:
        _check_encoding(encoding)
        self.path = path
        self._encoding = encoding
        self._bad_text = False
        try:
            self._raw: IO[bytes] = path.open("rb")
            self.size = path.stat().st_size
            packed = self._raw.read(2) == _GZIP
            self._raw.seek(0)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}") from None
        self._bytes: IO[bytes] = gzip.GzipFile(fileobj=self._raw) if packed else self._raw  # type: ignore[assignment]
        self._rows = csv.reader(self._texts(), delimiter=delimiter, strict=True)
        self.header = self._header()

    def __exit__(self, *exc: object) -> None:
        self._raw.close()

    def position(self) -> int:
        """How many bytes of the file (packed, if it is) have been read: `size` at the end."""
        return self._raw.tell()

    def __iter__(self) -> Iterator[Line]:
        """The rows; empty lines are none."""
        number, width = 0, len(self.header)
        while True:
            error = None
            cells: list[str] = []
            begins = self._rows.line_num + 1
            try:
                cells = next(self._rows)
            except StopIteration:
                return
            except csv.Error as problem:
                self._bad_text = False
                error = RecordError("bad_value", _no_csv(problem, begins, self._rows.line_num))
            except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
                yield Line(number + 1, self._rows.line_num, [], _damaged(problem))
                return
            if not cells and error is None:
                continue
            number += 1
            yield Line(number, self._rows.line_num, cells, error or self._judge(cells, width))

    def _judge(self, cells: list[str], width: int) -> RecordError | None:
        if self._bad_text:
            self._bad_text = False
            return RecordError("bad_type", f"is not {self._encoding}; say what it is with --encoding, such as gb18030")
        if len(cells) != width:
            return RecordError("bad_value", f"has {len(cells)} cells, the header {width}")
        return None

    def _texts(self) -> Iterator[str]:
        encoding, mark = self._encoding, _BOM
        for line in self._bytes:
            try:
                text = line.decode(encoding)
            except UnicodeDecodeError:
                self._bad_text = True
                text = line.decode(encoding, "replace")
            yield text.removeprefix(mark) if mark else text
            mark = ""

    def _header(self) -> list[str]:
        try:
            found = next(self._rows)
        except StopIteration:
            raise UsageError(f"{self.path}: the file is empty; its first line names the columns") from None
        except (csv.Error, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UsageError(f"{self.path}: cannot be read: {error}") from None
        if self._bad_text:
            raise UsageError(f"{self.path}: not {self._encoding}; say what it is with --encoding, such as gb18030")
        names = [name.strip() for name in found]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            told = ", ".join(map(shown, twice))
            raise UsageError(f"{self.path}: the header has {told} more than once{header_doubt(names)}")
        return names


def header_doubt(columns: list[str]) -> str:
    """A question for the end of a message about a header that looks like data, else nothing."""
    like_data = any(_DIGIT(name) and not _LETTER(name) for name in columns)
    return "; is the line with the columns' names missing?" if like_data else ""


def _no_csv(problem: Exception, begins: int, ends: int) -> str:
    """A quotation mark that nothing closes takes in all lines behind it, so it must be found."""
    taken = f" (the row begins on line {begins}: is a quotation mark not closed?)" if ends > begins else ""
    return f"no CSV: {problem}{taken}"


def _damaged(problem: Exception) -> RecordError:
    return RecordError("bad_value", f"the gzip file is damaged from here on ({problem})")


def _check_encoding(encoding: str) -> None:
    try:
        plain = "a,\n".encode(encoding) == b"a,\n"
    except LookupError:
        raise UsageError(f"--encoding: there is no {encoding!r}; usual ones are utf-8 and gb18030") from None
    if not plain:
        raise UsageError(f"--encoding: {encoding} cannot be read line by line; convert the file to utf-8")
