"""`checks replay` without Kafka: the same agents over a ledger in memory, with the clock of the events.

The core is `Replay`: feed it records in order of arrival, it returns what is decided. All deadlines due
before an event's `occurred_at` fire, in order of due time, before the event is applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from agents import anomalies, areas, incidents, reminders, usage, watching
from agents.areas import Areas
from agents.audit import Audit
from agents.commands import Commands
from agents.conclude import REPAIR_DEADLINE, Conclusions
from agents.cutovers import ALERT, Closings, Cutovers
from agents.cutovers import DEADLINE as CLOSING
from agents.desk import FORGET, Calls, Profiles
from agents.incidents import Incidents
from agents.intake import Intake
from agents.memory import Delivered, MemoryBatch, Output, World
from agents.observe import Observe
from agents.ports import Fired, Headers, Message
from agents.repairs import REPAIR, Repairs
from agents.rules import Checks
from agents.shell import WITHDRAWN, Shell
from agents.usage import Usage
from agents.watching import Watching
from schemas import headers as ce
from schemas import json_lines
from schemas.catalogue import EVENTS
from schemas.codec import Codec, codecs
from schemas.errors import RecordError
from schemas.fields import check_international, check_length, iso

Line = dict[str, Any]
PARTITIONS = 1
TOLD = (anomalies.TOPIC, reminders.TOPIC, ALERT, REPAIR)
"""What is told of the decisions: those of checks and watch lists, not of calls."""


class Input(NamedTuple):
    """One line: a valid record with its topic and, if given, `ce_id` and `ce_source`."""

    topic: str
    record: dict[str, Any]
    id: str | None = None
    source: str | None = None


def parse(text: str) -> Input:
    """An input line, JSON `{"topic", "record", "id"?, "source"?}`. Raises `RecordError`, which names the field."""
    data = json_lines.parse(text)
    for name in data:
        if name not in Input._fields:
            raise RecordError("bad_value", f"no such field; known are {', '.join(Input._fields)}", name)
    topic, record = data.get("topic"), data.get("record")
    if not isinstance(topic, str) or topic not in EVENTS:
        raise RecordError("bad_value" if "topic" in data else "missing_field", "is no topic of ours", "topic")
    if not isinstance(record, dict):
        raise RecordError("bad_type" if "record" in data else "missing_field", "is no JSON object", "record")
    for name in ("id", "source"):
        if not isinstance(data.get(name), (str, type(None))):
            raise RecordError("bad_type", "is no text", name)
        try:
            check_length(data.get(name) or "")
        except RecordError as error:
            raise error.within(name) from None
    return Input(topic, EVENTS[topic].from_json(record), data.get("id") or None, data.get("source") or None)


@cache
def _codecs() -> Mapping[str, Codec]:
    """Built once a process: a replay teaches them nothing."""
    return codecs()


def waits_for(name: str) -> str:
    """The topic whose agent takes the deadline `name`."""
    found = (topic for begin, topic in _WAITING.items() if name.startswith(begin))
    return next(found, Audit.topics[0])


_WAITING = {
    areas.DEADLINE: Areas.topics[0],
    usage.TICK: Usage.topics[0],
    watching.DEADLINE: Profiles.topics[0],
    incidents.DEADLINE: Incidents.topics[0],
    REPAIR_DEADLINE: Repairs.topics[0],
    CLOSING: Incidents.topics[0],
    FORGET: Calls.topics[0],
}
"""By what the names of deadlines begin with."""


class Replay:
    """All checks over one file. Times are milliseconds; one partition, one transaction an event."""

    def __init__(self, checks: Checks, country_code: str = "86", timezone: str = "Asia/Shanghai") -> None:
        """`country_code`: whose national numbers are refused; `timezone`: in which texts tell the time."""
        self._codecs = _codecs()
        self._country_code = country_code
        intake = Intake(self._codecs, PARTITIONS, events_clock=True, country_code=country_code)
        shell = Shell(intake, self._codecs)
        conclusions = Conclusions(shell, checks)
        zone = ZoneInfo(timezone)
        watches = Watching(shell, conclusions, zone)
        closings = Closings(shell, conclusions, "zh")
        areas_, repairs = Areas(shell, conclusions), Repairs(shell, conclusions, zone)
        deciding = (
            Audit(shell, conclusions, watches),
            Usage(shell, conclusions),
            areas_,
            repairs,
            Commands(shell, conclusions, areas_, repairs),
            Incidents(shell, conclusions, closings),
            Cutovers(shell, closings),
            Profiles(shell, watches),
            Calls(shell, watches),
        )
        self._agents = {topic: agent.process for agent in deciding for topic in agent.topics}
        self._observe = Observe(shell).process
        self._world = World()
        self._status: dict[str, str] = {}

    def feed(self, line: Input) -> Iterator[Line]:
        """Everything that is decided before and on this event. Raises `RecordError` when it is not usable."""
        check_international(line.record.get("msisdn"), self._country_code)  # what is refused moves no clock
        at = line.record["occurred_at"]
        yield from self._fire(at)
        codec = self._codecs[line.topic]
        name = codec.event.key(line.record)
        head: Headers = []
        if line.id is not None:
            head.append(("ce_id", line.id.encode()))
        if line.source is not None:
            head.append(("ce_source", line.source.encode()))
        key = None if name is None else name.encode()
        arrived = max(self._world.clock, at)
        message = Delivered(line.topic, codec.encode(line.record), key, head, next(self._world.offsets), arrived)
        yield from self._decide(line.topic, [message])

    def _decide(self, topic: str, messages: Sequence[Message], fired: Sequence[Fired] = ()) -> Iterator[Line]:
        with MemoryBatch(self._world, topic, messages, fired) as batch:
            self._agents.get(topic, self._observe)(batch)
        yield from self._decided()

    def finish(self, until: int | None = None) -> Iterator[Line]:
        """What falls due up to `until`; without it, up to the largest `occurred_at` seen."""
        end = max(self._world.clock, until or 0)
        yield from self._fire(end)  # one after the other: what one arms may fall due before the end, too
        self._world.clock = end

    def _fire(self, before: int) -> Iterator[Line]:
        while (fired := self._world.next_due(before)) is not None:
            self._world.clock = max(self._world.clock, fired.due_at)
            yield from self._decide(waits_for(fired.name), [], [fired])

    def _decided(self) -> Iterator[Line]:
        outputs, self._world.outputs = self._world.outputs, []
        for output in outputs:
            if EVENTS[output.topic].flow == "internal":  # there is one partition: it comes back at once
                back = next(self._world.offsets), self._world.clock
                message = Delivered(output.topic, output.value, output.key, output.headers, *back)
                yield from self._decide(output.topic, [message])
            elif output.topic in TOLD:
                yield self._line(output)

    def _line(self, output: Output) -> Line:
        kind = EVENTS[output.topic].name
        if output.value is None:
            attributes = ce.read(output.headers)
            msisdn, _, reminder_id = (output.key or b"").decode().partition("|")
            ended = {"reminder_id": reminder_id, "withdrawn": attributes[WITHDRAWN]}
            return {"kind": kind, "at": attributes["ce_time"], "msisdn": msisdn, **ended}
        record = self._codecs[output.topic].decode(output.value)
        if kind == "alert":
            names = ("incident_id", "check", "cause_code", "cell", "region", "count", "summary")
            about = {name: record[name] for name in names}
            return {"kind": kind, "at": iso(record["occurred_at"]), "msisdn": None, "told": record["status"], **about}
        if kind == "repair":
            return {"kind": kind, "at": iso(record.pop("occurred_at")), **record}
        if kind != "anomaly":
            said: Line = {name: record[name] for name in ("reminder_id", "title", "progress", "source_id")}
            if record["expires_at"] is not None:
                said["expires_at"] = iso(record["expires_at"])
            return {"kind": kind, "at": iso(record["occurred_at"]), "msisdn": record["msisdn"], **said}
        return self._anomaly_line(record)

    def _anomaly_line(self, record: Mapping[str, Any]) -> Line:
        line: Line = {"kind": "anomaly", "at": iso(record["occurred_at"])}
        names = ("check", "msisdn", "status", "anomaly_id", "evidence", "reason")
        line |= {name: record[name] for name in names}
        if record["msisdn"] is None:
            line |= {name: record[name] for name in ("cell", "region")}
        if self._status.get(record["anomaly_id"]) == record["status"]:  # the same anomaly, known by other evidence
            del line["status"]
            line["kind"] = "evidence"
        self._status[record["anomaly_id"]] = record["status"]
        return line
