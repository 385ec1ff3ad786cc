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
