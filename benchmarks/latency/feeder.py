"""Bulk at a steady rate, from a process of its own: what the worker audits while calls are measured."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

from benchmarks.slice.day import STATES, Answer, fill, traffic
from schemas.codec import codecs
from schemas.headers import Headers
from sinks.producer import EventProducer

TICK_S = 0.01
Record = tuple[str, bytes | None, bytes | None, Headers, int | None]


class _Keeping(EventProducer):
    """Keeps what it would send: encoding is done before, so that it takes nothing from the broker's core then."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(bootstrap, codecs())
        self.kept: list[Record] = []

    def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Headers, partition: int | None = None
    ) -> None:
        self.kept.append((topic, value, key, headers, partition))

    def go(self, rate: float, over: Event) -> None:
        """Send what was kept, so many a second."""
        began, sent = time.monotonic(), 0
        while sent < len(self.kept) and not over.wait(TICK_S):
            due = int((time.monotonic() - began) * rate)
            for record in self.kept[sent:due]:
                super().send(*record)
            sent = max(due, sent)


@contextmanager
def feeding(bootstrap: str, start: int, rate: float, seconds: float) -> Iterator[None]:
    """States at this rate for so long at most; `start` (ms) is when they occurred."""
    context = multiprocessing.get_context("spawn")
    ready, over = context.Event(), context.Event()
    process = context.Process(target=_feed, args=(bootstrap, start, rate, seconds, ready, over), daemon=True)
    process.start()
    try:
        if not ready.wait(120):
            raise RuntimeError("the feeder did not get ready")
        time.sleep(1)
        yield
    finally:
        over.set()
        process.join(10)


def _feed(bootstrap: str, start: int, rate: float, seconds: float, ready: Event, over: Event) -> None:
    producer = _Keeping(bootstrap)
    fill(producer, traffic(start, 3000, int(rate * seconds), STATES), Answer())
    ready.set()
    producer.go(rate, over)
    producer.flush()
