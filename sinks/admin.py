"""Topics on the broker: made, compared with what they should be, and brought there.

Partition counts are never changed: the state of a customer would stay on one partition and their events
come on another.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
)

from schemas.errors import PartError, UsageError
from schemas.topics import TOPICS, TopicSpec, topic_specs
from sinks.kafka import ANSWER_S, client_config, no_answer

SETTLE_S = 5.0
MISSING = "missing"
PARTITIONS = "partitions"
TIMESTAMPS = "message.timestamp.type"
LOG_APPEND_TIME = "LogAppendTime"
EVENT_TOPIC = "yupan.state.v1"
"""Stands for all topics where one is enough to ask."""
_NOT_THERE = {KafkaError.UNSUPPORTED_VERSION, KafkaError._UNSUPPORTED_FEATURE, KafkaError.INVALID_REQUEST}


@dataclass(frozen=True)
class Topic:
    """A topic as it is. `config`: the settings of interest that the broker tells."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class Difference:
    """`what` is `missing`, `partitions`, or the name of a setting; empty texts stand for none."""

    topic: str
    what: str
    found: str = ""
    wanted: str = ""

    def __str__(self) -> str:
        if self.what == MISSING:
            return f"{self.topic}: missing"
        return f"{self.topic}: {self.what} is {self.found or 'unset'}, should be {self.wanted}"


def remedy(differences: Sequence[Difference]) -> str:
    """What settles these differences; `apply` never changes a number of partitions."""
    counts = sorted({d.found for d in differences if d.what == PARTITIONS}, key=int)
    if not counts:
        return "`yupan topics apply` settles them"
    named = f"set YUPAN_PARTITIONS={counts[0]}" if len(counts) == 1 else "give all topics one number of them"
    return f"`yupan topics apply` never changes partitions: {named}"


@dataclass
class Applied:
    """What `apply` did. `notes`: what the broker could not do, in a line each."""

    created: list[str] = field(default_factory=list)
    changed: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Admin:
    """Topics of one cluster. Every method raises `PartError` when it does not answer."""

    def __init__(self, bootstrap: str, config: Mapping[str, str] | None = None) -> None:
        self._bootstrap = bootstrap
        self._client: Any = AdminClient(client_config(bootstrap, config))

    def topics(self) -> list[Topic]:
        """Our topics that exist, sorted by name."""
        metadata = self._metadata()
        names = sorted(n for n in metadata.topics if n in TOPICS)
        configs = self._configs(names)
        topics = []
        for name in names:
            partitions = metadata.topics[name].partitions
            copies = max((len(p.replicas) for p in partitions.values()), default=0)
            topics.append(Topic(name, len(partitions), copies, configs.get(name, {})))
        return topics

    def diff(self, partitions: int) -> list[Difference]:
        """How the topics differ from what they should be, with so many `partitions`."""
        return self._differences(self._specs(partitions))

    def apply(self, partitions: int) -> Applied:
        """Make missing topics and set what differs; done twice, the second time changes nothing.

        Raises `UsageError`, before anything is changed, when a topic has another number of partitions.
        """
        specs = self._specs(partitions)
        differences = self._differences(specs)
        self._refuse_partitions([d for d in differences if d.what == PARTITIONS], partitions)
        missing = {d.topic for d in differences if d.what == MISSING}
        applied = Applied(created=self._create([s for s in specs if s.name in missing]))
        self._alter([d for d in differences if d.what != MISSING], applied)
        if not applied.created and not applied.changed:
            return applied
        self._note_what_is_ignored(applied)
        self._settle(specs)
        return applied

    def _specs(self, partitions: int) -> Sequence[TopicSpec]:
        return topic_specs(partitions, max(1, len(self._metadata().brokers)))

    def _differences(self, specs: Sequence[TopicSpec]) -> list[Difference]:
        found = {topic.name: topic for topic in self.topics()}
        differences = []
        for spec in specs:
            topic = found.get(spec.name)
            if topic is None:
                differences.append(Difference(spec.name, MISSING))
                continue
            if topic.partitions != spec.partitions:
                differences.append(Difference(spec.name, PARTITIONS, str(topic.partitions), str(spec.partitions)))
            for name, wanted in spec.config.items():
                if topic.config.get(name) != wanted:
                    differences.append(Difference(spec.name, name, topic.config.get(name, ""), wanted))
        return differences

    def _refuse_partitions(self, found: Sequence[Difference], partitions: int) -> None:
        if not found:
            return
        counts = sorted({d.found for d in found}, key=int)
        remedy = f"set YUPAN_PARTITIONS={counts[0]}" if len(counts) == 1 else "give them all one count"
        raise UsageError(
            f"YUPAN_PARTITIONS={partitions}, but {found[0].topic} has {found[0].found} partitions"
            f"{f' (and {len(found) - 1} more topics differ)' if len(found) > 1 else ''}. Nothing was changed: "
            "adding partitions would part the state of customers from their events. "
            f"Either {remedy}, or stop all workers, delete the yupan topics and apply again (what they hold is lost)"
        )

    def _create(self, specs: Sequence[TopicSpec]) -> list[str]:
        if not specs:
            return []
        new = [NewTopic(s.name, s.partitions, s.replication, config=s.config) for s in specs]
        created = []
        for name, future in self._client.create_topics(new, operation_timeout=ANSWER_S).items():
            try:
                future.result()
                created.append(name)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody else was quicker
                    raise PartError(f"{name} could not be made: {error.args[0].str()} (YUPAN_KAFKA)") from None
        return sorted(created)

    def _alter(self, differences: Sequence[Difference], applied: Applied) -> None:
        by_topic: dict[str, list[Difference]] = {}
        for difference in differences:
            by_topic.setdefault(difference.topic, []).append(difference)
        if not by_topic:
            return
        resources = [
            ConfigResource(
                ResourceType.TOPIC,
                topic,
                incremental_configs=[
                    ConfigEntry(d.what, d.wanted, incremental_operation=AlterConfigOpType.SET) for d in wanted
                ],
            )
            for topic, wanted in by_topic.items()
        ]
        try:
            for resource, future in self._client.incremental_alter_configs(resources).items():
                future.result(ANSWER_S)
                applied.changed += by_topic[resource.name]
        except KafkaException as error:
            if error.args[0].code() not in _NOT_THERE:
                raise PartError(f"topic settings could not be changed: {error.args[0].str()} (YUPAN_KAFKA)") from None
            applied.notes.append(
                f"this broker cannot change the settings of topics ({error.args[0].str()}): left as is"
            )

    def _settle(self, specs: Sequence[TopicSpec]) -> None:
        """Wait until the brokers, too, have heard of it from their controller."""
        patience = time.monotonic() + SETTLE_S
        while self._differences(specs) and time.monotonic() < patience:
            time.sleep(0.05)

    def _note_what_is_ignored(self, applied: Applied) -> None:
        """Tansu keeps every setting as if it were a default of its own, and heeds few of them."""
        asked = ConfigResource(ResourceType.TOPIC, EVENT_TOPIC)
        try:
            entry = self._client.describe_configs([asked])[asked].result(ANSWER_S).get(TIMESTAMPS)
        except KafkaException:
            return
        if entry is not None and entry.source == ConfigSource.DEFAULT_CONFIG.value and entry.value == LOG_APPEND_TIME:
            applied.notes.append(f"this broker may ignore {TIMESTAMPS} and keep producers' timestamps (Tansu does)")

    def _metadata(self) -> Any:
        try:
            return self._client.list_topics(timeout=ANSWER_S)
        except KafkaException as error:
            raise no_answer(self._bootstrap, error) from None

    def _configs(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Topic to its settings; a broker that cannot tell them seems to have none."""
        if not names:
            return {}
        asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        found = {}
        try:
            for resource, future in self._client.describe_configs(asked).items():
                found[resource.name] = {n: c.value for n, c in future.result(ANSWER_S).items()}
        except KafkaException as error:
            if error.args[0].code() not in _NOT_THERE:
                raise no_answer(self._bootstrap, error) from None
        return found
