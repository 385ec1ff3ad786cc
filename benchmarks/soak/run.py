"""One soak: the capacity of this machine, then a share of it for so long, with what is taken away meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.command import Say
from benchmarks.common.rates import Counted, steady_rate
from benchmarks.soak.chart import Band
from benchmarks.soak.load import DEADLINE_MS, Load, Options
from benchmarks.soak.probes import Probes
from benchmarks.soak.samples import EVERY_S, Sampler, flatness, quantiles
from benchmarks.soak.stored import committed, missing, stored
from streams.dev import Stack
from streams.parts.kafka import Kafka
from streams.settings import Settings
from streams.supervisor import Supervisor, Worker
from streams.topology import ROLES

PARTITIONS = 12
WARM_UP_S = 20.0
SETTLES_S = 60.0
MEASURED_S = 60.0
HOLDS_S = 2.0
"""Lag is told once a second: so long must the workers have caught up."""
LONGEST_S = 900.0
SAY_EVERY_S = 15.0


@dataclass(frozen=True)
class Plan:
    """What to do. Times are seconds; 0: it does not go away."""

    seconds: float
    share: float = 0.7
    customers: int = 300_000
    """As many as call a few times an hour: who called every few minutes would have longer and longer records."""
    backlog: int = 2_000_000
    """The first half of it is people who move in."""
    clickhouse_away: float = 0.0
    broker_away: float = 0.0
    seed: int = 7

    def away(self) -> Iterator[Band]:
        """ClickHouse goes after a quarter of the time, the broker in the middle of what remains after that."""
        since = self.seconds / 4
        if self.clickhouse_away:
            yield Band("clickhouse", since, since + self.clickhouse_away)
            since += self.clickhouse_away
        if self.broker_away:
            middle = (since + self.seconds) / 2
            yield Band("broker", middle, middle + self.broker_away)


class Soak:
    """A whole Yupan under load; for `with`."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self._plan = plan
        self._say = say
        self._exit = ExitStack()
        self.bands: list[Band] = []
        """What was away, when it really was."""

    def __enter__(self) -> Soak:
        directory = Path(self._exit.enter_context(TemporaryDirectory(prefix="yupan-soak-")))
        # the ledger grows with what customers do for a day; on disk, so that what grows in memory is ours
        settings = Settings().with_(
            partitions=PARTITIONS, deadlines={"activation": DEADLINE_MS}, ledger=f"rocksdb://{directory}"
        )
        self._stack = self._exit.enter_context(Stack(settings, "kafka", "server", workers=0))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _load(self, rate: float, count: int = 0) -> Load:
        plan = self._plan
        return Load(Options(self._stack.settings.kafka, plan.seed, plan.customers, rate, count, known=not count))

    # --- how much the machine can do

    def capacity(self) -> dict[str, float]:
        """Events a second by role, while both work off a backlog that was written before they start; and `all`.

        `all` is what is decided and stored a second while more than that is written: then the load, the broker and
        ClickHouse have their share of the machine, and events come one by one.
        """
        count = self._plan.backlog
        self._say(f"writing a backlog of {count:,} events")
        with self._load(5_000, count) as load:
            while load.alive:
                time.sleep(0.1)
            if load.exit_code:
                raise RuntimeError(load.log.read_text(errors="replace")[-2_000:])
        found = self._drain(count)
        shares = {worker.role: _told(worker) / count for worker in self._workers}
        return {**found, "all": self._under(min(found.values()), shares)}

    def _under(self, rate: float, shares: dict[str, float]) -> float:
        """What the slower role does while `rate` a second are written; `shares`: of all events, by role."""
        with self._load(rate):
            self._say(f"writing {rate:,.0f} events a second, to see how many are decided and stored")
            time.sleep(SETTLES_S)
            before, began = self._done(shares), time.monotonic()
            time.sleep(MEASURED_S)
            after, passed = self._done(shares), time.monotonic() - began
        return round(min(after[role] - before[role] for role in shares) / passed)

    def _done(self, shares: dict[str, float]) -> dict[str, float]:
        return {worker.role: _told(worker) / shares[worker.role] for worker in self._workers}

    @property
    def _workers(self) -> Sequence[Worker]:
        assert self._stack.supervisor is not None
        return self._stack.supervisor.workers

    def _drain(self, count: int) -> dict[str, float]:
        supervisor = Supervisor(ROLES, 1, self._stack.settings.environ(), self._stack.directory / "workers")
        self._stack.supervisor = supervisor
        self._exit.callback(supervisor.stop)
        supervisor.launch()
        counted: dict[str, list[Counted]] = {worker.role: [] for worker in supervisor.workers}

        def done() -> bool:
            for worker in supervisor.workers:
                counted[worker.role].append((time.monotonic(), worker.read("yupan_events_total")))
            return all(seen[-1][1] for seen in counted.values()) and self._caught_up()

        self._until(done, "the backlog is worked off", every=0.25, holds_s=3)
        return {role: _of_all(seen, count) for role, seen in counted.items()}

    # --- the soak

    def run(self, rate: float) -> dict[str, Any]:
        """So many events a second for the plan's time; what was seen, and whether anything is missing."""
        self._until(self._caught_up, "the workers have caught up", holds_s=HOLDS_S)
        with self._load(rate) as load, Probes(self._stack.settings.kafka, PARTITIONS) as probes:
            self._say("the load begins")
            time.sleep(WARM_UP_S)
            self._until(self._caught_up, "the workers have caught up", holds_s=HOLDS_S)
            sampler = Sampler(self._stack, probes)
            self._watch(sampler, load, probes)
            probes.stop_sending()
            load.send(load.stop_signal())
            self._until(lambda: not load.alive, "the load has ended")
            ended = time.monotonic()
            self._until(self._caught_up, "all is decided and stored", holds_s=HOLDS_S)
            caught_up_s = time.monotonic() - ended - HOLDS_S
            time.sleep(DEADLINE_MS / 1000 + 5)
            if probes.failures or load.exit_code:
                raise RuntimeError(f"{probes.failures}\n{load.log.read_text(errors='replace')[-2_000:]}")
        return self._result(sampler, probes, caught_up_s)

    def _watch(self, sampler: Sampler, load: Load, probes: Probes) -> None:
        began, pending, gone = time.monotonic(), list(self._plan.away()), list[Band]()
        while (now := time.monotonic() - began) < self._plan.seconds or gone:
            if pending and now >= pending[0].since:
                gone.append(pending.pop(0))
                self._part(gone[-1].what).kill()
                self._say(f"{now:5.0f} s: {gone[-1].what} is gone")
            if gone and now >= gone[0].until:
                band = gone.pop(0)
                self._part(band.what).launch()
                self.bands.append(band._replace(until=now))
                self._say(f"{now:5.0f} s: {band.what} is started again")
            self._supervise()
            if not load.alive or probes.failures:
                raise RuntimeError(f"{probes.failures}\n{load.log.read_text(errors='replace')[-2_000:]}")
            self._told(sampler.take())
            time.sleep(max(EVERY_S - (time.monotonic() - began - now), 0.0))

    def _told(self, sample: dict[str, Any]) -> None:
        pops, lag, memory = sample["pop_ms"] or {}, sample["lag"], sample["memory_mb"]
        self._say(
            f"{sample['s']:5.0f} s: {sample['events_per_s']['decide']:,.0f} events/s, pops p50 {pops.get('p50', '-')} "
            f"p99 {pops.get('p99', '-')} ms, lag {lag['decide']} and {lag['history']}, "
            f"{memory['decide']} and {memory['history']} MB"
        )

    def _part(self, what: str) -> Any:
        broker = self._stack.broker
        assert isinstance(broker, Kafka)
        return broker.nodes[0] if what == "broker" else self._stack.server

    def _supervise(self) -> None:
        if self._stack.supervisor is not None:
            self._stack.supervisor.watch()

    def _lags(self) -> str:
        supervisor = self._stack.supervisor
        workers = supervisor.workers if supervisor is not None else ()
        return ", ".join(f"{w.role} {w.read('yupan_consumer_lag_records'):,.0f} records behind" for w in workers)

    def _caught_up(self) -> bool:
        return all(
            worker.assigned() == PARTITIONS and worker.read("yupan_consumer_lag_records") < 500
            for worker in self._workers
        )

    def _until(self, condition: Callable[[], bool], what: str, every: float = 0.5, holds_s: float = 0.0) -> None:
        """Wait until `condition` has been true for `holds_s`."""
        told = time.monotonic()
        until, since = told + LONGEST_S, None
        while True:
            now = time.monotonic()
            since = (since if since is not None else now) if condition() else None
            if since is not None and now - since >= holds_s:
                return
            self._supervise()
            if now > until:
                raise RuntimeError(f"not within {LONGEST_S:.0f} s: {what}; {self._lags()}")
            if now > told + SAY_EVERY_S:
                told = now
                self._say(f"waiting until {what}: {self._lags()}")
            time.sleep(every)

    def _result(self, sampler: Sampler, probes: Probes, caught_up_s: float) -> dict[str, Any]:
        bootstrap, lacking = self._stack.settings.kafka, {}
        until = time.monotonic() + 60
        while time.monotonic() < until:  # ClickHouse has what lags least a second later
            records = committed(bootstrap, PARTITIONS)
            lacking = missing(records, stored(self._stack.clickhouse))
            if not lacking:
                break
            time.sleep(1)
        assert self._stack.supervisor is not None
        samples = sampler.samples
        return {
            "memory": {of: flatness(samples, of) for of in ("decide", "history", "broker", "clickhouse")},
            "pop_ms": quantiles(probes.pops),
            "reminder_ms": quantiles(probes.reminders),
            "unanswered": probes.unanswered,
            "most_lag": {role: max(sample["lag"][role] or 0 for sample in samples) for role in ROLES},
            "caught_up_s": round(caught_up_s, 1),
            "restarts": self._stack.supervisor.restarts,
            "records": sum(records.values()),
            "missing": lacking,
            "samples": samples,
        }


def _told(worker: Worker) -> float:
    """The events of `worker` so far; a worker at its limit does not always answer in time."""
    while not (events := worker.read("yupan_events_total")):
        time.sleep(0.05)
    return events


def _of_all(counted: list[Counted], events: int) -> float:
    """The rate in terms of all events: a role may read only some of the topics. In the first half people move in."""
    own = counted[-1][1]
    return steady_rate([(at, number / own * events) for at, number in counted if number > own / 2], events)
