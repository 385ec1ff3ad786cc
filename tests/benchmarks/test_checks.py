"""What is measured of checks: the sets are what they say, and the day is decided by them."""

from __future__ import annotations

from pathlib import Path

from agents.rules import load_checks
from benchmarks.checks import audit, batches, variants


def test_the_sets_grow(tmp_path: Path) -> None:
    found, shipped = variants(tmp_path), load_checks()
    assert {name: len(checks.by_id) - len(shipped.by_id) for name, checks in found.items() if "plus" in name} == {
        "plus_10_own": 10,
        "plus_100_own": 100,
        "plus_10_same": 10,
        "plus_100_same": 100,
    }
    assert list(found["activation"].by_id) == ["activation"]
    assert not found["shipped_no_watch"].watches
    usual = len(shipped.watching("crm.status"))
    assert len(found["plus_100_own"].watching("crm.status")) == usual
    assert len(found["plus_100_same"].watching("crm.status")) > usual + 20


def test_a_day_is_decided(tmp_path: Path) -> None:
    day = batches(2_000, customers=100)
    assert 1_000 < day.states < 2_500
    assert sum(len(messages) for topic, messages in day.batches if topic == "yupan.state.v1") == day.states
    assert audit(day, variants(tmp_path)["shipped"]) > 0
