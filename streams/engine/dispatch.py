"""Which batch is next: urgent events first, then one slice of bulk, from the partition that waited longest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from agents.ports import Message
from schemas.errors import PartError
from streams.engine.batch import Desk, EngineBatch
from streams.engine.fetched import Fetched
from streams.engine.partition import Partition

GiveBack = Callable[[int], None]
OVERTAKING = 200
"""So many urgent records at most go between two slices of bulk, else a flood of them would stop all else."""


class WentBackError(PartError):
    """A consumer went back to records that are decided: deciding them anew would double what came of them."""


class Dispatch:
    """Queues what was fetched, and chooses. One batch a partition is in flight, and one slice of bulk in all."""

    def __init__(
        self,
        partitions: Mapping[int, Partition],
        desk: Desk,
        urgent: frozenset[str],
        slice_events: int,
        give_back: GiveBack,
        progress: Callable[[str, int, int], None],
    ) -> None:
        """`give_back` frees the room of dropped bulk records; `progress` commits an end without records."""
        self._partitions = partitions
        self._desk = desk
        self._urgent = urgent
        self._slice = slice_events
        self._give_back = give_back
        self._progress = progress
        self._turn = 0
        self._overtaken = 0  # urgent records since the last slice of bulk

    # --- what comes in

    def take(self, fetched: Fetched) -> None:
        """Queue what a consumer handed over; what belongs to an earlier life of its partition is dropped.

        Raises `WentBackError`.
        """
        for (topic, number), messages in fetched.groups.items():
            partition = self._current(number, topic, fetched)
            if partition is not None:
                self._queue(partition, topic, messages, fetched.received_at)
            elif topic not in self._urgent:
                self._give_back(len(messages))
        for (topic, number), offset in fetched.ends.items():
            partition = self._current(number, topic, fetched)
            if partition is not None:
                self._end(partition, topic, offset)

    def _current(self, number: int, topic: str, fetched: Fetched) -> Partition | None:
        partition = self._partitions.get(number)
        if partition is None or not partition.ready or topic not in partition.offsets:
            return None
        return partition if fetched.epochs.get(number) == partition.epoch else None

    def _queue(self, partition: Partition, topic: str, messages: list[Message], received_at: float) -> None:
        if messages[0].offset() < partition.offsets[topic]:
            raise WentBackError(
                f"{topic}/{partition.number} was read again from offset {messages[0].offset()}, though all before "
                f"{partition.offsets[topic]} is decided. A restart reads on there; if it comes again, the topic lost "
                "records: set the group's offsets with Kafka's own tools"
            )
        partition.deadlines.delivered(topic)
        urgent = topic in self._urgent
        target = partition.urgent if urgent else partition.bulk
        size = len(messages) if urgent else self._slice
        batch = None
        for start in range(0, len(messages), size):
            batch = EngineBatch(
                self._desk,
                partition,
                topic,
                messages[start : start + size],
                urgent=urgent,
                received_at=received_at,
            )
            target.append(batch)
        if batch is not None and batch.end is not None:
            partition.offsets[topic] = batch.end

    def _end(self, partition: Partition, topic: str, offset: int) -> None:
        """Nothing lies between the records of `topic` and `offset`, its end."""
        advanced = offset > partition.offsets[topic]
        partition.offsets[topic] = offset
        waiting = partition.waiting(topic)
        if waiting is not None:
            waiting.end = offset
            waiting.at_end = True
            return
        partition.deadlines.end_reached(topic, self._desk.clock.now_ms())
        if advanced:
            partition.decided[topic] = (offset, partition.decided.get(topic, (0, 0))[1])
            self._progress(topic, partition.number, offset)

    # --- what goes out

    def choose(self, *, bulk: bool = True) -> Iterator[EngineBatch]:
        """The batches to hand to their agents now; each is in flight from here on. Without `bulk`: what is urgent.

        Bulk waits for urgent batches in flight: an agent gets one a turn of the loop, and a slice in each turn would
        make a dozen calls wait for a dozen slices. But not for more than `OVERTAKING` records.
        """
        may_go, urgent_in_flight = bulk, False
        idle: list[Partition] = []
        for partition in list(self._partitions.values()):
            if not partition.ready or partition.dead:
                continue
            if partition.in_flight is not None:
                urgent_in_flight = urgent_in_flight or partition.in_flight.urgent
                may_go = may_go and partition.in_flight.urgent
            elif partition.urgent:
                urgent_in_flight = True
                batch = self._in_flight(partition, partition.urgent.popleft())
                self._overtaken += len(batch.messages)
                yield batch
            elif partition.bulk or partition.ripe:
                idle.append(partition)
        if may_go and (not urgent_in_flight or self._overtaken >= OVERTAKING):
            yield from self._slice_of_bulk(idle)

    def _slice_of_bulk(self, idle: list[Partition]) -> Iterator[EngineBatch]:
        for partition in sorted(idle, key=lambda partition: partition.turn):
            batch = None if partition.dead else self._bulk(partition)
            if batch is not None:
                self._overtaken = 0
                yield self._in_flight(partition, batch)
                return  # one whose ripe deadlines were all disarmed has none: then it is the next one's turn

    def _bulk(self, partition: Partition) -> EngineBatch | None:
        self._turn += 1
        partition.turn = self._turn
        if partition.ripe:
            taken = partition.deadlines.take(self._slice)
            if taken is not None:
                topic, fired = taken
                return EngineBatch(self._desk, partition, topic, fired=fired)
            partition.ripe = False
        return partition.bulk.popleft() if partition.bulk else None

    def _in_flight(self, partition: Partition, batch: EngineBatch) -> EngineBatch:
        partition.in_flight = batch
        return batch

    # --- what was decided

    def decided(self, batch: EngineBatch) -> None:
        """Note how far `batch` brought its topic; its changes are applied."""
        partition = batch.owner
        armed_at = self._desk.clock.now_ms()
        deadlines = partition.deadlines
        for (customer, name), value in batch.armed.items():
            if value is None:
                deadlines.disarm(customer, name)
            else:
                deadlines.arm(customer, name, *value, armed_at)
        if batch.latest is not None and batch.latest > partition.event_clock:
            partition.event_clock = batch.latest
        if batch.messages:
            broker_ms = batch.messages[-1].timestamp()[1]
            deadlines.decided(batch.topic, broker_ms, batch.latest)
            partition.decided[batch.topic] = (batch.end or 0, broker_ms)
        if batch.at_end:  # also of fired deadlines, while which the end of their topic came
            partition.decided[batch.topic] = (batch.end or 0, partition.decided.get(batch.topic, (0, 0))[1])
            deadlines.end_reached(batch.topic, armed_at)
