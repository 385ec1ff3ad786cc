"""The answer to a run: its committed input decided once more, in memory, with the clock of the events.

Each partition is replayed in the order in which its topics lie in Kafka. Between topics Kafka orders nothing: here
facts and lists come first, as the workload wrote them, calls and commands last. What that order decides is left out of
the comparison: what a pop says of reminders, contacts, tickets and tasks, the order of a customer's armed deadlines,
and the broker times by which ids of occurrences are kept. Texts of errors and the times of dead letters differ, too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agents import again, incidents
from agents.conclude import INTERNAL_REPAIR
from agents.cutovers import ALERT
from agents.event import Event
from agents.incidents import Incidents
from agents.intake import Intake, Reroute
from agents.memory import Delivered, MemoryBatch, Output, World
from agents.replay import waits_for
from agents.shell import NoCounts
from agents.usage import TICKER
from schemas import dead_letter as dead
from schemas import headers as wire
from schemas.catalogue import EVENTS
from schemas.errors import RecordError
from schemas.fields import millis
from schemas.headers import REROUTED
from sinks import history
from sinks.history import rows_of
from sinks.tables import TABLES
from streams import topology
from streams.engine.deadlines import PREFIX as DUE
from streams.settings import Settings
from tests.faults import checks
from tests.faults.judge import Findings
from tests.faults.seen import Record, TableRow, told
from tests.faults.workload import CODECS, PARTITIONS, UPSTREAM, Known

FIRST = ("yupan.customer.v1", "yupan.list.v1", "yupan.internal.list.v1")
LAST = ("yupan.call.v1", "yupan.command.v1", "yupan.internal.repair.v1")
POP, TAGGED, RATE = "yupan.screen-pop.v1", "yupan.tagged-call.v1", "yupan.internal.rate.v1"
REMINDER = "yupan.reminder.v1"
INCIDENT = "~incident/"
BETWEEN = ("reminders", "retention_tasks", "contacts", "tickets")
"""Fields of a pop that depend on what else had arrived before the call."""
OF_TIME = ("~ticks/", "~counted/", "~repairs/")
"""Ledger records that tell how far partitions or limits have come: they are of the moment, and outlive a run."""
ACT_WITHIN = 3_600_000
Ledger = dict[tuple[int, str], Any]


class Answer:
    """Feed it the input of a run once; `findings` is what must be there afterwards."""

    def __init__(self, heads: Mapping[tuple[int, str], Any]) -> None:
        """`heads`: the ledger's records that belong to no customer, as they were before the run, by partition."""
        settings = Settings().with_(partitions=PARTITIONS, clock="events", act_within=ACT_WITHIN)
        bindings = topology.decide(settings, CODECS, checks.loaded(), NoCounts())
        self._process = {topic: binding.process for binding in bindings for topic in binding.topics}
        self._archive = Intake(CODECS, 0, events_clock=True)
        self._heads = heads
        self._worlds = [World() for _ in range(PARTITIONS)]
        for (partition, key), record in heads.items():
            self._worlds[partition].records[key] = record
        self.rows: set[TableRow] = set()
        """What the history keeps."""
        self._dead: Counter[Any] = Counter()

    def decide(self, records: Sequence[Record], horizon: int) -> Findings:
        """Decide all input, then the deadlines that fell due up to `horizon` (ms)."""
        for record in sorted((r for r in records if r.topic in self._process), key=_turn):
            self._one(record)
        for partition, world in enumerate(self._worlds):
            self._fire(world, partition, max([horizon, *_slots(records)]))
        for output in self.outputs:
            self._keep(_event(output))
        own = {place: record for place, record in self.ledger.items() if self._heads.get(place) != record}
        return {
            **sent((o.topic, o.partition, o.value, wire.read(o.headers)) for o in self.outputs),
            "dead letter": self._dead,
            "ledger": held(own),
            "deadline": Counter(self.armed),
            "row": Counter(self.rows),
        }

    @property
    def outputs(self) -> list[Output]:
        """What was sent."""
        return [output for world in self._worlds for output in world.outputs]

    @property
    def ledger(self) -> Ledger:
        """The ledger by partition and key, without armed deadlines."""
        return {(n, key): record for n, world in enumerate(self._worlds) for key, record in world.records.items()}

    @property
    def armed(self) -> list[tuple[int, str, str, int]]:
        """The armed deadlines: partition, customer, name, due time."""
        armed = ((n, *name, due_at) for n, world in enumerate(self._worlds) for name, due_at in world.armed.items())
        return [deadline for deadline in armed if deadline[1] != TICKER and not _is_of_the_clock(deadline[2])]

    def _one(self, record: Record) -> None:
        world = self._worlds[record.partition]
        message = Delivered(
            record.topic, record.value, record.key, record.wire, record.offset, record.at, record.partition
        )
        self._fire(world, record.partition, self._time_of(message))
        try:
            with MemoryBatch(world, record.topic, [message], partition=record.partition) as batch:
                self._process[record.topic](batch)
        except RecordError as error:
            self._dead[record.topic, record.partition, record.offset, error.reason] += 1
        if record.topic in history.TOPICS:
            self._store(message)

    def _time_of(self, message: Delivered) -> int:
        """When the event in it occurred; 0 for what cannot be read."""
        try:
            record = CODECS[message.topic()].decode(message.value())
        except RecordError:
            return 0
        return int(record["occurred_at"])

    def _fire(self, world: World, partition: int, before: int) -> None:
        while (fired := world.next_due(before)) is not None:
            world.clock = max(world.clock, fired.due_at)
            topic = waits_for(fired.name)
            with MemoryBatch(world, topic, [], [fired], partition) as batch:
                self._process[topic](batch)

    def _store(self, message: Delivered) -> None:
        try:
            event = self._archive.read(message, 0)
        except RecordError:
            return
        assert not isinstance(event, Reroute)
        self._keep(event)

    def _keep(self, event: Event) -> None:
        built = rows_of(event)
        if built is None:
            return
        table, rows = built
        wanted = [list(TABLES[table]).index(name) for name in told(table)]
        self.rows |= {(table, tuple(row[i] for i in wanted)) for row in rows}


def _slots(records: Iterable[Record]) -> Iterator[int]:
    """Just after the slots that were given for repairs: when, is of the moment."""
    for record in records:
        if record.topic == INTERNAL_REPAIR and record.value is not None:
            slot = CODECS[record.topic].decode(record.value)["slot"]
            if slot is not None:
                yield slot + 1


def _turn(record: Record) -> tuple[int, str, int, int]:
    rank = 0 if record.topic in FIRST else 2 if record.topic in LAST else 1
    place = FIRST.index(record.topic) if rank == 0 else 0
    return rank * len(FIRST) + place, record.topic, record.partition, record.offset


def _event(output: Output) -> Event:
    """An output as the history sees it."""
    headers = wire.read(output.headers)
    record = CODECS[output.topic].decode(output.value) if output.value else {}
    at = record["occurred_at"] if record else millis(headers["ce_time"])
    key = None if output.key is None else output.key.decode()
    return Event(output.topic, record, headers["ce_id"], headers["ce_source"], at, key)


# --- what is there, in a form that can be compared; the same for the answer and for what was seen


def sent(outputs: Iterable[tuple[str, int | None, bytes | None, Mapping[str, str]]]) -> dict[str, Counter[Any]]:
    """Outputs by topic, each by its id and value: physically, but pops by their id."""
    found: dict[str, Counter[Any]] = {}
    pops, alerts = set(), Alerts()
    for topic, partition, value, headers in outputs:
        flow = EVENTS[topic].flow
        if flow == "in" and not is_rerouted(headers):
            continue
        record = CODECS[topic].decode(value) if value else None
        if topic == RATE:  # how a batch sums up is its own; the sum of all is not
            assert record is not None
            if record["until"] is not None:
                continue
            place = record["check"], record["cell"], record["region"], record["pane"]
            for outcome in ("succeeded", "failed"):
                found.setdefault(topic, Counter())[*place, outcome] += record[outcome]
        elif topic == INTERNAL_REPAIR:  # when there is a slot is of the moment, that there is one is not
            assert record is not None
            place = record["anomaly_id"], record["asks"], record["slot"] is None
            found.setdefault(topic, Counter())[place] += 1
        elif topic == ALERT:
            alerts.take(headers["ce_id"], record or {})
        elif topic == POP:
            assert record is not None
            pops.add((headers["ce_id"], _text({k: v for k, v in record.items() if k not in BETWEEN})))
        else:
            # a copy of a list's replacement, or of a re-routed record, is made for one partition
            copy = None if flow == "out" or topic == Incidents.topics[0] else partition
            found.setdefault(topic, Counter())[headers["ce_id"], copy, _text(record)] += 1
    return {**found, POP: Counter(pops), ALERT: alerts.told()}


class Alerts:
    """What technicians were told: how many an incident had hit is of the moment, that it fires is not."""

    def __init__(self) -> None:
        self._ids: Counter[str] = Counter()
        self._last: dict[tuple[str, ...], str] = {}  # by place and incident

    def take(self, name: str, record: Mapping[str, Any]) -> None:
        """An alert, in the order in which they lie in Kafka."""
        self._ids[name] += 1
        place = tuple(str(record[field]) for field in ("check", "cause_code", "cell", "region"))
        self._last[*place, record["incident_id"]] = record["status"]

    def told(self) -> Counter[Any]:
        """What fires at the end, and what was told twice."""
        firing = {tuple(place) for (*place, _), status in self._last.items() if status == "FIRING"}
        return Counter(firing) + Counter({("told twice", name): n - 1 for name, n in self._ids.items() if n > 1})


def is_rerouted(headers: Mapping[str, str]) -> bool:
    """Whether a record of an input topic is one of ours: came on a wrong partition, and sent on to its own."""
    return headers.get(REROUTED, UPSTREAM.decode()) != UPSTREAM.decode()


def held(ledger: Mapping[tuple[int, str], Any]) -> Counter[Any]:
    """Ledger records by partition and key; without broker times, and of incidents how many anomalies are open."""
    records = {
        place: record for place, record in ledger.items() if record is not None and not place[1].startswith(OF_TIME)
    }
    incidents_over = {
        place for place, record in records.items() if place[1].startswith(INCIDENT) and not record["open"]
    }
    return Counter(
        (number, key, _text(_without_times(key, record)))
        for (number, key), record in records.items()
        if (number, key) not in incidents_over
    )


def _without_times(key: str, record: Any) -> Any:
    if key.startswith(INCIDENT):
        return record["open"]
    return {**record, "ids": sorted(record["ids"])} if key.startswith(("occurrences/", "used/")) else record


def _text(record: Any) -> str:
    return json.dumps(record, sort_keys=True, ensure_ascii=False)


def dead_letters(records: Iterable[Record]) -> Counter[Any]:
    """Dead letters by the place of what could not be used, and why."""
    found: Counter[Any] = Counter()
    for record in records:
        if record.topic == dead.DEAD_LETTER:
            said = record.headers
            found[said[dead.TOPIC], int(said[dead.PARTITION]), int(said[dead.OFFSET]), said[dead.TYPE]] += 1
    return found


def due(ledger: Mapping[tuple[int, str], Any]) -> Iterator[tuple[int, str, str, int]]:
    """The armed deadlines in a ledger."""
    for (number, key), record in ledger.items():
        if key.startswith(DUE) and key != DUE + TICKER:
            armed = ((number, key.removeprefix(DUE), name, at) for name, at, _ in record or ())
            yield from (deadline for deadline in armed if not _is_of_the_clock(deadline[2]))


def _is_of_the_clock(name: str) -> bool:
    """Whether a deadline's time says when a worker decided, not what."""
    return name == incidents.DEADLINE or name.startswith(again.DEADLINE)


def known(records: Iterable[Record]) -> Known:
    """What the workload knows in advance, as it was seen."""
    found: Known = Counter()
    pops = set()
    for record in records:
        if record.topic == dead.DEAD_LETTER:
            found["dead", record.headers[dead.TYPE]] += 1
        elif record.topic == REMINDER:
            msisdn, _, reminder_id = (record.key or b"").decode().partition("|")
            if reminder_id.startswith("watch-"):
                found["watch", msisdn, "withdrawn" if record.value is None else "told"] += 1
        elif record.topic in ("yupan.anomaly.v1", POP, TAGGED):
            said = CODECS[record.topic].decode(record.value)
            if record.topic == POP:
                pops.add(("pop", record.headers["ce_id"], str(said["segment"])))
            elif record.topic == TAGGED:
                found["call", said["call_id"], said["phase"], str(said["segment"])] += 1
            else:
                found["anomaly", said["msisdn"], said["status"]] += 1
        elif is_rerouted(record.headers):
            found["rerouted", (record.key or b"").decode()] += 1
    found.update(pops)
    return found
