"""A raw record to an event: what every agent does first, and the only place that refuses input.

Order of the tests: size, bytes, fields, key, partition, times. The first that fails gives the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agents.event import Event
from agents.ports import Message
from schemas.codec import Codec
from schemas.errors import RecordError
from schemas.event_type import EventType
from schemas.events.state import OCCURRENCES
from schemas.fields import FAR_FUTURE, NAME, check_international, is_national
from schemas.headers import REROUTED, TRACEPARENT, Headers
from schemas.partition import partition_of
from schemas.topics import MAX_VALUE

TOO_LATE = 24 * 3_600_000
"""Milliseconds before its broker timestamp from which an occurrence is refused: its id may be forgotten by then."""


class Reroute(NamedTuple):
    """The record came on a wrong partition for the first time: send it on, unchanged, to `partition`."""

    partition: int
    headers: Headers


class Intake:
    """Reads the records of every topic. `events_clock`: the time is that of the events, not of the wall."""

    def __init__(
        self, codecs: Mapping[str, Codec], partitions: int, *, events_clock: bool = False, country_code: str = "86"
    ) -> None:
        """`partitions`: how many every topic has; 0: keys may lie anywhere (the history stores what it finds).

        `country_code`: whose national numbers are refused.
        """
        self.codecs = codecs
        self.partitions = partitions
        self.events_clock = events_clock
        self.country_code = country_code

    def read(self, message: Message, now: int) -> Event | Reroute:
        """The event in `message`. `now`: the batch's clock, ms. Raises `RecordError`."""
        topic = message.topic()
        codec = self.codecs[topic]
        event = codec.event
        value = message.value()
        if value is not None and len(value) > MAX_VALUE:
            raise RecordError("too_large", f"{len(value)} bytes, at most {MAX_VALUE} are read")
        record = codec.decode(value)
        event.validate(record)
        check_international(record.get("msisdn"), self.country_code)
        headers: dict[str, Any] = dict(message.headers() or ())
        key = message.key()
        name = None if key is None else key.decode("utf-8", "replace")
        if not event.has_right_key(record, name) or self._follows_national(event, record, name):
            raise RecordError("wrong_key", "the key differs from what the record names")
        partition = message.partition()
        if key is not None and self.partitions:
            right = partition_of(key, self.partitions)
            if right != partition:
                return self._elsewhere(message, headers, right)
        at: int = record["occurred_at"]
        arrived = message.timestamp()[1]
        self._check_times(topic, record, at, arrived, now)
        event_id, source = _text(headers.get("ce_id")), _text(headers.get("ce_source"))
        if event.flow == "in" and max(len(event_id), len(source)) > NAME:
            raise RecordError("too_large", f"longer than {NAME} characters", "ce_id or ce_source")
        return Event(
            topic,
            record,
            event_id or event.content_id(record),
            source or event.source_of(record),
            at,
            name,
            partition,
            message.offset(),
            arrived,
            _text(headers.get(TRACEPARENT))[:NAME] or None,
        )

    def _follows_national(self, event: EventType, record: Mapping[str, Any], key: str | None) -> bool:
        """Whether a call would follow a national number: what keys it must be its id, or an MSISDN."""
        return event.keys is not None and key != event.key(record) and is_national(key or "", self.country_code)

    def _elsewhere(self, message: Message, headers: Mapping[str, Any], right: int) -> Reroute:
        if REROUTED in headers:
            raise RecordError("wrong_partition", f"on {message.partition()} again, its key belongs on {right}")
        return Reroute(right, [*(message.headers() or ()), (REROUTED, str(message.partition()).encode())])

    def _check_times(self, topic: str, record: Mapping[str, Any], at: int, arrived: int, now: int) -> None:
        if not self.events_clock and at > now + FAR_FUTURE:
            raise RecordError("bad_time", "more than 1 h ahead of the clock", "occurred_at")
        # with the event clock (replay, simulated days) the broker's time says nothing about the events'
        if at < (now if self.events_clock else arrived) - TOO_LATE and is_occurrence(topic, record):
            raise RecordError("too_late", "an occurrence more than 24 h old when it arrived", "occurred_at")


def is_occurrence(topic: str, record: Mapping[str, Any]) -> bool:
    """Whether each such event counts, rather than the newest (contracts, "States, occurrences and the clock")."""
    return topic == "yupan.usage.v1" or (topic == "yupan.state.v1" and record["attribute"] in OCCURRENCES)


def _text(value: bytes | str | None) -> str:
    if not value:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
