"""What a consumer hands to the event loop: records by topic and partition, and the ends that it came to."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError

from agents.ports import Message
from streams.engine.deadlines import Steady
from streams.engine.retry import FencedError

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Fetched:
    """The outcome of one poll."""

    groups: dict[tuple[str, int], list[Message]] = field(default_factory=dict)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    """Offset behind the last record, markers included."""
    epochs: Mapping[int, int] = field(default_factory=dict)
    """The life of each partition that these records belong to."""
    records: int = 0
    steady: Steady = Steady(0, 0)
    received_at: float = 0.0
    """`time.monotonic()`."""

    def newest(self) -> int:
        """The latest broker time (ms) of a record; 0 without any."""
        return max((messages[-1].timestamp()[1] for messages in self.groups.values()), default=0)


def sort(messages: Iterable[Any], epochs: Mapping[int, int]) -> Fetched:
    """Group what a consumer returned; errors that are no ends are logged. Raises `FencedError` for a fatal one."""
    fetched = Fetched(epochs=dict(epochs), received_at=time.monotonic())
    groups = fetched.groups
    for message in messages:
        error = message.error()
        if error is None:
            name = (message.topic(), message.partition())
            group = groups.get(name)
            if group is None:
                groups[name] = [message]
            else:
                group.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            fetched.ends[message.topic(), message.partition()] = message.offset()
        elif error.code() == KafkaError._FATAL:
            # told here only, not to `error_cb`: a static member was fenced, and the consumer reads nothing any more
            raise FencedError(f"reading: {error.str()}")
        else:
            log.warning("reading %s: %s: %s", message.topic() or "", error.name(), error.str())
    _drop_passed_ends(fetched)
    fetched.records = sum(map(len, groups.values()))
    return fetched


def _drop_passed_ends(fetched: Fetched) -> None:
    """An end that was told before the records that came behind it is none any more."""
    for name, offset in list(fetched.ends.items()):
        group = fetched.groups.get(name)
        if group is not None and group[-1].offset() >= offset:
            del fetched.ends[name]
