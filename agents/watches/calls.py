"""Kind `calls`: a customer whose calls were answered so often within a time (#54)."""

from __future__ import annotations

from collections.abc import Mapping

from agents.texts import span_text
from agents.watch import CALLS, MOST_CALLS, NOTHING, Finding, Known, Span, Words
from agents.yaml_reader import Section

COUNT = "calls.count"


class Calls:
    """At least `at_least` calls were answered in the last `within` (ms)."""

    reads = (CALLS,)
    placeholders = frozenset((COUNT, "within"))

    def __init__(self, at_least: int, within: int) -> None:
        self.at_least = at_least
        self.within = within

    def find(self, known: Known) -> Finding:
        """See `WatchRule.find`."""
        answered = known.answered
        if len(answered) < self.at_least:
            return NOTHING
        until = answered[self.at_least - 1] + self.within
        return Finding(stands=True, until=until, again=until) if until > known.at else NOTHING

    def words(self, known: Known) -> Words:
        """See `WatchRule.words`."""
        counted = [at for at in known.answered if at > known.at - self.within]
        return {COUNT: len(counted), "within": Span(self.within)}

    def describe(self) -> Mapping[str, object]:
        """See `WatchRule.describe`."""
        return {"at_least": self.at_least, "within": span_text(self.within, "en")}


SCHEMA = {
    "at_least": {"type": "integer", "minimum": 1, "maximum": MOST_CALLS},
    "within": {"$ref": "#/$defs/span"},
}
REQUIRED = ("at_least", "within")


def read(section: Section) -> Calls:
    """The keys of this kind: `at_least`, `within`. Raises `FileError`."""
    item = section.take("at_least")
    at_least = item.count()
    if at_least > MOST_CALLS:
        raise item.fail(f"so many calls are not kept of a customer: {MOST_CALLS} at most")
    return Calls(at_least, section.take("within").positive_span())
