"""The metrics of one worker: `schemas.metrics` as Prometheus collectors, and the endpoint that shows them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
)

from schemas.errors import PartError
from schemas.metrics import METRICS, Metric


class Metrics:
    """Collectors by name. `count`, `observe` and `set` take a metric's name and its labels."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each, which is in no catalogue
        self.registry = CollectorRegistry()
        self._collectors: dict[str, Any] = {m.name: self._make(m) for m in METRICS}
        self._children: dict[tuple[Any, ...], Any] = {}
        self.set("yupan_build_info", 1, version=version("yupan"))

    def _make(self, metric: Metric) -> Any:
        if metric.kind == "histogram":
            return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=self.registry)
        kind = Counter if metric.kind == "counter" else Gauge
        return kind(metric.name, metric.help, metric.labels, registry=self.registry)

    def _child(self, name: str, labels: dict[str, str]) -> Any:
        # prometheus_client's own labels() checks and locks at every call; the hot path asks once
        key = (name, *labels.values())
        child = self._children.get(key)
        if child is None:
            collector = self._collectors[name]
            child = self._children[key] = collector.labels(**labels) if labels else collector
        return child

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add `amount` to a counter."""
        self._child(name, labels).inc(amount)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Take `value` into a histogram (seconds, or rows)."""
        self._child(name, labels).observe(value)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._child(name, labels).set(value)

    def forget(self, name: str, **labels: str) -> None:
        """Drop one labelled series, for a partition that has moved to another worker."""
        self._children.pop((name, *labels.values()), None)
        self._collectors[name].remove(*labels.values())

    def serve(self, address: str) -> str:
        """Serve `/metrics` on `host:port` and return the address with the port taken.

        Raises `PartError` when the address cannot be bound.
        """
        host, _, port = address.rpartition(":")
        try:
            server, _ = start_http_server(int(port), addr=host, registry=self.registry)
        except OSError as error:
            raise PartError(
                f"YUPAN_METRICS={address}: cannot be bound ({error.strerror}); choose another port"
            ) from error
        return f"{host}:{server.server_port}"


class EngineHooks:
    """The engine's hooks (`streams.engine.metrics`), bound to the metrics of one role."""

    def __init__(self, metrics: Metrics, role: str) -> None:
        self._metrics = metrics
        self._role = role
        self.broker_up(False)

    def decided(self, topic: str, events: int, since: dict[str, float]) -> None:
        """Count a batch's events; `since` gives seconds by `received`, `broker`, `occurred`."""
        self._metrics.count("yupan_events", events, role=self._role, topic=topic)
        for moment, seconds in since.items():
            self._metrics.observe("yupan_decision_latency_seconds", seconds, role=self._role, topic=topic, since=moment)

    def committed(self, events: int, seconds: float) -> None:
        self._metrics.count("yupan_transactions", role=self._role, outcome="committed")
        self._metrics.observe("yupan_commit_seconds", seconds, role=self._role)

    def aborted(self) -> None:
        self._metrics.count("yupan_transactions", role=self._role, outcome="aborted")

    def pending(self, batches: int) -> None:
        self._metrics.set("yupan_pending_batches", batches, role=self._role)

    def armed(self, deadlines: int) -> None:
        self._metrics.set("yupan_armed_deadlines", deadlines, role=self._role)

    def assigned(self, partitions: int) -> None:
        self._metrics.set("yupan_assigned_partitions", partitions, role=self._role)

    def restored(self, records: int, seconds: float) -> None:
        self._metrics.count("yupan_restored_records", records, role=self._role)
        self._metrics.observe("yupan_restore_seconds", seconds, role=self._role)

    def lag(self, topic: str, partition: int, records: int, seconds: float) -> None:
        labels = {"role": self._role, "topic": topic, "partition": str(partition)}
        self._metrics.set("yupan_consumer_lag_records", records, **labels)
        self._metrics.set("yupan_consumer_lag_seconds", seconds, **labels)

    def lag_gone(self, topic: str, partition: int) -> None:
        for name in ("yupan_consumer_lag_records", "yupan_consumer_lag_seconds"):
            self._metrics.forget(name, role=self._role, topic=topic, partition=str(partition))

    def broker_up(self, up: bool) -> None:
        self._metrics.set("yupan_broker_up", int(up), role=self._role)

    def dead_letter(self, topic: str, reason: str) -> None:
        self._metrics.count("yupan_dead_letters", topic=topic, reason=reason)

    def rerouted(self, topic: str) -> None:
        self._metrics.count("yupan_rerouted", topic=topic)
