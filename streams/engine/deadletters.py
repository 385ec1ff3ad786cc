"""When too much fails at once, the deployment is bad: stop, instead of emptying topics into dead letters."""

from __future__ import annotations

from collections import deque

from schemas.errors import YupanError


class TooManyDeadLettersError(YupanError):
    """The worker stops; what it has not committed is decided anew by the next deployment."""


class DeadLetterLimit:
    """Stops the worker when too much fails at once: `run` events in a row, and more than `share` of `window`.

    Both must hold: one upstream system that sends rubbish fails many events, but not without a break while
    others send good ones; a short run of bad records (someone publishes a broken file) is not half of the
    window. A bad deployment fails everything, so it is found after `run` events. `window` is twice `run` unless
    given; a `run` of 0 switches the limit off.
    """

    def __init__(self, share: float = 0.5, run: int = 1_000, window: int | None = None) -> None:
        self._share = share
        self._window = window or 2 * run
        self._run = run
        self._failed_in_a_row = 0
        self._chunks: deque[list[int]] = deque()  # [passed, failed], oldest first
        self._passed = 0
        self._failed = 0

    def passed(self, events: int) -> None:
        """That many events were decided."""
        if events == 0 or self._run == 0:
            return
        events = min(events, self._window)
        self._failed_in_a_row = 0
        self._passed += events
        self._chunks.append([events, 0])
        self._forget()

    def failed(self) -> None:
        """An event was dead-lettered. Raises `TooManyDeadLettersError` when that was one too many."""
        if self._run == 0:
            return
        self._failed_in_a_row += 1
        self._failed += 1
        if self._chunks:
            self._chunks[-1][1] += 1
        else:
            self._chunks.append([0, 1])
        self._forget()
        if self._failed_in_a_row >= self._run and self._failed > self._share * (self._passed + self._failed):
            raise TooManyDeadLettersError(
                f"the last {self._failed_in_a_row} events could not be used, and {self._failed} of the last "
                f"{self._passed + self._failed}: stopped instead of dead-lettering more; look at "
                "`yupan dead-letters list` for the reason (the limit: YUPAN_DEAD_LETTER_RUN, YUPAN_DEAD_LETTER_SHARE)"
            )

    def _forget(self) -> None:
        while self._chunks and self._passed + self._failed - sum(self._chunks[0]) >= self._window:
            passed, failed = self._chunks.popleft()
            self._passed -= passed
            self._failed -= failed
