"""All event types, discovered: a new event type is one new file in `schemas/events/`."""

from __future__ import annotations

import importlib
import pkgutil

from schemas import events
from schemas.event_type import EventType


def _discover() -> dict[str, EventType]:
    modules = sorted(m.name for m in pkgutil.iter_modules(events.__path__))
    found = [importlib.import_module(f"schemas.events.{name}").EVENT for name in modules]
    return {event.topic: event for event in found}


EVENTS: dict[str, EventType] = _discover()
"""Topic name to event type."""

INPUTS = (
    "yupan.state.v1",
    "yupan.usage.v1",
    "yupan.call.v1",
    "yupan.contact.v1",
    "yupan.retention-task.v1",
    "yupan.list.v1",
    "yupan.seat.v1",
    "yupan.ticket.v1",
    "yupan.customer.v1",
    "yupan.command.v1",
    "yupan.cutover.v1",
    "yupan.repair-result.v1",
)
"""What others publish; `yupan-decide` reads all of it."""
OUTPUTS = tuple(topic for topic in EVENTS if topic not in INPUTS and not topic.startswith("yupan.internal."))
"""What we publish for others."""
