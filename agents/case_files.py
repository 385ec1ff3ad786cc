"""The cases in the file of a check or a watch list: given events with relative times, and what must be decided.

Times are milliseconds after the start of the case, whenever that is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from agents.words import told_state
from agents.yaml_reader import Item, Section
from schemas.catalogue import EVENTS
from schemas.errors import RecordError
from schemas.events.call import PHASES
from schemas.events.customer import KNOWN as FACTS
from schemas.events.list import WATCH
from schemas.events.usage import KINDS as USAGE_KINDS

STATUSES = ("OPEN", "RESOLVED", "WITHDRAWN")
"""What becomes of an anomaly in a case: no person acknowledges it there, and nothing repairs it."""
ACTIONS = ("opened", "changed", "withdrawn")
"""What becomes of a reminder."""
START = 1_767_225_600_000
"""When a case begins: 2026-01-01T00:00Z."""
CUSTOMER = "8613800138000"
MOST_TIMES = 10_000
STATE, USAGE, PROFILE, CALL, LIST = (f"yupan.{name}.v1" for name in ("state", "usage", "customer", "call", "list"))


@dataclass(frozen=True)
class Moment:
    """A value that is a time: so many milliseconds after the start of the case."""

    after: int


@dataclass(frozen=True)
class Step:
    """One event of a case: what happens `at` milliseconds after its start."""

    at: int
    topic: str
    record: Mapping[str, Any]
    """Its fields without `msisdn` and `occurred_at`; times are `Moment`."""
    id: str | None
    source: str | None
    times: int
    """So often, each time as another event."""

    def event(self) -> dict[str, Any]:
        """The record as it comes. Raises `RecordError`."""
        fields = {name: _dated(value) for name, value in self.record.items()}
        whose = None if fields.get("action") == "REPLACED" else CUSTOMER
        return EVENTS[self.topic].from_json({**fields, "msisdn": whose, "occurred_at": START + self.at})


@dataclass(frozen=True)
class Expected:
    """One change of an anomaly's status, or of a reminder, that a case expects."""

    at: int
    status: str
    evidence: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Case:
    """Events in order of arrival and what must be decided on them, `until` milliseconds after the start."""

    name: str
    steps: Sequence[Step]
    until: int
    expect: Sequence[Expected]
    line: int


def read_cases(section: Section, expected: Callable[[Item], Expected]) -> list[Case]:
    """The key `cases` of a file; `expected` reads what a case of it expects. Raises `FileError`."""
    return [_case(item, expected) for item in section.take("cases").items()]


def anomaly(item: Item) -> Expected:
    """What a check's case expects: `at`, `status`, perhaps `evidence`. Raises `FileError`."""
    section = item.section()
    section.only("at", "status", "evidence")
    at = section.take("at").span()
    status = section.take("status").one_of(*STATUSES)
    evidence = section.get("evidence")
    said = None if evidence is None else {name: str(value.plain()) for name, value in evidence.section().items()}
    return Expected(at, status, said)


def reminder(item: Item) -> Expected:
    """What a watch list's case expects: `at` and `reminder`. Raises `FileError`."""
    section = item.section()
    section.only("at", "reminder")
    return Expected(section.take("at").span(), section.take("reminder").one_of(*ACTIONS))


def _case(item: Item, expected: Callable[[Item], Expected]) -> Case:
    section = item.section()
    section.only("name", "events", "until", "expect")
    name = section.take("name").text()
    events = section.take("events")
    steps = [_step(step) for step in events.items()]
    if not steps:
        raise events.fail("is empty: nothing happens")
    until = _until(section.get("until"), max(step.at for step in steps))
    expect = [expected(one) for one in section.take("expect").items()]
    return Case(name, steps, until, expect, item.key_line)


def _until(item: Item | None, last: int) -> int:
    if item is None:
        return last
    until = item.span()
    if until < last:
        raise item.fail("should not be before the last event")
    return until


def _step(item: Item) -> Step:
    section = item.section()
    at = section.take("at").span()
    topic, record = _told(section)
    event_id, times = section.get("id"), section.get("times")
    if event_id is not None and times is not None:
        raise times.fail("would make several events of one id")
    step = Step(
        at,
        topic,
        record,
        None if event_id is None else event_id.text(),
        _text(section, "source"),
        1 if times is None else times.count(MOST_TIMES),
    )
    try:
        step.event()
    except RecordError as error:
        raise item.fail(str(error)) from None
    return step


def _told(section: Section) -> tuple[str, dict[str, Any]]:
    """The topic and the record of an event: its first key says of what it tells."""
    for key, told in _TOLD.items():
        if (item := section.get(key)) is not None:
            section.only("at", key, *told.keys, "id", "source", "times")
            return told.topic, told.read(section, item)
    raise section.here.fail(f"{', '.join(_TOLD)}: one of them says what happens")


class _Told(NamedTuple):
    """What an event is of that has a certain key, and which keys it has besides."""

    topic: str
    read: Callable[[Section, Item], dict[str, Any]]
    keys: tuple[str, ...]


def _state(section: Section, state: Item) -> dict[str, Any]:
    system, _, attribute = told_state(state).partition(".")
    sequence = section.get("sequence")
    return {
        "system": system,
        "attribute": attribute,
        "value": _value(section),
        "transaction": _text(section, "transaction"),
        "sequence": None if sequence is None else sequence.whole(),
        "region": _text(section, "region"),
    }


def _usage(section: Section, kind: Item) -> dict[str, Any]:
    return {
        "kind": kind.one_of(*USAGE_KINDS),
        "result": section.take("result").one_of("OK", "FAILED"),
        "cause": _text(section, "cause"),
        "cell": _text(section, "cell"),
        "region": _text(section, "region"),
    }


def _fact(section: Section, name: Item) -> dict[str, Any]:
    return {"facts": {name.one_of(*FACTS): _value(section)}}


def _call(section: Section, call_id: Item) -> dict[str, Any]:
    return {"call_id": call_id.text(), "phase": section.take("phase").one_of(*PHASES)}


def _list(section: Section, name: Item) -> dict[str, Any]:
    if not name.text().startswith(WATCH):
        raise name.fail(f"should be a watch list, {WATCH}NAME")
    record: dict[str, Any] = {
        "list": name.text(),
        "action": section.take("action").one_of("ADD", "REMOVE", "REPLACED"),
        "version": _text(section, "version"),
    }
    for bound in ("valid_from", "valid_to"):
        item = section.get(bound)
        record[bound] = None if item is None else Moment(item.span())
    return record


_TOLD: dict[str, _Told] = {
    "usage": _Told(USAGE, _usage, ("result", "cause", "cell", "region")),
    "state": _Told(STATE, _state, ("value", "moment", "sequence", "transaction", "region")),
    "fact": _Told(PROFILE, _fact, ("value", "moment")),
    "call": _Told(CALL, _call, ("phase",)),
    "list": _Told(LIST, _list, ("action", "version", "valid_from", "valid_to")),
}


def _value(section: Section) -> Any:
    """`value`, or `moment`: a time so long after the start of the case."""
    moment, value = section.get("moment"), section.get("value")
    if moment is None:
        return section.take("value").plain()
    if value is not None:
        raise value.fail("stands beside moment, which is a value, too")
    return Moment(moment.span())


def _text(section: Section, name: str) -> str | None:
    item = section.get(name)
    return None if item is None else item.text()


def _dated(value: Any) -> Any:
    if isinstance(value, Moment):
        return START + value.after
    return {name: _dated(inner) for name, inner in value.items()} if isinstance(value, Mapping) else value
