"""Transactions of a customer in the ledger (kind `match`): bounded, remembered for a day, of any size."""

from __future__ import annotations

import pytest

from agents.memory import Delivered, MemoryBatch, World
from schemas.headers import cloud_event
from schemas.partition import partition_of
from streams.engine.store import encode
from tests.agents.test_rates import ANNA, ANOMALY, CODECS, NOON, PARTITIONS, Network, S


@pytest.fixture
def network() -> Network:
    return Network()


def charges(network: Network, *told: tuple[str, str, float], start: int = 0) -> World:
    """(system, transaction, amount), one a second."""
    number = partition_of(ANNA.encode(), PARTITIONS)
    world, codec = network.parts[number], CODECS["yupan.state.v1"]
    for n, (system, transaction, amount) in enumerate(told, start):
        at = NOON + n * S
        said = {"msisdn": ANNA, "system": system, "attribute": "charge", "value": amount, "transaction": transaction}
        value = codec.encode(codec.event.from_json({**said, "occurred_at": at}))
        head = cloud_event("yupan.state.v1", f"{transaction}.{n}", system, at)
        world.clock = at
        with MemoryBatch(
            world, "yupan.state.v1", [Delivered("yupan.state.v1", value, ANNA.encode(), head, n, at, number)]
        ) as batch:
            network.audit.process(batch)
    return world


def test_of_a_customers_transactions_so_many_are_kept_and_settled_ones_go_first(network: Network) -> None:
    settled = [(system, f"S-{n}", 5.0) for n in range(40) for system in ("crm", "ocs")]
    world = charges(network, *settled, *[("crm", f"T-{n}", 5.0) for n in range(64)])
    waits = world.records[f"waits/{ANNA}"]["waits"]
    assert len(waits) == 64
    assert all(name.startswith("charging|T-") for name in waits)
    assert not network.counted.counts
    assert len(world.armed) == 64
    charges(network, *[("crm", f"U-{n}", 5.0) for n in range(2)], start=200)
    assert network.counted.counts == {("yupan_waits_dropped", "charging"): 2}


def test_an_open_anomaly_of_a_transaction_that_is_given_up_is_withdrawn(network: Network) -> None:
    twice = [(system, f"T-{n}", 5.0) for n in range(64) for system in ("crm", "ocs", "ocs")]
    charges(network, *twice, ("crm", "U", 5.0))
    assert [status for _, status, _ in network.anomalies] == ["OPEN"] * 64 + ["WITHDRAWN"]
    assert network.sent(ANOMALY)[-1]["reason"] == "too_many_transactions"
    assert network.counted.counts["yupan_waits_dropped", "charging"] == 1


def test_a_settled_transaction_needs_no_deadline_and_is_a_new_one_after_a_day(network: Network) -> None:
    world = charges(network, ("crm", "T", 5.0), ("ocs", "T", 5.0))
    assert not world.armed
    charges(network, ("ocs", "T", 5.0), start=24 * 60 * 60)
    assert [status for _, status, _ in network.anomalies] == ["OPEN"]  # once more within the day
    charges(network, ("ocs", "T", -5.0), start=24 * 60 * 60 + 1)
    charges(network, ("ocs", "T", 5.0), start=49 * 60 * 60)
    assert [status for _, status, _ in network.anomalies] == ["OPEN", "RESOLVED"]
    assert len(world.armed) == 1  # and again: nobody has billed it yet


@pytest.mark.parametrize("amount", [2e12, -2e12, 1e300])
def test_what_is_larger_than_any_amount_is_not_weighed(network: Network, amount: float) -> None:
    world = charges(network, ("crm", "T", amount), ("ocs", "T", 5.0))
    assert encode(world.records[f"waits/{ANNA}"])
    assert network.counted.counts["yupan_not_applicable", "charging"] == 2
    assert not world.armed
