"""The desk's agents over partitions in memory: real bytes in, real bytes out, no Kafka."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from agents import memory
from agents.audit import Audit
from agents.conclude import Conclusions
from agents.desk import Calls, Contacts, Profiles, Tasks, Tickets
from agents.intake import Intake
from agents.replay import waits_for
from agents.rules import Checks, load_checks
from agents.segments import ORDER
from agents.shell import Shell
from agents.watching import Watching
from schemas.codec import codecs
from schemas.headers import cloud_event
from schemas.headers import read as read_headers
from schemas.partition import partition_of

T0 = 1_795_320_000_000
MIN = 60_000
HOUR = 60 * MIN
DAY = 24 * HOUR
ALICE = "8613800138000"
ZONE = ZoneInfo("Asia/Shanghai")


def audit_of(shell: Shell, checks: Checks | None = None) -> Audit:
    """The audit with `checks`, or all that are shipped without the watch lists."""
    conclusions = Conclusions(shell, checks or Checks(shipped().by_id.values()))
    return Audit(shell, conclusions, Watching(shell, conclusions, ZONE))


shipped = cache(load_checks)
"""Read once: a world is made for each order in which things may arrive."""


class DeskBatch(memory.MemoryBatch):
    """Notes also which topics a deadline waits for."""

    def __init__(self, world: World, part: memory.World, *rest: Any) -> None:
        super().__init__(part, *rest)
        self._desk = world

    def arm(self, customer: str, name: str, due_at: int, reads: tuple[str, ...]) -> None:
        super().arm(customer, name, due_at, reads)
        self._desk.armed[name] = (due_at, reads)


class Counted:
    def __init__(self) -> None:
        self.counts: dict[Any, float] = {}
        self.observed: list[tuple[str, float]] = []

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        key = (name, *labels.values())
        self.counts[key] = self.counts.get(key, 0) + amount

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.observed.append((name, value))

    def set(self, name: str, value: float, **labels: str) -> None:
        self.counts[(name, *labels.values())] = value


class World:
    def __init__(self, partitions: int = 3, order: tuple[str, ...] = ORDER) -> None:
        self.codecs = codecs()
        self.partitions = partitions
        self.parts = [memory.World() for _ in range(partitions)]
        self.ledgers = [part.records for part in self.parts]
        self.sent: list[Any] = []
        self.armed: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.counted = Counted()
        self.now = T0
        self.ids = itertools.count(1)
        shell = Shell(Intake(self.codecs, partitions), self.codecs, self.counted)
        conclusions = Conclusions(shell, shipped())
        watching = Watching(shell, conclusions, ZONE)
        audit = Audit(shell, conclusions, watching)
        self.calls = Calls(shell, watching, order)
        agents = (audit, self.calls, Contacts(shell), Profiles(shell, watching), Tickets(shell), Tasks(shell))
        self.by_topic = {topic: agent for agent in agents for topic in agent.topics}

    def publish(self, name: str, record: dict[str, Any], *, key: str | None = None, event_id: str | None = None) -> str:
        """Deliver one event of `yupan.NAME.v1` now; returns its id."""
        topic = f"yupan.{name}.v1"
        codec = self.codecs[topic]
        record = codec.event.from_json({"occurred_at": self.now, **record})
        key = key or codec.event.key(record)
        event_id = event_id or f"e{next(self.ids)}"
        raw = None if key is None else key.encode()
        partition = 0 if raw is None else partition_of(raw, self.partitions)
        self.deliver(topic, partition, raw, codec.encode(record), cloud_event(topic, event_id, "test", self.now))
        return event_id

    def deliver(self, topic: str, partition: int, key: Any, value: bytes, headers: Any) -> None:
        self.process(partition, topic, [memory.Delivered(topic, value, key, headers, 0, self.now, partition)])

    def process(self, partition: int, topic: str, messages: Any = (), fired: Any = ()) -> None:
        part = self.parts[partition]
        part.clock = self.now
        self.by_topic[topic].process(DeskBatch(self, part, topic, messages, fired, partition))
        outputs, part.outputs = part.outputs, []
        self.sent += outputs
        for output in outputs:
            if output.topic in self.by_topic:
                there = output.partition
                there = partition_of(output.key, self.partitions) if there is None else there
                self.deliver(output.topic, there, output.key, output.value, output.headers)

    def customer(self, at: int | None = None, msisdn: str = ALICE, **facts: Any) -> None:
        self.publish("customer", {"msisdn": msisdn, "facts": facts, "occurred_at": self.now if at is None else at})

    def call(
        self, phase: str, call_id: str = "c-1", *, key: str | None = None, event_id: str | None = None, **more: Any
    ) -> str:
        record = {"call_id": call_id, "msisdn": ALICE, "phase": phase, **more}
        return self.publish("call", record, key=key, event_id=event_id)

    def fire_until(self, at: int) -> None:
        """Fire what is due until `at`, as the engine does: one after the other, gone once fired."""
        self.now = at
        for partition, part in enumerate(self.parts):
            while (fired := part.next_due(at + 1)) is not None:
                self.armed.pop(fired.name, None)
                self.process(partition, waits_for(fired.name), fired=[fired])

    def out(self, name: str) -> list[dict[str, Any]]:
        """The records sent to `yupan.NAME.v1` so far."""
        topic = f"yupan.{name}.v1"
        return [self.codecs[topic].decode(o.value) for o in self.sent if o.topic == topic and o.value is not None]

    def out_ids(self, name: str) -> list[str]:
        return [read_headers(o.headers)["ce_id"] for o in self.sent if o.topic == f"yupan.{name}.v1"]

    @property
    def pops(self) -> list[dict[str, Any]]:
        return self.out("screen-pop")

    @property
    def segments(self) -> list[str | None]:
        """The segments of the tagged phases."""
        return [record["segment"] for record in self.out("tagged-call")]

    def record(self, key: str) -> Any:
        """A ledger record, wherever it lies."""
        return next((ledger[key] for ledger in self.ledgers if key in ledger), None)

    def put(self, key: str, record: Any) -> None:
        """Write as another agent would on Alice's partition."""
        self.ledgers[partition_of(ALICE.encode(), self.partitions)][key] = record
