"""What all agents share: the loop over a batch, the intake, and the way out for what they decide.

An agent is a function `decide(batch, event)`. `Shell.run` feeds it the valid events of a batch, each in
a scope of its own; `Shell.emit` sends its outputs with CloudEvents headers and an id that is computed
from what caused them, so that whoever sees one twice knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from agents.event import Event
from agents.intake import Intake, Reroute
from agents.ports import Batch, Fired, Message
from agents.shadow import EVIDENCE
from agents.states import known_ids, occur
from schemas.codec import Codec
from schemas.headers import cloud_event
from schemas.partition import partition_of
from schemas.topics import MAX_VALUE

Decide = Callable[[Batch, Event], None]
OnFired = Callable[[Batch, Fired], None]

WITHDRAWN = "yupan.withdrawn"
"""Header of a tombstone: why what stood under its key has ended."""


ROOMY = MAX_VALUE - 20_000
"""Bytes of a value that still leave room for key and headers."""


class Counts(Protocol):
    """Where decisions are counted and timed, and what is so now is shown; the names are those of `schemas.metrics`."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None: ...

    def observe(self, name: str, value: float, **labels: str) -> None: ...

    def set(self, name: str, value: float, **labels: str) -> None: ...


class NoCounts:
    """Counts nothing: for replays and tests."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Forget it."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Forget it."""

    def set(self, name: str, value: float, **labels: str) -> None:
        """Forget it."""


class Shell:
    """One for all agents of a worker. `act_within`: milliseconds after which an event no longer acts."""

    def __init__(
        self,
        intake: Intake,
        codecs: Mapping[str, Codec],
        counts: Counts | None = None,
        act_within: int = 600_000,
        shadowed: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """`shadowed` is told what nobody else is told: what is decided in shadow."""
        self.intake = intake
        self.codecs = codecs
        self.counts: Counts = counts or NoCounts()
        self.act_within = act_within
        self._shadowed = shadowed

    def run(self, batch: Batch, decide: Decide, on_fired: OnFired | None = None) -> None:
        """Decide a whole batch, which the caller has entered. Deadlines that became due come first."""
        for fired in batch.fired:
            if on_fired is not None:
                with batch.scope(fired):
                    on_fired(batch, fired)
        for message in batch.messages:
            with batch.scope(message):
                self._one(batch, message, decide)

    def _one(self, batch: Batch, message: Message, decide: Decide) -> None:
        event = self.intake.read(message, batch.now())
        if isinstance(event, Reroute):
            self.counts.count("yupan_rerouted", topic=batch.topic)
            batch.send(batch.topic, message.value(), message.key(), event.headers, event.partition)
            return
        batch.occurred(event.occurred_at)
        decide(batch, event)

    def acts(self, batch: Batch, at: int, what: str) -> bool:
        """Whether something that occurred at `at` is young enough to send `what` (pop, message, repair, alert)."""
        if batch.now() - at < self.act_within:
            return True
        self.counts.count("yupan_too_old_to_act", what=what)
        return False

    def occurs(self, batch: Batch, event: Event, key: str) -> bool:
        """Whether an occurrence counts: its id is kept under `key`, and counted once (contracts, "Occurrences")."""
        known = batch.get(key)
        now = batch.now() if self.intake.events_clock else event.arrived_at
        ids, repeated, dropped = occur(known_ids(known), event, now)
        if repeated:
            self.counts.count("yupan_duplicates", topic=event.topic)
            return False
        if dropped:
            self.counts.count("yupan_ids_dropped", dropped, topic=event.topic)
        batch.put(key, {**(known or {}), "v": 2, "ids": ids})
        return True

    def emit(
        self,
        batch: Batch,
        topic: str,
        record: Mapping[str, Any],
        event_id: str,
        *,
        traceparent: str | None = None,
        now: bool = False,
        key: str | None = None,
        shorter: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] | None = None,
    ) -> None:
        """Send `record`; `event_id` is computed from what caused it. `now`: before the commit (screen pops only).

        `key`: instead of the record's own (a call's phases stay under that of its first). `shorter`: what makes a
        record that is too large smaller, step by step; None when it can no more.
        Raises `RecordError` when the record does not fit its schema.
        """
        codec = self.codecs[topic]
        value = codec.encode(record)
        while shorter is not None and len(value) > ROOMY and (less := shorter(record)) is not None:
            value = codec.encode(record := less)
        name = key or codec.event.key(record)
        wire_key = None if name is None else name.encode()
        headers = cloud_event(topic, event_id, codec.event.source_of(record), record["occurred_at"], traceparent)
        if now:
            batch.send_now(topic, value, wire_key, headers)
        else:
            split = codec.event.partition_key
            batch.send(topic, value, wire_key, headers, None if split is None else self._partition(split(record)))

    def bring(self, batch: Batch, event: Event, customer: str, topic: str, record: Mapping[str, Any]) -> None:
        """Send an event on to its customer's partition, by an internal `topic`.

        It stays the same event, by id and source, so that its repeats are known there, too.
        """
        headers = cloud_event(topic, event.id, event.source, event.occurred_at, event.traceparent)
        batch.send(topic, self.codecs[topic].encode(record), customer.encode(), headers)

    def fan_out(
        self,
        batch: Batch,
        topic: str,
        record: Mapping[str, Any],
        event_id: str,
        *,
        traceparent: str | None = None,
    ) -> None:
        """Send one copy of `record` to every partition of an internal `topic`, each under an id of its own."""
        codec = self.codecs[topic]
        value, source = codec.encode(record), codec.event.source_of(record)
        for partition in range(self.intake.partitions):
            headers = cloud_event(topic, f"{event_id}|{partition}", source, record["occurred_at"], traceparent)
            batch.send(topic, value, None, headers, partition)

    def withdraw(
        self,
        batch: Batch,
        topic: str,
        key: str,
        event_id: str,
        at: int,
        reason: str,
        *,
        customer: str | None = None,
        traceparent: str | None = None,
    ) -> None:
        """Send a tombstone for `key`; its headers say when (`at`, ms) and why.

        `customer`: whose partition it goes to when the key is more than the MSISDN.
        """
        headers = cloud_event(topic, event_id, f"yupan/{self.codecs[topic].event.name}", at, traceparent)
        headers.append((WITHDRAWN, reason.encode()))
        batch.send(topic, None, key.encode(), headers, self._partition(customer))

    def keep_silent(self, check: str, line: dict[str, Any]) -> None:
        """Count what a check or a watch list in shadow would tell, `line["would"]`, and tell it nobody."""
        if line["would"] != EVIDENCE:
            self.counts.count("yupan_shadowed", check=check, would=line["would"])
        if self._shadowed is not None:
            self._shadowed(line)

    def _partition(self, customer: str | None) -> int | None:
        return None if customer is None else partition_of(customer.encode(), self.intake.partitions)
