"""The role `alerts`: incidents are pushed to Alertmanager, and again while they fire (#50).

Everything is told by `yupan.alert.v1`, which is read from its beginning; so a worker keeps nothing, several of them do
no harm beside each other, and an Alertmanager that was started anew knows all again after a moment. While it is away,
what it must know waits here, an incident once, and no decision waits for it.

What fires is pushed, however late it was told: `decide` may have been away, and the fault is still there. Only what was
too old to act when its events came (`old`: an import, a replay) is history, and pages nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple

from agents.ports import Clock
from schemas.codec import Codec
from schemas.errors import PartError, UsageError
from sinks.alert_topic import TOPIC, AlertTopic, Told
from sinks.alertmanager import Alert, Alertmanager, firing, labels, resolved
from streams.metrics import EngineHooks, Metrics
from streams.running import until_signalled
from streams.settings import Settings

log = logging.getLogger("yupan.alerts")
ROLE = "alerts"
AGAIN_MS = 60_000
"""How often what fires is pushed again."""
FIRES_FOR_MS = 10 * AGAIN_MS
"""So long an alert fires after it was pushed last: a worker may be away for that."""
FIRST_RETRY_MS, LONGEST_RETRY_MS = 500, 15_000
SETTLES_MS = 60_000
"""So long what was told late waits: who is catching up may tell its end next."""
_LOOK_S = 0.5
_NAMED = 5
"""Refused incidents that a line of the log names."""
Record = Mapping[str, Any]
Name = tuple[tuple[str, str], ...]
"""Labels: what Alertmanager knows an alert by."""


class Fire(NamedTuple):
    """An incident that fires, as it was told last, and from when on it is pushed."""

    record: Record
    from_ms: int


class Firing:
    """What fires, and what Alertmanager has not been told yet. Times are milliseconds."""

    def __init__(self, act_within: int, metrics: Metrics) -> None:
        """What is told `act_within` after it happened is told late."""
        self._act_within = act_within
        self._metrics = metrics
        self._fires: dict[str, Fire] = {}
        self._waiting: dict[Name, Record] = {}
        self._over: dict[Name, tuple[Record, int]] = {}

    def __len__(self) -> int:
        return len(self._fires)

    @property
    def waiting(self) -> int:
        """How many alerts are to be pushed."""
        return len(self._waiting) + len(self._over)

    def take(self, told: Told) -> None:
        """What was read."""
        record = told.record
        if record is None:
            self._metrics.count("yupan_skipped", topic=TOPIC, reason=told.reason)
            return
        if record["status"] == "RESOLVED":
            before = self._fires.pop(record["incident_id"], None)
            if before is not None:
                self._end(before.record, record["occurred_at"], told.is_new)
        elif not record["old"]:
            self._fire(record, told)
        elif told.is_new:
            self._metrics.count("yupan_too_old_to_act", what="alert")

    def _fire(self, record: Record, told: Told) -> None:
        before, from_ms = self._fires.get(record["incident_id"]), 0
        if told.broker_ms - record["occurred_at"] >= self._act_within:
            from_ms = told.broker_ms + SETTLES_MS if before is None else before.from_ms
        self._fires[record["incident_id"]] = Fire(record, from_ms)
        if before is not None and _name(before.record) != _name(record):
            self._end(before.record, record["occurred_at"], told.is_new)  # graver now: by its labels another alert
        self._over.pop(_name(record), None)
        if from_ms <= told.broker_ms:
            self._waiting[_name(record)] = record

    def again(self, now: int) -> None:
        """Everything that fires is to be pushed."""
        self._waiting |= {_name(fire.record): fire.record for fire in self._fires.values() if fire.from_ms <= now}

    def due(self, now: int) -> list[Alert]:
        """What is to be pushed."""
        begun = [firing(record, now + FIRES_FOR_MS) for record in self._waiting.values()]
        return [*begun, *(resolved(record, at) for record, at in self._over.values())]

    def pushed(self) -> None:
        """Alertmanager has taken all of `due`."""
        self._waiting.clear()
        self._over.clear()

    def _end(self, record: Record, at: int, is_new: bool) -> None:
        self._waiting.pop(_name(record), None)
        if is_new:
            self._over[_name(record)] = record, at


class Pushing:
    """The loop's step: read, push, remember how far. `clock` is the wall's."""

    def __init__(
        self, topic: AlertTopic, target: Alertmanager, metrics: Metrics, clock: Clock, act_within: int
    ) -> None:
        self._topic = topic
        self._target = target
        self._metrics = metrics
        self._hooks = EngineHooks(metrics, ROLE)
        self._clock = clock
        self._firing = Firing(act_within, metrics)
        self._again_at = 0
        self._retry_at = 0
        self._retry_ms = FIRST_RETRY_MS
        self._hooks.assigned(topic.partitions)

    def step(self, seconds: float) -> None:
        """Wait so long for something to come, and push what is due."""
        read = self._read(seconds)
        now = self._clock.now_ms()
        if self._topic.caught_up and now >= self._retry_at:
            if now >= self._again_at:
                self._again_at = now + AGAIN_MS
                self._firing.again(now)
            if self._firing.waiting:
                self._push(now)
            elif read:
                self._topic.commit()
        self._show()

    def _read(self, seconds: float) -> int:
        found = list(self._topic.read(seconds))
        for told in found:
            self._firing.take(told)
        if found:
            self._metrics.count("yupan_events", len(found), role=ROLE, topic=TOPIC)
        return len(found)

    def _push(self, now: int) -> None:
        alerts = self._firing.due(now)
        try:
            refused = self._target.push(alerts)
        except PartError as error:
            if self._retry_ms == FIRST_RETRY_MS:
                log.warning("%s; it is asked again, and nothing is lost", error)
            self._metrics.count("yupan_sink_failures", sink="alertmanager")
            self._metrics.set("yupan_sink_up", 0, sink="alertmanager")
            self._retry_at = now + self._retry_ms
            self._retry_ms = min(2 * self._retry_ms, LONGEST_RETRY_MS)
            return
        if self._retry_ms != FIRST_RETRY_MS:
            log.info("Alertmanager is back; %d alerts were waiting", len(alerts))
        self._firing.pushed()
        self._topic.commit()
        self._retry_ms = FIRST_RETRY_MS
        taken = len(alerts) - len(refused)
        self._metrics.count("yupan_alerts_pushed", taken)
        self._metrics.set("yupan_sink_up", int(taken > 0), sink="alertmanager")
        if refused:
            self._metrics.count("yupan_skipped", len(refused), topic=TOPIC, reason="refused")
            which = ", ".join(alert["labels"]["incident_id"] for alert in refused[:_NAMED])
            log.error("Alertmanager refuses %d of %d alerts; they are left out: %s", len(refused), len(alerts), which)

    def _show(self) -> None:
        self._metrics.set("yupan_incidents_firing", len(self._firing))
        self._hooks.broker_up(self._topic.up)
        for partition, records in self._topic.behind().items():
            self._metrics.set("yupan_consumer_lag_records", records, role=ROLE, topic=TOPIC, partition=str(partition))


def require_alertmanager(settings: Settings) -> Alertmanager:
    """The one that is set. Raises `UsageError`."""
    if not settings.alertmanager:
        raise UsageError("YUPAN_ALERTMANAGER is not set: the role alerts pushes to http://HOST:9093, for example")
    return Alertmanager(settings.alertmanager)


def push_alerts(settings: Settings, codec: Codec, metrics: Metrics, clock: Clock) -> None:
    """Push until SIGTERM or SIGINT. Raises `UsageError`, and `PartError` when the broker does not answer at first."""
    target = require_alertmanager(settings)
    with until_signalled() as stopped, closing(AlertTopic(settings.kafka, settings.kafka_config, codec)) as topic:
        pushing = Pushing(topic, target, metrics, clock, settings.act_within)
        while not stopped.wait(0):
            pushing.step(_LOOK_S)


def _name(record: Record) -> Name:
    return tuple(sorted(labels(record).items()))
