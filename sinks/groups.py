"""Where consumer groups stand: their members, and how far behind the topics' ends they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupState, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from schemas.topics import TOPICS
from sinks.kafka import ANSWER_S, client_config, no_answer

_MOVING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)
_AGAIN_S = 0.1
Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True)
class Standing:
    """One group: how many members it has, and how many records it has not committed."""

    name: str
    members: int | None
    """None: it has some, but the broker does not tell who they are (Tansu)."""
    behind: int


class Groups:
    """The groups of one cluster. Every method raises `PartError` when it does not answer."""

    def __init__(self, bootstrap: str, config: Mapping[str, str] | None = None) -> None:
        self._bootstrap = bootstrap
        self._config = config
        self._client: Any = AdminClient(client_config(bootstrap, config))

    def brokers(self) -> int:
        """How many brokers the cluster has now."""
        return len(self._asked(lambda: self._client.list_topics(timeout=ANSWER_S)).brokers)

    def standing(self, names: Sequence[str]) -> list[Standing]:
        """Where each group stands; one that never was has no members and is behind by nothing."""
        return [Standing(name, self._members(name), self._behind(name)) for name in names]

    def committed(self, group: str) -> dict[Place, int]:
        """The committed offset of every partition of our topics that the group has ever committed."""
        # asked by a consumer, which joins nothing: the admin client's question for all that a group has committed
        # ends the process (librdkafka 2.16) while the group's coordinator is away or still loading
        more: dict[str, Any] = {"group.id": group, "enable.auto.commit": False, "isolation.level": "read_uncommitted"}
        consumer = Consumer(client_config(self._bootstrap, self._config, **more))
        try:
            known = self._asked(lambda: consumer.list_topics(timeout=ANSWER_S)).topics
            asked = [TopicPartition(name, p) for name in TOPICS if name in known for p in known[name].partitions]
            found = self._asked(lambda: consumer.committed(asked, timeout=ANSWER_S)) if asked else []
        finally:
            consumer.close()
        return {(p.topic, p.partition): p.offset for p in found if p.offset >= 0}

    def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """The end offset of each partition (high watermark)."""
        asked = {TopicPartition(*place): OffsetSpec.latest() for place in places}  # type: ignore[no-untyped-call]
        if not asked:
            return {}

        def answers() -> dict[Place, int]:
            futures = self._client.list_offsets(asked, request_timeout=ANSWER_S)
            return {(p.topic, p.partition): future.result().offset for p, future in futures.items()}

        found: dict[Place, int] = self._asked(answers)
        return found

    def _members(self, name: str) -> int | None:
        try:
            found = self._client.describe_consumer_groups([name], request_timeout=ANSWER_S)[name].result()
            return None if found.state == ConsumerGroupState.STABLE and not found.members else len(found.members)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return 0
            raise no_answer(self._bootstrap, error) from None

    def _behind(self, name: str) -> int:
        committed = self.committed(name)
        ends = self.ends(list(committed))
        return sum(max(0, ends[place] - offset) for place, offset in committed.items())

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """The answer. Who leads a partition or coordinates a group moves with brokers: then it is asked again."""
        until = time.monotonic() + ANSWER_S
        while True:
            try:
                return ask()
            except KafkaException as error:
                if error.args[0].code() not in _MOVING or time.monotonic() > until:
                    raise no_answer(self._bootstrap, error) from None
            time.sleep(_AGAIN_S)
