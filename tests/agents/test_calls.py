"""The tag of a call (#7): decided at the first phase seen, kept until an hour after the end."""

from __future__ import annotations

import pytest

from agents.calls import IDS, LIVE
from schemas.headers import read as read_headers
from schemas.partition import partition_of
from tests.agents.desk_world import ALICE, DAY, HOUR, MIN, T0, World


@pytest.fixture
def world():
    return World()


def test_each_phase_goes_out_with_the_tag_and_its_receipt(world):
    world.customer(opened_at=T0 - DAY)
    first = world.call("IVR_ENTERED", hotline="10086")
    world.call("ENDED", outcome="ANSWERED", talk_ms=5000)
    entered, ended = world.out("tagged-call")
    assert (entered["segment"], entered["phase"], entered["hotline"]) == ("NEW", "IVR_ENTERED", "10086")
    assert (ended["segment"], ended["outcome"], ended["talk_ms"]) == ("NEW", "ANSWERED", 5000)
    receipt = {"winner": "NEW", "losers": [], "list_versions": {}, "valid_from": T0 - DAY, "valid_to": T0 + 29 * DAY}
    assert entered["receipt"] == ended["receipt"] == receipt
    assert world.out_ids("tagged-call")[0] == f"test|{first}"


@pytest.mark.parametrize(
    ("at", "segment"), [(T0 - 1, None), (T0, "NEW"), (T0 + 30 * DAY - 1, "NEW"), (T0 + 30 * DAY, None)]
)
def test_the_tag_is_as_of_the_first_phases_time_not_of_its_arrival(world, at, segment):
    world.customer(at=T0, opened_at=T0)
    world.now = T0 + 60 * DAY
    world.call("IVR_ENTERED", occurred_at=at)
    assert world.segments == [segment]


def test_the_tag_stays_when_facts_change_in_mid_call(world):
    world.customer(opened_at=T0 - DAY)
    world.call("IVR_ENTERED")
    world.customer(q4_arpu=500)
    world.call("ANSWERED", seat="A", occurred_at=T0 + MIN)
    world.customer(left_at=T0)
    world.call("ENDED", occurred_at=T0 + 2 * MIN)
    assert world.segments == ["NEW"] * 3
    world.now = T0 + 3 * MIN
    world.call("IVR_ENTERED", "c-2")
    assert world.segments[-1] is None


def test_the_first_phase_seen_decides_also_when_an_earlier_one_arrives_later(world):
    world.customer(opened_at=T0)
    world.call("QUEUED", occurred_at=T0)
    world.call("IVR_ENTERED", occurred_at=T0 - MIN)
    assert world.segments == ["NEW", "NEW"]


def test_the_tag_is_forgotten_an_hour_after_the_end_and_not_before(world):
    world.customer(opened_at=T0 - DAY)
    world.call("IVR_ENTERED")
    world.call("ENDED", occurred_at=T0 + MIN)
    world.customer(q4_arpu=500)
    world.fire_until(T0 + MIN + HOUR - 1)
    world.call("HELD", occurred_at=T0)
    assert world.segments[-1] == "NEW"
    world.fire_until(T0 + MIN + HOUR)
    assert world.record(f"calls/{ALICE}") is None
    world.call("HELD")
    assert world.segments[-1] == "MID_HIGH"


def test_the_tag_is_not_kept_longer_by_a_worker_that_catches_up(world):
    world.customer(opened_at=T0 - DAY)
    world.call("ENDED", occurred_at=T0)
    world.customer(at=T0 + MIN, q4_arpu=500)
    world.now = T0 + DAY  # nothing was forgotten yet: what comes is a backlog
    world.call("HELD", occurred_at=T0 + HOUR)
    assert world.segments[-1] == "NEW"
    world.call("IVR_ENTERED", occurred_at=T0 + HOUR + 1)
    world.call("ENDED", occurred_at=T0 + HOUR + MIN)
    assert world.segments[-2:] == ["MID_HIGH", "MID_HIGH"]
    world.fire_until(T0 + HOUR + MIN + HOUR)
    assert world.record(f"calls/{ALICE}") is None


def test_the_deadline_waits_for_the_calls_that_are_not_read_yet(world):
    world.call("ENDED")
    assert list(world.armed.values()) == [(T0 + HOUR, ("yupan.call.v1", "yupan.internal.call.v1"))]


def test_a_call_that_never_ends_is_forgotten_a_day_after_its_last_phase(world):
    world.call("IVR_ENTERED")
    world.call("QUEUED", occurred_at=T0 + HOUR)
    world.fire_until(T0 + DAY)
    assert world.record(f"calls/{ALICE}") is not None
    world.fire_until(T0 + DAY + HOUR)
    assert world.record(f"calls/{ALICE}") is None
    assert world.armed == {}


def test_a_late_phase_does_not_bring_forward_when_a_call_is_forgotten(world):
    world.call("ENDED", "c-ended")
    world.call("ABANDONED", "c-ended", occurred_at=T0 - MIN)
    world.call("QUEUED", "c-open")
    world.call("ANSWERED", "c-open", occurred_at=T0 + MIN)
    world.call("IVR_ENTERED", "c-open", occurred_at=T0 - MIN)
    world.fire_until(T0 + HOUR - 1)
    assert sorted(world.record(f"calls/{ALICE}")["calls"]) == ["c-ended", "c-open"]
    world.fire_until(T0 + DAY)
    assert list(world.record(f"calls/{ALICE}")["calls"]) == ["c-open"]


def test_forgetting_one_call_leaves_the_customers_others(world):
    world.call("ENDED", "c-1")
    world.call("IVR_ENTERED", "c-2")
    world.fire_until(T0 + HOUR)
    assert list(world.record(f"calls/{ALICE}")["calls"]) == ["c-2"]


def test_a_repeated_phase_is_recognised(world):
    repeated = world.call("OFFERED", seat="A")
    world.call("ANSWERED", seat="A")
    world.call("OFFERED", seat="A", event_id=repeated)
    assert [r["phase"] for r in world.out("tagged-call")] == ["OFFERED", "ANSWERED"]
    assert len(world.pops) == 1
    assert world.counted.counts[("yupan_duplicates", "yupan.call.v1")] == 1


def test_a_call_without_msisdn_has_no_segment_also_when_a_later_phase_names_one(world):
    world.customer(opened_at=T0 - DAY)
    world.call("IVR_ENTERED", msisdn=None)
    world.call("ANSWERED", key="c-1", seat="A")
    assert world.segments == [None, None]
    assert world.pops[0]["msisdn"] == ALICE


def test_a_phase_that_leaves_the_msisdn_out_still_belongs_to_the_customer(world):
    world.customer(opened_at=T0 - DAY)
    world.call("IVR_ENTERED")
    world.call("ANSWERED", msisdn=None, key=ALICE, seat="A")
    assert [(r["msisdn"], r["segment"]) for r in world.out("tagged-call")] == [(ALICE, "NEW")] * 2


def test_the_key_names_the_customer_when_the_first_phase_was_lost(world):
    world.customer(opened_at=T0 - DAY)
    world.call("ANSWERED", msisdn=None, key=ALICE, seat="A")
    assert world.segments == ["NEW"]


def test_a_call_id_that_looks_like_a_number_is_none(world):
    world.customer(msisdn="202611220001", opened_at=T0 - DAY)
    world.call("IVR_ENTERED", "202611220001", msisdn=None)
    assert world.segments == [None]


def test_all_of_a_call_goes_out_under_the_key_of_its_first_phase(world):
    world.call("IVR_ENTERED", msisdn=None)
    world.call("ANSWERED", key="c-1", seat="A")
    assert {o.key for o in world.sent} == {b"c-1"}


def test_a_traceparent_is_carried_through(world):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    codec = world.codecs["yupan.call.v1"]
    record = codec.event.from_json({"call_id": "c-1", "phase": "OFFERED", "seat": "A", "occurred_at": T0})
    partition = partition_of(b"c-1", world.partitions)
    world.deliver(
        "yupan.call.v1", partition, b"c-1", codec.encode(record), [("ce_id", b"x"), ("traceparent", trace.encode())]
    )
    assert {read_headers(o.headers)["traceparent"] for o in world.sent} == {trace}


def test_the_order_of_segments_is_a_setting():
    world = World(order=("NEW", "MID_HIGH"))
    world.customer(opened_at=T0 - DAY, q4_arpu=500)
    world.call("IVR_ENTERED")
    assert world.segments == ["NEW"]


def test_what_is_kept_of_calls_is_bounded(world):
    for n in range(LIVE + 5):
        world.call("IVR_ENTERED", f"c-{n}", occurred_at=T0 + n)
    for _ in range(IDS + 5):
        world.call("HELD", f"c-{LIVE}")
    held = world.record(f"calls/{ALICE}")["calls"]
    assert sorted(held) == sorted(f"c-{n}" for n in range(5, LIVE + 5))
    assert len(held[f"c-{LIVE}"]["ids"]) == IDS
