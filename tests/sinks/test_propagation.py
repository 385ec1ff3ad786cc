"""How long systems take to agree, learned from what is stored, and what deadline that suggests."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from agents.rules import load_checks
from schemas.errors import UsageError
from sinks.history import HistoryWriter
from streams.propagation import learned, quantile, suggested
from streams.settings import Settings
from tests.sinks.conftest import Event

STATE = "yupan.state.v1"
T0 = 1_795_320_000_000


def store(db, told):
    """Rows as the role `history` writes them, in order of time."""
    writer = HistoryWriter(db)
    for offset, (at, msisdn, name, value) in enumerate(sorted(told)):
        system, _, attribute = name.partition(".")
        record = {"msisdn": msisdn, "system": system, "attribute": attribute, "value": value, "occurred_at": at}
        writer.add(Event(STATE, record, id=f"e-{offset}", key=msisdn, offset=offset, arrived_at=at + 50))
    assert writer.flush() == []


def test_the_time_of_each_system_is_learned(db):
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    times = [chance.randrange(1, 900_000) for _ in range(200)]
    told = []
    for n, took in enumerate(times):
        number, at = f"86138{n:08}", T0 + n * 1_000_000
        told += [(at, number, "crm.status", "active"), (at + took, number, "hlr.status", "active")]
        told += [(at + 10, number, "crm.tariff", "5g"), (at + 20, number, "smsc.status", "active")]
    told += [(T0, "8613999999999", "crm.status", "active")]  # never agrees
    store(db, told)
    found = learned(db, Settings(), load_checks().by_id["activation"])
    ordered = sorted(took / 1000 for took in times)
    assert found["hlr"]["times"] == 200, seed
    assert found["hlr"]["p50_s"] == round(ordered[99], 3), seed
    assert found["hlr"]["p95_s"] == round(ordered[189], 3), seed
    assert found["hlr"]["p99_s"] == round(ordered[197], 3), seed
    assert found["hlr"]["suggested"].endswith("min"), seed
    assert found["hlr"]["late"] == sum(took > 600_000 for took in times), seed


@pytest.mark.parametrize("mode", ["on", "shadow", "off"])
def test_faults_that_were_put_right_suggest_no_deadline(db, mode):
    told = []
    for n in range(100):
        number, took = f"86138{n:08}", 2 * 86_400_000 if n < 4 else 5_000
        told += [(T0 + n, number, "crm.status", "active"), (T0 + n + took, number, "hlr.status", "active")]
    store(db, told)
    found = learned(db, Settings(), replace(load_checks().by_id["activation"], mode=mode))["hlr"]
    assert (found["times"], found["late"], found["p99_s"], found["suggested"]) == (100, 4, 172_800.0, "8 s")


def test_a_reference_that_turns_back_is_no_propagation(db):
    told = []
    for n in range(30):
        number = f"86138{n:08}"
        told += [(T0, number, "crm.status", "active"), (T0 + 1, number, "hlr.status", "active")]
        told += [(T0 + 5_000, number, "crm.status", "suspended"), (T0 + 9_000, number, "crm.status", "active")]
    store(db, told)
    assert learned(db, Settings(), load_checks().by_id["activation"])["hlr"]["times"] == 30


def test_of_each_product_and_of_three_systems(db):
    told = [
        (T0, "8613800000001", "crm.subscription.video", True),
        (T0 + 4_000, "8613800000001", "vas.subscription.video", True),
        (T0, "8613800000002", "crm.network_type", "5g"),
        (T0 + 1_000, "8613800000002", "sacp.network_type", "5g"),
        (T0 + 7_000, "8613800000002", "hlr.network_type", "5g"),
    ]
    store(db, told)
    checks = load_checks().by_id
    assert learned(db, Settings(), checks["subscription"])["vas"] == {
        "times": 1,
        "late": 0,
        "p50_s": 4.0,
        "p95_s": 4.0,
        "p99_s": 4.0,
        "suggested": None,
    }
    assert learned(db, Settings(), checks["sacp-signing"])["hlr"]["p50_s"] == 7.0


def test_nothing_is_learned_of_nothing_and_of_other_kinds(db):
    assert learned(db, Settings(), load_checks().by_id["activation"]) == {}
    with pytest.raises(UsageError, match="--learned: charging is of kind match; only agree and follow wait"):
        learned(db, Settings(), load_checks().by_id["charging"])


def test_quantiles_and_deadlines():
    assert [quantile([1, 2, 3, 4], share) for share in (0.5, 0.95, 0.99, 0.25)] == [2, 4, 4, 1]
    assert [suggested(p99) for p99 in (0.1, 2, 79.9, 80, 400)] == [
        "1 s",
        "3 s",
        "2 min",
        "2 min",
        "10 min",
    ]
