"""The whole decision of the slice, as a real `yupan worker --role decide` makes it: `python -m benchmarks.slice`.

Each round writes the day before, lets a worker decide it, and stops that worker. Then the day is written, and a new
worker restores the ledger and catches up: activation check, segments, tags, pops, reminders. Measured is all of the
day, from the first commit seen to the last, since calls overtake all else and a window would hold them or not.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from benchmarks.command import Say
from benchmarks.common.pace import paced
from benchmarks.common.place import Place
from benchmarks.reference.bench import Bench
from benchmarks.reference.program import EVENTS, cpu_seconds
from benchmarks.reference.rounds import STEADY_S
from benchmarks.slice.day import EVE, Answer, traffic
from benchmarks.slice.site import PinnedWorker, Progress, Site, wait_for
from benchmarks.slice.verdict import judge, settle

LEDGERS = ("memory", "rocksdb")
HOUR_MS = 3_600_000
EVE_EVENTS = 100_000
POLL_S = 0.1
POPS_FOR = {"YUPAN_ACT_WITHIN": "1d"}
"""What was written beforehand must still bring pops: in daily work calls are fresh, and pops are part of it."""


class Rate(NamedTuple):
    """How fast the slice was."""

    events_per_s: float
    cpu_us_per_event: float


def measure(quick: bool, place: Place, say: Say) -> dict[str, object]:
    """Interleaved rounds of both ledgers and of the reference work: the medians. Quick: one, the ledger in memory."""
    rounds, events = (1, 170_000) if quick else (5, 200_000)
    reference = paced(EVENTS["yupan"])  # of fewer events of the day a larger part would be facts and lists
    ledgers = LEDGERS[:1] if quick else LEDGERS
    rates: dict[str, list[Rate]] = {name: [] for name in ("reference", *ledgers)}
    site = Site(place)
    bench = Bench(place, say, "slice-")
    if not quick:
        bench.warm_up("yupan", reference)
    for number in range(1, rounds + 1):
        run = bench.measure("yupan", number, reference)
        rates["reference"].append(Rate(run.events_per_s, run.program_us))
        for ledger in ledgers:
            rate, mix = catch_up(site, ledger, events, say)
            rates[ledger].append(rate)
        for name, (*_, last) in rates.items():
            say(f"round {number}: {name:9} {last.events_per_s:9,.0f} events/s, {last.cpu_us_per_event:.1f} µs each")
    return {"slice": _summary(rates, mix)}


def _summary(rates: dict[str, list[Rate]], mix: Counter[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, of_one in rates.items():
        prefix = "" if name == "memory" else f"{name}_"
        found[f"{prefix}events_per_s"] = round(statistics.median(rate.events_per_s for rate in of_one))
        found[f"{prefix}cpu_us_per_event"] = round(statistics.median(rate.cpu_us_per_event for rate in of_one), 1)
    rounds = zip(rates["memory"], rates["reference"], strict=True)
    ratios = [own.events_per_s / reference.events_per_s for own, reference in rounds]
    found["reference_ratio"] = round(statistics.median(ratios), 3)
    found["mix"] = {topic: round(count / mix.total(), 4) for topic, count in mix.most_common()}
    found["rounds"] = len(ratios)
    return found


def catch_up(site: Site, ledger: str, events: int, say: Say) -> tuple[Rate, Counter[str]]:
    """One run on empty topics, checked; the day's events by topic. Raises `WrongResultError`, `RuntimeError`."""
    answer = Answer()
    now = time.time_ns() // 1_000_000
    with tempfile.TemporaryDirectory(prefix="yupan-slice-") as directory:
        where = Path(directory)
        settings = {**POPS_FOR, "ledger": "memory" if ledger == "memory" else f"rocksdb://{where}/ledger"}
        site.fresh()
        site.write(traffic(now - 3 * HOUR_MS, 3600, EVE_EVENTS, EVE), answer)
        with site.worker(where, **settings):
            settle(site.bootstrap, answer)
        before = answer.events.copy()
        site.write(traffic(now - HOUR_MS - 60_000, 3600, events), answer)
        with site.worker(where, **settings) as worker:
            rate = _timed(site, worker, before.total(), answer.events.total(), say)
            judge(site.bootstrap, answer)
    return rate, answer.events - before


def _timed(site: Site, worker: PinnedWorker, before: int, total: int, say: Say) -> Rate:
    """From the first commit seen to the last."""
    with closing(Progress(site.bootstrap)) as progress:
        first = wait_for(lambda: (done := progress.done()) > before and done, "the first commit", every=POLL_S)
        began, used = time.monotonic(), cpu_seconds(worker.pid or 0)
        wait_for(lambda: progress.done() >= total, f"catching up ({worker.log})", every=POLL_S)
        seconds, used = time.monotonic() - began, cpu_seconds(worker.pid or 0) - used
    short = "" if seconds >= STEADY_S else f", less than {STEADY_S:.0f} s"
    say(f"{total - first:,} events in {seconds:.1f} s{short}; of its core the worker had {used / seconds:.0%}")
    return Rate((total - first) / seconds, used / (total - first) * 1e6)
