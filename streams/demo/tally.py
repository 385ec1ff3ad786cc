"""Counting what a demo shows: what went in, what was found of it, and how fast."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any

from streams.simulate.stage import CALL, Happening, Injected

ANOMALY = "yupan.anomaly.v1"
REMINDER = "yupan.reminder.v1"
POP = "yupan.screen-pop.v1"
DEAD_LETTER = "yupan.dead-letter.v1"
OUT = (ANOMALY, REMINDER, POP, DEAD_LETTER)
"""The topics whose records `Tally.received` takes."""
_POPPING = ("OFFERED", "TRANSFERRED")
_REMEMBERED = 100_000


@dataclass(slots=True)
class _Drift:
    injected: Injected
    found_at: int | None = None
    called_at: int | None = None


class Tally:
    """Fed by `sent` and `received` from any thread. Times are wall-clock ms; `injected` may still grow."""

    def __init__(self, injected: Sequence[Injected], started_at: int) -> None:
        self.lock = RLock()
        self.started_at = started_at
        self.events: Counter[str] = Counter()
        """Events sent and records received, by topic."""
        self.events_in = 0
        self.calls = 0
        self.contacts_stored = 0
        """Set by whoever asks ClickHouse."""
        self.statuses: dict[str, str] = {}
        """Anomaly id to its newest status."""
        self.anomalies: deque[Mapping[str, Any]] = deque(maxlen=40)
        """The newest records of `yupan.anomaly.v1`, newest first."""
        self.pops: deque[tuple[Mapping[str, Any], int | None]] = deque(maxlen=40)
        """The newest screen pops with their latency (ms), newest first."""
        self.latencies: deque[int] = deque(maxlen=_REMEMBERED)
        self._injected = injected
        self._indexed = 0
        self._drifts: dict[str, list[_Drift]] = {}
        self._resolved: set[str] = set()
        self._offered: dict[tuple[str, str | None], int] = {}
        self._popped: set[tuple[str, str | None]] = set()

    def sent(self, event: Happening, at: int) -> None:
        """An event went out at `at`."""
        with self.lock:
            self._index()
            self.events_in += 1
            self.events[event.topic] += 1
            if event.topic != CALL:
                return
            call = event.record
            if call["phase"] == "IVR_ENTERED":
                self.calls += 1
                self._called(call["msisdn"], at)
            elif call["phase"] in _POPPING:
                self._offered[call["call_id"], call["seat"]] = at

    def received(self, topic: str, record: Mapping[str, Any] | None, at: int) -> None:
        """A record of one of the `OUT` topics arrived at `at`; None is a tombstone, or unread."""
        with self.lock:
            self.events[topic] += 1
            if record is not None and topic == ANOMALY:
                self._anomaly(record, at)
            elif record is not None and topic == POP:
                self._pop(record, at)

    def _index(self) -> None:
        for drift in self._injected[self._indexed :]:
            self._drifts.setdefault(drift.msisdn, []).append(_Drift(drift))
            self._indexed += 1

    def _called(self, msisdn: str | None, at: int) -> None:
        for drift in self._drifts.get(msisdn or "", ()):
            repaired = drift.injected.repaired_at
            if drift.called_at is None and (repaired is None or at < repaired):
                drift.called_at = at

    def _anomaly(self, record: Mapping[str, Any], at: int) -> None:
        number, status = record["anomaly_id"], record["status"]
        self.anomalies.appendleft(record)
        self.statuses[number] = status
        if status == "RESOLVED":
            self._resolved.add(number)
        if status == "OPEN":
            self._found(record, at)

    def _found(self, record: Mapping[str, Any], at: int) -> None:
        """The drift that this anomaly is about: the one of that customer and check whose event triggered it."""
        self._index()
        for drift in self._drifts.get(record["msisdn"] or "", ()):
            same = drift.injected.check == record["check"]
            if same and drift.injected.trigger == record["trigger_id"] and drift.found_at is None:
                drift.found_at = at

    def _pop(self, record: Mapping[str, Any], at: int) -> None:
        identity = (record["call_id"], record["seat"])
        sent_at = self._offered.pop(identity, None)
        latency = None if sent_at is None else max(0, at - sent_at)
        if latency is not None:
            self.latencies.append(latency)
        if identity not in self._popped:
            self._popped.add(identity)
            self.pops.appendleft((record, latency))

    def drifts(self, until: float = math.inf) -> tuple[int, int]:
        """(injected and due at `until` or before, of them found)."""
        with self.lock:
            self._index()
            due = [d for some in self._drifts.values() for d in some if d.injected.due_at <= until]
            return len(due), sum(d.found_at is not None for d in due)

    def found_before_call_share(self) -> float | None:
        """Of the drifts whose customer called, the share that was found before the first call; None without any."""
        with self.lock:
            called = [d for some in self._drifts.values() for d in some if d.called_at is not None]
            before = sum(d.found_at is not None and d.found_at <= (d.called_at or 0) for d in called)
            return round(before / len(called), 3) if called else None

    def resolved(self) -> int:
        """How many anomalies were resolved."""
        return len(self._resolved)

    def pop_count(self) -> int:
        """How many screen pops arrived, repeats not counted."""
        return len(self._popped)

    def latency(self, share: float) -> int | None:
        """The pop latency (ms) that `share` of the pops do not exceed; None without pops."""
        with self.lock:
            ordered = sorted(self.latencies)
        return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else None

    def summary(self, at: int) -> dict[str, Any]:
        """The last line of `yupan demo --json`; `at` is when the traffic ended: what fell due by then counts."""
        with self.lock:
            injected, found = self.drifts(at)
            return {
                "events_in": self.events_in,
                "drifts_injected": injected,
                "drifts_found": found,
                "anomalies_opened": len(self.statuses),
                "anomalies_resolved": self.resolved(),
                "found_before_call_share": self.found_before_call_share(),
                "calls": self.calls,
                "pops": self.pop_count(),
                "pop_latency_ms": {"p50": self.latency(0.5), "p99": self.latency(0.99)},
                "contacts_stored": self.contacts_stored,
                "dead_letters": self.events[DEAD_LETTER],
                "seconds": round((at - self.started_at) / 1000, 1),
            }
