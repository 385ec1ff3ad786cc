"""What is kept of a customer is bounded, whatever upstream sends: no ledger record outgrows what a broker takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agents import calls, contacts, profile, reminders, states, tasks, tickets
from agents.conclude import MOST_WAITS
from agents.cutover import MOST_TIES, MOST_WINDOWS, with_cutover
from agents.intake import Intake
from agents.memory import Delivered, MemoryBatch, World
from agents.shell import Shell
from agents.states import MOST_STATES
from agents.texts import TEXT, short
from schemas.codec import codecs
from schemas.errors import RecordError
from schemas.events.cutover import REGION_CHARACTERS, REGIONS, TITLE
from schemas.fields import LANGUAGES, NAME, SYSTEMS, VALUE
from schemas.headers import cloud_event
from schemas.json_lines import Lines
from schemas.topics import MAX_MESSAGE
from streams.engine.store import encode
from tests.agents.desk_world import ALICE, DAY, T0, Counted, audit_of
from tests.agents.desk_world import World as Desk

CODECS = codecs()
STATE = "yupan.state.v1"
MOST_CHECKS = 200
"""More than anybody writes."""


def long(number: int, size: int = NAME) -> str:
    """A text of so many Chinese characters that no other number has."""
    return f"{number}|".ljust(size, "很")


def texts(number: int, size: int) -> dict[str, str]:
    return {f"l{n}": long(number, size) for n in range(LANGUAGES)}


def refused(topic: str, **changes: Any) -> RecordError:
    event = CODECS[topic].event
    with pytest.raises(RecordError) as caught:
        event.from_json({**event.examples[0], **changes})
    return caught.value


# --- what is refused


@pytest.mark.parametrize(
    ("topic", "changes", "field"),
    [
        (STATE, {"value": "x" * (VALUE + 1)}, "value"),
        (STATE, {"previous": "x" * (VALUE + 1)}, "previous"),
        (STATE, {"attribute": "x" * (NAME + 1)}, "attribute"),
        (STATE, {"region": "x" * (NAME + 1)}, "region"),
        ("yupan.customer.v1", {"facts": {"note": "x" * (VALUE + 1)}}, "facts.note"),
        ("yupan.customer.v1", {"facts": {"n" * (NAME + 1): 1}}, "facts." + "n" * (NAME + 1)),
        ("yupan.call.v1", {"call_id": "x" * (NAME + 1)}, "call_id"),
        ("yupan.call.v1", {"seat": "x" * (NAME + 1)}, "seat"),
        ("yupan.contact.v1", {"handle": "x" * (NAME + 1)}, "handle"),
        ("yupan.list.v1", {"name": "x" * (NAME + 1)}, "name"),
        ("yupan.list.v1", {"wording": {f"l{n}": "x" for n in range(LANGUAGES + 1)}}, "wording"),
        ("yupan.cutover.v1", {"regions": ["x"] * (REGIONS + 1)}, "regions"),
        ("yupan.cutover.v1", {"regions": ["x" * (NAME + 1)]}, "regions"),
        ("yupan.cutover.v1", {"regions": ["x" * NAME] * (REGION_CHARACTERS // NAME + 1)}, "regions"),
        ("yupan.cutover.v1", {"systems": ["hlr"] * (len(SYSTEMS) + 1)}, "systems"),
        ("yupan.cutover.v1", {"title": {"zh": "x" * (TITLE + 1)}}, "title"),
    ],
)
def test_a_name_or_value_that_is_too_long_is_refused_by_its_field(
    topic: str, changes: dict[str, Any], field: str
) -> None:
    error = refused(topic, **changes)
    assert (error.reason, error.field) == ("too_large", field)


@pytest.mark.parametrize(
    ("topic", "changes"),
    [
        (STATE, {"value": "很" * VALUE, "attribute": "x" * NAME}),
        ("yupan.contact.v1", {"text": "x" * 100_000, "subject": "x" * 10_000}),
        ("yupan.ticket.v1", {"text": "x" * 100_000}),
        ("yupan.retention-task.v1", {"script": "x" * 100_000, "policy": "x" * 100_000}),
    ],
)
def test_what_people_write_may_be_long(topic: str, changes: dict[str, Any]) -> None:
    event = CODECS[topic].event
    assert event.from_json({**event.examples[0], **changes}).items() >= changes.items()


@pytest.mark.parametrize("header", ["ce_id", "ce_source"])
def test_an_id_that_is_too_long_is_refused(header: str) -> None:
    event = CODECS[STATE].event
    value = CODECS[STATE].encode(event.from_json(event.examples[0]))
    read = Intake(CODECS, 1).read
    assert read(Delivered(STATE, value, ALICE.encode(), [(header, b"i" * NAME)], 0, T0), T0)
    with pytest.raises(RecordError, match="ce_id or ce_source: longer than 256") as caught:
        read(Delivered(STATE, value, ALICE.encode(), [(header, b"i" * (NAME + 1))], 0, T0), T0)
    assert caught.value.reason == "too_large"


def test_publish_refuses_such_an_id_too() -> None:
    lines = Lines(CODECS["yupan.seat.v1"].event, "86")
    with pytest.raises(RecordError, match=r"^id: has 257 characters") as caught:
        lines.read(f'{{"id": "{"i" * 257}", "seat_id": "s", "staff": "1", "action": "IDLE", "occurred_at": {T0}}}')
    assert caught.value.reason == "too_large"


class Auditing:
    """The audit of one customer, event after event."""

    def __init__(self) -> None:
        self.world = World()
        self.counted = Counted()
        self.audit = audit_of(Shell(Intake(CODECS, 1), CODECS, self.counted))

    def take(self, attribute: str, value: Any, number: int = 0, **more: Any) -> None:
        data = {"msisdn": ALICE, "system": "crm", "attribute": attribute, "value": value, "occurred_at": T0, **more}
        headers = cloud_event(STATE, f"{number}|".ljust(NAME, "i"), "s" * NAME, T0)
        message = Delivered(STATE, CODECS[STATE].encode(CODECS[STATE].event.from_json(data)), ALICE.encode(), headers)
        self.world.clock = T0
        with MemoryBatch(self.world, STATE, [message]) as batch:
            self.audit.process(batch)


def test_of_a_customers_attributes_so_many_are_kept_and_one_more_is_refused() -> None:
    auditing = Auditing()
    for number in range(MOST_STATES):
        auditing.take(f"allowance.{number}", number)
    with pytest.raises(RecordError, match=r"^attribute: of one customer at most 300 are kept") as caught:
        auditing.take("allowance.more", 1)
    assert caught.value.reason == "too_large"
    auditing.take("allowance.0", 7, 1, occurred_at=T0 + 1)  # those that are there go on
    auditing.take("charge", 1.0, 2)  # occurrences are no states
    held = auditing.world.records[f"states/{ALICE}"]["held"]
    assert (len(held), held["crm.allowance.0"][0]) == (MOST_STATES, 7)


def test_of_a_customers_facts_and_lists_so_many_are_kept_and_one_more_is_refused() -> None:
    desk = Desk()
    desk.customer(**{f"f{n}": n for n in range(profile.MOST_FACTS)})
    with pytest.raises(RecordError, match=r"^facts: of one customer at most 100 are kept"):
        desk.customer(one_more=1)
    desk.customer(at=T0 + 1, f0="new")
    assert desk.record(f"profile/{ALICE}")["facts"]["f0"][0] == ["new", [T0 + 1]]
    for number in range(profile.MOST_LISTS):
        desk.publish("list", {"list": f"watch:w{number}", "action": "ADD", "msisdn": ALICE})
    with pytest.raises(RecordError, match=r"^list: of one customer at most 12 are kept"):
        desk.publish("list", {"list": "campus", "action": "ADD", "msisdn": ALICE})


def test_open_reminders_beyond_the_bound_are_dropped_oldest_first() -> None:
    held: Mapping[str, Any] | None = None
    for number in range(reminders.KEPT):
        held, dropped = reminders.with_reminder(held, {"reminder_id": f"r{number}", "occurred_at": T0 + number})
        assert dropped == 0
    held, dropped = reminders.with_reminder(held, {"reminder_id": "late", "occurred_at": T0 + 1_000})
    assert (dropped, len(held["open"]), "r0" in held["open"], "late" in held["open"]) == (1, 100, False, True)


# --- what is cut


def test_texts_for_the_desk_are_cut_and_facts_are_not() -> None:
    desk = Desk()
    desk.publish("ticket", {"ticket_id": "k", "msisdn": ALICE, "action": "OPENED", "text": "很" * 9_000})
    desk.publish("retention-task", {"task_id": "t", "msisdn": ALICE, "action": "CREATED", "script": "x" * 9_000})
    entry = {"list": "watch:w", "action": "ADD", "msisdn": ALICE, "wording": {"zh": "很" * 9_000}}
    desk.publish("list", entry)
    desk.customer(note="很" * VALUE)
    kept = [
        desk.record(f"tickets/{ALICE}")["items"]["k"]["fields"]["text"][0],
        desk.record(f"tasks/{ALICE}")["items"]["t"]["fields"]["script"][0],
        desk.record(f"profile/{ALICE}")["lists"]["watch:w"]["adds"][0]["wording"]["zh"],
    ]
    assert [len(text) for text in kept] == [TEXT] * 3
    assert {text[-1] for text in kept} == {"…"}
    assert desk.record(f"profile/{ALICE}")["facts"]["note"][0][0] == "很" * VALUE


# --- the sum


def worst_states() -> Any:
    auditing = Auditing()
    for number in range(MOST_STATES):
        for tie in range(states.MOST_TIES + 1):
            auditing.take(long(number), long(tie, VALUE), number * 100 + tie)
    return auditing.world.records[f"states/{ALICE}"]


def worst_waits() -> Any:
    """An open anomaly of each product, and of as many transactions as are kept, with the longest names there are."""
    auditing = Auditing()
    for number in range(MOST_STATES):
        name = f"subscription.{number}|".ljust(NAME, "很")
        auditing.take(name, True, number, region=long(number))
    amounts = (("crm", "charge"), ("order", "payment"), ("crm", "gift"))
    for kind, (system, attribute) in enumerate(amounts, 1):
        for number in range(MOST_WAITS + 1):
            told = {"system": system, "transaction": long(number), "region": long(number)}
            auditing.take(attribute, 1e12, 1_000 * kind + number, **told)
    while (fired := auditing.world.next_due(T0 + 10 * DAY)) is not None:
        with MemoryBatch(auditing.world, STATE, [], [fired]) as batch:
            auditing.audit.process(batch)
    waits = auditing.world.records[f"waits/{ALICE}"]
    opened = [wait for wait in waits["waits"].values() if wait["open"] is not None]
    assert len(opened) == len(waits["waits"]) == MOST_STATES + len(amounts) * MOST_WAITS
    return waits


def worst_profile() -> Any:
    held = None
    for night in range(profile.VERSIONS * profile.TIMES_KEPT):
        facts = {long(n): long(night // profile.TIMES_KEPT, VALUE) for n in range(profile.MOST_FACTS)}
        held = profile.with_facts(held, {"facts": facts, "occurred_at": T0 + night})
    for number in range(profile.MOST_LISTS):
        for add in range(16):
            told = {"version": long(add), "name": long(add), "station": long(add), "valid_from": T0, "valid_to": T0}
            told |= {"guidance": texts(add, TEXT), "wording": texts(add, TEXT)}
            entry = {"list": f"watch:{number}".ljust(70, "x"), "action": "ADD", "occurred_at": T0 + add, **told}
            held = profile.with_entry(held, short(entry))
    return held


def worst_desk() -> dict[str, Any]:
    desk = Desk(partitions=1)
    names = ("status", "order_id", "staff")
    prose = {"text": long(0, 9_000), "subject": long(0, 9_000)}
    for n in range(contacts.KEPT):
        said = {"contact_id": long(n), "channel": "WEB", "direction": "IN", "kind": "MESSAGE", **prose}
        desk.publish("contact", {**said, "msisdn": ALICE, **{name: long(n) for name in names}})
    for n in range(tickets.KEPT):
        told = {name: long(n) for name in ("class", "region", "staff", "call_id")}
        desk.publish(
            "ticket", {"ticket_id": long(n), "msisdn": ALICE, "action": "OPENED", "text": long(n, 9_000), **told}
        )
    for n in range(tasks.KEPT):
        told = {"product": long(n), "policy": long(n, 9_000), "script": long(n, 9_000), "owner": long(n)}
        desk.publish("retention-task", {"task_id": long(n), "msisdn": ALICE, "action": "TAKEN", **told})
    for n in range(calls.LIVE):
        for phase in range(calls.IDS):
            event_id = f"{n}.{phase}|".ljust(NAME, "i")
            desk.call("OFFERED", long(n), event_id=event_id, seat=long(phase), brand=long(n), need=long(n))
    return desk.ledgers[0]


def worst_works() -> dict[str, Any]:
    """As many works as are kept, with the longest names of regions there are; and what becomes of one of them."""
    event, windows = CODECS["yupan.cutover.v1"].event, {}
    regions = [long(n, REGION_CHARACTERS // REGIONS) for n in range(REGIONS)]
    title = texts(0, TITLE)
    for number in range(MOST_WINDOWS + 1):
        told = {"cutover_id": long(number), "systems": [*SYSTEMS], "regions": regions, "title": title}
        record = event.from_json({**event.examples[0], **told})
        for tie in range(MOST_TIES + 1):
            windows, _ = with_cutover(windows, record, 2**64 - 1 - tie, T0)
    closing = {"title": title, "regions": regions, "checks": {long(n): [1, 1] for n in range(MOST_CHECKS)}}
    return {"~cutovers": {"v": 1, "windows": windows}, "~closing": closing}


def worst_reminders() -> Any:
    held: Any = None
    for n in range(reminders.KEPT):
        said = {name: texts(n, 9_000) for name in ("title", "cause", "wording", "guidance")}
        held, _ = reminders.with_reminder(held, short({"reminder_id": long(n), "occurred_at": T0 + n, **said}))
    return held


def test_a_customer_at_every_bound_still_fits_the_broker() -> None:
    """With room for a key and Kafka's own frame. Characters of three bytes, as Chinese has them."""
    sizes = {
        "states": len(encode(worst_states())),
        "waits": len(encode(worst_waits())),
        "profile": len(encode(worst_profile())),
        "reminders": len(encode(worst_reminders())),
        **{key: len(encode(record)) for key, record in worst_works().items()},
        **{key.split("/")[0]: len(encode(record)) for key, record in worst_desk().items()},
    }
    of_customer = {"states", "waits", "profile", "reminders", "contacts", "tickets", "tasks", "calls"}
    assert sizes.keys() == {*of_customer, "~cutovers", "~closing"}
    assert all(10_000 < size < MAX_MESSAGE - 10_000 for size in sizes.values()), sizes
