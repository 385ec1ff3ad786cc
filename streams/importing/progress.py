"""The progress of an import, as bars on a terminal; nothing where stderr is none."""

from __future__ import annotations

from contextlib import AbstractContextManager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from streams.importing.job import Tally

_NAMES = {"yupan-decide": "deciding", "yupan-history": "storing"}


class Bars(AbstractContextManager["Bars"]):
    """A bar for the file, then one for each group that is waited for."""

    def __init__(self, size: int) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._file = self._progress.add_task("reading", total=size, note="")
        self._groups: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def read(self, position: int, tally: Tally) -> None:
        """So many bytes of the file are read."""
        self._progress.update(self._file, completed=position, note=f"{tally.rows:,} rows, {tally.events:,} events")

    def waited(self, group: str, done: int, total: int) -> None:
        """`group` has committed `done` of `total` records that the import waits for."""
        if group not in self._groups:
            self._groups[group] = self._progress.add_task(_NAMES.get(group, group), total=total, note="")
        self._progress.update(self._groups[group], completed=done, total=total)
