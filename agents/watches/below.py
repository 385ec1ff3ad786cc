"""Kind `below`: an amount that a system holds is smaller than a fact of the customer, such as the monthly fee (#54)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.states import NEVER
from agents.verdicts import hundredths
from agents.watch import FACT, Finding, Known, Words
from agents.words import amount_of_state
from agents.yaml_reader import Section
from schemas.events.customer import AMOUNTS


class Below:
    """`state` is less than `fact`, both in yuan and compared in whole fen."""

    def __init__(self, state: str, fact: str) -> None:
        self.state = state
        self.fact = fact
        self.reads = (state, FACT + fact)
        self.placeholders = frozenset((state, FACT + fact))

    def find(self, known: Known) -> Finding:
        """See `WatchRule.find`."""
        held, bound = _fen(known.state(self.state)), _fen(known.fact(self.fact))
        return Finding(held is not None and bound is not None and held < bound)

    def words(self, known: Known) -> Words:
        """See `WatchRule.words`."""
        bound = known.fact(self.fact)
        return {self.state: known.state(self.state), FACT + self.fact: NEVER if bound is None else bound}

    def describe(self) -> Mapping[str, object]:
        """See `WatchRule.describe`."""
        return {"state": self.state, "fact": self.fact}


def _fen(value: Any) -> int | None:
    """An amount in whole fen; None for what is none."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e12
    return hundredths(round(value * 10_000)) if is_number else None


SCHEMA = {"state": {"type": "string", "pattern": r"\S"}, "fact": {"enum": list(AMOUNTS)}}
REQUIRED = ("state", "fact")


def read(section: Section) -> Below:
    """The keys of this kind: `state`, `fact`. Raises `FileError`."""
    state = amount_of_state(section.take("state"))
    return Below(state, section.take("fact").one_of(*AMOUNTS))
