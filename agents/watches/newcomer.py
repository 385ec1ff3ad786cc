"""Kind `newcomer`: a new customer who has not spoken to us yet (#54)."""

from __future__ import annotations

from collections.abc import Mapping

from agents.profile import moment
from agents.states import NEVER
from agents.texts import span_text
from agents.watch import CALLS, FACT, NOTHING, Finding, Known, Span, Time, Words
from agents.yaml_reader import Section

OPENED = "opened_at"


class Newcomer:
    """From the opening for `within` (ms), until a call that was answered is over: the desk sees it in the first one."""

    reads = (FACT + OPENED, CALLS)
    placeholders = frozenset((FACT + OPENED, "within"))

    def __init__(self, within: int) -> None:
        self.within = within

    def find(self, known: Known) -> Finding:
        """See `WatchRule.find`."""
        opened = moment(known.profile, OPENED, known.at)
        if opened is None or known.at >= opened[0] + self.within:
            return NOTHING
        over = known.called["over"]
        if over is not None and over >= max(opened[0], known.since):
            return NOTHING
        until = opened[0] + self.within
        return Finding(stands=True, until=until, again=until)

    def words(self, known: Known) -> Words:
        """See `WatchRule.words`."""
        opened = moment(known.profile, OPENED, known.at)
        return {FACT + OPENED: NEVER if opened is None else Time(opened[0]), "within": Span(self.within)}

    def describe(self) -> Mapping[str, object]:
        """See `WatchRule.describe`."""
        return {"within": span_text(self.within, "en")}


SCHEMA = {"within": {"$ref": "#/$defs/span"}}
REQUIRED = ("within",)


def read(section: Section) -> Newcomer:
    """The key of this kind: `within`. Raises `FileError`."""
    return Newcomer(section.take("within").positive_span())
