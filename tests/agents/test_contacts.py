"""Contacts of every channel, tickets and tasks, as the pop shows them (#56, #58, #59, #60)."""

from __future__ import annotations

from itertools import permutations

import pytest

from agents.contacts import KEPT
from agents.tasks import open_tasks, with_task
from agents.texts import TEXT
from agents.tickets import open_tickets, with_ticket
from tests.agents.desk_world import ALICE, MIN, T0, World


def every_order(*events):
    return list(permutations(events))


@pytest.fixture
def world():
    return World()


def contact(world, name, channel="WECHAT", at=T0, kind="MESSAGE", **more):
    told = {"contact_id": name, "msisdn": ALICE, "channel": channel, "direction": "IN", "kind": kind, "occurred_at": at}
    world.publish("contact", {**told, **more})


def shown(world, at=T0 + MIN):
    world.call("OFFERED", "c-now", seat="A", occurred_at=at)
    return world.pops[-1]


@pytest.mark.parametrize("channel", ["WECHAT", "QQ", "WEIBO", "WEB", "APP", "MALL"])
def test_a_contact_of_any_channel_is_in_the_next_pop(world, channel):
    contact(world, "x-1", channel, text="怎么查流量", subject="流量", staff="1001")
    (entry,) = shown(world)["contacts"]
    assert (entry["contact_id"], entry["channel"], entry["direction"]) == ("x-1", channel, "IN")
    assert (entry["text"], entry["subject"], entry["staff"], entry["occurred_at"]) == ("怎么查流量", "流量", "1001", T0)


def test_orders_and_their_progress(world):
    contact(world, "o-1", "MALL", T0, "ORDER", order_id="77", status="PAID")
    contact(world, "o-2", "MALL", T0 + 1, "ORDER_PROGRESS", order_id="77", status="SHIPPED")
    entries = shown(world)["contacts"]
    assert [(e["kind"], e["order_id"], e["status"]) for e in entries] == [
        ("ORDER_PROGRESS", "77", "SHIPPED"),
        ("ORDER", "77", "PAID"),
    ]


def test_newest_first_whatever_the_order_of_arrival(world):
    for name, at in (("b", T0 + 2), ("c", T0 + 3), ("a", T0 + 1)):
        contact(world, name, at=at)
    assert [e["contact_id"] for e in shown(world)["contacts"]] == ["c", "b", "a"]


def test_a_repeated_contact_is_one_and_the_newer_form_of_it_counts(world):
    contact(world, "x-1", at=T0 + 1, status="ANSWERED")
    before = world.record(f"contacts/{ALICE}")
    contact(world, "x-1", at=T0 + 1, status="ANSWERED")
    contact(world, "x-1", at=T0, status="WAITING")
    assert world.record(f"contacts/{ALICE}") is before
    contact(world, "x-1", at=T0 + 2, status="CLOSED")
    assert [(e["contact_id"], e["status"]) for e in shown(world)["contacts"]] == [("x-1", "CLOSED")]


def test_a_contact_without_msisdn_is_nobodys(world):
    contact(world, "x-1", msisdn=None, handle="river")
    assert all(ledger == {} for ledger in world.ledgers)


def test_what_is_kept_is_bounded(world):
    for n in range(KEPT + 9):
        contact(world, f"x-{n}", at=T0 + n, text="很" * 2000)
    held = world.record(f"contacts/{ALICE}")["contacts"]
    assert [c["contact_id"] for c in held] == [f"x-{n}" for n in range(KEPT + 8, 8, -1)]
    assert len(held[0]["text"]) == TEXT
    contact(world, "older", at=T0 - 1)
    assert world.record(f"contacts/{ALICE}")["contacts"] is held


def test_an_earlier_hotline_call_is_one_entry_and_the_present_one_none(world):
    for n, (phase, more) in enumerate(
        [
            ("IVR_ENTERED", {}),
            ("NEED_CHOSEN", {"need": "bill"}),
            ("QUEUED", {}),
            ("ANSWERED", {"seat": "A", "staff": "1001"}),
            ("ENDED", {"staff": "1001"}),
        ]
    ):
        world.call(phase, "c-before", occurred_at=T0 + n, **more)
    (entry,) = shown(world)["contacts"]
    assert (entry["contact_id"], entry["channel"], entry["kind"]) == ("c-before", "HOTLINE", "CALL")
    assert (entry["subject"], entry["status"], entry["staff"]) == ("bill", "ANSWERED", "1001")
    assert entry["occurred_at"] == T0


@pytest.mark.parametrize(
    ("phase", "outcome", "status"), [("ABANDONED", None, "ABANDONED"), ("ENDED", "PHANTOM", "PHANTOM")]
)
def test_how_an_earlier_call_ended(world, phase, outcome, status):
    world.call("IVR_ENTERED", "c-before")
    world.call(phase, "c-before", outcome=outcome)
    assert shown(world)["contacts"][0]["status"] == status


# --- tickets


def ticket(action, at, **more):
    told = dict.fromkeys(("class", "segment", "text", "region", "staff", "call_id"))
    return {**told, "ticket_id": "k-1", "action": action, "occurred_at": at, **more}


def after(events, decide):
    held = None
    for event in events:
        held = decide(held, event)
    return held


TICKET = (
    ticket("OPENED", 10, **{"class": "billing", "text": "扣费有误"}),
    ticket("PROGRESSED", 20, text="在查", staff="1001"),
    ticket("PROGRESSED", 30, text="已退费"),
)


@pytest.mark.parametrize("order", every_order(*TICKET))
def test_a_ticket_shows_the_newest_of_each_field_in_any_order(order):
    assert open_tickets(after(order, with_ticket)) == [
        {
            "ticket_id": "k-1",
            "action": "PROGRESSED",
            "occurred_at": 30,
            "class": "billing",
            "text": "已退费",
            "staff": "1001",
        }
    ]


@pytest.mark.parametrize("order", every_order(*TICKET[:2], ticket("CLOSED", 30)))
def test_a_closed_ticket_is_gone_in_any_order(order):
    assert open_tickets(after(order, with_ticket)) == []


@pytest.mark.parametrize("order", every_order(TICKET[0], ticket("CLOSED", 20), ticket("OPENED", 30)))
def test_a_ticket_opened_again_is_open(order):
    assert [t["action"] for t in open_tickets(after(order, with_ticket))] == ["OPENED"]


def test_progress_opens_no_closed_ticket():
    assert open_tickets(after((ticket("CLOSED", 10), ticket("PROGRESSED", 20)), with_ticket)) == []


def test_tickets_are_bounded_and_the_closed_go_first():
    closed = [ticket("CLOSED", 1000 + n, ticket_id=f"closed-{n}") for n in range(60)]
    held = after([ticket("OPENED", 1), *closed], with_ticket)
    assert len(held["items"]) == 40
    assert [t["ticket_id"] for t in open_tickets(held)] == ["k-1"]


# --- retention tasks


def task(action, at, **more):
    told = dict.fromkeys(("product", "policy", "script", "due_at", "priority", "owner"))
    return {**told, "task_id": "t-1", "action": action, "occurred_at": at, **more}


CREATED = task("CREATED", 10, product="5g-199", policy="half price", script="您好", priority=1)


@pytest.mark.parametrize("order", every_order(CREATED, task("CHANGED", 20, script="您好!")))
def test_a_task_shows_the_newest_of_each_field_in_any_order(order):
    (found,) = open_tasks(after(order, with_task))
    assert (found["product"], found["policy"], found["script"], found["priority"]) == (
        "5g-199",
        "half price",
        "您好!",
        1,
    )
    assert (found["state"], found["owner"]) == ("OPEN", None)


@pytest.mark.parametrize("order", every_order(CREATED, task("TAKEN", 20, owner="outbound-3")))
def test_a_taken_task_says_so_and_by_whom(order):
    (found,) = open_tasks(after(order, with_task))
    assert (found["state"], found["owner"]) == ("TAKEN", "outbound-3")


@pytest.mark.parametrize("order", every_order(CREATED, task("TAKEN", 20, owner="x"), task("RELEASED", 30)))
def test_a_released_task_is_free_again(order):
    (found,) = open_tasks(after(order, with_task))
    assert (found["state"], found["owner"]) == ("OPEN", None)


@pytest.mark.parametrize("end", ["WITHDRAWN", "DONE"])
def test_an_ended_task_is_gone_in_any_order(end):
    for order in every_order(CREATED, task("TAKEN", 20, owner="x"), task(end, 30), task("CHANGED", 40)):
        assert open_tasks(after(order, with_task)) == []


def test_a_task_created_anew_is_offered_again():
    assert len(open_tasks(after((CREATED, task("WITHDRAWN", 20), task("CREATED", 30)), with_task))) == 1


def test_tickets_and_tasks_reach_the_pop(world):
    world.publish("ticket", {"ticket_id": "k-1", "msisdn": ALICE, "action": "OPENED", "class": "billing"})
    world.publish("retention-task", {"task_id": "t-1", "msisdn": ALICE, "action": "TAKEN", "owner": "outbound-3"})
    pop = shown(world)
    assert [(t["ticket_id"], t["class"], t["action"]) for t in pop["tickets"]] == [("k-1", "billing", "OPENED")]
    assert [(t["task_id"], t["state"], t["owner"]) for t in pop["retention_tasks"]] == [("t-1", "TAKEN", "outbound-3")]
