"""Every topic of ours with its settings: what `yupan topics apply` makes and `diff` compares.

All topics have the same number of partitions, so that one worker owns all of a customer (design §3).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.catalogue import EVENTS
from schemas.dead_letter import DEAD_LETTER

LEDGER = "yupan.internal.ledger.v1"
"""The changelog of the ledger: raw MessagePack, no event type."""
TOPICS = (*EVENTS, DEAD_LETTER, LEDGER)

MAX_VALUE = 1_000_000
"""Bytes of a value, framing included, that we write and read. What is larger is refused: `too_large`."""
MAX_MESSAGE = 4 * 2**20
"""Bytes that brokers take: more than `MAX_VALUE`, so that what is too large arrives and is dead-lettered by us,
with its reason, instead of being known to its producer alone."""

DAY_MS = 86_400_000
_RETENTION_DAYS = {
    "yupan.usage.v1": 2,
    "yupan.state.v1": 7,
    "yupan.call.v1": 7,
    "yupan.contact.v1": 7,
    "yupan.internal.call.v1": 7,
    "yupan.internal.contact.v1": 7,
    "yupan.internal.rate.v1": 2,
    DEAD_LETTER: 14,
}
_OTHER_RETENTION_DAYS = 30
_COMPACTED = {
    "yupan.reminder.v1": {"delete.retention.ms": str(7 * DAY_MS)},
    # A worker's own store that is older than its tombstones is discarded, so they need not live long;
    # small segments keep what a restore has to read near what is alive.
    LEDGER: {
        "delete.retention.ms": str(DAY_MS),
        "segment.bytes": str(64 * 2**20),
        "min.cleanable.dirty.ratio": "0.3",
    },
}


@dataclass(frozen=True)
class TopicSpec:
    """What a topic should be. `config` holds the settings that we care about, as Kafka spells them."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str] = field(default_factory=dict)


def topic_specs(partitions: int, brokers: int) -> list[TopicSpec]:
    """All topics, for a cluster of so many `brokers`."""
    replication = min(3, brokers)
    return [TopicSpec(name, partitions, replication, _config(name, replication)) for name in TOPICS]


def _config(name: str, replication: int) -> dict[str, str]:
    """Customers and lists are never compacted: one of their records is a part, not the whole."""
    config = {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MAX_MESSAGE),
        "min.insync.replicas": str(max(1, replication - 1)),
    }
    if name in _COMPACTED:
        return {"cleanup.policy": "compact", **_COMPACTED[name], **config}
    days = _RETENTION_DAYS.get(name, _OTHER_RETENTION_DAYS)
    return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS), **config}
