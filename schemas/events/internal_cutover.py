"""`yupan.internal.cutover.v1`: copies of what is told of works, one for every partition (#31)."""

from __future__ import annotations

from schemas.event_type import EventType
from schemas.events.cutover import EVENT as CUTOVER
from schemas.events.cutover import Cutover, check_cutover


class InternalCutover(Cutover):
    """A record of `yupan.cutover.v1`, in every partition once."""


EVENT = EventType(
    record=InternalCutover,
    topic="yupan.internal.cutover.v1",
    flow="internal",
    key=lambda r: None,
    rule=check_cutover,
    default_source=lambda r: "yupan/cutover",
    examples=CUTOVER.examples,
    bad=CUTOVER.bad,
)
