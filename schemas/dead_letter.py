"""`yupan.dead-letter.v1`: what could not be used, as it came, with headers that say why.

It has no schema: key, value and headers are the original's. Between the letters lie marks: a mark says that a letter
was replayed, and where to. It has no value and no reason, and lies behind its letter, on the letter's partition.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from schemas.errors import RecordError, reason_of
from schemas.fields import iso
from schemas.headers import ERROR, REPLAYED, Headers
from schemas.masking import masked

DEAD_LETTER = "yupan.dead-letter.v1"

TOPIC = f"{ERROR}topic"
PARTITION = f"{ERROR}partition"
OFFSET = f"{ERROR}offset"
STAGE = f"{ERROR}stage"
"""Who refused it: a consumer group, or a sink."""
TYPE = f"{ERROR}type"
"""The reason, a label of `DEAD_LETTER_REASONS`."""
MESSAGE = f"{ERROR}message"
ATTEMPT = f"{ERROR}attempt"
FIRST_FAILED_AT = f"{ERROR}first_failed_at"
TRUNCATED = f"{ERROR}truncated"
"""Set when the value, the key or headers were cut, with their original sizes."""

REPLAYED_TO = f"{REPLAYED}.to"
"""On a mark: TOPIC/PARTITION@OFFSET of the replayed record."""

MAX_VALUE = 900_000
"""Bytes of the original value that are kept: with the headers still below 1 MB."""
MAX_KEY = 10_000
MAX_HEADERS = 60_000
MAX_TEXT = 500
"""Characters of an error's text."""


class Raw(Protocol):
    """A Kafka record (`confluent_kafka.Message` has this shape)."""

    def topic(self) -> Any: ...

    def partition(self) -> Any: ...

    def offset(self) -> Any: ...

    def key(self) -> Any: ...

    def value(self) -> Any: ...

    def headers(self) -> Any: ...


class DeadLetter(NamedTuple):
    """What is sent to `DEAD_LETTER`."""

    value: bytes | None
    key: bytes | None
    headers: Headers


def dead_letter(message: Raw, error: BaseException, stage: str, now: int) -> DeadLetter:
    """The dead letter for a record. `stage` names who refused it, `now` is the wall clock (ms).

    A record that was replayed and failed again counts its attempts and keeps the time of its first failure.
    """
    own = list(message.headers() or ())
    earlier = {name: value for name, value in own if name in (ATTEMPT, FIRST_FAILED_AT)}
    kept = _fitting([(name, value) for name, value in own if not name.startswith(ERROR)])
    value, key = message.value(), message.key()
    said = {
        TOPIC: message.topic(),
        PARTITION: message.partition(),
        OFFSET: message.offset(),
        STAGE: stage,
        TYPE: reason_of(error),
        MESSAGE: _text_of(error),
        ATTEMPT: _attempts(earlier.get(ATTEMPT)) + 1,
        FIRST_FAILED_AT: _decoded(earlier.get(FIRST_FAILED_AT)) or iso(now),
    }
    if cut := _cut(value, key, len(own) - len(kept) - len([n for n, _ in own if n.startswith(ERROR)])):
        said[TRUNCATED] = cut
    headers = kept + [(name, str(text).encode("utf-8", "replace")) for name, text in said.items()]
    return DeadLetter(value and value[:MAX_VALUE], key and key[:MAX_KEY], headers)


def revived(headers: Headers, place: str) -> Headers:
    """The headers with which a dead letter is replayed: the original's, how often it failed since when, and its place.

    By its place (PARTITION:OFFSET) it is known again should it fail once more.
    """
    kept = [
        (name, value)
        for name, value in headers
        if name in (ATTEMPT, FIRST_FAILED_AT) or not name.startswith((ERROR, REPLAYED))
    ]
    return [*kept, (REPLAYED, place.encode())]


def mark(place: str, topic: str, partition: int, offset: int) -> DeadLetter:
    """The mark for the letter at `place`, whose record was written back to `topic`."""
    said = [(REPLAYED, place.encode()), (REPLAYED_TO, f"{topic}/{partition}@{offset}".encode())]
    return DeadLetter(None, place.encode(), said)


def _fitting(headers: Headers) -> Headers:
    kept: Headers = []
    size = 0
    for name, value in headers:
        size += len(name) + len(value or b"")
        if size > MAX_HEADERS:
            break
        kept.append((name, value))
    return kept


def _cut(value: bytes | None, key: bytes | None, headers: int) -> str:
    parts = []
    if value is not None and len(value) > MAX_VALUE:
        parts.append(f"value of {len(value)} bytes")
    if key is not None and len(key) > MAX_KEY:
        parts.append(f"key of {len(key)} bytes")
    if headers:
        parts.append(f"{headers} headers")
    return ", ".join(parts)


def _text_of(error: BaseException) -> str:
    text = str(error) if isinstance(error, RecordError) else f"{type(error).__name__}: {error}"
    return masked(text)[:MAX_TEXT]


def _attempts(header: bytes | None) -> int:
    text = _decoded(header)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _decoded(header: bytes | str | None) -> str:
    return header.decode("utf-8", "replace") if isinstance(header, bytes) else (header or "")
