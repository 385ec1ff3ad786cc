"""Before the engine joins its group: broker, topics and the ledger's directory must be there, and match."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryFile

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.errors import PartError, UsageError
from streams.engine.config import EngineConfig

ANSWER_S = 10.0
ON_DISK = "rocksdb://"
PROBE_BYTES = 65_536
NEW_TOPICS_S = 3.0


def check_topics(config: EngineConfig) -> int:
    """Return the number of partitions.

    Raises `PartError` when the broker does not answer, a topic is missing, or partition counts differ, `UsageError`
    when the setting says another count: every record would be sent on to what would be its own partition then.
    """
    wanted = [*config.topics, *([config.changelog] if config.ledger is not None else [])]
    admin = AdminClient(config.client())
    until = time.monotonic() + NEW_TOPICS_S
    counts = _counts(config, admin)
    while not counts.keys() >= set(wanted) and time.monotonic() < until:
        time.sleep(0.2)  # a topic just made is not known to every broker at once
        counts = _counts(config, admin)
    missing = [topic for topic in wanted if topic not in counts]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise PartError(
            f"YUPAN_KAFKA={config.bootstrap}: topics are missing: {', '.join(missing[:3])}{more}; "
            "run `yupan topics apply`"
        )
    if len({counts[topic] for topic in wanted}) > 1:
        told = ", ".join(f"{topic} {counts[topic]}" for topic in wanted)
        raise PartError(f"topics must have the same number of partitions, but have: {told}; see `yupan topics diff`")
    found = counts[wanted[0]]
    if config.partitions not in (0, found):
        raise UsageError(f"YUPAN_PARTITIONS={config.partitions}, but the topics have {found}: set it to {found}")
    return found


def check_ledger(config: EngineConfig) -> None:
    """Raise `PartError` when the ledger's directory cannot be written, before a partition is taken for it."""
    directory = (config.ledger or "").removeprefix(ON_DISK)
    if directory == (config.ledger or ""):
        return
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory) as probe:
            probe.write(bytes(PROBE_BYTES))
    except OSError as error:
        raise PartError(
            f"YUPAN_LEDGER={config.ledger}: cannot be written ({error.strerror}); free space, give the worker's user "
            "the right, or name another directory"
        ) from None


def _counts(config: EngineConfig, admin: AdminClient) -> dict[str, int]:
    try:
        held = admin.list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        raise PartError(
            f"YUPAN_KAFKA={config.bootstrap}: no broker answers ({error.args[0].str()}); start it, or name another"
        ) from error
    return {name: len(topic.partitions) for name, topic in held.items() if topic.error is None}
