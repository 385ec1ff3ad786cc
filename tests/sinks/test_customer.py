"""The answer of `yupan customer`, built from what is stored."""

from __future__ import annotations

from agents.profile import MOST_FACTS
from agents.states import MOST_STATES
from schemas.fields import iso
from sinks.history import HistoryWriter
from sinks.queries import holders
from streams.commands.customer import ALL
from streams.customer import customer
from tests.sinks.conftest import Event

ME = "8613800138000"
T = 1_785_000_000_000
MINUTE = 60_000
DAY = 1440 * MINUTE


def store(db, topic, *records):
    writer = HistoryWriter(db)
    for number, record in enumerate(records):
        writer.add(Event(topic, {"msisdn": ME, **record}, id=f"{topic}-{number}", offset=number, arrived_at=T + number))
    assert writer.flush() == []


def status(at, value, **more):
    return {"system": "crm", "attribute": "status", "value": value, "occurred_at": at, **more}


def since(db):
    return customer(db, ME, T + 9 * DAY)["states"]["crm"]["status"]["since"]


def test_a_state_is_as_old_as_its_value_whatever_repeats_it(db):
    taken = [status(T, "active"), status(T + DAY, "suspended")]
    exported = [status(T + day * DAY, "suspended", reason="snapshot") for day in (2, 3)]
    store(db, "yupan.state.v1", *taken, *exported)
    assert since(db) == iso(T + DAY)


def test_a_value_that_comes_back_is_young_again(db):
    values = ["active", "suspended", "active", None, "active"]
    store(db, "yupan.state.v1", *(status(T + n * DAY, value) for n, value in enumerate(values)))
    assert since(db) == iso(T + 4 * DAY)


def test_programs_get_the_whole_timeline(db):
    calls = [{"call_id": f"c-{n}", "phase": "ENDED", "occurred_at": T + n * MINUTE} for n in range(120)]
    store(db, "yupan.call.v1", *calls)
    assert len(customer(db, ME, T + DAY)["timeline"]) == 50
    times = [entry["time"] for entry in customer(db, ME, T + DAY, ALL)["timeline"]]
    assert times == [iso(T + n * MINUTE) for n in reversed(range(120))]


def test_an_opening_that_is_announced_does_not_bring_back_what_is_an_earlier_owners(db):
    told = [
        {"facts": {"brand": "GOTONE"}, "occurred_at": T},
        {"facts": {"opened_at": T + DAY, "tariff": "4g"}, "occurred_at": T + DAY},
        {"facts": {"opened_at": T + 30 * DAY}, "occurred_at": T + 2 * DAY},
    ]
    store(db, "yupan.customer.v1", *told)
    assert customer(db, ME, T + 3 * DAY)["facts"] == {"opened_at": T + DAY, "tariff": "4g"}
    assert customer(db, ME, T + 30 * DAY)["facts"] == {"opened_at": T + 30 * DAY}


def test_of_two_facts_at_the_same_time_the_later_arrival_counts(db):
    store(db, "yupan.customer.v1", *({"facts": {"brand": brand}, "occurred_at": T} for brand in "abc"))
    assert customer(db, ME, T + DAY)["facts"] == {"brand": "c"}


def test_more_than_a_worker_keeps_is_shown_from_the_history(db):
    states = ({"system": "crm", "attribute": f"a{n}", "value": n, "occurred_at": T} for n in range(MOST_STATES + 1))
    store(db, "yupan.state.v1", *states)
    store(db, "yupan.customer.v1", {"facts": {f"f{n}": n for n in range(MOST_FACTS + 1)}, "occurred_at": T})
    store(db, "yupan.ticket.v1", {"ticket_id": "k", "action": "OPENED", "text": "x" * 9_000, "occurred_at": T})
    found = customer(db, ME, T + DAY)
    assert len(found["states"]["crm"]) == MOST_STATES + 1
    assert len(found["facts"]) == MOST_FACTS + 1
    assert len(found["tickets"][0]["text"]) == 9_000


def test_a_fact_that_is_repeated_every_night_hides_no_older_one(db):
    announced = ({"facts": {"opened_at": T + 30 * DAY}, "occurred_at": T + night * DAY} for night in range(2, 9))
    store(db, "yupan.customer.v1", {"facts": {"opened_at": T + DAY}, "occurred_at": T + DAY}, *announced)
    assert customer(db, ME, T + 10 * DAY)["facts"] == {"opened_at": T + DAY}


def test_holders_are_told_in_pages_as_of_a_time(db):
    writer = HistoryWriter(db)
    told = [
        (1, "8613800000001", "hlr", "status", "active", 10), (2, "8613800000002", "hlr", "status", "active", 10),
        (3, "8613800000002", "hlr", "status", None, 20), (4, "8613800000003", "hlr", "status", None, 10),
        (5, "8613800000003", "hlr", "status", "barred", 30), (6, "8613800000004", "crm", "status", "active", 10),
        (7, "8613800000005", "hlr", "network_type", "5g", 10), (8, "8613800000006", "hlr", "status", False, 10),
    ]  # fmt: skip
    for offset, number, system, attribute, value, at in told:
        record = {"msisdn": number, "system": system, "attribute": attribute, "value": value, "region": "nanchang"}
        record["occurred_at"] = at
        writer.add(Event("yupan.state.v1", record, id=f"e-{offset}", key=number, offset=offset))
    assert writer.flush() == []
    expected = {15: [1, 2, 6], 25: [1, 6], 35: [1, 3, 6]}
    for until, numbers in expected.items():
        for page in (1, 2, 100):
            found = list(holders(db, "hlr", "status", until, page))
            assert [row["msisdn"] for row in found] == [f"861380000000{n}" for n in numbers], (until, page)
    assert found[0]["region"] == "nanchang"
