"""The real checks over the simulated traffic, without Kafka: what is found is what was put in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agents.replay import Input, Replay
from agents.rules import Checks, load_checks
from schemas.fields import millis
from streams.demo.tally import ANOMALY, Tally
from streams.simulate.traffic import Traffic
from tests.simulate.worlds import DEADLINE, START, traffic

ROOT = Path(__file__).resolve().parents[2]


def anomalies_of(told: Traffic, checks: Checks) -> list[dict[str, Any]]:
    replay, decided = Replay(checks), []
    for event in told:
        decided += replay.feed(Input(event.topic, event.record, event.id, event.source))
    decided += replay.finish(int(told.end))
    return [line for line in decided if line["kind"] == "anomaly"]


@pytest.fixture
def tutorial(tmp_path: Path) -> Path:
    """The directory with the check that the tutorial writes, as it leaves it: with its shorter deadline."""
    [text] = re.findall(
        r"<<'YAML'\n(.*?)^YAML$", (ROOT / "docs/tutorial.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    (tmp_path / "charging.account.yaml").write_text(text.replace("20 s", "5 s"), "utf-8")
    return tmp_path


def test_the_checks_find_each_injected_drift_once_and_nothing_else(tutorial: Path) -> None:
    told, checks = traffic(seconds=120), load_checks([tutorial], deadlines={"activation": DEADLINE})
    assert checks.by_id["charging.account"].rule.within == 5_000
    anomalies = anomalies_of(told, checks)
    opened = sorted((line["msisdn"], millis(line["at"])) for line in anomalies if line["status"] == "OPEN")
    assert len(opened) > 20
    assert opened == sorted((drift.msisdn, drift.due_at) for drift in told.injected)
    resolved = sorted((line["msisdn"], millis(line["at"])) for line in anomalies if line["status"] == "RESOLVED")
    repaired = sorted((d.msisdn, d.repaired_at) for d in told.injected if d.repaired_at is not None)
    assert resolved == repaired
    assert 0 < len(repaired) < len(opened)


def test_no_drift_falls_due_after_the_end() -> None:
    told = traffic(seconds=30)
    list(told)
    assert told.injected
    assert max(drift.due_at for drift in told.injected) < told.end
    shorter_than_the_deadline = traffic(seconds=4)
    list(shorter_than_the_deadline)
    assert shorter_than_the_deadline.injected == []


def test_the_share_of_drifts_is_known() -> None:
    told = traffic(seconds=300, rate=100, drift=0.1, customers=2000)
    changes = sum(
        e.record.get("attribute") == "status" and e.source == "crm" and e.record["reason"] is None for e in told
    )
    assert 0.08 < len(told.injected) / changes < 0.12


def test_the_tally_of_a_traffic_found_whole() -> None:
    told = traffic(seconds=60)
    tally = Tally(told.injected, START)
    for event in told:
        tally.sent(event, event.occurred_at)
    for drift in told.injected:
        tally.received(
            ANOMALY,
            {
                "anomaly_id": drift.id,
                "msisdn": drift.msisdn,
                "check": drift.check,
                "status": "OPEN",
                "trigger_id": drift.trigger,
            },
            drift.due_at,
        )
    summary = tally.summary(int(told.end))
    assert summary["drifts_injected"] == summary["drifts_found"] == len(told.injected)
    assert 0.5 < summary["found_before_call_share"] < 1
