"""Lists, facts and calls together, over several partitions."""

from __future__ import annotations

import pytest

from tests.agents.desk_world import ALICE, T0, World


@pytest.fixture
def world():
    return World(partitions=5)


def entry(world, action, msisdn=None, at=T0, version=None, name="campus"):
    world.publish("list", {"list": name, "action": action, "msisdn": msisdn, "version": version, "occurred_at": at})


def test_replaced_reaches_every_partition_once_with_an_id_from_its_source(world):
    world.publish("list", {"list": "campus", "action": "REPLACED", "version": "v1"}, event_id="r-1")
    copies = [o for o in world.sent if o.topic == "yupan.internal.list.v1"]
    assert [(o.partition, o.key) for o in copies] == [(n, None) for n in range(5)]
    assert world.out_ids("internal.list") == [f"test|r-1|{n}" for n in range(5)]
    assert all(ledger["~list/campus"] == {"v": 1, "replaced": [[T0, "v1"]]} for ledger in world.ledgers)


def test_a_repeated_replaced_changes_nothing(world):
    entry(world, "REPLACED", version="v1")
    before = [dict(ledger) for ledger in world.ledgers]
    entry(world, "REPLACED", version="v1")
    assert [dict(ledger) for ledger in world.ledgers] == before


def test_who_is_missing_in_the_replaced_list_loses_the_identity_on_any_partition(world):
    numbers = [f"861380013800{n}" for n in range(10)]
    for number in numbers:
        entry(world, "ADD", number, T0, "v1")
    entry(world, "REPLACED", at=T0, version="v1")
    for number in numbers[:5]:
        entry(world, "ADD", number, T0 + 10, "v2")
    entry(world, "REPLACED", at=T0 + 10, version="v2")
    for n, number in enumerate(numbers):
        world.call("IVR_ENTERED", f"c-{n}", msisdn=number, occurred_at=T0 + 20)
    assert world.segments == ["CAMPUS"] * 5 + [None] * 5
    assert world.out("tagged-call")[0]["receipt"]["list_versions"] == {"campus": "v2"}


def test_an_entry_whose_replaced_has_not_come_yet_counts_from_then_on(world):
    entry(world, "ADD", ALICE, T0, "v1")
    world.call("IVR_ENTERED", "c-1")
    entry(world, "REPLACED", at=T0, version="v1")
    world.call("IVR_ENTERED", "c-2")
    assert world.segments == [None, "CAMPUS"]


def test_a_watch_lists_entries_are_kept_and_make_no_segment(world):
    world.publish(
        "list",
        {"list": "watch:roaming-bill", "action": "ADD", "msisdn": ALICE, "guidance": {"zh": "解释"}, "version": "7"},
    )
    entry(world, "REPLACED", version="7", name="watch:roaming-bill")
    world.call("IVR_ENTERED")
    assert world.segments == [None]
    assert world.record(f"profile/{ALICE}")["lists"]["watch:roaming-bill"]["adds"][0]["guidance"] == {"zh": "解释"}


def test_times_among_the_facts_may_come_as_iso(world):
    world.customer(opened_at="2026-11-22T12:00:00+08:00")
    assert world.record(f"profile/{ALICE}")["facts"]["opened_at"] == [[1_795_320_000_000, [T0]]]


def test_what_was_told_already_rewrites_no_record(world):
    world.customer(brand="gotone")
    entry(world, "ADD", ALICE)
    before = world.record(f"profile/{ALICE}")
    world.customer(brand="gotone")
    entry(world, "ADD", ALICE)
    assert world.record(f"profile/{ALICE}") is before
