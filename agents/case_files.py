"""The cases in the file of a check or a watch list: given events with relative times, and what must be decided.

Times are milliseconds after the start of the case, whenever that is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.yaml_reader import Item, Section
from schemas.events.call import PHASES
from schemas.events.customer import KNOWN as FACTS
from schemas.events.list import WATCH
from schemas.events.state import WORDS
from schemas.events.usage import KINDS as USAGE_KINDS

STATUSES = ("OPEN", "ACKNOWLEDGED", "REPAIRING", "RESOLVED", "WITHDRAWN")
"""What becomes of an anomaly."""
ACTIONS = ("opened", "changed", "withdrawn")
"""What becomes of a reminder."""
STATE, USAGE, CUSTOMER, CALL, LIST = (f"yupan.{name}.v1" for name in ("state", "usage", "customer", "call", "list"))


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

    def fields(self, start: int) -> dict[str, Any]:
        """The record's fields when the case begins at `start` (ms)."""
        return {name: _dated(value, start) for name, value in self.record.items()}


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
    at = section.take("at").span()
    status = section.take("status").one_of(*STATUSES)
    evidence = section.get("evidence")
    said = None if evidence is None else {name: str(value.plain()) for name, value in evidence.section().rest()}
    section.finish()
    return Expected(at, status, said)


def reminder(item: Item) -> Expected:
    """What a watch list's case expects: `at` and `reminder`. Raises `FileError`."""
    section = item.section()
    expected = Expected(section.take("at").span(), section.take("reminder").one_of(*ACTIONS))
    section.finish()
    return expected


def _case(item: Item, expected: Callable[[Item], Expected]) -> Case:
    section = item.section()
    name = section.take("name").text()
    steps = [_step(step) for step in section.take("events").items()]
    until = section.get("until")
    expect = [expected(one) for one in section.take("expect").items()]
    section.finish()
    last = max((step.at for step in steps), default=0)
    return Case(name, steps, last if until is None else until.span(), expect, item.key_line)


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
        1 if times is None else times.count(),
    )
    section.finish()
    return step


def _told(section: Section) -> tuple[str, dict[str, Any]]:
    """The topic and the record of an event: its first key says of what it tells."""
    for key, (topic, read) in _TOLD.items():
        if (item := section.get(key)) is not None:
            return topic, read(section, item)
    raise section.here.fail(f"{', '.join(_TOLD)}: one of them says what happens")


def _state(section: Section, state: Item) -> dict[str, Any]:
    system, _, attribute = state.text().partition(".")
    if system not in WORDS or not attribute:
        raise state.fail(f"should be SYSTEM.ATTRIBUTE, the system one of {', '.join(WORDS)}")
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


_TOLD: dict[str, tuple[str, Callable[[Section, Item], dict[str, Any]]]] = {
    "usage": (USAGE, _usage),
    "state": (STATE, _state),
    "fact": (CUSTOMER, _fact),
    "call": (CALL, _call),
    "list": (LIST, _list),
}


def _value(section: Section) -> Any:
    """`value`, or `moment`: a time so long after the start of the case."""
    moment = section.get("moment")
    return section.take("value").plain() if moment is None else Moment(moment.span())


def _text(section: Section, name: str) -> str | None:
    item = section.get(name)
    return None if item is None else item.text()


def _dated(value: Any, start: int) -> Any:
    if isinstance(value, Moment):
        return start + value.after
    return {name: _dated(inner, start) for name, inner in value.items()} if isinstance(value, Mapping) else value
