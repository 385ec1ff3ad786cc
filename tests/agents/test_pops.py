"""The screen pop: when it is sent, to whom, and what stands in it."""

from __future__ import annotations

import pytest

from agents.pops import without_oldest
from tests.agents.desk_world import ALICE, DAY, MIN, T0, World


@pytest.fixture
def world():
    return World()


def seats(world):
    return [pop["seat"] for pop in world.pops]


def test_a_pop_at_the_first_offered_or_answered(world):
    for phase in ("IVR_ENTERED", "NEED_CHOSEN", "IVR_LEFT", "QUEUED"):
        world.call(phase)
    assert world.pops == []
    world.call("OFFERED", seat="A")
    world.call("ANSWERED", seat="A")
    world.call("HELD", seat="A")
    world.call("ENDED", seat="A")
    assert seats(world) == ["A"]
    assert world.out_ids("screen-pop") == ["c-1|A"]


def test_a_call_that_is_answered_without_an_offer_pops_then(world):
    world.call("ANSWERED", seat="A")
    assert seats(world) == ["A"]


def test_again_at_each_transfer_and_not_when_that_seat_answers(world):
    world.call("ANSWERED", seat="A")
    world.call("TRANSFERRED", seat="B", occurred_at=T0 + 1)
    world.call("ANSWERED", seat="B", occurred_at=T0 + 2)
    world.call("TRANSFERRED", seat="A", occurred_at=T0 + 3)
    assert world.out_ids("screen-pop") == ["c-1|A", "c-1|B", "c-1|A"]


def test_a_call_offered_to_another_seat_pops_there(world):
    world.call("OFFERED", seat="A")
    world.call("OFFERED", seat="B", occurred_at=T0 + 1)
    assert seats(world) == ["A", "B"]


def test_a_seat_that_is_named_later_gets_its_pop_and_one_left_out_later_gets_none(world):
    world.call("OFFERED")
    world.call("ANSWERED", seat="A", occurred_at=T0 + 1)
    world.call("ANSWERED", occurred_at=T0 + 2)
    assert world.out_ids("screen-pop") == ["c-1|", "c-1|A"]


def test_a_late_phase_does_not_pop_at_a_desk_that_the_call_has_left(world):
    world.call("TRANSFERRED", seat="B", occurred_at=T0)
    world.call("OFFERED", seat="A", occurred_at=T0 - 1)
    assert seats(world) == ["B"]


def test_old_events_do_not_pop_and_are_counted(world):
    world.call("OFFERED", seat="A", occurred_at=T0 - 11 * MIN)
    assert world.pops == []
    assert world.counted.counts[("yupan_too_old_to_act", "pop")] == 1
    world.call("ANSWERED", seat="A", occurred_at=T0 - 9 * MIN)
    assert seats(world) == ["A"]
    assert world.segments == [None, None]


def test_pops_are_counted_by_segment_and_timed_from_the_brokers_time(world):
    world.customer(opened_at=T0)
    world.call("OFFERED", seat="A", occurred_at=T0 + 1)
    assert world.counted.counts[("yupan_pops", "NEW")] == 1
    assert world.counted.counts[("yupan_calls", "NEW")] == 1
    # the clock in memory is the event's own, a millisecond past the broker's
    assert world.counted.observed == [("yupan_pop_latency_seconds", 0.001)]


def test_two_calls_of_a_customer_pop_each(world):
    world.call("OFFERED", "c-1", seat="A")
    world.call("OFFERED", "c-2", seat="A")
    assert world.out_ids("screen-pop") == ["c-1|A", "c-2|A"]


def test_segment_receipt_and_brand(world):
    world.customer(brand="gotone", opened_at=T0)
    world.publish("list", {"list": "campus", "action": "ADD", "msisdn": ALICE})
    world.call("OFFERED", seat="A")
    (pop,) = world.pops
    assert (pop["segment"], pop["receipt"]["losers"], pop["brand"]) == ("NEW", ["CAMPUS"], "gotone")
    assert (pop["msisdn"], pop["call_id"], pop["occurred_at"], pop["greeting"]) == (ALICE, "c-1", T0, None)


def test_the_brand_of_any_phase_goes_before_the_fact(world):
    world.customer(brand="gotone")
    world.call("IVR_ENTERED", brand="mzone")
    world.call("OFFERED", seat="A")
    assert world.pops[0]["brand"] == "mzone"


def rural(world, **more):
    world.publish("list", {"list": "rural", "action": "ADD", "msisdn": ALICE, **more})


@pytest.mark.parametrize(
    ("entry", "zh"),
    [
        ({"name": "王秀英", "station": "南昌县"}, "尊敬的王秀英站长,你好,有什么可以帮到您。"),
        ({"station": "塘南服务站"}, "尊敬的塘南服务站长,你好,有什么可以帮到您。"),
        ({}, "尊敬的站长,你好,有什么可以帮到您。"),
    ],
)
def test_a_rural_contact_is_greeted_as_head_of_the_station(world, entry, zh):
    rural(world, **entry)
    world.call("ANSWERED", seat="A")
    greeting = world.pops[0]["greeting"]
    assert greeting["zh"] == zh
    assert greeting["en"].endswith("hello, how may I help you?")


def test_the_greeting_follows_the_segment(world):
    rural(world, name="王秀英")
    world.customer(q4_arpu=400)
    world.call("ANSWERED", seat="A")
    assert (world.pops[0]["segment"], world.pops[0]["greeting"]) == ("MID_HIGH", None)


def test_the_greeting_stays_with_the_call(world):
    rural(world, name="王秀英")
    world.call("OFFERED", seat="A")
    world.publish("list", {"list": "rural", "action": "REMOVE", "msisdn": ALICE, "occurred_at": T0 + 1})
    world.call("TRANSFERRED", seat="B", occurred_at=T0 + 2)
    assert world.pops[1]["greeting"] == world.pops[0]["greeting"] is not None


def reminder(name, at=T0, **more):
    record = {
        "reminder_id": name,
        "msisdn": ALICE,
        "kind": "ANOMALY",
        "title": {"zh": "激活"},
        "cause": None,
        "wording": None,
        "guidance": {"zh": "重发"},
        "progress": None,
        "severity": "MAJOR",
        "expires_at": None,
        "source_id": "a-1",
        "occurred_at": at,
    }
    return {**record, **more}


def remind(world, *reminders):
    world.put(f"reminders/{ALICE}", {"v": 1, "open": {r["reminder_id"]: r for r in reminders}})


def test_open_reminders_newest_first_without_the_expired(world):
    remind(
        world,
        reminder("old", T0 - 5),
        reminder("new", T0 - 1),
        reminder("expired", expires_at=T0),
        reminder("valid", T0 - 9, expires_at=T0 + 1),
    )
    world.call("OFFERED", seat="A")
    shown = world.pops[0]["reminders"]
    assert [r["reminder_id"] for r in shown] == ["new", "old", "valid"]
    assert (shown[0]["guidance"], shown[0]["kind"], shown[0]["severity"]) == ({"zh": "重发"}, "ANOMALY", "MAJOR")


def test_nothing_of_an_earlier_owner_of_the_number_is_shown(world):
    remind(world, reminder("r-old", T0 - 3 * DAY), reminder("r-new", T0 - DAY))
    for n, at in (("old", T0 - 3 * DAY), ("new", T0 - DAY)):
        told = {"msisdn": ALICE, "occurred_at": at}
        world.publish("ticket", {"ticket_id": f"k-{n}", "action": "OPENED", **told})
        world.publish("ticket", {"ticket_id": f"k-{n}", "action": "PROGRESSED", "msisdn": ALICE})
        world.publish("retention-task", {"task_id": f"t-{n}", "action": "CREATED", **told})
        contact = {"contact_id": f"w-{n}", "channel": "WECHAT", "direction": "IN", "kind": "MESSAGE", **told}
        world.publish("contact", contact)
    world.customer(at=T0 - 3 * DAY, brand="gotone", q4_arpu=400)
    world.call("IVR_ENTERED", "c-old", occurred_at=T0 - 3 * DAY)
    world.customer(at=T0 - 2 * DAY, owner_changed_at=T0 - 2 * DAY)
    world.call("OFFERED", seat="A")
    (pop,) = world.pops
    assert (pop["segment"], pop["brand"]) == (None, None)
    assert [r["reminder_id"] for r in pop["reminders"]] == ["r-new"]
    assert [t["ticket_id"] for t in pop["tickets"]] == ["k-new"]
    assert [t["task_id"] for t in pop["retention_tasks"]] == ["t-new"]
    assert [c["contact_id"] for c in pop["contacts"]] == ["w-new"]


def test_twenty_of_each_at_most(world):
    remind(world, *(reminder(f"r-{n}", T0 + n) for n in range(30)))
    for n in range(30):
        told = {"msisdn": ALICE, "occurred_at": T0 + n}
        world.publish("ticket", {"ticket_id": f"k-{n}", "action": "OPENED", **told})
        world.publish("retention-task", {"task_id": f"t-{n}", "action": "CREATED", **told})
        world.publish(
            "contact", {"contact_id": f"w-{n}", "channel": "QQ", "direction": "IN", "kind": "MESSAGE", **told}
        )
    world.call("OFFERED", seat="A", occurred_at=T0 + 100)
    (pop,) = world.pops
    lists = ("reminders", "retention_tasks", "contacts", "tickets")
    assert {name: len(pop[name]) for name in lists} == dict.fromkeys(lists, 20)
    assert all(pop[name][0]["occurred_at"] == T0 + 29 for name in lists)
    assert all(pop[name][-1]["occurred_at"] == T0 + 10 for name in lists)


def test_a_caller_who_is_not_identified_gets_an_empty_pop(world):
    world.call("OFFERED", msisdn=None, seat="A")
    (pop,) = world.pops
    assert (pop["msisdn"], pop["segment"], pop["contacts"], pop["reminders"]) == (None, None, [], [])


def long_texts(world, number):
    """As long as upstream may write them, and in characters of three bytes."""
    said, at = "投诉" * 9_000, T0 - number
    ticket = {"ticket_id": f"k-{number}", "action": "OPENED", "msisdn": ALICE, "text": said}
    task = {"task_id": f"t-{number}", "action": "CREATED", "msisdn": ALICE, "script": said, "policy": said}
    contact = {"contact_id": f"x-{number}", "msisdn": ALICE, "channel": "WEB", "direction": "IN", "kind": "MESSAGE"}
    world.publish("ticket", {**ticket, "occurred_at": at})
    world.publish("retention-task", {**task, "occurred_at": at})
    world.publish("contact", {**contact, "text": said, "subject": said, "occurred_at": at})


def size_of_pop(world):
    return next(len(o.value) for o in world.sent if o.topic == "yupan.screen-pop.v1")


def test_long_texts_are_cut_so_that_a_pop_has_room_for_all_its_entries(world):
    for number in range(20):
        long_texts(world, number)
    world.call("OFFERED", seat="A")
    (pop,) = world.pops
    assert [len(pop[name]) for name in ("contacts", "tickets", "retention_tasks")] == [20] * 3
    assert {len(t["text"]) for t in pop["tickets"]} == {500}
    assert size_of_pop(world) < 300_000


def test_a_pop_that_is_still_too_large_sheds_its_oldest_entries_and_not_the_phase(world):
    for number in range(4):
        long_texts(world, number)
    # as a worker without bounds may have left it
    reminder = {
        "kind": "ANOMALY",
        "title": {"zh": "激活异常"},
        "cause": {"zh": "很" * 100_000},
        "wording": None,
        "guidance": None,
        "progress": None,
        "severity": "MAJOR",
        "expires_at": None,
        "source_id": "a",
    }
    held = {f"r-{n}": {**reminder, "reminder_id": f"r-{n}", "occurred_at": T0 - 2 - n} for n in range(6)}
    world.put(f"reminders/{ALICE}", {"v": 1, "open": held})
    world.call("OFFERED", seat="A")
    (pop,) = world.pops
    assert [r["reminder_id"] for r in pop["reminders"]] == ["r-0", "r-1", "r-2"]
    assert [t["ticket_id"] for t in pop["tickets"]] == ["k-0", "k-1", "k-2", "k-3"]
    assert 900_000 < size_of_pop(world) < 1_000_000
    assert world.segments == [None]


def test_a_pop_that_no_shedding_makes_small_is_as_small_as_it_can_be():
    pop = {"reminders": [], "retention_tasks": [], "contacts": [{"occurred_at": 1}], "tickets": []}
    assert without_oldest(pop) == {**pop, "contacts": []}
    assert without_oldest({**pop, "contacts": []}) is None
