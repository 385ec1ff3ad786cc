"""A file of events, one JSON object a line, as `yupan checks replay` reads it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO, Any

import click

from agents.replay import Replay, parse
from schemas.errors import RecordError, UsageError
from schemas.fields import check_international, iso


def opened(file: str) -> IO[str]:
    """The file, or stdin for `-`. Raises `UsageError`."""
    try:
        found: IO[str] = click.open_file(file, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from None
    return found


def fed(run: Replay, lines: Iterable[str]) -> Iterator[dict[str, Any] | str]:
    """What is decided on each line, or the text that says why it cannot be used."""
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            yield from run.feed(parse(text))
        except RecordError as error:
            yield f"line {number}: {error} ({error.reason})"


def all_before(end: int, lines: IO[str], country_code: str) -> IO[str]:
    """The same lines, from where they are. Raises `UsageError` when the newest event is later than `end` (ms)."""
    kept = lines if lines.seekable() else io.StringIO(lines.read())
    begin = kept.tell()
    newest = max(_times(kept, country_code), default=end)
    if newest > end:
        raise UsageError(f"--until: is before the newest event, of {iso(newest)}; the clock does not go back")
    kept.seek(begin)
    return kept


def _times(lines: Iterable[str], country_code: str) -> Iterator[int]:
    """When the events of these lines occurred; a line that cannot be used moves no clock."""
    for text in lines:
        with suppress(RecordError):
            record = parse(text).record
            check_international(record.get("msisdn"), country_code)
            yield record["occurred_at"]
