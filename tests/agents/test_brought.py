"""What is keyed otherwise than by its customer is brought to the customer's partition, and is the same event there."""

from __future__ import annotations

import pytest

from agents.texts import TEXT
from schemas.headers import read as read_headers
from schemas.partition import partition_of
from sinks.history import TOPICS as STORED
from tests.agents.desk_world import ALICE, DAY, HOUR, MIN, T0, World

CALL, CONTACT = "yupan.internal.call.v1", "yupan.internal.contact.v1"


@pytest.fixture
def world():
    world = World(partitions=7)
    assert partition_of(b"c-2", 7) != partition_of(ALICE.encode(), 7)
    return world


def by_id(world, phase, **more):
    """A phase of a call that the switch keys by its id."""
    return world.call(phase, "c-2", key="c-2", **more)


def wechat(world, contact_id="wx-1", key="WECHAT|h1", **more):
    said = {"channel": "WECHAT", "direction": "IN", "kind": "MESSAGE", "handle": "h1", "msisdn": ALICE}
    return world.publish("contact", {"contact_id": contact_id, **said, **more}, key=key)


def test_a_call_that_is_keyed_by_its_id_has_the_segment_of_whom_its_first_phase_names(world):
    world.customer(opened_at=T0 - DAY)
    by_id(world, "IVR_ENTERED")
    by_id(world, "OFFERED", msisdn=None, seat="A", occurred_at=T0 + 1)
    by_id(world, "ENDED", msisdn=None, occurred_at=T0 + 2)
    assert world.segments == ["NEW"] * 3
    assert [(tag["msisdn"], tag["phase"]) for tag in world.out("tagged-call")] == [
        (ALICE, "IVR_ENTERED"),
        (ALICE, "OFFERED"),
        (ALICE, "ENDED"),
    ]
    assert [(pop["segment"], pop["msisdn"], pop["seat"]) for pop in world.pops] == [("NEW", ALICE, "A")]
    keys = {o.key for o in world.sent if o.topic in ("yupan.tagged-call.v1", "yupan.screen-pop.v1", CALL)}
    assert keys == {ALICE.encode()}


def test_a_call_whose_first_phase_names_nobody_stays_where_it_is(world):
    world.customer(opened_at=T0 - DAY)
    by_id(world, "IVR_ENTERED", msisdn=None)
    by_id(world, "OFFERED", seat="A", occurred_at=T0 + 1)
    assert world.segments == [None, None]
    assert world.out("internal.call") == []


def test_a_brought_phase_keeps_its_identity_and_its_time_of_arrival(world):
    event_id = by_id(world, "OFFERED", seat="A", occurred_at=T0 - MIN)
    (sent,) = [o for o in world.sent if o.topic == CALL]
    assert read_headers(sent.headers)["ce_id"] == event_id
    assert read_headers(sent.headers)["ce_source"] == "test"
    assert world.out("internal.call")[0]["arrived_at"] == T0
    assert world.out_ids("tagged-call") == [f"test|{event_id}"]
    assert world.out_ids("screen-pop") == ["c-2|A"]


def test_a_pop_is_timed_from_the_phases_own_arrival_and_not_from_that_of_its_copy(world):
    deliver = world.deliver

    def later(topic, *rest):
        world.now += 40 * (topic == CALL)
        deliver(topic, *rest)

    world.deliver = later
    by_id(world, "OFFERED", seat="A")
    assert world.counted.observed == [("yupan_pop_latency_seconds", 0.04)]


def test_repeats_are_known_before_and_behind(world):
    event_id = by_id(world, "OFFERED", seat="A")
    by_id(world, "OFFERED", seat="A", event_id=event_id)
    assert (len(world.out("internal.call")), len(world.pops)) == (1, 1)
    (copy,) = [o for o in world.sent if o.topic == CALL]
    world.deliver(CALL, partition_of(ALICE.encode(), 7), copy.key, copy.value, copy.headers)
    assert (len(world.segments), len(world.pops)) == (1, 1)
    assert world.counted.counts[("yupan_duplicates", "yupan.call.v1")] == 2


def test_both_places_forget_the_call_an_hour_after_its_end(world):
    by_id(world, "IVR_ENTERED")
    by_id(world, "ENDED", msisdn=None, occurred_at=T0 + 1)
    assert world.record("calls/c-2")["calls"]["c-2"]["to"] == ALICE
    assert world.record(f"calls/{ALICE}")["calls"]["c-2"]["segment"] is None
    world.fire_until(T0 + HOUR + 1)
    assert world.record("calls/c-2") is None
    assert world.record(f"calls/{ALICE}") is None


@pytest.mark.parametrize("key", ["WECHAT|h1", "wx-1"])
def test_a_contact_that_is_keyed_otherwise_is_shown_to_the_desk(world, key):
    wechat(world, key=key, text="很" * 9_000)
    wechat(world, key=key, text="很" * 9_000)  # a repeat
    world.call("OFFERED", seat="A", occurred_at=T0 + 1)
    (shown,) = world.pops[0]["contacts"]
    assert (shown["contact_id"], len(shown["text"])) == ("wx-1", TEXT)


def test_a_contact_that_is_keyed_by_its_customer_or_names_none_is_brought_nowhere(world):
    wechat(world, key=ALICE)
    wechat(world, "wx-2", msisdn=None)
    assert world.out("internal.contact") == []
    assert len(world.record(f"contacts/{ALICE}")["contacts"]) == 1


def test_the_history_stores_none_of_them_twice():
    assert {CALL, CONTACT}.isdisjoint(STORED)
