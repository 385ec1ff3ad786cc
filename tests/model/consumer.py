"""`confluent_kafka.Consumer` over the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.model.clients import Client, Machine, Record
from tests.model.errors import away
from tests.model.group import NOBODY, Member
from tests.model.kafka import Name, is_visible


class ModelConsumer(Client):
    """`confluent_kafka.Consumer`: a member of the group once it subscribes, else a plain reader."""

    def __init__(self, machine: Machine, conf: dict[str, Any]) -> None:
        super().__init__(machine)
        self._committed = conf["isolation.level"] == "read_committed"
        self._at: dict[Name, int] = {}
        self._ended: dict[Name, int] = {}
        self._known: dict[Name, int] = {}  # each end as of the last fetch
        self._paused: set[Name] = set()  # also what is not assigned any more, and may be again
        self._starting: set[Name] = set()  # assigned, and fetching has not begun: no seek yet
        self._topics: list[str] = []
        self._member: Member | None = None
        self._knows: tuple[str, int] = NOBODY
        self._told = False
        self._held: set[Name] = set()
        self._callbacks: dict[str, Any] = {}
        self._in_callback = False

    # --- what it reads

    def assign(self, wanted: list[TopicPartition]) -> None:
        self._alive()
        self._at, self._ended = {}, {}
        self.incremental_assign(wanted)

    def incremental_assign(self, wanted: list[TopicPartition]) -> None:
        self._alive()
        for tp in wanted:
            self._at[tp.topic, tp.partition] = max(tp.offset, 0)
            self._starting.add((tp.topic, tp.partition))

    def incremental_unassign(self, unwanted: list[TopicPartition]) -> None:
        self._alive()
        for tp in unwanted:
            self._at.pop((tp.topic, tp.partition), None)
            self._ended.pop((tp.topic, tp.partition), None)

    def unassign(self) -> None:
        self._alive()
        self._at, self._ended = {}, {}

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(*name) for name in self._at]

    def pause(self, names: list[TopicPartition]) -> None:
        self._paused |= {(tp.topic, tp.partition) for tp in names}

    def resume(self, names: list[TopicPartition]) -> None:
        self._paused -= {(tp.topic, tp.partition) for tp in names}

    def seek(self, tp: TopicPartition) -> None:
        name = tp.topic, tp.partition
        assert name in self._at, "seek of a partition that is not assigned"
        if name in self._starting:
            self._starting.discard(name)
            raise KafkaException(KafkaError(KafkaError._STATE))
        self._at[name] = max(tp.offset, 0)
        self._ended.pop(name, None)

    # --- reading

    def poll(self, seconds: float) -> Record | None:
        self._block(self._has_something, None if self._topics else seconds)
        if self._topics and not self._reads_on() and self._rebalance():
            return None
        found = self._fetch(1)
        return found[0] if found else None

    def consume(self, most: int, seconds: float) -> list[Record]:
        assert seconds == 0
        self._alive()
        return self._fetch(min(most, self._machine.chunk()))

    def _has_something(self) -> bool:
        if self._topics and (self._machine.wanted() or self.has_news()):
            return True
        return self.has_records()

    def has_records(self) -> bool:
        """Whether a fetch would bring anything, an end included."""
        for name, at in self._at.items():
            if name not in self._paused and (
                at < self._broker.end(name, self._committed) or self._ended.get(name) != at
            ):
                return True
        return False

    def _fetch(self, most: int) -> list[Record]:
        found: list[Record] = []
        for name in list(self._at):
            self._starting.discard(name)
            if name in self._paused:
                continue
            end, log = self._broker.end(name, self._committed), self._broker.log(name)
            known, self._known[name] = self._known.get(name, end), end
            if self._at[name] == known < end and self._ended.get(name) != known and len(found) < most:
                # the end of the last fetch is told before what has come since
                self._ended[name] = known
                found.append(_end(name, known))
            while self._at[name] < end and len(found) < most:
                offset, entry = self._at[name], log[self._at[name]]
                self._at[name] += 1
                if is_visible(entry) or (not self._committed and not entry.marker):
                    found.append(Record(name, offset, entry.key, entry.value, entry.at_ms))
            at = self._at[name]
            if at >= end and self._ended.get(name) != at and len(found) < most:
                self._ended[name] = at
                found.append(_end(name, at))
        return found

    # --- asking

    def get_watermark_offsets(self, tp: TopicPartition, timeout: float) -> tuple[int, int]:
        return self._ask(lambda: (0, self._broker.end((tp.topic, tp.partition), self._committed)))

    def committed(self, names: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        wanted = [(tp.topic, tp.partition) for tp in names]
        if self._committed and not self._block(lambda: not self._broker.pending(wanted), timeout):
            raise away()

        def answer() -> list[TopicPartition]:
            return [TopicPartition(*name, self._broker.committed.get(name, -1001)) for name in wanted]

        return self._ask(answer) if not self._committed else self._asked_stable(wanted, answer)

    def _asked_stable(self, wanted: list[Name], answer: Callable[[], list[TopicPartition]]) -> list[TopicPartition]:
        found: list[TopicPartition] = self._ask(lambda: None if self._broker.pending(wanted) else answer())
        while found is None:
            self._block(lambda: not self._broker.pending(wanted), 60)
            found = self._ask(lambda: None if self._broker.pending(wanted) else answer())
        return found

    # --- the group

    def subscribe(self, topics: list[str], on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        self._topics = topics
        self._machine.consumers.append(self)
        self._callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}

    def consumer_group_metadata(self) -> tuple[str, int]:
        self._alive()
        return self._knows

    def is_expelled(self) -> bool:
        """Whether the coordinator has forgotten this member, and it does not know it yet."""
        member = self._member
        return member is not None and not self._told and self._broker.group.members.get(member.id) is not member

    def learn(self) -> None:
        """The heartbeat in the background is told so: before `poll` says it to the program."""
        self._told = True
        self._knows = (self._knows[0], 0) if self._broker.group.incremental else NOBODY

    def _reads_on(self) -> bool:
        """What was fetched lies in the queue before the news of the loss."""
        return self._told and self.has_records()

    def owns(self, name: Name) -> bool:
        """Whether it is its own, and both sides know it."""
        member = self._member
        return (
            member is not None
            and self._broker.group.members.get(member.id) is member
            and self._knows == (member.id, member.generation)
            and name in member.assignment
        )

    @property
    def member(self) -> Member | None:
        """The membership, as it was last known."""
        return self._member

    def has_news(self) -> bool:
        """Whether `poll` has something of the group to do."""
        group, member = self._broker.group, self._member
        if member is None or group.members.get(member.id) is not member:
            return True
        if group.incremental:
            return bool(member.assignment - member.target or group.free(member) or member.generation < group.generation)
        return (group.rebalancing and not member.joined) or (
            not group.rebalancing and self._knows != (member.id, member.generation)
        )

    def _rebalance(self) -> bool:
        """One step of it, if there is one to do. The callbacks of the program run in here, in `poll`."""
        if not self.has_news():
            return False
        group, member = self._broker.group, self._member
        if member is None or group.members.get(member.id) is not member:
            self.learn()
            self._call("lost", self._held)
            self._told = False
            self._member = group.join(None, self._topics)
            if group.incremental:
                self._member.generation = group.generation
                self._knows = self._member.id, self._member.generation
        elif group.incremental:
            self._reconcile(member)
        elif group.rebalancing:
            self._call("revoke", self._held)
            self._member = group.join(member, self._topics)
        else:
            self._knows = member.id, member.generation
            self._call("assign", set(member.assignment), always=True)
        return True

    def _reconcile(self, member: Member) -> None:
        group = self._broker.group
        gone = member.assignment - member.target
        if gone:
            self._call("revoke", gone)
            member.assignment -= gone
        member.generation = group.generation
        self._knows = member.id, member.generation
        more = group.free(member)
        if more and group.members.get(member.id) is member:
            member.assignment |= more
            self._call("assign", more)

    def _call(self, what: str, names: set[Name], always: bool = False) -> None:
        names = set(names)
        if names or always:
            self._held = self._held | names if what == "assign" else self._held - names
            self._world.note(f"{what} {sorted(names)}")
            self._callbacks[what](self, [TopicPartition(*name, -1001) for name in sorted(names)])

    def close(self) -> None:
        self._alive()
        if self._member is not None:
            lost = self._broker.group.members.get(self._member.id) is not self._member
            self._call("lost" if lost else "revoke", self._held)
            self._broker.group.leave(self._member)
            self._member = None
        self._topics, self._at = [], {}


def _end(name: Name, offset: int) -> Record:
    return Record(name, offset, None, None, error=KafkaError(KafkaError._PARTITION_EOF))
