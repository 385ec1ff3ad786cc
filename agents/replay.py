"""Replays: the same agents over a ledger in memory, with the clock of the events.

The core is `Replay`: feed it records in order of arrival, it returns what is decided. All deadlines due
before an event's `occurred_at` fire, in order of due time, before the event is applied. `checks replay` and `checks
explain` have one partition; `checks backtest` has as many as Kafka, each with a ledger and a clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from agents import anomalies, areas, incidents, owners, reminders, usage, watching
from agents.areas import Areas
from agents.audit import Audit
from agents.auditing import auditing
from agents.baseline import DEADLINE as BASELINE_DEADLINE
from agents.baseline import Baselines
from agents.conclude import REPAIR_DEADLINE
from agents.cutovers import ALERT
from agents.cutovers import DEADLINE as CLOSING
from agents.desk import FORGET, Calls, Profiles
from agents.incidents import Incidents
from agents.intake import Intake
from agents.joining import INCIDENT
from agents.memory import Delivered, MemoryBatch, Output, World
from agents.observe import Observe
from agents.ports import Fired, Headers, Message
from agents.repairs import REPAIR, Repairs
from agents.rules import Checks
from agents.shell import WITHDRAWN, Counts, Shell
from agents.states import Held
from agents.usage import Usage
from agents.waiting import Wait
from agents.watch import Known
from agents.watching import Standing, standing_key
from schemas import headers as ce
from schemas import json_lines
from schemas.catalogue import EVENTS
from schemas.codec import Codec
from schemas.errors import RecordError
from schemas.fields import FAR_FUTURE, check_filled, check_international, check_length, check_time, iso
from schemas.partition import partition_of

Line = dict[str, Any]
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
    for name in ("topic", "record"):
        if name not in data:
            raise RecordError("missing_field", "is missing", name)
    topic, record = data["topic"], data["record"]
    if not isinstance(topic, str) or topic not in EVENTS:
        raise RecordError("bad_value", "is no topic of ours", "topic")
    if not isinstance(record, dict):
        raise RecordError("bad_type", "is no JSON object", "record")
    event_id, source = (_word(data.get(name), name) for name in ("id", "source"))
    return Input(topic, EVENTS[topic].from_json(record), event_id, source)


def _word(value: Any, name: str) -> str | None:
    """The `id` or `source` beside a record. Raises `RecordError`."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise RecordError("bad_type", "is no text", name)
    try:
        check_filled(value)
        check_length(value)
    except RecordError as error:
        raise error.within(name) from None
    return value


class _Once(Codec):
    """Decodes the same bytes once: a replay looks at the time of what its agents then read."""

    _bytes: bytes | None = None
    _record: Mapping[str, Any] = {}

    def decode(self, value: bytes | None) -> dict[str, Any]:
        """See `Codec.decode`."""
        if value is None or value is not self._bytes:
            self._record, self._bytes = super().decode(value), value
        return dict(self._record)


@cache
def _codecs() -> Mapping[str, Codec]:
    """Built once a process: a replay teaches them nothing."""
    return {topic: _Once(event) for topic, event in EVENTS.items()}


def waits_for(name: str) -> str:
    """The topic whose agent takes the deadline `name`."""
    found = (topic for begin, topic in _WAITING.items() if name.startswith(begin))
    return next(found, Audit.topics[0])


_WAITING = {
    areas.DEADLINE: Areas.topics[0],
    usage.TICK: Usage.topics[0],
    watching.DEADLINE: Profiles.topics[0],
    owners.DEADLINE: Profiles.topics[0],
    incidents.DEADLINE: Incidents.topics[0],
    REPAIR_DEADLINE: Repairs.topics[0],
    CLOSING: Incidents.topics[0],
    BASELINE_DEADLINE: Baselines.topics[0],
    FORGET: Calls.topics[0],
}
"""By what the names of deadlines begin with."""


class Present(NamedTuple):
    """What a replay has come to hold of a customer."""

    states: Held
    waits: Mapping[str, Wait]
    """By check, `CHECK|PRODUCT` or `CHECK|TRANSACTION`."""
    standing: Mapping[str, Standing]
    """The watch lists whose reminders stand."""
    known: Known
    """What the rules of watch lists ask."""


class Replay:
    """All checks over the events of one source. Times are milliseconds; one transaction an event."""

    def __init__(
        self,
        checks: Checks,
        country_code: str = "86",
        timezone: str = "Asia/Shanghai",
        partitions: int = 1,
        told: Sequence[str] = TOLD,
        *,
        language: str = "zh",
        baseline: bool = False,
        exchanged: bool = False,
        counts: Counts | None = None,
    ) -> None:
        """`country_code`: whose national numbers are refused; `timezone`: in which texts tell the time.

        `told`: the topics whose decisions are returned; without alerts no incidents are counted. `language`: of
        summaries for technicians. `baseline`, `exchanged`: see `Conclusions`. `counts`: where decisions are counted
        and timed.
        """
        self._codecs = _codecs()
        self._country_code = country_code
        self._told = frozenset(told)
        self._dropped = () if ALERT in self._told else (INCIDENT,)
        intake = Intake(self._codecs, partitions, events_clock=True, country_code=country_code)
        self._silent: list[Line] = []
        """What was decided in shadow and is not told yet."""
        shell = Shell(intake, self._codecs, counts, shadowed=self._silent.append)
        audit = auditing(shell, checks, ZoneInfo(timezone), language, baseline=baseline, exchanged=exchanged)
        self.conclusions = audit.conclusions
        deciding = (*audit.agents, Profiles(shell, audit.watching), Calls(shell, audit.watching))
        self._agents = {topic: agent.process for agent in deciding for topic in agent.topics}
        self._observe = Observe(shell).process
        self.worlds = [World() for _ in range(partitions)]
        self._status: dict[str, str] = {}

    def feed(self, line: Input) -> Iterator[Line]:
        """Everything that is decided before and on this event. Raises `RecordError` when it is not usable."""
        check_international(line.record.get("msisdn"), self._country_code)  # what is refused moves no clock
        at = line.record["occurred_at"]
        codec = self._codecs[line.topic]
        name = codec.event.key(line.record)
        key = None if name is None else name.encode()
        number = self._home(key)
        yield from self._fire(number, at)
        head: Headers = []
        if line.id is not None:
            head.append(("ce_id", line.id.encode()))
        if line.source is not None:
            head.append(("ce_source", line.source.encode()))
        world = self.worlds[number]
        arrived = max(world.clock, at)
        place = next(world.offsets), arrived, number
        yield from self._decide(
            number, line.topic, [Delivered(line.topic, codec.encode(line.record), key, head, *place)]
        )

    def take(
        self, message: Message, wanted: Callable[[Mapping[str, Any]], bool] | None = None, *, by_wall: bool = False
    ) -> Iterator[Line]:
        """The same of a record as a broker delivered it, on its partition.

        `wanted`: whether a record may matter at all; of others only the time counts. `by_wall`: what a worker whose
        clock was the wall's had refused because it lay in the far future is refused, too. Raises `RecordError`.
        """
        record = self._codecs[message.topic()].decode(message.value())
        at, number = record["occurred_at"], message.partition()
        check_time(at)
        if by_wall and at > message.timestamp()[1] + FAR_FUTURE:
            raise RecordError("bad_time", "more than 1 h ahead of its arrival", "occurred_at")
        yield from self._fire(number, at)
        if wanted is None or wanted(record):
            yield from self._decide(number, message.topic(), [message])
        else:
            self.worlds[number].clock = max(self.worlds[number].clock, at)

    def finish(self, until: int | None = None) -> Iterator[Line]:
        """What falls due up to `until`; without it, up to the largest `occurred_at` seen, in each partition."""
        ends = [max(world.clock, until or 0) for world in self.worlds]
        while True:  # one after the other: what one arms may fall due before the end, too
            due = [(world.first_due(), number) for number, world in enumerate(self.worlds)]
            waiting = [(at, number) for at, number in due if at is not None and at < ends[number]]
            if not waiting:
                break
            at, number = min(waiting)
            yield from self._fire(number, at + 1)
        for world, end in zip(self.worlds, ends, strict=True):
            world.clock = end

    @property
    def clock(self) -> int:
        """The largest `occurred_at` that was seen, or how far `finish` went."""
        return max(world.clock for world in self.worlds)

    def present(self, msisdn: str) -> Present:
        """What is held of a customer now, and what the checks wait for."""
        world = self.worlds[self._home(msisdn.encode())]
        get = world.records.get
        waits, standing = (get(key) or {} for key in (f"waits/{msisdn}", standing_key(msisdn)))
        known = Known(get, msisdn, world.clock)
        return Present(known.states, waits.get("waits", {}), standing.get("standing", {}), known)

    def _home(self, key: bytes | None) -> int:
        many = len(self.worlds)
        return 0 if many == 1 or key is None else partition_of(key, many)

    def _decide(
        self, number: int, topic: str, messages: Sequence[Message], fired: Sequence[Fired] = ()
    ) -> Iterator[Line]:
        self._silent.clear()  # of an event that could not be used
        with MemoryBatch(self.worlds[number], topic, messages, fired, number) as batch:
            self._agents.get(topic, self._observe)(batch)
        yield from self._decided(number)

    def _fire(self, number: int, before: int) -> Iterator[Line]:
        world = self.worlds[number]
        while (fired := world.next_due(before)) is not None:
            world.clock = max(world.clock, fired.due_at)
            yield from self._decide(number, waits_for(fired.name), [], [fired])

    def _decided(self, number: int) -> Iterator[Line]:
        world = self.worlds[number]
        silent, outputs, world.outputs = [*self._silent], world.outputs, []
        self._silent.clear()
        yield from silent
        for output in outputs:
            if output.topic in self._told:
                yield self._line(output)
            elif EVENTS[output.topic].flow == "internal" and output.topic not in self._dropped:
                yield from self._bring(output)

    def _bring(self, output: Output) -> Iterator[Line]:
        """What one partition sends another arrives there at once; it moves the clock there as every event does."""
        number = self._home(output.key) if output.partition is None else output.partition
        world = self.worlds[number]
        if len(self.worlds) > 1:
            at = self._codecs[output.topic].decode(output.value)["occurred_at"]
            if at > world.clock:
                yield from self._fire(number, at)
        place = next(world.offsets), world.clock, number
        message = Delivered(output.topic, output.value, output.key, output.headers, *place)
        yield from self._decide(number, output.topic, [message])

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
