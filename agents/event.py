"""An event as decisions see it: a valid record with its identity and its place in the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Event:
    """Times are milliseconds since the epoch (UTC). Never changed after intake."""

    topic: str
    record: dict[str, Any]
    id: str
    """`ce_id`; a content hash when the producer gave none."""
    source: str
    """`ce_source`; the record's system or channel when the producer gave none."""
    occurred_at: int
    key: str | None = None
    partition: int = 0
    offset: int = 0
    arrived_at: int = 0
    """The broker's timestamp of the record (`LogAppendTime`)."""
    traceparent: str | None = None

    @property
    def customer(self) -> str | None:
        """The MSISDN that the event is about, if any."""
        msisdn: str | None = self.record.get("msisdn")
        return msisdn
