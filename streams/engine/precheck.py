"""Before the engine joins its group: the broker must answer, and the topics must be there and match."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.errors import PartError
from streams.engine.config import EngineConfig

ANSWER_S = 10.0


def check_topics(config: EngineConfig) -> int:
    """Return the number of partitions.

    Raises `PartError` when the broker does not answer, a topic is missing, or partition counts differ.
    """
    try:
        held = AdminClient(config.client()).list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        raise PartError(
            f"YUPAN_KAFKA={config.bootstrap}: no broker answers ({error.args[0].str()}); start it, or name another"
        ) from error
    wanted = [*config.topics, *([config.changelog] if config.ledger is not None else [])]
    missing = [topic for topic in wanted if topic not in held]
    if missing:
        raise PartError(f"topics are missing: {', '.join(missing)}; run `yupan topics apply`")
    counts = {topic: len(held[topic].partitions) for topic in wanted}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{topic} {count}" for topic, count in counts.items())
        raise PartError(f"topics must have the same number of partitions, but have: {told}; see `yupan topics diff`")
    return counts[wanted[0]]
