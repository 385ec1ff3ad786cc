"""`yupan.cutover.v1`: planned works on systems, during which drift is expected (#31)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, TypedDict

from schemas.errors import RecordError
from schemas.event_type import EventType, Record
from schemas.fields import SYSTEMS, Id, Millis, Rule, check_length, check_text, each, enum, open_set

REGIONS = 100
REGION_CHARACTERS = 6_400
"""Of all regions of some works together: every worker keeps them, for all works that are not long over."""
TITLE = 500
"""Characters of a title in one language."""


class Cutover(TypedDict):
    """Works were planned, changed or cancelled; without regions they are everywhere."""

    cutover_id: Id
    systems: Annotated[list[str], each(open_set(*SYSTEMS).check, len(SYSTEMS))]
    regions: Annotated[list[str], each(check_length, REGIONS)]
    starts_at: Millis
    ends_at: Millis
    title: Annotated[dict[str, str], Rule(partial(check_text, most=TITLE))]
    action: Annotated[str, enum("CutoverAction", "PLANNED", "CHANGED", "CANCELLED")]
    occurred_at: Millis


def check_cutover(cutover: Record) -> None:
    """Works end after they begin, are on some system (not so who cancels them), and their regions have names."""
    characters = sum(len(region) for region in cutover["regions"])
    if characters > REGION_CHARACTERS:
        raise RecordError(
            "too_large", f"have {characters} characters, at most {REGION_CHARACTERS} are taken", "regions"
        )
    if not cutover["systems"] and cutover["action"] != "CANCELLED":
        raise RecordError("bad_value", f"is empty, which is no system; known are {', '.join(SYSTEMS)}", "systems")
    if not all(region.strip() for region in cutover["regions"]):
        raise RecordError("bad_value", "has a name that is empty; without regions works are everywhere", "regions")
    if cutover["ends_at"] <= cutover["starts_at"]:
        raise RecordError("bad_value", "is not after starts_at", "ends_at")


EVENT = EventType(
    record=Cutover,
    topic="yupan.cutover.v1",
    key=lambda r: r["cutover_id"],
    rule=check_cutover,
    examples=(
        {
            "cutover_id": "w-1",
            "systems": ["hlr", "ocs"],
            "regions": ["nanchang"],
            "starts_at": "2026-11-23T00:00:00+08:00",
            "ends_at": "2026-11-23T05:00:00+08:00",
            "title": {"zh": "HLR割接", "en": "HLR cutover"},
            "action": "PLANNED",
            "occurred_at": "2026-11-22T12:00:00+08:00",
        },
        {
            "cutover_id": "w-1",
            "starts_at": 1795363200000,
            "ends_at": 1795381200000,
            "action": "CANCELLED",
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"starts_at": ...}),
        ("bad_value", {"action": "FORGOTTEN"}),
        ("bad_value", {"systems": ["fax"]}),
        ("bad_value", {"systems": []}),
        ("bad_value", {"systems": ...}),
        ("bad_value", {"systems": [], "action": "CHANGED"}),
        ("bad_value", {"regions": [""]}),
        ("bad_value", {"regions": ["nanchang", " "]}),
        ("bad_value", {"ends_at": "2026-11-22T23:00:00+08:00"}),
        ("bad_type", {"regions": None}),
        ("too_large", {"systems": ["hlr"] * (len(SYSTEMS) + 1)}),
        ("too_large", {"regions": ["x"] * (REGIONS + 1)}),
        ("too_large", {"regions": ["x" * 100] * 65}),
        ("too_large", {"title": {"zh": "割" * (TITLE + 1)}}),
    ),
)
