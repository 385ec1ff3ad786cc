"""CloudEvents attributes as Kafka headers (binary mode), and the headers that are our own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from schemas.fields import iso

REROUTED = "yupan.rerouted"
"""Set on a record that came on the wrong partition and was sent to its own; a second time it is dead-lettered."""
REPLAYED = "yupan.replayed"
"""Set on a record that was replayed: the place (PARTITION:OFFSET) of the dead letter that it was."""
ERROR = "yupan.error."
TRACEPARENT = "traceparent"

Headers = list[tuple[str, bytes]]


def cloud_event(topic: str, event_id: str, source: str, occurred_at: int, traceparent: str | None = None) -> Headers:
    """The headers of an event of ours: `ce_id`, `ce_source`, `ce_type`, `ce_time`, `ce_specversion`."""
    headers = [
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", topic.encode()),
        ("ce_time", iso(occurred_at).encode()),
        ("ce_specversion", b"1.0"),
        ("content-type", b"application/avro"),
    ]
    if traceparent:
        headers.append((TRACEPARENT, traceparent.encode()))
    return headers


def read(headers: Iterable[tuple[str, bytes | str | None]] | None) -> Mapping[str, str]:
    """Headers by name; of a repeated name the last counts, bytes that are no text become replacement marks."""
    if not headers:
        return {}
    return {k: v.decode("utf-8", "replace") if isinstance(v, bytes) else (v or "") for k, v in headers}


def is_replayed(headers: Iterable[tuple[str, object]] | None) -> bool:
    """Whether these are the headers of a record that a person replayed."""
    return any(name == REPLAYED for name, _ in headers or ())


def content_hash(value: bytes) -> str:
    """The id of an event that came without one: the same content is the same event."""
    return hashlib.sha256(value).hexdigest()[:32]
