"""What running workers expose is what the catalogue names, it moves, and no customer is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from agents.rules import SHIPPED
from schemas.metrics import METRICS, Metric
from schemas.partition import partition_of
from tests.e2e.kit import NUMBERS, Live, contact, encoded, msisdn, now_ms, state, wait_for, with_key

STATE, CALL, CONTACT, ANOMALY = "yupan.state.v1", "yupan.call.v1", "yupan.contact.v1", "yupan.anomaly.v1"
COMMAND = "yupan.command.v1"
MINUTE = 60_000
CATALOGUE = {metric.name: metric for metric in METRICS}
OF_ANY = {
    "yupan_events",
    "yupan_decision_latency_seconds",
    "yupan_consumer_lag_records",
    "yupan_consumer_lag_seconds",
    "yupan_transactions",
    "yupan_commit_seconds",
    "yupan_pending_batches",
    "yupan_assigned_partitions",
    "yupan_broker_up",
    "yupan_build_info",
}
OF_HISTORY = {"yupan_skipped", "yupan_sink_batch_rows", "yupan_sink_latency_seconds", "yupan_sink_up"}
ON_FAILURE = {"yupan_sink_failures"}
"""What moves only when ClickHouse goes away: `test_surroundings`."""
OF_ALERTS = {"yupan_incidents_firing", "yupan_alerts_pushed"}
"""What the role `alerts` moves: `test_alerts`."""
ON_A_SWITCH = {"yupan_baseline_missing"}
"""What `YUPAN_BASELINE=on` shows: `test_baseline`."""
ON_A_FLOOD = {"yupan_works_dropped"}
"""What moves when there are more works than fit: `test_cutovers`."""
OF_DECIDE = set(CATALOGUE) - OF_HISTORY - ON_FAILURE - OF_ALERTS - ON_A_SWITCH - ON_A_FLOOD


def families(text: str) -> dict[str, Family]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def call(number: str, call_id: str, phase: str, at: int) -> dict[str, Any]:
    return {"call_id": call_id, "msisdn": number, "phase": phase, "seat": "s-1", "occurred_at": at}


def command(anomaly_id: str, number: str, kind: str = "ACKNOWLEDGE") -> dict[str, Any]:
    said = {"command_id": "k-1", "kind": kind, "anomaly_id": anomaly_id, "staff": "1001"}
    return {**said, "msisdn": number, "occurred_at": now_ms()}


def states_of(number: str) -> list[dict[str, Any]]:
    """An opening that the HLR never hears of, a value outside the mapping, an older state, and a repeat."""
    now = now_ms()
    late = state(msisdn(), "crm", "status", "active", now)
    odd = state(msisdn(), "crm", "status", "asleep", now)
    return [state(number, "crm", "status", "active", now), odd, late, {**late, "occurred_at": now - MINUTE}, late]


@pytest.fixture(scope="module")
def shown(stack: Live) -> Mapping[str, dict[str, Family]]:
    """What both workers expose after traffic that moves every metric."""
    number, stray, now = msisdn(), msisdn(), now_ms()
    stack.publish(STATE, state(msisdn(), "crm", "status", "active"))
    stack.settle()
    worker = stack.worker("decide")
    worker.stop()
    worker.start()  # restores what is in the ledger now
    wait_for(lambda: worker.assigned() == stack.settings.partitions)

    shadow = stack.own_checks / "shadow.yaml"
    text = (SHIPPED / "activation.yaml").read_text("utf-8").replace("within: 10 min", "within: 1 s")
    shadow.write_text(text.replace("id: activation", "id: activation.shadow\nmode: shadow", 1), "utf-8")
    stack.reload()
    stack.publish(STATE, *states_of(number))
    stack.publish(CALL, call(number, f"m-{number}", "OFFERED", now))
    stack.publish(CALL, call(number, f"old-{number}", "OFFERED", now - 20 * MINUTE))
    stack.publish(CONTACT, contact(number, f"m-{number}", "hello"))
    payments = [state(number, "order", "payment", 1.0, now, transaction=f"t{n}") for n in range(260)]
    stack.publish(STATE, *payments)
    # in a region of its own: with those of other tests it would be part of an incident that was told before
    astray = encoded(STATE, state(stray, "crm", "status", "active", region=f"r-{now}"))
    stack.produce(STATE, astray, stray, partition=(partition_of(stray.encode(), 4) + 1) % 4)
    stack.produce(STATE, b"rubbish", number)
    stack.flush()
    told = stack.read(ANOMALY, until=with_key(number, stray))
    (strayed,) = (s.record["anomaly_id"] for s in told if s.record["msisdn"] == stray)
    stack.publish(COMMAND, command("nobody", number), command(strayed, stray, "REPAIR"))
    stack.publish(STATE, state(number, "hlr", "status", "active"))
    stack.settle()
    stack.publish(STATE, state(number, "hlr", "status", "barred"))
    wait_for(lambda: stack.metric("decide", "yupan_anomalies_reopened_total") >= 1, what="it has opened again")
    wait_for(lambda: stack.metric("decide", "yupan_consumer_lag_records") == 0)
    wait_for(lambda: stack.metric("decide", "yupan_alerts_total") >= 1, what="technicians were told")
    shadow.unlink()
    stack.reload()
    return {role: families(stack.metrics_text(role)) for role in ("decide", "history")}


@pytest.mark.parametrize("role", ["decide", "history"])
def test_a_worker_exposes_the_catalogue_and_nothing_else(role: str, shown: Mapping[str, dict[str, Family]]) -> None:
    found = shown[role]
    assert found.keys() == CATALOGUE.keys()
    for name, family in found.items():
        assert (family.type, family.documentation) == (CATALOGUE[name].kind, CATALOGUE[name].help)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_its_labels_are_those_of_the_catalogue(metric: Metric, shown: Mapping[str, dict[str, Family]]) -> None:
    for found in shown.values():
        for sample in found[metric.name].samples:
            assert sample.labels.keys() - {"le"} == set(metric.labels)


def moved(family: Family) -> bool:
    """Whether it has a series; of a counter or histogram, one that has counted."""
    if family.type == "gauge":
        return bool(family.samples)
    return any(s.value > 0 for s in family.samples if s.name.endswith(("_total", "_count")))


@pytest.mark.parametrize("name", sorted(OF_DECIDE))
def test_traffic_moves_it_in_decide(name: str, shown: Mapping[str, dict[str, Family]]) -> None:
    assert moved(shown["decide"][name])


@pytest.mark.parametrize("name", sorted(OF_ANY | OF_HISTORY))
def test_traffic_moves_it_in_history(name: str, shown: Mapping[str, dict[str, Family]]) -> None:
    assert moved(shown["history"][name])


def value(found: dict[str, Family], name: str, **labels: str) -> float:
    samples = found[name].samples
    return sum(
        s.value for s in samples if labels.items() <= s.labels.items() and not s.name.endswith(("_bucket", "_sum"))
    )


def test_the_numbers_are_right(shown: Mapping[str, dict[str, Family]]) -> None:
    """Since the worker that decides was started by the fixture, all but the lower bounds are exact."""
    found = shown["decide"]
    assert value(found, "yupan_too_old_to_act", what="pop") == 1
    assert value(found, "yupan_commands", kind="ACKNOWLEDGE", outcome="unknown") == 1
    assert value(found, "yupan_repairs", check="activation", outcome="sent") == 1
    assert value(found, "yupan_waits_dropped", check="charging.recharge") == 260 - 64
    assert value(found, "yupan_pops") == value(found, "yupan_pop_latency_seconds") == 1
    assert value(found, "yupan_calls", segment="none") == 2
    assert value(found, "yupan_rerouted", topic=STATE) == 1
    assert value(found, "yupan_dead_letters", topic=STATE, reason="not_avro") == 1
    assert value(found, "yupan_dead_letters") == 1
    assert value(found, "yupan_ids_dropped", topic=STATE) == 260 - 256
    assert value(found, "yupan_not_applicable", check="activation") >= 1
    assert value(found, "yupan_late", system="crm") == 1
    assert value(found, "yupan_duplicates", topic=STATE) == 1
    assert value(found, "yupan_anomalies", check="activation", status="RESOLVED") == 1
    assert value(found, "yupan_reminders", kind="ANOMALY", action="withdrawn") == 1
    assert value(found, "yupan_shadowed", check="activation.shadow", would="OPEN") >= 1
    assert value(found, "yupan_anomalies", check="activation.shadow") == 0
    assert value(found, "yupan_checks_reloads", outcome="loaded") == 2
    assert value(found, "yupan_assigned_partitions") == 4
    assert value(found, "yupan_broker_up") == 1
    assert value(found, "yupan_restored_records") >= 1
    assert value(found, "yupan_events", role="decide", topic=CONTACT) == 1
    assert value(shown["history"], "yupan_sink_up") == 1


def test_no_customer_is_in_metrics_or_logs(stack: Live, shown: Mapping[str, dict[str, Family]]) -> None:
    for role in ("decide", "history"):
        for text in (stack.metrics_text(role), stack.log(role)):
            told = set(re.findall(r"\d{11,}", text))
            assert not {part for part in told for number in NUMBERS if number[2:] in part}
