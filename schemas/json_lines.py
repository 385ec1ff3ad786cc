"""JSON lines to records: what `yupan publish` and `checks replay` read (contracts, "JSON lines")."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

import msgspec

from schemas.errors import RecordError
from schemas.event_type import EventType
from schemas.events.call import CallKeys
from schemas.fields import check_international, check_length, international

_decode = msgspec.json.Decoder().decode
_BOM = b"\xef\xbb\xbf"


class Item(NamedTuple):
    """One event, ready to be published."""

    record: dict[str, Any]
    id: str
    """`ce_id`: the line's `id`, else a hash of the content."""
    source: str
    key: str | None


class Lines:
    """Reads the lines of one file for one topic; national numbers get `country_code`.

    It remembers by which key the first phase of each call went, for the call's later phases.
    """

    def __init__(self, event: EventType, country_code: str) -> None:
        self._event = event
        self._country_code = country_code
        self._call_keys = CallKeys() if event.topic == "yupan.call.v1" else None

    def read(self, line: bytes | str) -> Item:
        """The event of one line. Raises `RecordError`: `not_json`, or the reason that names the field."""
        data = parse(line)
        event_id, source = _word(data, "id"), _word(data, "source")
        if isinstance(data.get("msisdn"), str):
            data["msisdn"] = international(data["msisdn"], self._country_code)
        record = self._event.from_json(data)
        check_international(record.get("msisdn"), self._country_code)
        key = self._call_keys.of(record) if self._call_keys is not None else self._event.key(record)
        return Item(record, event_id or self._event.content_id(record), source or self._event.source_of(record), key)


def parse(line: bytes | str) -> dict[str, Any]:
    """One line as an object; a byte order mark before it is none of it.

    Raises `RecordError`: `not_json`; `bad_value` for a name that an object has twice, since readers disagree on it.
    """
    line = line.removeprefix(_BOM) if isinstance(line, bytes) else line.removeprefix("\ufeff")
    try:
        data = _decode(line)
        json.loads(line, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:  # msgspec's and of what is no UTF-8, too
        raise RecordError("not_json", str(error)) from None
    if type(data) is not dict:
        raise RecordError("not_json", "is no JSON object")
    return data


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise RecordError("bad_value", "stands here twice", name)
    return found


def _word(data: dict[str, Any], name: str) -> str:
    """Take the envelope's `name` off the record's fields; empty when it is not there."""
    value = data.pop(name, None)
    if value is None:
        return ""
    if type(value) is not str or not value:
        raise RecordError("bad_type", "should be a string that is not empty", name)
    try:
        check_length(value)
    except RecordError as error:
        raise error.within(name) from None
    return value
