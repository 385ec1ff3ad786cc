"""The simulator's mix of events at a steady rate, as a process of its own, until SIGTERM or the given number.

Options as one JSON argument.
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from schemas.codec import codecs
from sinks.producer import EventProducer
from streams.parts.part import Part
from streams.running import until_signalled
from streams.simulate.day import Day
from streams.simulate.drive import drive, now_ms
from streams.simulate.stage import Happening
from streams.simulate.traffic import Traffic

ROOT = Path(__file__).resolve().parents[2]
HOUR = 10.0
DEADLINE_MS = 5_000
"""Of the check `activation`, for the load and for the workers."""
PATIENCE_MS = 600_000
"""How long an event may wait for a broker that is away."""


class Options(NamedTuple):
    """What to send where. `events`: so many as fast as they can be written, instead of `rate` a second.

    `known`: an earlier load of the same seed told of all customers.
    """

    bootstrap: str
    seed: int
    customers: int
    rate: float
    events: int = 0
    known: bool = False


class Load(Part):
    """The process; for `with`."""

    name = "load"

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._options = options

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.soak.load", json.dumps(self._options)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT)}

    def ready(self) -> bool:
        return True


def traffic(options: Options) -> Traffic:
    """The simulator at an hour that does not pass, so that the rate is steady."""
    start = now_ms()
    day = Day(start, "Asia/Shanghai", 0, HOUR)
    rate = options.rate / day.busyness(start)
    return Traffic(
        seed=options.seed,
        start=start,
        rate=rate,
        customers=options.customers,
        drift=0.1,
        deadlines={"activation": DEADLINE_MS},
        day=day,
        known=options.known,
    )


def run(options: Options) -> None:
    """Send."""
    settings = {"linger.ms": "5", "message.timeout.ms": str(PATIENCE_MS)}
    producer = EventProducer(options.bootstrap, codecs(), settings)
    events = traffic(options)

    def publish(event: Happening) -> None:
        producer.publish(event.topic, event.record, event_id=event.id, source=event.source)

    with until_signalled() as stopped:
        stopped.wait(0)
        if options.events:
            for event in islice(events, options.events):
                publish(event)
        else:
            drive(events, publish, stopped)
        producer.flush()


if __name__ == "__main__":
    run(Options(*json.loads(sys.argv[1])))
