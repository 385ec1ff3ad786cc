"""A file of events, one JSON object a line, as `yupan checks replay` reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any

import click

from agents.replay import Replay, parse
from schemas.errors import RecordError, UsageError


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
