"""How far the clients built on librdkafka read ahead and how they batch: as our engine, all alike."""

from __future__ import annotations

from typing import Any

CONSUMER: dict[str, Any] = {
    "fetch.queue.backoff.ms": 5,
    "queued.min.messages": 20_000,
    "queued.max.messages.kbytes": 32_768,
}
PRODUCER: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 5,
    "batch.num.messages": 5_000,
    "partitioner": "murmur2_random",
}
