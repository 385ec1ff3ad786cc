"""When too much fails at once, the deployment is bad: stop, instead of emptying topics into dead letters."""

from __future__ import annotations

from collections import defaultdict, deque

from schemas.errors import YupanError


class TooManyDeadLettersError(YupanError):
    """The worker stops; what it has not committed is decided anew by the next deployment."""


class DeadLetterLimit:
    """Stops the worker when too much of a topic fails: `run` events in a row, and more than `share` of `window`.

    Each topic counts by itself: a check that fails on every state is found also while calls pass. Both must hold: one
    upstream system that sends rubbish fails many events, but not without a break while others send good ones; a short
    run of bad records (someone publishes a broken file) is not half of the window. A bad deployment fails everything,
    so it is found after `run` events. `window` is twice `run` unless given; a `run` of 0 switches the limit off.
    """

    def __init__(self, share: float = 0.5, run: int = 1_000, window: int | None = None) -> None:
        self._share = share
        self._window = window or 2 * run
        self._run = run
        self._topics: defaultdict[str, _Recent] = defaultdict(lambda: _Recent(self._window))

    def passed(self, topic: str, events: int = 1) -> None:
        """That many events of `topic` were decided."""
        if events and self._run:
            self._topics[topic].passed(min(events, self._window))

    def failed(self, topic: str) -> None:
        """An event of `topic` was dead-lettered. Raises `TooManyDeadLettersError` when that was one too many."""
        if self._run == 0:
            return
        in_a_row, failed, events = self._topics[topic].failed()
        if in_a_row >= self._run and failed > self._share * events:
            raise TooManyDeadLettersError(
                f"{topic}: the last {in_a_row} events could not be used, and {failed} of the last {events}: stopped "
                "instead of dead-lettering more; look at `yupan dead-letters list` for the reason (the limit: "
                "YUPAN_DEAD_LETTER_RUN, YUPAN_DEAD_LETTER_SHARE)"
            )


class _Recent:
    """The last events of a topic, some `window` of them."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._failed_in_a_row = 0
        self._chunks: deque[list[int]] = deque()  # [passed, failed], oldest first
        self._passed = 0
        self._failed = 0

    def passed(self, events: int) -> None:
        """So many were decided."""
        self._failed_in_a_row = 0
        self._passed += events
        self._chunks.append([events, 0])
        self._forget()

    def failed(self) -> tuple[int, int, int]:
        """One failed: how many in a row, how many of all, all."""
        self._failed_in_a_row += 1
        self._failed += 1
        if self._chunks:
            self._chunks[-1][1] += 1
        else:
            self._chunks.append([0, 1])
        self._forget()
        return self._failed_in_a_row, self._failed, self._passed + self._failed

    def _forget(self) -> None:
        while self._chunks and self._passed + self._failed - sum(self._chunks[0]) >= self._window:
            passed, failed = self._chunks.popleft()
            self._passed -= passed
            self._failed -= failed
