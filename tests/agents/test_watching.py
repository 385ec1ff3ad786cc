"""Watch lists: reminders that come, change and go by what is held, whatever order it arrives in."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from agents import members
from schemas.headers import read as read_headers
from schemas.partition import partition_of
from tests.agents.desk_world import ALICE, DAY, HOUR, MIN, T0, World

ROAMING = "watch:roaming-bill"
REMINDER = "yupan.reminder.v1"


@pytest.fixture
def world() -> World:
    return World()


def state(world: World, name: str, value: Any, **more: Any) -> None:
    system, _, attribute = name.partition(".")
    world.publish("state", {"msisdn": ALICE, "system": system, "attribute": attribute, "value": value, **more})


def listed(world: World, action: str = "ADD", name: str = ROAMING, msisdn: str | None = ALICE, **more: Any) -> None:
    world.publish("list", {"list": name, "action": action, "msisdn": msisdn, **more})


def talk(world: World, call_id: str) -> None:
    world.call("ANSWERED", call_id)
    world.now += MIN
    world.call("ENDED", call_id)


def standing(world: World) -> dict[str, dict[str, Any]]:
    """What a reader of the compacted topic holds, by watch list."""
    held: dict[str, dict[str, Any]] = {}
    for sent in world.sent:
        if sent.topic == REMINDER:
            key = sent.key.decode()
            held.pop(key, None)
            if sent.value is not None:
                held[key] = world.codecs[REMINDER].decode(sent.value)
    return {record["source_id"]: record for record in held.values() if record["kind"] == "WATCH"}


def withdrawn(world: World) -> list[str]:
    """Why reminders were withdrawn, in order."""
    gone = (sent for sent in world.sent if sent.topic == REMINDER and sent.value is None)
    return [read_headers(sent.headers)["yupan.withdrawn"] for sent in gone]


# --- what the desk sees


def test_an_entry_says_what_to_do_and_until_when(world: World) -> None:
    guidance = {"zh": "告知已更正"}
    listed(world, valid_to=world.now + DAY, guidance=guidance, version=None)
    (reminder,) = standing(world).values()
    assert reminder["kind"] == "WATCH"
    assert reminder["expires_at"] == T0 + DAY
    assert reminder["guidance"]["zh"] == "告知已更正"
    assert reminder["guidance"]["en"].startswith("1. Say that the bill")  # the file's, where the entry says nothing
    assert reminder["title"]["zh"] == "漫游账单异常"
    world.call("OFFERED", seat="s-1")
    assert [r["reminder_id"] for r in world.pops[-1]["reminders"]] == [reminder["reminder_id"]]
    world.fire_until(T0 + DAY)
    assert standing(world) == {}
    assert withdrawn(world) == ["expired"]
    world.call("OFFERED", "c-2", seat="s-1")
    assert world.pops[-1]["reminders"] == []


def test_a_list_without_a_file_speaks_for_itself(world: World) -> None:
    listed(world, name="watch:vip-birthday", wording={"zh": "生日快乐", "en": "Happy birthday"})
    (reminder,) = standing(world).values()
    assert reminder["title"] == {"zh": "watch:vip-birthday", "en": "watch:vip-birthday"}
    assert (reminder["cause"], reminder["guidance"]) == (None, None)
    assert reminder["wording"]["en"] == "Happy birthday"
    listed(world, "REMOVE", "watch:vip-birthday", occurred_at=world.now + 1)
    assert withdrawn(world) == ["over"]


def test_times_are_told_in_the_operators_zone(world: World) -> None:
    state(world, "ocs.suspend_at", T0 + DAY)  # noon in Shanghai
    assert "2026-11-23 12:00" in standing(world)["watch:soon-stopped"]["wording"]["zh"]
    assert "less than 3 d" in standing(world)["watch:soon-stopped"]["cause"]["en"]


def test_amounts_are_told_and_follow(world: World) -> None:
    world.customer(monthly_fee=58)
    state(world, "ocs.balance", 3.5)
    first = standing(world)["watch:low-balance"]
    assert "余额 3.5 元" in first["cause"]["zh"]
    world.now += HOUR
    state(world, "ocs.balance", 2)
    second = standing(world)["watch:low-balance"]
    assert "余额 2 元" in second["cause"]["zh"]
    assert second["reminder_id"] == first["reminder_id"]
    assert world.counted.counts["yupan_reminders", "WATCH", "changed"] == 1


def test_who_is_imported_as_low_without_a_known_balance_is_told_without_a_number(world: World) -> None:
    listed(world, name="watch:low-balance")
    assert "余额 无记录 元" in standing(world)["watch:low-balance"]["cause"]["zh"]
    assert "{" not in standing(world)["watch:low-balance"]["cause"]["en"]


def test_the_first_call_shows_it_and_the_second_does_not(world: World) -> None:
    world.customer(opened_at=T0 - DAY)
    world.call("OFFERED", "c-1", seat="s-1")
    world.call("ANSWERED", "c-1", seat="s-1")
    world.call("TRANSFERRED", "c-1", seat="s-2")
    assert [len(pop["reminders"]) for pop in world.pops] == [1, 1]
    world.call("ENDED", "c-1")
    world.now += HOUR
    world.call("OFFERED", "c-2", seat="s-1")
    assert world.pops[-1]["reminders"] == []


def test_the_fourth_call_of_a_week_shows_three_before_it(world: World) -> None:
    for number in range(3):
        talk(world, f"c-{number}")
        world.now += DAY
    world.call("OFFERED", "c-9", seat="s-1")
    (reminder,) = world.pops[-1]["reminders"]
    assert "3 times in the last 7 d" in reminder["cause"]["en"]
    assert reminder["expires_at"] == T0 + 7 * DAY


def test_the_end_of_an_imported_call_tells_that_it_was_answered(world: World) -> None:
    for number in range(3):
        world.call("ENDED", f"c-{number}", outcome="ANSWERED", occurred_at=T0 - number)
    world.call("ENDED", "c-8", outcome="ABANDONED")
    assert "3 times" in standing(world)["watch:frequent"]["cause"]["en"]


def test_calls_of_another_owner_do_not_count(world: World) -> None:
    talk(world, "c-1")
    talk(world, "c-2")
    world.now += HOUR
    world.customer(owner_changed_at=world.now)
    world.now += HOUR
    talk(world, "c-3")
    assert standing(world) == {}


def test_old_calls_of_an_import_remind_nobody(world: World) -> None:
    for number in range(5):
        world.call("ENDED", f"c-{number}", outcome="ANSWERED", occurred_at=T0 - 400 * DAY)
    assert standing(world) == {}
    assert not any(name == "watch" for name in world.armed)


def test_the_same_calls_imported_once_more_are_no_further_calls(world: World) -> None:
    for _ in range(2):
        for number in range(2):
            world.call("ENDED", f"c-{number}", outcome="ANSWERED", occurred_at=T0 + number)
        world.fire_until(world.now + 30 * HOUR)
    assert "watch:frequent" not in standing(world)


def test_a_stop_in_a_year_that_no_calendar_has_is_none(world: World) -> None:
    listed(world, name="watch:soon-stopped")
    for never in (253_402_300_799_000, 10**15, -1):
        world.now += MIN
        state(world, "ocs.suspend_at", never)
    assert "无记录" in standing(world)["watch:soon-stopped"]["cause"]["zh"]


# --- lists that are replaced


def test_a_version_counts_when_it_is_in_force_whichever_comes_first(world: World) -> None:
    listed(world, version="1")
    assert standing(world) == {}
    listed(world, "REPLACED", msisdn=None, version="1")
    assert set(standing(world)) == {ROAMING}
    world.now += HOUR
    listed(world, "REPLACED", msisdn=None, version="2")
    assert standing(world) == {}
    listed(world, version="2", occurred_at=T0)
    assert set(standing(world)) == {ROAMING}


@pytest.mark.parametrize("count", [members.PAGE - 1, members.PAGE, members.PAGE + 1, 5 * members.PAGE + 3])
def test_all_members_are_judged_anew_page_by_page(count: int) -> None:
    world = World(partitions=1)
    numbers = [f"86139{n:08}" for n in range(count)]
    for number in numbers:
        listed(world, msisdn=number, version="1")
        listed(world, msisdn=number, version="2")  # once on a page is enough
    assert world.out("reminder") == []
    listed(world, "REPLACED", msisdn=None, version="1")
    assert len(world.out("reminder")) == min(count, members.PAGE)  # the first page at once
    world.fire_until(world.now + MIN)
    assert {record["msisdn"] for record in world.out("reminder")} == set(numbers)
    assert len(world.out("reminder")) == count
    pages = [key for key in world.ledgers[0] if key.startswith(f"~listed/{ROAMING}/")]
    assert len(pages) == -(-count // members.PAGE)


def test_pages_lie_with_their_customers() -> None:
    world = World(partitions=3)
    numbers = [f"86139{n:08}" for n in range(30)]
    for number in numbers:
        listed(world, msisdn=number, version="1")
    for partition, ledger in enumerate(world.ledgers):
        mine = [number for number in numbers if partition_of(number.encode(), 3) == partition]
        assert ledger[members.page_key(ROAMING, 0)]["members"] == mine
    listed(world, "REPLACED", msisdn=None, version="1")
    assert len(world.out("reminder")) == len(numbers)


def test_a_repeated_replacement_is_no_news(world: World) -> None:
    listed(world, version="1")
    listed(world, "REPLACED", msisdn=None, version="1")
    before = len(world.sent)
    listed(world, "REPLACED", msisdn=None, version="1")
    assert [sent.topic for sent in world.sent[before:]] == ["yupan.internal.list.v1"] * 3


def test_ids_come_from_their_cause_and_are_different() -> None:
    def run() -> list[str]:
        world = World()
        state(world, "crm.status", "suspended", occurred_at=T0)
        listed(world)
        world.now += HOUR
        state(world, "crm.status", "active")
        world.now += HOUR
        state(world, "crm.status", "suspended")
        return [event_id for event_id in world.out_ids("reminder") if event_id.startswith("watch-")]

    once, again = run(), run()
    assert once == again
    assert len(set(once)) == len(once) == 4


def test_segment_lists_remind_nobody(world: World) -> None:
    listed(world, name="campus", version=None)
    listed(world, "REPLACED", name="campus", msisdn=None)
    assert world.out("reminder") == []
    assert not any(key.startswith("~listed") for ledger in world.ledgers for key in ledger)


# --- whatever order it arrives in


EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("customer", {"facts": {"monthly_fee": 58}, "occurred_at": T0}),
    ("customer", {"facts": {"monthly_fee": 30}, "occurred_at": T0 + 3 * HOUR}),
    ("state", {"system": "ocs", "attribute": "balance", "value": 40, "occurred_at": T0 + HOUR}),
    ("state", {"system": "ocs", "attribute": "balance", "value": 20, "occurred_at": T0 + 2 * HOUR}),
    ("state", {"system": "crm", "attribute": "status", "value": "suspended", "occurred_at": T0 + HOUR}),
    ("state", {"system": "crm", "attribute": "status", "value": "active", "occurred_at": T0 + 2 * HOUR}),
    ("state", {"system": "ocs", "attribute": "suspend_at", "value": T0 + 6 * DAY, "occurred_at": T0 + HOUR}),
    ("customer", {"facts": {"opened_at": T0 - DAY}, "occurred_at": T0}),
    ("list", {"list": ROAMING, "action": "ADD", "occurred_at": T0 + HOUR, "valid_to": T0 + 9 * DAY}),
    ("list", {"list": ROAMING, "action": "REMOVE", "occurred_at": T0 + HOUR - 1}),
    ("list", {"list": "watch:other", "action": "ADD", "occurred_at": T0 + HOUR}),
    ("list", {"list": "watch:other", "action": "REPLACED", "msisdn": None, "occurred_at": T0 + 2 * HOUR}),
    ("call", {"call_id": "c-1", "phase": "ANSWERED", "occurred_at": T0 + HOUR}),
    ("call", {"call_id": "c-2", "phase": "ANSWERED", "occurred_at": T0 + HOUR + MIN}),
    ("call", {"call_id": "c-3", "phase": "ANSWERED", "occurred_at": T0 + 2 * HOUR}),
    ("call", {"call_id": "c-1", "phase": "ENDED", "occurred_at": T0 + 2 * HOUR}),
]


def told(order: list[tuple[str, dict[str, Any]]], days: int) -> tuple[Any, Any]:
    """What stands so many days later, and what is armed."""
    world = World()
    world.now = T0 + 4 * HOUR
    for name, record in order:
        world.publish(name, {"msisdn": ALICE, **record})
    world.fire_until(T0 + days * DAY)
    ids = ("reminder_id", "occurred_at")
    found = {name: {k: v for k, v in record.items() if k not in ids} for name, record in standing(world).items()}
    return found, world.armed.get("watch")


@pytest.mark.parametrize(
    ("days", "names"),
    [
        (1, {"watch:low-balance", "watch:frequent", ROAMING}),
        (4, {"watch:low-balance", "watch:frequent", "watch:soon-stopped", ROAMING}),
        (7, {"watch:low-balance", "watch:frequent", ROAMING}),
        (8, {"watch:low-balance", ROAMING}),
        (10, {"watch:low-balance"}),
    ],
)
def test_the_order_of_arrival_does_not_matter(days: int, names: set[str]) -> None:
    expected = told(EVENTS, days)
    assert set(expected[0]) == names
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    for _ in range(40):
        order = chance.sample(EVENTS, len(EVENTS))
        assert told(order, days) == expected, f"seed {seed}: {[record for _, record in order]}"


def test_reminders_and_deadlines_are_balanced() -> None:
    """Every reminder that is opened is withdrawn once, under its key, or stands."""
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    world = World()
    for number in itertools.count():
        if number == 300:
            break
        name, record = chance.choice(EVENTS)
        world.now += chance.randrange(2 * HOUR)
        world.publish(name, {"msisdn": ALICE, **record, "occurred_at": world.now})
        world.fire_until(world.now)
        assert set(standing(world)) == set(world.record(f"watched/{ALICE}")["standing"] if standing(world) else ()), (
            seed
        )
    counts = world.counted.counts
    opened, gone = (counts["yupan_reminders", "WATCH", action] for action in ("opened", "withdrawn"))
    assert opened - gone == len(standing(world)), seed
