"""Kind `listed`: only who is on the list; no event of ours tells it (#54)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.watch import NOTHING, Finding, Known, Words
from agents.yaml_reader import Section


class Listed:
    """Finds nobody by itself."""

    reads = ()
    placeholders: frozenset[str] = frozenset()

    def find(self, known: Known) -> Finding:
        """See `WatchRule.find`."""
        return NOTHING

    def words(self, known: Known) -> Words:
        """See `WatchRule.words`."""
        return {}

    def describe(self) -> Mapping[str, object]:
        """See `WatchRule.describe`."""
        return {}


SCHEMA: dict[str, Any] = {}
REQUIRED = ()


def read(section: Section) -> Listed:
    """This kind has no keys of its own."""
    return Listed()
