"""What a complete export leaves out: numbers of which its system told before, and now holds nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.events.state import EVENT, SNAPSHOT
from sinks.clickhouse import ClickHouse
from sinks.queries import holders
from streams.importing.program import Made


class LeftOut:
    """Remembers the numbers of each system and attribute that the file has; some 100 bytes each."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], set[str]] = {}

    def note(self, record: Mapping[str, Any]) -> None:
        """A state of the file."""
        self._told.setdefault((record["system"], record["attribute"]), set()).add(record["msisdn"])

    def events(self, db: ClickHouse, at: int) -> Iterator[Made]:
        """A state without a value for each number that `db` knows as of `at` (ms), and the file does not have.

        An attribute that occurs nowhere in the file is not looked at. Raises `PartError`.
        """
        for (system, attribute), numbers in sorted(self._told.items()):
            for holder in holders(db, system, attribute, at):
                if holder["msisdn"] not in numbers:
                    told = {"system": system, "attribute": attribute, "value": None, "reason": SNAPSHOT}
                    record = EVENT.from_json({**holder, **told, "occurred_at": at})
                    yield Made(EVENT, record, EVENT.content_id(record))
