"""`yupan.internal.command.v1`: copies of commands about cells and regions, one for every partition (#52)."""

from __future__ import annotations

from schemas.event_type import EventType
from schemas.events.command import EVENT as COMMAND
from schemas.events.command import Command


class InternalCommand(Command):
    """A command of `yupan.command.v1` that names no customer, in every partition once."""


EVENT = EventType(
    record=InternalCommand,
    topic="yupan.internal.command.v1",
    flow="internal",
    key=lambda r: None,
    default_source=lambda r: "yupan/command",
    examples=(
        *COMMAND.examples[1:],
        {
            "command_id": "k-3",
            "kind": "ACKNOWLEDGE",
            "anomaly_id": "rate-78",
            "staff": "1001",
            "occurred_at": "2026-11-22T12:15:00+08:00",
        },
    ),
    bad=COMMAND.bad,
)
