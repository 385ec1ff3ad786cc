"""Where all is measured: Apache Kafka on one core, which this process takes, too, and programs on the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from streams.parts.kafka import Kafka

SESSION_MS = 6_000
BROKER = {"group.consumer.session.timeout.ms": str(SESSION_MS), "group.consumer.heartbeat.interval.ms": "500"}
"""What members of the new protocol take from the broker (`handover`); the classic one takes it from its members."""


class Place(NamedTuple):
    """A broker, and which core does what."""

    kafka: Kafka
    broker_core: int
    program_core: int

    @property
    def bootstrap(self) -> str:
        """The broker's address."""
        return self.kafka.bootstrap


@contextmanager
def cores(*allowed: int) -> Iterator[None]:
    """Keep this thread, and the processes and threads that it starts, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def opened() -> Iterator[Place]:
    """A broker of its own. Ends the command on a machine that has only one core."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise SystemExit("two cores are needed: one for the broker, one for the program")
    with cores(usable[0]), Kafka(settings=BROKER) as kafka:
        yield Place(kafka, usable[0], usable[1])
