"""The committed Avro files, `TOPIC/N.avsc`, written from the event types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.catalogue import EVENTS
from schemas.codec import FOLDER
from schemas.errors import UsageError
from schemas.event_type import EventType


def text_of(schema: Mapping[str, Any]) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def export(folder: Path = FOLDER) -> list[Path]:
    """Write every event type's present version; returns the files that are new.

    Raises `UsageError`, before anything is written, when a version that exists would become another one:
    records of it may be on the topics already.
    """
    files = {folder / e.topic / f"{e.version}.avsc": e for e in EVENTS.values()}
    for file, event in files.items():
        if file.exists() and file.read_text("utf-8") != text_of(event.avro):
            raise UsageError(_changed(file, event))
    new = [file for file in files if not file.exists()]
    for file in new:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text_of(files[file].avro), "utf-8")
    return new


def _changed(file: Path, event: EventType) -> str:
    return (
        f"{event.topic}: differs from {file}, which records may be written with; raise EventType.version to "
        f"{event.version + 1} (or delete the file if it was never released)"
    )
