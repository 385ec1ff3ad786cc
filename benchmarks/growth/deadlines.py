"""From few armed deadlines to many: what they cost, how late they fire.

Nearly all fall due at one moment, the worst that can happen; before that, some fall due one after the other, while all
the others are armed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.command import Say
from benchmarks.common import ledger
from benchmarks.growth import input as given
from benchmarks.growth.program import Options, Program
from benchmarks.reference import broker
from benchmarks.reference.work import PARTITIONS
from schemas.partition import partition_of

PROBES = 500
PROBES_S = 5.0
LEAD_S = 3.0
LONGEST_S = 400.0
Found = dict[str, float]
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode


def measure(bootstrap: str, armed: int, core: int, say: Say) -> Found:
    """One size."""
    name = f"deadlines-{armed}"
    source, out, changelog = f"{name}-in", f"{name}-out", f"{name}-ledger"
    broker.create(bootstrap, source, out)
    ledger.create(bootstrap, changelog)
    with TemporaryDirectory(prefix="yupan-growth-") as text:
        directory = Path(text)
        options = Options("deadlines", bootstrap, name, source, out, changelog, "memory", "growth", (core,))
        storm_at = _now() + 30_000 + armed // 8  # late enough for all to be armed, and restored, before
        given.publish(bootstrap, source, _arming(armed, storm_at))
        with Program(options, directory) as program:
            given.watch(bootstrap, name, source, armed, program)
        with Program(options, directory) as program, _Flow(bootstrap, source):
            recovered, memory = program.recovered(), program.memory_mb()
            probes = _probe(bootstrap, source, out)
            if _now() > storm_at:
                raise RuntimeError(f"{name}: the deadlines fell due before all was measured")
            storm = _fired(bootstrap, out, armed + PROBES, program)
    broker.delete(bootstrap, source, out, changelog)
    late = sorted(storm)
    found = {
        "armed": armed,
        "memory_mb": memory,
        "recovery_s": recovered["seconds"],
        "late_p50_ms": probes[len(probes) // 2],
        "late_p99_ms": probes[int(len(probes) * 0.99)],
        "all_at_once_s": late[-1] / 1000,
        "fired_per_s": round(armed / (late[-1] / 1000)),
    }
    say(f"{armed:9,} deadlines: " + ", ".join(f"{key} {value:,}" for key, value in found.items()))
    return found


def _now() -> int:
    return time.time_ns() // 1_000_000


def _arming(count: int, due_at: int) -> Iterator[tuple[bytes, bytes]]:
    for number in range(count):
        msisdn = ledger.customer(number)
        yield msisdn.encode(), encode([msisdn, due_at])


class _Flow:
    """An event in each partition every 50 ms, as topics have that are in use; for `with`."""

    def __init__(self, bootstrap: str, source: str) -> None:
        self._bootstrap, self._source = bootstrap, source
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(20)

    def _run(self) -> None:
        keys = {partition_of(key, PARTITIONS): key for key in (str(number).encode() for number in range(500))}
        producer = broker.producer(self._bootstrap)
        while not self._stopped.wait(0.05):
            for key in keys.values():
                producer.produce(self._source, encode([key.decode(), 0]), key)
            producer.flush(20)


def _probe(bootstrap: str, source: str, out: str) -> list[int]:
    """How late (ms, sorted) deadlines are that fall due evenly over some seconds."""
    first = _now() + round(LEAD_S * 1000)
    due = {f"probe-{n}".encode(): first + round(n * PROBES_S * 1000 / PROBES) for n in range(PROBES)}
    given.publish(bootstrap, source, [(name, encode([name.decode(), at])) for name, at in due.items()])
    time.sleep(LEAD_S + PROBES_S + 3)
    fired = [message for message in broker.read(bootstrap, out) if message.key() in due]
    if len(fired) != PROBES:
        raise RuntimeError(f"of {PROBES} deadlines {len(fired)} have fired")
    return sorted(message.timestamp()[1] - decode(message.value())[1] for message in fired)


def _fired(bootstrap: str, out: str, count: int, program: Program) -> list[int]:
    """How late (ms) each of all was, once all have fired, each once."""
    until, late = time.monotonic() + LONGEST_S, dict[bytes, int]()
    for messages in given.follow(bootstrap, out):
        for message in messages:
            if message.key() in late:
                raise RuntimeError("a deadline has fired twice")
            late[message.key()] = message.timestamp()[1] - decode(message.value())[1]
        if len(late) == count:
            break
        if not program.alive or time.monotonic() > until:
            raise RuntimeError(f"{len(late)} of {count} deadlines have fired\n{program.log.read_text()[-2_000:]}")
    return list(late.values())
