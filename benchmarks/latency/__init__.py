"""From a call's event to its pop, beside a bare hop through the broker: `python -m benchmarks.latency`.

The hop is the same event, produced by the same client and read by the same consumer from a topic that nobody works
on. Blocks of hops and of calls take turns, so that both meet the same broker. Measured on an idle worker, while it
audits at half of what it can, and while it catches up. Besides: from a state to the anomaly that it resolves and to
the end of its reminder, as a reader of committed records sees them.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from benchmarks.command import Say
from benchmarks.common.place import Place
from benchmarks.latency.events import HOP, barred, by_customer, by_id, calls, hops, in_turn, now_ms, stopped
from benchmarks.latency.feeder import feeding
from benchmarks.latency.probe import Probe, Sent
from benchmarks.reference import broker
from benchmarks.reference.work import PARTITIONS
from benchmarks.slice.day import EVE, SEED, STATES, Answer, traffic
from benchmarks.slice.site import IN, Progress, Site, wait_for
from benchmarks.slice.verdict import ANOMALY, POP, REMINDER, settle
from sinks.groups import Groups
from streams.simulate.stage import CALL

HOUR_MS = 3_600_000
BULK = tuple(topic for topic in IN if topic != CALL)
RATES = (100, 500, 1_000)
USUAL = 500
"""Calls a second."""
SETTLED_PER_S = 50
EVE_EVENTS = 80_000
Figures = dict[str, Any]


class Plan:
    """How long it takes."""

    def __init__(self, quick: bool) -> None:
        self.block_s = 1.5 if quick else 3.0
        self.blocks = 2 if quick else 5
        self.backlog = 250_000 if quick else 1_000_000
        self.rates = (USUAL,) if quick else RATES
        self.warm_blocks = 1 if quick else 2
        self.anomalies = 200 if quick else 500
        self.blocks_besides = 2
        """At another rate than the usual."""

    def of(self, rate: int) -> int:
        """How many blocks at this rate."""
        return self.blocks if rate == USUAL else self.blocks_besides


class Pair:
    """The probe of hops and pops, and the bulk that is committed meanwhile."""

    def __init__(self, site: Site, stack: ExitStack, numbers: list[str]) -> None:
        self._hops = hops(calls(numbers))
        self._both = in_turn(hops(calls(numbers)), calls(numbers))
        self._probe = stack.enter_context(closing(Probe(site.bootstrap, (HOP, POP), by_id)))
        self._progress = stack.enter_context(closing(Progress(site.bootstrap)))

    def block(self, events: Iterator[Sent], rate: float, seconds: float) -> tuple[float, dict[str, list[float]]]:
        """One block: the bulk events a second that were committed meanwhile, and the latencies."""
        began, before = time.monotonic(), self._progress.done(BULK)
        found = self._probe.run(events, rate, seconds)
        after, ended = self._progress.done(BULK), time.monotonic()
        return (after - before) / (ended - began), found

    def measure(
        self, rate: float, plan: Plan, more: Callable[[], bool] = lambda: True, blocks: int | None = None
    ) -> Figures:
        """Blocks in turn, as many as planned, while there is `more` of what they are measured beside."""
        with_calls, without = [], []
        found: dict[str, list[float]] = {"hop": [], "hop_beside": [], "pop": []}
        for _ in range(blocks or plan.blocks):
            if with_calls and not more():
                break
            bulk, alone = self.block(self._hops, rate, plan.block_s)
            without.append(bulk)
            bulk, both = self.block(self._both, 2 * rate, plan.block_s)
            with_calls.append(bulk)
            found["hop"] += alone[HOP]
            found["hop_beside"] += both[HOP]
            found["pop"] += both[POP]
        return {
            **{name: shares(seconds) for name, seconds in found.items()},
            "calls_per_s": rate,
            "events_per_s": round(sum(with_calls) / len(with_calls)),
            "events_per_s_without_calls": round(sum(without) / len(without)),
        }


def shares(seconds: list[float]) -> dict[str, float]:
    """The median and the 99th percentile, ms."""
    ranked = sorted(seconds)
    return {f"p{share}": round(ranked[len(ranked) * share // 100] * 1000, 2) for share in (50, 99)}


def measure(quick: bool, place: Place, say: Say) -> dict[str, object]:
    """All of it."""
    plan, chance = Plan(quick), random.Random(SEED)
    site = Site(place)
    with tempfile.TemporaryDirectory(prefix="yupan-latency-") as directory:
        site.fresh()
        broker.create(site.bootstrap, HOP)
        eve, answer = traffic(now_ms() - 3 * HOUR_MS, 3600, EVE_EVENTS, EVE), Answer()
        site.write(eve, answer)
        numbers = sorted(answer.customers)
        chance.shuffle(numbers)
        with site.worker(Path(directory)):
            settle(site.bootstrap, answer)
            found = _idle(site, numbers, plan, say)
            found |= _anomalies(site, plan, say)
        say(f"writing a backlog of {plan.backlog:,}")
        site.write(traffic(now_ms() - 2 * HOUR_MS, 3000, plan.backlog, STATES), answer)
        with site.worker(Path(directory)), ExitStack() as stack:
            found |= _under_load(site, Pair(site, stack, numbers), plan, say)
    return {"latency_ms": found}


def _idle(site: Site, numbers: list[str], plan: Plan, say: Say) -> Figures:
    with ExitStack() as stack:
        pair = Pair(site, stack, numbers)
        pair.measure(USUAL, plan, blocks=plan.warm_blocks)
        by_rate = {}
        for rate in plan.rates:
            by_rate[str(rate)] = pair.measure(rate, plan, blocks=plan.of(rate))
            say(f"{rate} calls a second, idle: {by_rate[str(rate)]}")
    usual = by_rate[str(USUAL)]
    return {**{name: usual[name] for name in ("hop", "hop_beside", "pop")}, "by_rate": by_rate}


def _anomalies(site: Site, plan: Plan, say: Say) -> Figures:
    """Open anomalies are settled one by one."""
    numbers = [f"86139{number:08d}" for number in range(plan.anomalies)]
    with closing(Probe(site.bootstrap, (ANOMALY, REMINDER), by_customer)) as opening:
        opening.run(stopped(numbers), 10_000)  # what they are late for was minutes ago: a quiet second opens them all
    with closing(Probe(site.bootstrap, (ANOMALY, REMINDER), by_customer)) as settling:
        times = settling.run(barred(numbers), SETTLED_PER_S)
    found = {"anomaly": shares(times[ANOMALY]), "reminder": shares(times[REMINDER])}
    say(f"{SETTLED_PER_S} anomalies resolved a second: {found}")
    return found


def _under_load(site: Site, pair: Pair, plan: Plan, say: Say) -> Figures:
    """While the backlog is caught up; then at half of the rate at which it was."""
    places = [(topic, number) for topic in BULK for number in range(PARTITIONS)]
    written = sum(Groups(site.bootstrap).ends(places).values())
    with closing(Progress(site.bootstrap)) as progress:
        backlog = pair.measure(USUAL, plan, _more(lambda: written - progress.done(BULK)))
        say(f"with a backlog: {backlog}")
        wait_for(lambda: progress.done(BULK) >= written, "catching up")
    half = backlog["events_per_s_without_calls"] / 2
    blocks = {rate: plan.of(rate) for rate in plan.rates}
    seconds = 2 * sum(blocks.values()) * plan.block_s * 1.5 + 5
    by_rate = {}
    with feeding(site.bootstrap, now_ms() - HOUR_MS, half, seconds):
        for rate, count in blocks.items():
            by_rate[str(rate)] = pair.measure(rate, plan, blocks=count)
            say(f"{rate} calls a second, at half load: {by_rate[str(rate)]}")
    loaded = {"half_load": by_rate[str(USUAL)], "half_load_by_rate": by_rate}
    return {"backlog": {**backlog, "events": plan.backlog}, **loaded}


def _more(left: Callable[[], int]) -> Callable[[], bool]:
    """Whether what is left is enough for another pair of blocks like the last."""
    before = left()

    def enough() -> bool:
        nonlocal before
        now = left()
        done, before = before - now, now
        return now > 1.2 * done

    return enough
