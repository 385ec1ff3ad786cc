"""A progress bar on stderr for what takes long; nothing where stderr is no terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

_WORTH_BYTES = 1_000_000
_EVERY_LINES = 2_000


@contextmanager
def over_lines(file: IO[bytes], what: str) -> Iterator[Iterator[bytes]]:
    """The lines of `file`, with a bar while they are read when it is long and somebody looks."""
    size = _size(file)
    if size < _WORTH_BYTES or not sys.stderr.isatty():
        yield iter(file)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=size)
        yield _told(file, lambda done: progress.update(task, completed=done))


@contextmanager
def over_count(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A function to tell how many of `total` are done, with a bar while somebody looks."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def _told(file: IO[bytes], tell: Callable[[int], None]) -> Iterator[bytes]:
    done = 0
    for number, line in enumerate(file):
        done += len(line)
        if number % _EVERY_LINES == 0:
            tell(done)
        yield line


def _size(file: IO[bytes]) -> int:
    """Bytes of a plain file; 0 of a pipe, whose length nobody knows."""
    try:
        return os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return 0
