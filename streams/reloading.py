"""Checks are read anew without a restart: SIGHUP to a worker of the role `decide` (#49).

The files are read and tested beside the event loop; only the exchange happens in it, and therefore between two batches.
What cannot be used changes nothing: the worker goes on with what it has, one line of its log says why, a metric counts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from agents.conclude import Conclusions
from agents.rules import Checks, changes, load_checks
from agents.shadow import MODES
from schemas.errors import YupanError
from streams.metrics import Metrics
from streams.running import Terminal, take_hang_ups
from streams.settings import Settings

log = logging.getLogger(__name__)


def read_checks(settings: Settings) -> Checks:
    """The checks that these settings name. Raises `UsageError`: the file, the line and the reason."""
    return load_checks(settings.checks, settings.deadlines, settings.repairs)


class Reloading:
    """Takes SIGHUP from its making on; until `heed` the wish is kept.

    `load` gives the settings anew, too: `checks`, `deadlines` and `repairs` may stand in `yupan.toml`. No other setting
    is looked at.
    """

    def __init__(self, metrics: Metrics, load: Callable[[], Settings] = Settings.load) -> None:
        self._metrics = metrics
        self._load = load
        self._terminal = Terminal()
        self._conclusions: Conclusions
        self._wanted = False
        self._task: asyncio.Task[None] | None = None
        signal.signal(signal.SIGHUP, self._note)
        take_hang_ups()

    def _note(self, number: int, frame: Any) -> None:
        if self._terminal.is_closed():
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            self._wanted = True

    def bind(self, conclusions: Conclusions) -> None:
        """Whose checks are exchanged."""
        self._conclusions = conclusions
        self._show(conclusions.checks)

    def heed(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on SIGHUP is heeded by the loop that decides, and so is one that came before."""
        loop.add_signal_handler(signal.SIGHUP, self.ask, loop)
        if self._wanted:
            self.ask(loop)

    def ask(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read anew, once more if that is going on. To be called in the loop."""
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._reload(loop))

    async def _reload(self, loop: asyncio.AbstractEventLoop) -> None:
        if await loop.run_in_executor(None, self._terminal.is_closed):
            os.kill(os.getpid(), signal.SIGTERM)
            return
        while self._wanted:
            self._wanted = False
            try:
                checks = await loop.run_in_executor(None, lambda: read_checks(self._load()))
            except YupanError as error:
                self._refuse(str(error))
            except Exception as error:  # whatever it is, nobody is to be without checks
                self._refuse(f"{type(error).__name__}: {error}")
            else:
                self._exchange(checks)

    def _refuse(self, why: str) -> None:
        log.error("the checks stay as they were: %s", " ".join(why.split()))
        self._metrics.set("yupan_checks_refused", 1)
        self._metrics.count("yupan_checks_reloads", outcome="refused")

    def _show(self, checks: Checks) -> None:
        """Tell how many there are, by mode."""
        found = Counter(one.mode for one in checks.files.values())
        for mode in MODES:
            self._metrics.set("yupan_checks_loaded", found[mode], mode=mode)
        self._metrics.set("yupan_checks_refused", 0)

    def _exchange(self, checks: Checks) -> None:
        log.info("the checks were read anew: %s", changes(self._conclusions.checks, checks))
        self._conclusions.checks = checks
        self._show(checks)
        self._metrics.count("yupan_checks_reloads", outcome="loaded")
