"""What checks cost: the audit of the slice's day with ever more of them, `python -m benchmarks.checks`.

In process, over a ledger in memory, so that nothing but the decision is measured: from a record's bytes to the bytes of
what is told of it. CPU time, so that what else the machine does hardly matters. Rounds are interleaved.

Of the sets, `shipped_no_watch` has no watch lists, `plus_N_own` has N further checks of products of their own, and
`plus_N_same` as many that read what ours read.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agents.memory import Delivered, MemoryBatch, World
from agents.replay import waits_for
from agents.rules import Checks, load_checks
from agents.shell import NoCounts
from benchmarks.checks.copies import write
from benchmarks.command import Say
from benchmarks.slice.day import Answer, fill, traffic
from schemas.codec import codecs
from schemas.headers import Headers
from sinks.producer import EventProducer
from streams.settings import Settings
from streams.simulate.stage import STATE
from streams.topology import decide

START = 1_795_320_000_000
BATCH = 200
GOAL = 0.5
"""All shipped checks, and the watch lists, as a share of the check `activation` alone."""


class Batches(NamedTuple):
    """A day's records as a worker gets them: a topic's in batches; states among them."""

    batches: Sequence[tuple[str, Sequence[Delivered]]]
    states: int


class Kept(EventProducer):
    """Keeps what it would send."""

    def __init__(self) -> None:
        super().__init__("nobody:9", codecs())
        self.kept: list[Delivered] = []

    def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Headers, partition: int | None = None
    ) -> None:
        self.kept.append(Delivered(topic, value, key, headers, len(self.kept), START))

    def flush(self) -> dict[tuple[str, int], int]:
        return {}


def measure(quick: bool, say: Say) -> dict[str, object]:
    """Interleaved rounds of all sets of checks: the medians."""
    rounds, events = (1, 20_000) if quick else (5, 60_000)
    day = batches(events, customers=events // 10)
    say(f"{day.states:,} states among {events:,} events")
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="yupan-checks-") as directory:
        known = variants(Path(directory))
        for number in range(1, rounds + 1):
            for name, checks in known.items():
                rate = day.states / audit(day, checks)
                rates.setdefault(name, []).append(rate)
                say(f"round {number}: {name:20} {rate:9,.0f} states/s")
    found = {name: round(statistics.median(each)) for name, each in rates.items()}
    ratios = [ours / alone for ours, alone in zip(rates["shipped"], rates["activation"], strict=True)]
    ratio = round(statistics.median(ratios), 3)
    say(f"all shipped: {ratio} of activation alone, {'as' if ratio >= GOAL else 'not'} wanted (≥ {GOAL})")
    return {"states_per_s": found, "shipped_ratio": ratio, "rounds": rounds}


def variants(directory: Path) -> dict[str, Checks]:
    """The sets of checks, from one to all of ours and a hundred more."""
    shipped = load_checks()
    found = {
        "activation": Checks([shipped.by_id["activation"]]),
        "shipped_no_watch": Checks(shipped.by_id.values()),
        "shipped": shipped,
    }
    for own_attributes, name in ((True, "own"), (False, "same")):
        for count in (10, 100):
            where = directory / f"{name}-{count}"
            where.mkdir()
            write(where, count, own_attributes=own_attributes)
            found[f"plus_{count}_{name}"] = load_checks([where])
    return found


def batches(events: int, customers: int) -> Batches:
    """The slice's day, batched as the engine does: of one topic, in the order in which they are told."""
    producer = Kept()
    fill(producer, traffic(START, 3600, events, customers=customers), Answer())
    waiting: dict[str, list[Delivered]] = {}
    found: list[tuple[str, Sequence[Delivered]]] = []
    for record in producer.kept:
        topic = record.topic()
        mine = waiting.setdefault(topic, [])
        mine.append(record)
        if len(mine) == BATCH:
            found.append((topic, waiting.pop(topic)))
    found += waiting.items()
    return Batches(found, sum(record.topic() == STATE for record in producer.kept))


def audit(day: Batches, checks: Checks) -> float:
    """Decide the day; seconds of CPU that the states and their deadlines took. What else comes is decided, too."""
    settings = Settings().with_(clock="events", partitions=1)
    bindings = decide(settings, codecs(), checks, NoCounts())
    agents = {topic: binding.process for binding in bindings for topic in binding.topics}
    world, used = World(), 0.0
    gc.collect()
    gc.disable()
    try:
        for topic, messages in day.batches:
            began = time.process_time()
            while (fired := world.next_due(world.clock)) is not None:
                mine = waits_for(fired.name)
                agents[mine](MemoryBatch(world, mine, [], [fired]))
            with MemoryBatch(world, topic, messages) as batch:
                agents[topic](batch)
            if topic == STATE:
                used += time.process_time() - began
            world.outputs.clear()
    finally:
        gc.enable()
    return used
