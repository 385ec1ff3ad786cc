"""Every metric that a worker exposes, in one place: name, kind, meaning, labels.

SREs build on these names. A test compares this list with what a running worker exposes, and the
documentation with this list. No label ever holds an MSISDN.
"""

from __future__ import annotations

from typing import NamedTuple

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600)
PROPAGATION = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600, 86_400)
LIVES = (10, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 259_200, 604_800)
SIZES = (1, 10, 100, 1_000, 10_000, 100_000)


class Metric(NamedTuple):
    """`kind`: counter, gauge or histogram. Counters are exposed with the suffix `_total`."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = FAST


METRICS = (
    # what goes in
    Metric("yupan_events", "counter", "Events read and decided", ("role", "topic")),
    Metric("yupan_duplicates", "counter", "Events recognised as repeats, by topic", ("topic",)),
    Metric("yupan_rerouted", "counter", "Records on the wrong partition, sent to their own", ("topic",)),
    Metric("yupan_dead_letters", "counter", "Records that could not be used, by reason", ("topic", "reason")),
    Metric("yupan_skipped", "counter", "Records that history cannot store, or alerts cannot push", ("topic", "reason")),
    Metric(
        "yupan_too_old_to_act",
        "counter",
        "Pops, repairs and alerts not sent: the event was too old",
        ("what",),
    ),
    Metric(
        "yupan_late",
        "counter",
        "Older states that did not turn a newer one back; usage too late for any window of a rate",
        ("system",),
    ),
    # what is decided
    Metric("yupan_anomalies", "counter", "Changes of an anomaly's status", ("check", "status")),
    Metric("yupan_anomalies_reopened", "counter", "Anomalies that opened again within an hour", ("check",)),
    Metric(
        "yupan_resolve_seconds",
        "histogram",
        "From an anomaly's first opening to its RESOLVED, by the times of the events",
        ("check",),
        LIVES,
    ),
    Metric(
        "yupan_commands",
        "counter",
        "Commands of people about anomalies: done, unknown (no such one is open), impossible, sent on to an area's",
        ("kind", "outcome"),
    ),
    Metric(
        "yupan_shadowed",
        "counter",
        "What checks and watch lists in shadow would have told: a status, or opened, changed, withdrawn",
        ("check", "would"),
    ),
    Metric("yupan_checks_loaded", "gauge", "Checks and watch lists by the mode of their file", ("mode",)),
    Metric("yupan_checks_refused", "gauge", "1: the check files were refused when read anew, and the old ones stay"),
    Metric(
        "yupan_checks_reloads",
        "counter",
        "Check files read anew: loaded, or refused, and the old ones stay",
        ("outcome",),
    ),
    Metric(
        "yupan_baseline_missing",
        "gauge",
        "With YUPAN_BASELINE=on: 1 while checks are silent because the full export of this system is not in",
        ("system",),
    ),
    Metric("yupan_not_applicable", "counter", "Values outside a check's mapping", ("check",)),
    Metric(
        "yupan_reminders",
        "counter",
        "Reminders opened, changed, withdrawn, or dropped by the ledger",
        ("kind", "action"),
    ),
    Metric(
        "yupan_repairs",
        "counter",
        "Automatic repairs: sent, dry_run (would be), capped (no slot yet), done, refused, failed",
        ("check", "outcome"),
    ),
    Metric(
        "yupan_alerts",
        "counter",
        "Incidents told to technicians: begun, grown or still there, and over",
        ("check", "status"),
    ),
    Metric("yupan_pops", "counter", "Screen pops sent, by the caller's segment", ("segment",)),
    Metric("yupan_calls", "counter", "Call phases tagged, by segment", ("segment",)),
    Metric("yupan_ids_dropped", "counter", "Ids of occurrences forgotten before their 24 h", ("topic",)),
    Metric("yupan_waits_dropped", "counter", "Transactions given up: a customer had too many", ("check",)),
    Metric("yupan_works_dropped", "counter", "Works on systems forgotten: a partition knew of too many", ()),
    Metric(
        "yupan_propagation_seconds",
        "histogram",
        "How long a system took to hold what a check's first system does, by the times of the events",
        ("check", "system"),
        PROPAGATION,
    ),
    Metric("yupan_armed_deadlines", "gauge", "Deadlines armed in this worker", ("role",)),
    # how fast
    Metric(
        "yupan_decision_latency_seconds",
        "histogram",
        "Until a batch is decided, since its oldest event reached broker and worker (received), its newest occurred",
        ("role", "topic", "since"),
    ),
    Metric("yupan_pop_latency_seconds", "histogram", "From the call event's broker time to its pop", ()),
    Metric("yupan_consumer_lag_records", "gauge", "Records not yet read", ("role", "topic", "partition")),
    Metric(
        "yupan_consumer_lag_seconds",
        "gauge",
        "Age of the newest decided record while records wait, else 0",
        ("role", "topic", "partition"),
    ),
    # the engine
    Metric("yupan_transactions", "counter", "Transactions, by outcome (committed, aborted)", ("role", "outcome")),
    Metric(
        "yupan_commit_seconds",
        "histogram",
        "Duration of a commit (at least once: without the offsets)",
        ("role",),
    ),
    Metric("yupan_pending_batches", "gauge", "Batches decided and not yet in a transaction", ("role",)),
    Metric("yupan_assigned_partitions", "gauge", "Partitions that this worker owns", ("role",)),
    Metric("yupan_restore_seconds", "histogram", "Restoring one partition's ledger", ("role",)),
    Metric("yupan_restored_records", "counter", "Ledger records restored", ("role",)),
    Metric("yupan_broker_up", "gauge", "1 while the broker answers, 0 while it is waited for", ("role",)),
    # ClickHouse
    Metric("yupan_sink_batch_rows", "histogram", "Rows of one insert", ("table",), SIZES),
    Metric("yupan_sink_latency_seconds", "histogram", "Duration of one insert", ("table",)),
    Metric("yupan_sink_failures", "counter", "Inserts that failed and are tried again", ("sink",)),
    Metric("yupan_sink_up", "gauge", "1 while the sink takes rows, 0 while it is waited for", ("sink",)),
    # Alertmanager
    Metric("yupan_incidents_firing", "gauge", "Incidents that fire now, as the role alerts knows them", ()),
    Metric("yupan_alerts_pushed", "counter", "Alerts that Alertmanager has taken, repeats included", ()),
    Metric("yupan_build_info", "gauge", "Always 1; the version is a label", ("version",)),
)
