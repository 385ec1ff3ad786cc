"""Every event type against its own examples: the good ones survive the wire, the bad ones fail as they say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from schemas import events
from schemas.catalogue import EVENTS
from schemas.codec import Codec
from schemas.errors import DEAD_LETTER_REASONS, RecordError
from schemas.event_type import EventType
from schemas.fields import SYSTEMS
from schemas.json_lines import parse

GOOD = [(e, example) for e in EVENTS.values() for example in e.examples]
BAD = [(e, why, changes) for e in EVENTS.values() for why, changes in e.bad]

CONTRACTS = {
    "yupan.state.v1": "msisdn system attribute value previous? transaction? sequence? region? reason? details"
    " occurred_at",
    "yupan.usage.v1": "msisdn kind result cause? cell? region? duration_ms? occurred_at",
    "yupan.call.v1": "call_id msisdn? phase hotline? brand? need? pool? seat? staff? priority? wait_ms? talk_ms?"
    " outcome? details occurred_at",
    "yupan.contact.v1": "contact_id msisdn? channel direction kind subject? text? status? order_id? staff? handle?"
    " audience? score? details occurred_at",
    "yupan.retention-task.v1": "task_id msisdn action product? policy? script? due_at? priority? owner? occurred_at",
    "yupan.list.v1": "list action msisdn? version? name? station? valid_from? valid_to? guidance? wording? occurred_at",
    "yupan.seat.v1": "seat_id staff action skills satisfaction? first_contact_resolution? tenure_months? occurred_at",
    "yupan.ticket.v1": "ticket_id msisdn action class? segment? text? region? staff? call_id? occurred_at",
    "yupan.customer.v1": "msisdn facts occurred_at",
    "yupan.command.v1": "command_id kind anomaly_id msisdn? staff reason? occurred_at",
    "yupan.cutover.v1": "cutover_id systems regions starts_at ends_at title action occurred_at",
    "yupan.repair-result.v1": "repair_id msisdn outcome text? occurred_at",
    "yupan.anomaly.v1": "anomaly_id msisdn? cell? region? check status severity cause_code evidence cause wording"
    " guidance trigger_id opened_at occurred_at reason",
    "yupan.alert.v1": "incident_id check cause_code severity status count examples cell? region? summary guidance"
    " old? first_at occurred_at",
    "yupan.reminder.v1": "reminder_id msisdn kind title cause? wording? guidance? progress? severity expires_at?"
    " source_id occurred_at",
    "yupan.screen-pop.v1": "call_id msisdn? seat? segment? receipt brand? greeting? reminders retention_tasks contacts"
    " tickets occurred_at",
    "yupan.tagged-call.v1": "call_id msisdn? phase hotline? brand? need? pool? seat? staff? priority? wait_ms? talk_ms?"
    " outcome? details occurred_at segment? receipt",
    "yupan.route.v1": "call_id msisdn? segment? chain chosen? outcome target_connect_rate occurred_at",
    "yupan.retention-result.v1": "task_id msisdn channel staff content intention result remarks? call_id? occurred_at",
    "yupan.message.v1": "message_id msisdn text template cause_id send_after? occurred_at",
    "yupan.repair.v1": "repair_id anomaly_id msisdn system command arguments occurred_at",
}
"""The published names, written down a second time: renaming a field is noticed here."""


def name(value: Any) -> str | None:
    return value.name if isinstance(value, EventType) else None


def laid_over(event: EventType, changes: dict[str, Any]) -> dict[str, Any]:
    """The first example with `changes`; `...` removes a field."""
    return {k: v for k, v in {**event.examples[0], **changes}.items() if v is not ...}


@pytest.mark.parametrize(("event", "example"), GOOD, ids=name)
def test_good_examples_survive_the_wire(event: EventType, example: dict[str, Any]) -> None:
    codec = Codec(event)
    record = event.from_json(parse(json.dumps(example)))
    decoded = codec.decode(codec.encode(record))
    event.validate(decoded)
    assert decoded == record
    assert event.from_json(parse(json.dumps(decoded))) == record


@pytest.mark.parametrize(("event", "example"), GOOD, ids=name)
def test_a_record_has_its_own_key(event: EventType, example: dict[str, Any]) -> None:
    record = event.from_json(example)
    assert event.has_right_key(record, event.key(record))
    assert not event.has_right_key(record, "some other key")


@pytest.mark.parametrize(("event", "why", "changes"), BAD, ids=name)
def test_bad_examples_fail_as_they_say(event: EventType, why: str, changes: dict[str, Any]) -> None:
    assert why in DEAD_LETTER_REASONS
    with pytest.raises(RecordError) as caught:
        event.from_json(laid_over(event, changes))
    assert caught.value.reason == why
    assert caught.value.field is not None
    assert caught.value.field.split(".")[0] in {*changes, *event.fields}
    assert not re.search(r"[0-9]{11}", str(caught.value))


@pytest.mark.parametrize("event", EVENTS.values(), ids=name)
def test_every_event_type_is_whole(event: EventType) -> None:
    assert len(event.examples) >= 2
    assert len(event.bad) >= 2
    assert event.fields["occurred_at"].is_time
    assert event.record.__doc__


def test_every_file_is_one_event_type() -> None:
    files = {path.stem for path in Path(events.__path__[0]).glob("[a-z]*.py")}
    names = {e.name.replace("-", "_").replace(".", "_") for e in EVENTS.values()}
    assert files == names


def test_the_names_are_those_of_the_contracts() -> None:
    told = {
        topic: " ".join(f"{f.name}?" if f.nullable else f.name for f in event.fields.values())
        for topic, event in EVENTS.items()
        if topic in CONTRACTS
    }
    assert told == CONTRACTS
    assert {topic for topic, event in EVENTS.items() if event.flow != "internal"} == set(CONTRACTS)
    assert {topic for topic, event in EVENTS.items() if event.flow == "in"} == set(list(CONTRACTS)[:12])


def test_the_branches_of_value_are_fixed() -> None:
    branches = ["null", "string", "long", "double", "boolean"]
    state = {f["name"]: f for f in EVENTS["yupan.state.v1"].avro["fields"]}
    assert (state["value"]["type"], state["previous"]["type"]) == (branches, branches)
    assert "default" not in state["value"]
    facts = {f["name"]: f for f in EVENTS["yupan.customer.v1"].avro["fields"]}["facts"]
    assert facts["type"] == {"type": "map", "values": branches}


def test_closed_sets_are_enums_with_a_default() -> None:
    enums = [t for e in EVENTS.values() for f in e.avro["fields"] for t in nested(f["type"]) if t["type"] == "enum"]
    assert len(enums) > 10
    assert all(enum["default"] == enum["symbols"][0] == "UNKNOWN" for enum in enums)


def nested(kind: Any) -> list[dict[str, Any]]:
    """The named types in an Avro type."""
    if isinstance(kind, list):
        return [found for branch in kind for found in nested(branch)]
    return [kind] if isinstance(kind, dict) else []


def test_the_known_words_name_known_systems() -> None:
    from schemas.events.state import OCCURRENCES, WORDS

    assert set(WORDS) == set(SYSTEMS)
    assert {a for words in WORDS.values() for a in words} >= OCCURRENCES
