"""Kind `holds`: a system holds one of some values (#54)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.states import value_of
from agents.watch import NOTHING, Finding, Known, Words
from agents.words import plain_state, value_for
from agents.yaml_reader import Section

STANDS = Finding(stands=True)


class Holds:
    """`state` has one of `values`."""

    def __init__(self, state: str, values: tuple[Any, ...]) -> None:
        self.state = state
        self.values = values
        self.reads = (state,)
        self.placeholders = frozenset((state,))

    def find(self, known: Known) -> Finding:
        """See `WatchRule.find`."""
        # asked at every change of a status: whose state it is matters only if it counts
        if value_of(known.states, self.state) not in self.values:
            return NOTHING
        return STANDS if known.state(self.state) in self.values else NOTHING

    def words(self, known: Known) -> Words:
        """See `WatchRule.words`."""
        return {self.state: known.state(self.state)}

    def describe(self) -> Mapping[str, object]:
        """See `WatchRule.describe`."""
        return {"state": self.state, "values": list(self.values)}


SCHEMA = {
    "state": {"type": "string", "pattern": r"\S"},
    "values": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/value"}},
}
REQUIRED = ("state", "values")


def read(section: Section) -> Holds:
    """The keys of this kind: `state`, `values`. Raises `FileError`."""
    state = plain_state(section.take("state"))
    item = section.take("values")
    values = tuple(value_for(value, state) for value in item.items())
    if not values:
        raise item.fail("should name at least one value")
    return Holds(state, values)
