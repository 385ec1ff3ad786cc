from __future__ import annotations

from typing import Any

from streams.demo.tally import ANOMALY, DEAD_LETTER, POP, REMINDER, Tally
from streams.simulate.stage import CALL, Happening, Injected

A, B, C = "8613800138000", "8613800138001", "8613800138002"


def drift(
    msisdn: str, trigger: str, due_at: int, repaired_at: int | None = None, check: str = "activation"
) -> Injected:
    return Injected(f"drift-{trigger}", msisdn, check, trigger, due_at - 1000, due_at, repaired_at)


def call(phase: str, msisdn: str | None, at: int, call_id: str = "c-1", seat: str | None = None) -> Happening:
    record = {"call_id": call_id, "msisdn": msisdn, "phase": phase, "seat": seat, "occurred_at": at}
    return Happening(at, CALL, record, f"{call_id}-{phase}", "cti")


def anomaly(status: str, msisdn: str, trigger: str, **more: Any) -> dict[str, Any]:
    record = {"anomaly_id": f"a-{trigger}", "msisdn": msisdn, "check": "activation", "status": status}
    return record | {"trigger_id": trigger} | more


def test_a_drift_is_found_by_the_anomaly_that_its_event_caused() -> None:
    tally = Tally([drift(A, "t1", 2000), drift(B, "t2", 2000), drift(C, "t3", 9000)], 0)
    tally.received(ANOMALY, anomaly("OPEN", A, "t1"), 2300)
    tally.received(ANOMALY, anomaly("OPEN", B, "another"), 2300)
    tally.received(ANOMALY, anomaly("OPEN", C, "t3", check="charging"), 2300)
    assert tally.drifts(5000) == (2, 1)
    assert tally.drifts() == (3, 1)


def test_an_anomaly_counts_once_whatever_is_said_of_it_again() -> None:
    tally = Tally([drift(A, "t1", 2000)], 0)
    for status in ("OPEN", "OPEN", "RESOLVED", "RESOLVED"):
        tally.received(ANOMALY, anomaly(status, A, "t1"), 2300)
    summary = tally.summary(5000)
    assert (summary["drifts_found"], summary["anomalies_opened"], summary["anomalies_resolved"]) == (1, 1, 1)


def test_found_before_the_call_is_judged_by_the_first_call_while_the_drift_stands() -> None:
    injected = [drift(A, "t1", 2000), drift(B, "t2", 2000), drift(C, "t3", 2000, repaired_at=3000)]
    tally = Tally(injected, 0)
    assert tally.found_before_call_share() is None
    tally.sent(call("IVR_ENTERED", B, 1500), 1500)
    for trigger, msisdn in (("t1", A), ("t2", B), ("t3", C)):
        tally.received(ANOMALY, anomaly("OPEN", msisdn, trigger), 2100)
    tally.sent(call("IVR_ENTERED", A, 2500), 2500)
    tally.sent(call("IVR_ENTERED", B, 2600), 2600)
    tally.sent(call("IVR_ENTERED", C, 4000), 4000)
    tally.sent(call("IVR_ENTERED", None, 4000), 4000)
    assert tally.found_before_call_share() == 0.5
    assert tally.calls == 5


def test_the_latency_of_a_pop_is_from_its_own_phase_to_its_arrival() -> None:
    tally = Tally([], 0)
    tally.sent(call("OFFERED", A, 1000, seat="S1"), 1000)
    tally.sent(call("ANSWERED", A, 1010, seat="S1"), 1010)
    tally.sent(call("TRANSFERRED", A, 2000, seat="S2"), 2000)
    for seat, at in (("S1", 1004), ("S1", 1900), ("S2", 2050), ("S9", 2100)):
        tally.received(POP, {"call_id": "c-1", "seat": seat, "msisdn": A}, at)
    summary = tally.summary(5000)
    assert summary["pops"] == 3, "the repeat of S1 replaces itself"
    assert summary["pop_latency_ms"] == {"p50": 4, "p99": 50}


def test_the_summary_has_the_names_of_the_contract() -> None:
    tally = Tally([], 1000)
    tally.received(DEAD_LETTER, None, 1200)
    tally.received(REMINDER, None, 1200)
    tally.contacts_stored = 7
    assert tally.summary(31_500) == {
        "events_in": 0,
        "drifts_injected": 0,
        "drifts_found": 0,
        "anomalies_opened": 0,
        "anomalies_resolved": 0,
        "found_before_call_share": None,
        "calls": 0,
        "pops": 0,
        "pop_latency_ms": {"p50": None, "p99": None},
        "contacts_stored": 7,
        "dead_letters": 1,
        "seconds": 30.5,
    }
