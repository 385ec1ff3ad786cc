"""One run of one system on Apache Kafka: its topics, its process, its rate, what it cost."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.command import Say, say
from benchmarks.reference import broker
from benchmarks.reference.program import Program, cpu_seconds
from benchmarks.reference.steps import steps
from benchmarks.reference.verdict import judge
from benchmarks.reference.work import Answer, Job, answer
from streams.parts.kafka import Kafka

LONGEST_RUN_S = 240.0
POLL_S = 0.2


class Cost(NamedTuple):
    """What a run took of its two cores, the program's start included."""

    wall_s: float
    program_s: float
    broker_s: float


class Run(NamedTuple):
    """A run whose result was right."""

    events_per_s: float
    steady_s: float
    """How long the steady state was."""
    program_us: float
    """CPU time of the program, µs an event."""
    broker_us: float


@contextmanager
def cores(*allowed: int) -> Iterator[None]:
    """Keep this thread, and the processes and threads that it starts, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Bench:
    """A broker on one core, programs on another; the inputs on it and their answers."""

    def __init__(self, kafka: Kafka, broker_core: int, program_core: int, say: Say = say) -> None:
        self._kafka = kafka
        self._bootstrap = kafka.bootstrap
        self._broker_core = broker_core
        self._program_core = program_core
        self._say = say
        self._answers: dict[int, Answer] = {}

    def measure(self, system: str, number: int, events: int) -> Run:
        """One run of one system, checked. Raises `WrongResultError`, `RuntimeError`."""
        with self._job(system, number, events) as job:
            cost = self._work(job, events)
            rate = judge(job, self._answers[events])
        return Run(rate.events_per_s, rate.seconds, cost.program_s / events * 1e6, cost.broker_s / events * 1e6)

    def steps(self, events: int, read: int) -> dict[str, float]:
        """What reading, decoding and deciding cost on the program's core, µs an event, reading so many of `events`."""
        source = self._source(events)
        with cores(self._program_core):
            return steps(self._bootstrap, source, read)

    def warm_up(self, system: str, events: int) -> None:
        """A quarter of a run that does not count: the broker's JVM compiles what is hot."""
        with self._job(system, 0, events) as job:
            self._work(job, events // 4)

    @contextmanager
    def _job(self, system: str, number: int, events: int) -> Iterator[Job]:
        source = self._source(events)
        job = Job(system, self._bootstrap, f"{system}-{number}", source, self._program_core, "")
        broker.create(self._bootstrap, job.out, compacted=job.changelog)
        yield job
        broker.delete(self._bootstrap, job.out, job.changelog)

    def _source(self, events: int) -> str:
        topic = f"state-{events}"
        if events not in self._answers:
            self._say(f"writing {events:,} events")
            self._answers[events] = answer(events)
            broker.create(self._bootstrap, topic)
            broker.publish(self._bootstrap, topic, events)
        return topic

    def _work(self, job: Job, events: int) -> Cost:
        with cores(self._broker_core), Program(job) as program:
            cost = self._wait(program, job, events)
        self._say(
            f"{job.group}: {cost.wall_s:.1f} s with its start; of its core the program had "
            f"{cost.program_s / cost.wall_s:.0%}, the broker {cost.broker_s / cost.wall_s:.0%}"
        )
        return cost

    def _wait(self, program: Program, job: Job, events: int) -> Cost:
        """Until all is committed. Tells where the time went, which also shows a machine that others use."""
        broker_before, started = self._broker_cpu(), time.monotonic()
        progress = broker.Progress(self._bootstrap, job.group, job.source)
        until = time.monotonic() + LONGEST_RUN_S
        while (done := progress.done()) < events:
            if not program.alive or time.monotonic() > until:
                log = program.log.read_text(errors="replace")[-3_000:]
                raise RuntimeError(f"{job.group}: {done} of {events} events, exit code {program.exit_code}\n{log}")
            time.sleep(POLL_S)
        progress.close()
        used = cpu_seconds(program.pid or 0)
        return Cost(time.monotonic() - started, used, self._broker_cpu() - broker_before)

    def _broker_cpu(self) -> float:
        return sum(cpu_seconds(node.pid) for node in self._kafka.nodes if node.pid is not None)
