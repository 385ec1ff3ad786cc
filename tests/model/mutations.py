"""The rules of the engine (design §5), each taken out on purpose, and what is told when the property fails."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from unittest import mock

from confluent_kafka import TopicPartition

from streams.engine.assignment import Assignment
from streams.engine.batch import EngineBatch
from streams.engine.committer import Committer
from streams.engine.group import GroupConsumer
from streams.engine.instant import InstantProducer
from streams.engine.outbox import TransactionalOutbox
from streams.engine.ownership import Ownership
from streams.engine.restore import BEGINNING, Restorer, _pairs

STANDS_STILL = "not all is decided"


class Mutation(NamedTuple):
    """One rule taken out."""

    made: Callable[[], AbstractContextManager[Any]]
    breaks: str
    """What the broken invariant's text begins with, behind the worker's number."""


MUTATIONS: dict[str, Mutation] = {}
RARE = {
    "commits_offsets_as_nobody",
    "sends_offsets_before_the_owner_record",
    "comes_back_in_the_middle_of_a_takeover",
    "waits_for_what_a_zombie_writes",
}
"""Bugs that this model found: one in about a thousand interleavings, too rare for a quick test."""


def mutation(target: Any, name: str, breaks: str) -> Callable[[Any], Any]:
    """Replace `target.name` by the decorated function; `breaks`: see `Mutation`."""

    def register(function: Any) -> Any:
        named = function.fget if isinstance(function, property) else function
        MUTATIONS[named.__name__] = Mutation(lambda: mock.patch.object(target, name, function), breaks)
        return function

    return register


_begin_partition = Committer._begin
_drop = Ownership._drop
_start_offsets = Restorer._start_offsets
_come_back = Assignment._come_back


@mutation(Restorer, "_start_offsets", STANDS_STILL)
def asks_before_it_fences(self: Any, names: Any) -> Any:
    found = self._handles().offsets.committed([TopicPartition(*name) for name in names], 60.0)
    _start_offsets(self, names)
    return {(tp.topic, tp.partition): tp.offset if tp.offset >= 0 else BEGINNING for tp in found}


@mutation(Restorer, "_fence", STANDS_STILL)
def never_fences(self: Any, partition: int) -> int:
    """Nobody aborts what a dead owner left open."""
    tp = TopicPartition(self._config.changelog, partition)
    return int(self._handles().uncommitted.get_watermark_offsets(tp, timeout=20)[1])


@mutation(InstantProducer, "acknowledged", "pops missing")
def commits_before_pops_are_acknowledged(self: Any) -> None:
    """Pops may still be on their way."""


@mutation(Committer, "_begin", STANDS_STILL)
def owner_record_is_missing(self: Any, partition: int) -> Any:
    owner, self._outbox.owner = self._outbox.owner, None
    try:
        return _begin_partition(self, partition)
    finally:
        self._outbox.owner = owner


@mutation(Committer, "full", "[0-9]+ batches")
@property
def backlog_is_unbounded(self: Any) -> bool:
    return False


@mutation(Ownership, "settle", "ledger|outputs")
async def gives_partitions_up_before_it_commits(self: Any, partitions: Any, within_s: float) -> bool:
    return True


@mutation(Ownership, "drop_aborted", "partition . restored as|ledger|the ledger of worker")
def keeps_state_after_an_abort(self: Any, touched: set[int]) -> set[Any]:
    again = {(topic, n) for n in touched & set(self._partitions) for topic in self._partitions[n].offsets}
    for number in touched & set(self._partitions):
        _drop(self, self._partitions[number], park=self._partitions[number].ready)
    return again


@mutation(Assignment, "come_back", STANDS_STILL)
def reads_on_after_an_abort(self: Any, names: Any) -> None:
    """Nothing is read again from where it is committed."""


@mutation(Restorer, "_read", "partition . restored as")
def restores_one_piece_only(self: Any, partition: int, start: int, high: int, store: Any) -> tuple[int, int]:
    reader = self._handles().committed
    reader.assign([TopicPartition(self._config.changelog, partition, start)])
    message = reader.poll(1.0)
    pairs = _pairs([message] if message is not None else [])
    store.restore(pairs)
    return high, len(pairs)


@mutation(Ownership, "give_up_lost", "the ledger of worker")
async def goes_on_after_its_partitions_are_lost(self: Any, names: Any) -> None:
    """As if nothing had happened."""


@mutation(Committer, "lose", "outputs")
async def commits_what_was_decided_of_lost_partitions(self: Any, lost: set[int]) -> None:
    """Their outputs go with the rest, without the offsets that the broker would refuse."""
    async with self._lock:
        if self._open is not None:
            self._forget(self._open, lost)


@mutation(EngineBatch, "give_up", "outputs")
def keeps_what_a_failed_event_wrote(self: Any, cause: Any, error: Exception) -> None:
    self._soon.clear()
    topic, value, key, headers = self._desk.dead_letter(cause, error)
    self.send(topic, value, key, headers)


@mutation(Assignment, "_unassign", STANDS_STILL)
def forgets_that_a_pause_outlives_its_assignment(self: Any, consumer: Any, names: Any) -> None:
    if self._incremental:
        consumer.incremental_unassign(self._bulk(names))
    else:
        consumer.unassign()


@mutation(GroupConsumer, "refresh", "")
def commits_offsets_as_nobody(self: Any, consumer: Any) -> None:
    self.metadata = consumer.consumer_group_metadata()


@mutation(TransactionalOutbox, "_flush", "")
def sends_offsets_before_the_owner_record(self: Any) -> None:
    """The records may arrive after the offsets."""


@mutation(TransactionalOutbox, "produce", STANDS_STILL)
def sends_outputs_before_the_owner_record(self: Any, output: Any) -> None:
    """Of a dead worker they may be all that has arrived: nobody knows whom to fence."""
    super(TransactionalOutbox, self).produce(output)


@mutation(Assignment, "_come_back", "")
def comes_back_in_the_middle_of_a_takeover(self: Any, consumer: Any, names: Any) -> None:
    self._in_callback, before = False, self._in_callback
    _come_back(self, consumer, names)
    self._in_callback = before


@mutation(Restorer, "_restore", "")
def waits_for_what_a_zombie_writes(self: Any, partition: int, store: Any) -> int:
    self._fence(partition)
    tp = TopicPartition(self._config.changelog, partition)
    low, high = self._handles().uncommitted.get_watermark_offsets(tp, timeout=20)
    end, records = self._read(partition, self._start_of(partition, store, low), high, store)
    store.restored(end)
    return int(records)
