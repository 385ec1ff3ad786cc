"""Kind `soon`: a moment that a system announces is near (#54)."""

from __future__ import annotations

from collections.abc import Mapping

from agents.states import NEVER
from agents.texts import span_text
from agents.watch import NOTHING, Finding, Known, Span, Time, Words
from agents.words import moment_of_state
from agents.yaml_reader import Section
from schemas.fields import EARLIEST, LATEST

DAY = 86_400_000


class Soon:
    """`state` names a moment that is at most `within` (ms) ahead; it ends at that moment."""

    def __init__(self, state: str, within: int) -> None:
        self.state = state
        self.within = within
        self.reads = (state,)
        self.placeholders = frozenset((state, "within"))

    def find(self, known: Known) -> Finding:
        """See `WatchRule.find`."""
        moment = _moment(known, self.state)
        if moment is None or moment <= known.at:
            return NOTHING
        if moment - self.within > known.at:
            return Finding(stands=False, again=moment - self.within)
        return Finding(stands=True, until=moment, again=moment)

    def words(self, known: Known) -> Words:
        """See `WatchRule.words`."""
        moment = _moment(known, self.state)
        return {self.state: NEVER if moment is None else Time(moment), "within": Span(self.within)}

    def describe(self) -> Mapping[str, object]:
        """See `WatchRule.describe`."""
        return {"state": self.state, "within": span_text(self.within, "en")}


def _moment(known: Known, name: str) -> int | None:
    value = known.state(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if EARLIEST <= value <= LATEST - DAY else None  # "never" is often written as the last day there is


SCHEMA = {"state": {"type": "string", "pattern": r"\S"}, "within": {"$ref": "#/$defs/span"}}
REQUIRED = ("state", "within")


def read(section: Section) -> Soon:
    """The keys of this kind: `state`, `within`. Raises `FileError`."""
    state = moment_of_state(section.take("state"))
    return Soon(state, section.take("within").positive_span())
