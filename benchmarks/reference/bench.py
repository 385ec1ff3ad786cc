"""One run of one system on Apache Kafka: its topics, its process, its rate, what it cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from benchmarks.command import Say, say
from benchmarks.common.place import Place, cores
from benchmarks.reference import broker
from benchmarks.reference.program import Program, cpu_seconds
from benchmarks.reference.steps import steps
from benchmarks.reference.verdict import judge
from benchmarks.reference.work import Answer, Job, answer

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


class Bench:
    """Runs of systems; the inputs on the broker and their answers."""

    def __init__(self, place: Place, say: Say = say, prefix: str = "") -> None:
        """`prefix`: of the names of its runs, where others have used the broker."""
        self._place = place
        self._prefix = prefix
        self._bootstrap = place.bootstrap
        self._say = say
        self._answers: dict[int, Answer] = {}

    def measure(self, system: str, number: int, events: int) -> Run:
        """One run of one system, checked. Raises `WrongResultError`, `RuntimeError`."""
        with self._job(system, number, events) as job:
            cost = self._work(job, events)
            with self._both_cores():
                rate = judge(job, self._answers[events])
        return Run(rate.events_per_s, rate.seconds, cost.program_s / events * 1e6, cost.broker_s / events * 1e6)

    def steps(self, events: int, read: int) -> dict[str, float]:
        """What reading, decoding and deciding cost on the program's core, µs an event, reading so many of `events`."""
        source = self._source(events)
        with cores(self._place.program_core):
            return steps(self._bootstrap, source, read)

    def warm_up(self, system: str, events: int) -> None:
        """A quarter of a run that does not count: the broker's JVM compiles what is hot."""
        with self._job(system, 0, events) as job:
            self._work(job, events // 4)

    @contextmanager
    def _job(self, system: str, number: int, events: int) -> Iterator[Job]:
        source = self._source(events)
        job = Job(system, self._bootstrap, f"{self._prefix}{system}-{number}", source, self._place.program_core, "")
        broker.create(self._bootstrap, job.out, compacted=job.changelog)
        yield job
        broker.delete(self._bootstrap, job.out, job.changelog)

    def write(self, *sizes: int) -> None:
        """Write inputs of so many events, unless they are there. Many at once cost little more than the largest."""
        wanted = {f"state-{events}": events for events in sizes if events not in self._answers}
        if not wanted:
            return
        self._answers |= {events: answer(events) for events in wanted.values()}
        new = {name: wanted[name] for name in wanted.keys() - broker.topics(self._bootstrap)}
        if new:
            self._say(f"writing {max(new.values()):,} events")
            broker.create(self._bootstrap, *new)
            with self._both_cores():
                broker.publish(self._bootstrap, new)

    def _both_cores(self) -> AbstractContextManager[None]:
        """While nothing is measured."""
        return cores(self._place.broker_core, self._place.program_core)

    def _source(self, events: int) -> str:
        self.write(events)
        return f"state-{events}"

    def _work(self, job: Job, events: int) -> Cost:
        with cores(self._place.broker_core), Program(job) as program:
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
        return sum(cpu_seconds(node.pid) for node in self._place.kafka.nodes if node.pid is not None)
