"""Measure all systems in interleaved rounds; the last line on stdout is one JSON object."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.reference import broker
from benchmarks.reference.program import SYSTEMS, Program, cpu_seconds
from benchmarks.reference.verdict import Rate, judge
from benchmarks.reference.work import Answer, Job, answer
from streams.parts.kafka import Kafka

OURS = "yupan"
PEERS = ("plain", "plain_coalesced", "faust")
STEADY_S = 5.0
LONGEST_RUN_S = 240.0
POLL_S = 0.2


def say(line: str) -> None:
    """Tell the person at the terminal how far we are."""
    print(line, file=sys.stderr, flush=True)


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
    """A broker's inputs and answers, and the runs on it."""

    def __init__(self, kafka: Kafka, broker_core: int, program_core: int) -> None:
        self._kafka = kafka
        self._bootstrap = kafka.bootstrap
        self._broker_core = broker_core
        self._program_core = program_core
        self._answers: dict[int, Answer] = {}

    def measure(self, system: str, number: int, events: int) -> Rate:
        """One run of one system, checked. Raises `WrongResultError`, `RuntimeError`."""
        with self._job(system, number, events) as job:
            self._work(job, events)
            return judge(job, self._answers[events])

    def warm_up(self, events: int) -> None:
        """Half a run that does not count: the broker's JVM compiles what is hot."""
        with self._job(OURS, 0, events) as job:
            self._work(job, events // 2)

    @contextmanager
    def _job(self, system: str, number: int, events: int) -> Iterator[Job]:
        source = self._source(events)
        job = Job(system, self._bootstrap, f"{system}-{number}", source, self._program_core, "")
        broker.create(self._bootstrap, job.out, compacted=job.changelog)
        yield job
        broker.delete(self._bootstrap, job.out, job.changelog)

    def _work(self, job: Job, events: int) -> None:
        with cores(self._broker_core), Program(job) as program:
            self._wait(program, job, events)

    def _source(self, events: int) -> str:
        topic = f"state-{events}"
        if events not in self._answers:
            say(f"writing {events:,} events")
            self._answers[events] = answer(events)
            broker.create(self._bootstrap, topic)
            broker.publish(self._bootstrap, topic, events)
        return topic

    def _wait(self, program: Program, job: Job, events: int) -> None:
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
        used, broker_used = cpu_seconds(program.pid or 0), self._broker_cpu() - broker_before
        wall = time.monotonic() - started
        say(
            f"{job.group}: {wall:.1f} s with its start; of its core the program had {used / wall:.0%}, "
            f"the broker {broker_used / wall:.0%}; {used / events * 1e6:.1f} and {broker_used / events * 1e6:.1f} "
            "µs an event"
        )

    def _broker_cpu(self) -> float:
        return sum(cpu_seconds(node.pid) for node in self._kafka.nodes if node.pid is not None)


def run(options: argparse.Namespace) -> dict[str, list[float]]:
    """All rounds: the rates of each system, events/s."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise SystemExit("two cores are needed: one for the broker, one for the program")
    broker_core, program_core = usable[:2]
    kafka = Kafka()
    with cores(broker_core):
        kafka.start()
    rates: dict[str, list[float]] = {system: [] for system in options.systems}
    try:
        bench = Bench(kafka, broker_core, program_core)
        bench.warm_up(options.events)
        for number in range(1, options.rounds + 1):
            for system in options.systems:
                rate = bench.measure(system, number, options.faust_events if system == "faust" else options.events)
                rates[system].append(rate.events_per_s)
                short = "" if rate.seconds >= STEADY_S else f", less than {STEADY_S:.0f} s: give it more events"
                say(f"round {number}: {system:16} {rate.events_per_s:10,.0f} events/s over {rate.seconds:.1f} s{short}")
    finally:
        kafka.stop()
    return rates


def summary(rates: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Medians, and ours divided by the others'."""
    medians = {system: statistics.median(found) for system, found in rates.items()}
    ours = medians.get(OURS)
    ratios = {peer: round(ours / medians[peer], 3) for peer in PEERS if ours is not None and peer in medians}
    return {"reference_work": {system: round(rate) for system, rate in medians.items()}, "ratios": ratios}


def main() -> None:
    """Read the options, measure, print the summary."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=800_000, help="of each run but Faust's (default %(default)s)")
    parser.add_argument("--faust-events", type=int, default=22_000, help="default %(default)s")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="NAME")
    started = time.monotonic()
    rates = run(parser.parse_args())
    say(f"measured in {time.monotonic() - started:.0f} s")
    print(json.dumps(summary(rates)))


if __name__ == "__main__":
    main()
