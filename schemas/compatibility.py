"""Whether versions of a schema can read each other, by the rules of the Avro project.

FULL_TRANSITIVE: every version reads every other, so that old records stay readable and old readers
keep running, in whatever order producers and consumers are brought up to date.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import parse

from schemas.codec import committed
from schemas.event_type import EventType


class Finding(NamedTuple):
    """What is wrong with a topic's schemas, and what to do."""

    topic: str
    text: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.text}"


def check(event: EventType) -> list[Finding]:
    """What is wrong with an event type's schemas: the generated differs from the committed, or versions clash."""
    versions = committed(event.topic)
    found = [*_against_committed(event, versions)]
    if event.version > len(versions):
        versions = [*versions, event.avro]
    return found + incompatibilities(event.topic, versions)


def incompatibilities(topic: str, versions: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Every pair of versions of which one cannot read the other."""
    found = []
    for (w, writer), (r, reader) in permutations(enumerate(versions, 1), 2):
        for place, what in cannot_read(reader, writer):
            found.append(Finding(topic, f"version {r} cannot read what version {w} wrote: {place}: {what}"))
    return found


def cannot_read(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(field, what is wrong) for every field that keeps `reader` from reading what `writer` wrote."""
    whole = _why_not(reader, writer)
    if whole is None:
        return []
    if _why_not(_only(reader, ""), _only(writer, "")) is not None:  # not a matter of fields
        return [("the record", whole)]
    names = {str(f["name"]): None for s in (reader, writer) for f in s.get("fields", ())}
    found = [(n, why) for n in names if (why := _why_not(_only(reader, n), _only(writer, n))) is not None]
    return found or [("the record", whole)]


def _why_not(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> str | None:
    try:
        ours, theirs = parse(json.dumps(reader)), parse(json.dumps(writer))
    except AvroException as error:
        return f"no Avro schema: {error}"
    checker: Any = ReaderWriterCompatibilityChecker  # untyped
    result = checker().get_compatibility(ours, theirs)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return None
    kinds = ", ".join(sorted({str(kind.value).replace("_", " ") for kind in result.incompatibilities}))
    details = "; ".join(sorted(result.messages))
    return f"{kinds} ({details})" if details else kinds


def _only(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**schema, "fields": [f for f in schema.get("fields", ()) if f["name"] == name]}


def _against_committed(event: EventType, versions: Sequence[Mapping[str, Any]]) -> list[Finding]:
    if len(versions) < event.version:
        return [Finding(event.topic, f"version {event.version} is not committed; run `yupan schemas export`")]
    if len(versions) > event.version:
        text = f"version {len(versions)} is committed, but the code is version {event.version}; set EventType.version"
        return [Finding(event.topic, text)]
    if versions[-1] != event.avro:
        text = (
            f"differs from its committed version {event.version}: raise EventType.version to {event.version + 1} "
            "and run `yupan schemas export`"
        )
        return [Finding(event.topic, text)]
    return []
