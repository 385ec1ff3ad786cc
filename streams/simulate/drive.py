"""Traffic in real time onto a broker: each event when its time has come."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING

from agents.rules import load_checks
from schemas.codec import codecs
from sinks.producer import EventProducer
from sinks.registry import attach
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.simulate.stage import Happening
    from streams.simulate.traffic import Traffic

_TICK_S = 0.2
_LOOK_UP_EVERY = 256


def now_ms() -> int:
    """The wall clock in ms."""
    return time.time_ns() // 1_000_000


def deadlines_in_force(settings: Settings) -> dict[str, int]:
    """Check to deadline (ms), as workers with these settings have them. Raises `UsageError`."""
    found = load_checks(settings.checks, settings.deadlines).by_id
    return {name: check.rule.within for name, check in found.items()}


def publisher(settings: Settings) -> EventProducer:
    """A producer for all topics that sends at once. Raises `PartError` when a topic or the broker is missing."""
    known = codecs()
    attach(known, settings.schema_registry)
    producer = EventProducer(settings.kafka, known, {"linger.ms": "0", **settings.kafka_config})
    producer.partitions("yupan.state.v1")
    return producer


def drive(
    traffic: Traffic,
    publish: Callable[[Happening], None],
    stopped: Event,
    *,
    clock: Callable[[], int] = now_ms,
    tick: Callable[[int], None] = lambda now: None,
) -> int:
    """Publish each event of `traffic` at its `occurred_at`, what lies in the past at once; the number of events.

    Ends at the traffic's end, or when `stopped` is set: then with the counterparts that are on their way.
    `tick(now)` is called some times a second.
    """
    pace = _Pace(stopped, clock, tick)
    count = 0
    for event in traffic:
        if not pace.reach(event.occurred_at, look_up=count % _LOOK_UP_EVERY == 0):
            break
        publish(event)
        count += 1
    if stopped.is_set() or not pace.reach(min(traffic.end, 2**62), look_up=True):
        for event in traffic.settle(clock()):
            publish(event)
            count += 1
    return count


class _Pace:
    def __init__(self, stopped: Event, clock: Callable[[], int], tick: Callable[[int], None]) -> None:
        self._stopped = stopped
        self._clock = clock
        self._tick = tick

    def reach(self, at: float, look_up: bool) -> bool:
        """Wait for `at` (ms); False when stopped before. On time or late, it looks up only when asked to."""
        now = self._clock()
        if now >= at and not look_up:
            return True
        while True:
            self._tick(now)
            if self._stopped.wait(min(max(0.0, (at - now) / 1000), _TICK_S)):
                return False
            now = self._clock()
            if now >= at:
                return True
