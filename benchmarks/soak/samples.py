"""What is looked at every few seconds: memory of each process, lag, how long pops and reminders take."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.soak.probes import Probes, Waited
from streams.dev import Stack
from streams.parts.kafka import Kafka
from streams.supervisor import Worker

EVERY_S = 5.0
Shown = Mapping[str, float]
"""The metrics of a worker, by name."""


def memory_mb(pid: int | None) -> float | None:
    """What a process has resident, or None while it does not run."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def quantiles(waited: Sequence[Waited]) -> dict[str, float] | None:
    """Milliseconds; None when nothing was awaited."""
    times = sorted(one.ms for one in waited)
    if not times:
        return None
    at = {name: times[min(int(len(times) * share), len(times) - 1)] for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {**at, "max": times[-1], "n": len(times)}


class Sampler:
    """Takes samples of one stack; `samples` grows."""

    def __init__(self, stack: Stack, probes: Probes) -> None:
        assert stack.supervisor is not None
        self._stack = stack
        self._probes = probes
        self._workers: Mapping[str, Worker] = {worker.role: worker for worker in stack.supervisor.workers}
        self._began = time.monotonic()
        self._events = {role: worker.read("yupan_events_total") for role, worker in self._workers.items()}
        self._taken_at = self._began
        self._pops = self._reminders = 0
        self.samples: list[dict[str, Any]] = []

    def take(self) -> dict[str, Any]:
        """One more sample."""
        now = time.monotonic()
        shown = {role: worker.shown() for role, worker in self._workers.items()}
        sample = {
            "s": round(now - self._began, 1),
            "memory_mb": self._memory(),
            "lag": {role: one.get("yupan_consumer_lag_records", 0.0) if one else None for role, one in shown.items()},
            "events_per_s": {role: self._rate(role, one or {}, now - self._taken_at) for role, one in shown.items()},
            "armed": (shown["decide"] or {}).get("yupan_armed_deadlines", 0.0),
            "broker_up": _all_say(shown.values(), "yupan_broker_up"),
            "sink_up": _all_say([shown["history"]], "yupan_sink_up"),
            "pop_ms": quantiles(self._probes.pops[self._pops :]),
            "reminder_ms": quantiles(self._probes.reminders[self._reminders :]),
        }
        self._taken_at = now
        self._pops, self._reminders = len(self._probes.pops), len(self._probes.reminders)
        self.samples.append(sample)
        return sample

    def _memory(self) -> dict[str, float | None]:
        server, broker = self._stack.server, self._stack.broker
        assert server is not None
        assert isinstance(broker, Kafka)
        pids = {role: worker.pid for role, worker in self._workers.items()}
        pids |= {"broker": broker.nodes[0].pid, "clickhouse": server.pid}
        return {name: memory_mb(pid) for name, pid in pids.items()}

    def _rate(self, role: str, shown: Shown, seconds: float) -> float:
        before, now = self._events[role], shown.get("yupan_events_total", 0.0)
        self._events[role] = max(now, before)  # 0: it did not answer in time
        return round(max(now - before, 0.0) / max(seconds, 0.001))


def _all_say(shown: Iterable[Shown | None], name: str) -> bool | None:
    """Whether all workers show a part as up; None while one of them does not answer."""
    answers = list(shown)
    return None if None in answers else all(one.get(name) for one in answers if one is not None)


def flatness(samples: Sequence[Mapping[str, Any]], of: str) -> dict[str, float]:
    """Medians of a process's memory in the second and in the last fifth of the samples, and the most that it had."""
    early, late, most = fifths([value for sample in samples if (value := sample["memory_mb"][of]) is not None])
    return {"early_mb": early, "late_mb": late, "most_mb": most}


def fifths(values: Sequence[float]) -> tuple[float, float, float]:
    """Medians of the second and of the last fifth of what was seen over time, and the most."""
    fifth = max(len(values) // 5, 1)
    return statistics.median(values[fifth : 2 * fifth] or values), statistics.median(values[-fifth:]), max(values)
