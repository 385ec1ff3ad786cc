"""Tell the day to a worker through Apache Kafka, in slices of a minute, and wait until it has decided all of it.

With `YUPAN_CLOCK=events` a partition's clock is the largest `occurred_at` that was delivered on it, so topics must not
run ahead of each other: of each minute the states are written first, then what was done in the network, and nothing is
written while the worker is far behind. After the last event one event on each partition lies behind all deadlines.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Producer

from benchmarks.command import Say
from benchmarks.common.place import Place, cores
from benchmarks.day.plan import HOUR, START, Told
from benchmarks.day.traffic import Traffic
from benchmarks.day.verdict import Verdict, by_story, judge
from benchmarks.reference.broker import producer
from benchmarks.reference.work import PARTITIONS
from benchmarks.slice.site import PinnedWorker, Progress, Site, wait_for
from schemas.codec import codecs
from schemas.headers import cloud_event
from schemas.partition import partition_of
from sinks.groups import Groups
from streams.simulate.stage import STATE, USAGE

TOPICS = (STATE, USAGE)
AHEAD = 10_000
"""Events that may lie before the worker: about as many as it decides in a second."""
SPREAD = 2 * HOUR
"""So far apart may topics be read: what was done in the network a day before the clock would be refused."""
AFTER = 3 * HOUR
"""Behind the last due time: what follows from deadlines (incidents that are forgotten) falls due, too."""
QUIET_S = 4.0
"""A deadline fires a second after a topic's end was reached; what it tells may have deadlines of its own."""
PATIENCE_S = 300.0
SETTINGS = {"YUPAN_CLOCK": "events", "YUPAN_ACT_WITHIN": "9999d"}


class Day(NamedTuple):
    """What a day came to."""

    verdict: Verdict
    events: int
    seconds: float
    """From the first event written until the worker had decided the last one."""

    def line(self) -> dict[str, object]:
        """The document for programs."""
        verdict = self.verdict
        return {
            "checks": {check: score._asdict() for check, score in verdict.scores.items()},
            "alerts": verdict.alerts,
            "alert_records": verdict.alert_records,
            "incidents": verdict.incidents,
            "events": self.events,
            "events_per_s": round(self.events / self.seconds),
            "seconds": round(self.seconds, 1),
        }


def run(place: Place, customers: int, seed: int, say: Say) -> Day:
    """Tell the day of so many customers and judge what comes of it. Raises `RuntimeError` when the worker stands."""
    site, traffic = Site(place), Traffic(seed, customers)
    site.fresh()
    with (
        tempfile.TemporaryDirectory(prefix="yupan-day-") as directory,
        site.worker(Path(directory), **SETTINGS) as worker,
        cores(place.broker_core, place.program_core),
        closing(Progress(site.bootstrap)) as progress,
    ):
        began = time.monotonic()
        writer = Writer(site.bootstrap, worker, progress)
        _tell(traffic, writer, say)
        events, seconds = writer.written, time.monotonic() - began
        say(f"{events:,} events in {seconds:.0f} s; {by_story(traffic.plan.stories)}")
        end = traffic.plan.last + AFTER
        writer.write(end, closing_events(end))
        writer.wait(0)
        _fall_silent(site.bootstrap, worker)
    return Day(judge(site.bootstrap, traffic.plan.drifts), events, seconds)


def _tell(traffic: Traffic, writer: Writer, say: Say) -> None:
    said = START
    for at, told in traffic:
        writer.write(at, told)
        if at - said >= HOUR:
            said = at - at % HOUR
            drifts = len(traffic.plan.drifts)
            say(f"{(at - START) // HOUR:02d} o'clock: {writer.written:,} events, {drifts:,} drifts")
    writer.wait(0)


class Writer:
    """Writes deliveries minute by minute, never far ahead of the worker."""

    def __init__(self, bootstrap: str, worker: PinnedWorker, progress: Progress) -> None:
        self.written = 0
        self._producer: Producer = producer(bootstrap)
        self._encode = {topic: codec.encode for topic, codec in codecs().items()}
        self._worker = worker
        self._progress = progress
        self._done = 0
        self._slices: deque[tuple[int, int]] = deque()
        """The ends of slices (ms), and what was written by then."""

    def write(self, until: int, told: Sequence[Told]) -> None:
        """Write a slice, which ends at `until` (ms): all of one topic before the next."""
        while self._slices and self._slices[0][0] <= until - SPREAD:
            self.wait(self.written - self._slices.popleft()[1])
        for topic in TOPICS:
            mine = [one for one in told if one.topic == topic]
            for one in mine:
                self._produce(topic, one)
            self._producer.flush()
            self.written += len(mine)
        self._slices.append((until, self.written))
        if self.written - self._done > AHEAD:
            self.wait(AHEAD // 2)  # at all of it, it would be asked after each minute

    def _produce(self, topic: str, one: Told) -> None:
        record = one.record
        headers = cloud_event(topic, one.event_id, one.source, record["occurred_at"])
        key = record["msisdn"].encode()
        while True:
            try:
                self._producer.produce(topic, self._encode[topic](record), key, headers=headers)  # type: ignore[arg-type]
                return
            except BufferError:
                self._producer.poll(0.05)

    def wait(self, ahead: int) -> None:
        """Until at most `ahead` events lie before the worker."""
        if self.written - self._done > ahead:
            wait_for(lambda: self._is_near(ahead), f"deciding the day ({self._worker.log})", PATIENCE_S, every=0.02)

    def _is_near(self, ahead: int) -> bool:
        if not self._worker.alive:
            raise RuntimeError(
                f"the worker has ended; its log: {self._worker.log.read_text('utf-8', 'replace')[-2000:]}"
            )
        self._done = self._progress.done(TOPICS)
        return self.written - self._done <= ahead


def closing_events(at: int) -> list[Told]:
    """One event on each partition, of customers that nothing else is told of."""
    numbers: dict[int, str] = {}
    for number in _spare():
        numbers.setdefault(partition_of(number.encode(), PARTITIONS), number)
        if len(numbers) == PARTITIONS:
            break
    blank = {"previous": None, "transaction": None, "sequence": None, "region": None, "reason": None, "details": {}}
    told = {"system": "crm", "attribute": "tariff", "value": "basic-19", "occurred_at": at, **blank}
    return [
        Told(at, 1, turn, STATE, f"closing-{turn}", "crm", {"msisdn": number, **told})
        for turn, number in enumerate(numbers.values())
    ]


def _spare() -> Iterator[str]:
    return (f"86139{number:08d}" for number in range(10_000))


def _fall_silent(bootstrap: str, worker: PinnedWorker) -> None:
    """Until the worker has told nothing new for a while, and has read all that it tells itself."""
    groups = Groups(bootstrap)
    before: dict[tuple[str, int], int] = {}
    since = time.monotonic()

    def is_silent() -> bool:
        nonlocal before, since
        ends = groups.ends([(topic, number) for topic in codecs() for number in range(PARTITIONS)])
        if ends != before:
            before, since = ends, time.monotonic()
        return time.monotonic() - since > QUIET_S

    wait_for(is_silent, f"falling silent ({worker.log})", PATIENCE_S, every=0.2)
