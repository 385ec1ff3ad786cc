"""All that an engine must know, and the librdkafka settings that follow from it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.errors import UsageError
from schemas.topics import MAX_MESSAGE

Conf = dict[str, Any]
LOG = logging.getLogger("streams.engine.librdkafka")
# each connection of each client says so at each try that a broker is away; the engine says it once
LOG.addFilter(lambda record: not record.getMessage().startswith(("FAIL", "GETPID", "BGQUEUE")))
PARTITIONER = "murmur2_random"  # as Java's; librdkafka's own default would part state and events silently
HEARTBEAT_MS = 250
"""Members learn by a heartbeat that another has left: so long do its partitions wait at most."""

MOST_SILENT_MS = 30_000
"""A rebalance waits so long for a member: more than one needs to give its partitions up, 25 s at most."""


@dataclass(frozen=True)
class EngineConfig:
    """One engine: what it reads, how it commits. Times are milliseconds. Raises `UsageError` when contradictory."""

    bootstrap: str
    """Bootstrap servers, `host:port`, separated by commas."""
    group: str
    topics: tuple[str, ...]
    """All topics read, the urgent ones included; same partition count."""
    urgent: tuple[str, ...] = ("yupan.call.v1", "yupan.internal.call.v1")
    """Topics with a consumer of their own that overtake the others (those not in `topics` do not count)."""
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    ledger: str | None = "memory"
    """`memory`, `rocksdb:///directory`, or None: no state, no changelog, no deadlines."""
    changelog: str = "yupan.internal.ledger.v1"
    partitions: int = 0
    """How many partitions the agents take every topic to have; 0: they do not ask."""
    instance: str = ""
    """A stable name: static group membership, the transactional id, the RocksDB directory."""
    clock: Literal["wall", "events"] = "wall"

    commit_ms: int = 50
    commit_events: int = 20_000
    poll_records: int = 1_000
    slice_events: int = 200
    """Bulk records of a batch at most, where urgent topics want their turn in between."""
    max_pending: int = 64
    """Batches of bulk decided and waiting for a commit; beyond, bulk stands still (urgent events much later)."""
    max_fetched: int = 4_000
    """Bulk records handed over and not decided; beyond, no more are fetched."""
    quiet_ms: int = 1_000
    """A topic that delivered nothing for so long after its end counts as read (contracts, the clock)."""

    group_protocol: Literal["classic", "consumer"] = "classic"
    session_ms: int = 10_000
    transaction_timeout_ms: int = 60_000
    tombstones_kept_ms: int = 86_400_000
    """`delete.retention.ms` of the changelog: an older local store may miss deletions and is discarded."""
    restore_wait_ms: int = 500
    """Restores shorter than this happen inside the rebalance, which saves the pause after it."""
    max_output_bytes: int = 1_000_000
    """Key, value and headers of one output; what is larger is dead-lettered with the event that caused it."""
    max_message_bytes: int = MAX_MESSAGE
    """What a producer hands to the broker at most: a ledger record may be larger than an output."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further librdkafka settings for every client (security, …)."""
    consumer_extra: Mapping[str, Any] = field(default_factory=dict)
    """Further librdkafka settings for the group's consumers (`fetch.wait.max.ms` on Tansu)."""
    unique: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def __post_init__(self) -> None:
        if not self.topics:
            raise UsageError(f"engine {self.group}: no topics to read")
        if self.ledger is not None and self.ledger != "memory" and not self.ledger.startswith("rocksdb:///"):
            raise UsageError(f"YUPAN_LEDGER={self.ledger}: is neither memory nor rocksdb:///directory")
        if "partition.assignment.strategy" in {**self.extra, **self.consumer_extra}:
            raise UsageError("partition.assignment.strategy cannot be set: only range keeps a customer on one worker")

    @property
    def transactional(self) -> bool:
        """Whether outputs, state and offsets commit together."""
        return self.delivery == "exactly_once"

    @property
    def transactional_id(self) -> str:
        """Stable with an instance name, so that a restart fences what the last run left open."""
        return f"{self.group}-{self.instance or self.unique}"

    @property
    def urgent_topics(self) -> frozenset[str]:
        """The urgent topics that this engine reads."""
        return frozenset(self.urgent) & frozenset(self.topics)

    @property
    def batch_events(self) -> int:
        """Bulk records of a batch at most: all of a poll where nothing urgent waits for its end."""
        return self.slice_events if self.urgent_topics else max(self.slice_events, self.poll_records)

    def client(self) -> Conf:
        """Settings of every client."""
        return {"bootstrap.servers": self.bootstrap, "log.connection.close": False, "logger": LOG, **self.extra}

    def reader(self) -> Conf:
        """Settings of both consumers of input."""
        return {
            **self.client(),
            "group.id": self.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }

    def bulk_consumer(self) -> Conf:
        """The member of the group."""
        conf = {
            **self.reader(),
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 20_000,
            "queued.max.messages.kbytes": 32_768,
            # a commit that a broker was asked for when it went waits so long in librdkafka (a minute by default), and
            # who gives partitions up waits for it
            "socket.timeout.ms": 10_000,
            "topic.metadata.refresh.interval.ms": 15_000,
            **self._membership(),
        }
        if self.instance:
            conf["group.instance.id"] = self.instance
        conf |= self.consumer_extra
        # A member that lost its session while the broker was away joins as a new one. Apache Kafka 4.1 was seen to wait
        # for the old one until this is over, not until its session is: 5 minutes by default.
        conf.setdefault("max.poll.interval.ms", max(MOST_SILENT_MS, int(conf.get("session.timeout.ms", 0))))
        return conf

    def _membership(self) -> Conf:
        if self.group_protocol == "consumer":
            return {"group.protocol": "consumer", "group.remote.assignor": "range"}
        return {
            "partition.assignment.strategy": "range",
            "session.timeout.ms": self.session_ms,
            "heartbeat.interval.ms": min(HEARTBEAT_MS, self.session_ms // 5),
        }

    def urgent_consumer(self) -> Conf:
        """The consumer of urgent topics; what it reads was assigned to the group's member."""
        own = {"fetch.queue.backoff.ms": 1, "queued.min.messages": 2_000}
        return {**self.reader(), **own, **self.consumer_extra}

    def restore_consumer(self, isolation: str, group: str) -> Conf:
        """A plain consumer that reads changelogs or asks for committed offsets."""
        return {
            **self.client(),
            "group.id": group,
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "fetch.error.backoff.ms": 5,
            "retry.backoff.ms": 10,
            "retry.backoff.max.ms": 50,
            "queued.min.messages": 200_000,
            "fetch.message.max.bytes": 8 << 20,  # of one partition; by default 1 MiB, and a round trip each
        }

    def producer(self) -> Conf:
        """The producer of outputs and changelog: idempotent, and transactional where delivery is exactly once."""
        conf = {**self.instant_producer(), "linger.ms": 5, "batch.num.messages": 5_000}
        if self.transactional:
            conf["transactional.id"] = self.transactional_id
            conf["transaction.timeout.ms"] = self.transaction_timeout_ms
        return conf

    def instant_producer(self) -> Conf:
        """The producer of what cannot wait for the commit."""
        return {
            **self.client(),
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 0,
            "partitioner": PARTITIONER,
            "message.max.bytes": self.max_message_bytes,
        }
