"""What is written comes back once and whole, whatever was repeated, reordered or redelivered."""

from __future__ import annotations

import random

import pytest

from schemas.errors import PartError
from sinks import queries
from sinks.history import TOPICS, HistoryWriter, first_wins, rows_of
from sinks.statements import RefusedError
from tests.sinks.conftest import Event

ME = "8613800138000"
OTHER = "8613900139000"
T = 1_785_000_000_000
MINUTE = 60_000


def store(db, *events, **options):
    writer = HistoryWriter(db, **options)
    for event in events:
        assert writer.add(event) > 0
    assert writer.flush() == []
    assert writer.rows == 0


def state(number, at, value, **fields):
    record = {"msisdn": ME, "system": "crm", "attribute": "status", "value": value, "occurred_at": at, **fields}
    place = {"offset": number, "arrived_at": T + number}
    return Event("yupan.state.v1", record, id=f"s{number}", source="crm-1", key=ME, **place)


def phase(call, name, at, number=0, key=ME, **fields):
    record = {"call_id": call, "msisdn": None, "phase": name, "occurred_at": at, **fields}
    return Event("yupan.call.v1", record, id=f"{call}-{name}-{number}", key=key, offset=number)


def test_values_keep_their_types(db):
    values = ["active", None, 7, 2**40, 1.5, 1.0, True, False, "1", "", "中'\\\n"]
    store(db, *(state(n, T, value, sequence=n) for n, value in enumerate(values)))
    rows = queries.states(db, ME)
    assert [row["value"] for row in rows] == values
    assert [type(row["value"]) for row in rows] == [type(value) for value in values]


def test_a_state_carries_identity_and_arrival(db):
    store(db, state(3, T, "active", sequence=9, previous="suspended", transaction="x1", details={"a": "1"}))
    (row,) = queries.states(db, ME)
    expected = {
        "msisdn": ME, "system": "crm", "attribute": "status", "value": "active", "previous": "suspended",
        "transaction": "x1", "details": {"a": "1"}, "region": None, "reason": None, "sequence": 9,
        "occurred_at": T, "ce_source": "crm-1", "ce_id": "s3", "arrival_topic": "yupan.state.v1",
        "arrival_partition": 0, "arrival_offset": 3, "arrived_at": T + 3,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_states_without_occurrences(db):
    store(db, state(1, T, "active"), state(2, T, 5.0, attribute="charge"))
    assert [row["attribute"] for row in queries.states(db, ME, without=("charge", "credit"))] == ["status"]


def test_the_first_arrival_of_a_repeated_id_stays(db):
    again = state(1, T, "active")
    again.offset, again.arrived_at, again.partition = 9, T + 9, 2
    store(db, state(1, T, "active"), state(5, T, "suspended"))
    store(db, again)
    assert [(row["value"], row["arrival_offset"]) for row in queries.states(db, ME)] == [
        ("active", 1),
        ("suspended", 5),
    ]


def test_an_earlier_arrival_has_the_higher_version():
    assert first_wins(T, 5) > first_wins(T, 6) > first_wins(T + 1, 0) > 0
    assert first_wins(T, 0) < 2**64


def test_facts_newest_wins_and_null_removes(db):
    def facts(number, at, **values):
        record = {"msisdn": ME, "facts": values, "occurred_at": at}
        return Event("yupan.customer.v1", record, id=str(number), offset=number, arrived_at=T + number)

    store(
        db,
        facts(1, T + 5, brand="神州行", q4_arpu=360.0),
        facts(2, T + 9, q4_arpu=None, tariff="4g"),
        facts(3, T, brand="old"),
    )
    store(db, facts(4, T + 5, brand="动感地带"))
    found = {row["fact"]: (row["value"], row["occurred_at"]) for row in queries.facts(db, ME)}
    assert found == {"brand": ("动感地带", T + 5), "q4_arpu": (None, T + 9), "tariff": ("4g", T + 9)}
    assert queries.facts(db, OTHER) == []


def test_lists_bring_the_replaced_records(db):
    def entry(number, msisdn, action, **fields):
        record = {"list": "campus", "action": action, "msisdn": msisdn, "occurred_at": T, **fields}
        return Event("yupan.list.v1", record, id=str(number), offset=number)

    guidance = {"zh": "说明", "en": "say"}
    store(db, entry(1, ME, "ADD", version="7", guidance=guidance, valid_to=T + 1), entry(2, OTHER, "ADD"))
    store(db, entry(3, None, "REPLACED", version="7"), entry(4, ME, "REMOVE"))
    rows = queries.lists(db, ME)
    assert [(row["msisdn"], row["action"], row["version"]) for row in rows] == [
        (ME, "ADD", "7"), (None, "REPLACED", "7"), (ME, "REMOVE", None),
    ]  # fmt: skip
    assert (rows[0]["guidance"], rows[0]["valid_to"], rows[0]["list"]) == (guidance, T + 1, "campus")


def test_the_latest_of_each_anomaly(db):
    def anomaly(number, identity, status, at, opened_at):
        record = {"anomaly_id": identity, "msisdn": ME, "check": "activation", "status": status, "opened_at": opened_at,
                  "evidence": {"crm.status": "active"}, "cause": {"zh": "因"}, "occurred_at": at}  # fmt: skip
        return Event("yupan.anomaly.v1", record, id=str(number), offset=number)

    store(
        db,
        anomaly(1, "a", "OPEN", T + 9, T + 9),
        anomaly(2, "a", "RESOLVED", T + 5, T + 9),
        anomaly(3, "b", "OPEN", T, T),
    )
    rows = queries.anomalies(db, ME)
    assert [(row["anomaly_id"], row["status"]) for row in rows] == [("a", "RESOLVED"), ("b", "OPEN")]
    assert rows[0]["evidence"] == {"crm.status": "active"}
    assert rows[0]["check"] == "activation"


@pytest.mark.parametrize("tombstone", [None, {}])
def test_a_withdrawn_reminder_is_known_by_its_key(db, tombstone):
    record = {"reminder_id": "r1", "msisdn": ME, "kind": "ANOMALY", "title": {"zh": "提醒"}, "severity": "MAJOR",
              "source_id": "a", "occurred_at": T}  # fmt: skip
    key = f"{ME}|r1"
    store(db, Event("yupan.reminder.v1", record, id="1", key=key, offset=1))
    (row,) = queries.reminders(db, ME)
    assert (row["title"], row["withdrawn"]) == ({"zh": "提醒"}, False)
    store(db, Event("yupan.reminder.v1", tombstone, id="2", key=key, offset=2, occurred_at=T + 1))
    (row,) = queries.reminders(db, ME)
    assert (row["reminder_id"], row["withdrawn"], row["occurred_at"]) == ("r1", True, T + 1)


def test_the_steps_of_tickets_and_tasks_come_as_they_arrived(db):
    def step(number, topic, name, action):
        record = {name: "x", "msisdn": ME, "action": action, "occurred_at": T - number}
        return Event(f"yupan.{topic}.v1", record, id=str(number), offset=number)

    store(db, step(2, "ticket", "ticket_id", "CLOSED"), step(1, "ticket", "ticket_id", "OPENED"))
    store(db, step(1, "retention-task", "task_id", "CREATED"), step(2, "retention-task", "task_id", "TAKEN"))
    assert [row["action"] for row in queries.tickets(db, ME)] == ["OPENED", "CLOSED"]
    assert [row["action"] for row in queries.tasks(db, ME)] == ["CREATED", "TAKEN"]


def test_a_hotline_call_is_one_entry_among_the_contacts(db):
    contact = {"contact_id": "c1", "msisdn": ME, "channel": "WECHAT", "direction": "IN", "kind": "MESSAGE",
               "text": "在吗", "status": None, "occurred_at": T + 2 * MINUTE}  # fmt: skip
    order = contact | {"contact_id": "c2", "channel": "MALL", "kind": "ORDER", "text": None, "subject": "5G",
                       "status": "PAID", "occurred_at": T + MINUTE}  # fmt: skip
    store(db, Event("yupan.contact.v1", contact, id="1"), Event("yupan.contact.v1", order, id="2"))
    calls = [
        phase("k1", "IVR_ENTERED", T, msisdn=ME),
        phase("k1", "NEED_CHOSEN", T + 1, need="balance"),
        phase("k1", "OFFERED", T + 2, staff="busy"),
        phase("k1", "ANSWERED", T + 3, staff="s1"),
        phase("k1", "ENDED", T + 3 * MINUTE),
        phase("k2", "IVR_ENTERED", T + 5 * MINUTE),
        phase("k2", "ABANDONED", T + 6 * MINUTE),
        phase("k3", "QUEUED", T + 7 * MINUTE),
        phase("other", "QUEUED", T, key=OTHER),
        phase("86000000000000", "QUEUED", T, key="86000000000000"),
    ]
    store(db, *calls)
    store(db, *calls)
    assert queries.timeline(db, ME) == [
        {"time": T + 7 * MINUTE, "channel": "HOTLINE", "kind": "CALL", "text": None, "status": "QUEUED", "staff": None},
        {
            "time": T + 5 * MINUTE,
            "channel": "HOTLINE",
            "kind": "CALL",
            "text": None,
            "status": "ABANDONED",
            "staff": None,
        },
        {"time": T + 2 * MINUTE, "channel": "WECHAT", "kind": "MESSAGE", "text": "在吗", "status": None, "staff": None},
        {"time": T + MINUTE, "channel": "MALL", "kind": "ORDER", "text": "5G", "status": "PAID", "staff": None},
        {"time": T, "channel": "HOTLINE", "kind": "CALL", "text": "balance", "status": "ANSWERED", "staff": "s1"},
    ]
    assert [entry["time"] for entry in queries.timeline(db, ME, limit=2)] == [T + 7 * MINUTE, T + 5 * MINUTE]
    assert [entry["time"] for entry in queries.timeline(db, ME, since=T + 2 * MINUTE)][-1] == T + 2 * MINUTE
    assert db.query("SELECT count() AS n FROM calls FINAL WHERE msisdn = ''") == [{"n": 1}]


def test_a_caller_who_is_known_late_has_the_whole_call(db):
    store(
        db,
        phase("k1", "IVR_ENTERED", T, key="k1"),
        phase("k1", "NEED_CHOSEN", T + MINUTE, key="k1", msisdn=ME, need="bill"),
        phase("k1", "ANSWERED", T + 2 * MINUTE, key="k1", staff="s1"),
        phase("k2", "IVR_ENTERED", T + MINUTE, key="k2"),
    )
    (entry,) = queries.timeline(db, ME)
    assert (entry["time"], entry["text"], entry["staff"]) == (T, "bill", "s1")


def test_a_tag_alone_is_no_call_yet(db):
    tagged = {
        "call_id": "k1",
        "msisdn": ME,
        "phase": "QUEUED",
        "segment": "NEW",
        "receipt": {"winner": "NEW"},
        "occurred_at": T,
    }
    store(db, Event("yupan.tagged-call.v1", tagged, id="tag", key=ME))
    assert queries.timeline(db, ME) == []
    store(db, phase("k1", "QUEUED", T))
    assert len(queries.timeline(db, ME)) == 1
    assert db.query("SELECT segment, receipt FROM calls WHERE tagged = 1") == [
        {"segment": "NEW", "receipt": '{"winner":"NEW"}'}
    ]


def test_unknown_customers_have_empty_answers(db):
    for read in (queries.facts, queries.lists, queries.states, queries.anomalies, queries.reminders, queries.tickets,
                 queries.tasks, queries.timeline):  # fmt: skip
        assert read(db, OTHER) == []


def test_other_topics_are_none_of_ours(db):
    writer = HistoryWriter(db)
    assert writer.add(Event("yupan.usage.v1", {"msisdn": ME}, id="1")) == 0
    assert writer.flush() == []
    assert "yupan.call.v1" in TOPICS


def test_decades_go_in_with_one_flush(db):
    start = 631_152_000_000
    store(db, *(state(n, start + n * 2_629_800_000, n) for n in range(150)))
    assert len(queries.states(db, ME)) == 150


def test_the_row_at_fault_stands_alone(db):
    writer = HistoryWriter(db)
    events = [state(n, T, "active", details={"x": "y"}) for n in range(300)]
    events[77].record["reason"] = "\ud800"
    events[201].record["sequence"] = "not a number"
    for event in events:
        writer.add(event)
    refused = writer.flush()
    assert [(row.event.id, row.table) for row in refused] == [("s77", "states"), ("s201", "states")]
    assert all(ME not in row.reason for row in refused)
    assert len(queries.states(db, ME)) == 298
    assert writer.flush() == []


class Flaky:
    """Away for the first inserts into a table, and picky about one row."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.stored: list[tuple[str, int]] = []

    def insert(self, table, columns, rows):
        if table == "contacts" and self.away:
            self.away -= 1
            raise PartError("away")
        if any(row[columns.index("ce_id")] == "s1" for row in rows):
            raise RefusedError("no")
        self.stored.append((table, len(rows)))


def test_nothing_is_forgotten_while_clickhouse_is_away():
    db = Flaky(away=1)
    writer = HistoryWriter(db)
    contact = {"contact_id": "c", "msisdn": ME, "channel": "WEB", "occurred_at": T}
    for event in (state(1, T, "active"), state(2, T, "active"), Event("yupan.contact.v1", contact, id="c")):
        writer.add(event)
    with pytest.raises(PartError):
        writer.flush()
    assert writer.rows == 1
    assert [row.event.id for row in writer.flush()] == ["s1"]
    assert db.stored == [("states", 1), ("contacts", 1)]
    assert writer.flush() == []


def test_batches_have_a_limit():
    db = Flaky(away=0)
    writer = HistoryWriter(db, largest=10)
    for number in range(10, 35):
        writer.add(state(number, T, "active"))
    writer.flush()
    assert db.stored == [("states", 10), ("states", 10), ("states", 5)]


def test_rows_are_those_of_the_table():
    table, rows = rows_of(state(1, T, "active"))
    assert (table, len(rows)) == ("states", 1)


def test_any_order_and_any_repeats_leave_the_same(db):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice = random.Random(seed)
    events = []
    for number in range(400):
        at = T + dice.randrange(10) * 3_000_000_000
        value = dice.choice(["active", "suspended", True, 3, None])
        events.append(state(number, at, value, attribute=f"a{dice.randrange(5)}", sequence=dice.choice([None, number])))
    shuffled = events + dice.choices(events, k=400)
    dice.shuffle(shuffled)
    writer = HistoryWriter(db, largest=97)
    for event in shuffled:
        writer.add(event)
        if dice.random() < 0.02:
            writer.flush()
    writer.flush()
    rows = queries.states(db, ME)
    assert [(row["ce_id"], row["attribute"], row["value"], row["sequence"], row["occurred_at"]) for row in rows] == [
        (event.id, event.record["attribute"], event.record["value"], event.record["sequence"], event.occurred_at)
        for event in events
    ]
