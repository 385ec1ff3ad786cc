"""A schema registry with Confluent's REST interface: ids for what we write, schemas for what we read.

Without one (`YUPAN_SCHEMA_REGISTRY` unset) ids come from the schemas themselves (`schemas.codec.own_id`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from schemas.codec import Codec, committed
from schemas.errors import PartError, UsageError
from schemas.event_type import EventType

ANSWER_S = 5.0
FORGET_S = 60.0
"""How long an id that the registry does not know is not asked for again."""
_NOT_FOUND = 404
_CONFLICT = 409


def attach(codecs: Mapping[str, Codec], address: str) -> None:
    """Let `codecs` write the ids of the registry at `address` and ask it for ids they do not know.

    Nothing happens when the address is empty. Raises `PartError` when it does not answer, `UsageError` when
    a schema is not registered.
    """
    if address:
        Registry(address).attach(codecs)


class Registry:
    """One registry. Every method raises `PartError` when it does not answer."""

    def __init__(self, address: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        from confluent_kafka.schema_registry import SchemaRegistryClient

        self._address = address
        self._monotonic = monotonic
        self._client = SchemaRegistryClient({"url": address, "timeout": ANSWER_S, "max.retries": 1})
        self._unknown: dict[int, float] = {}

    def attach(self, codecs: Mapping[str, Codec]) -> None:
        """See the function of this name."""
        for codec in codecs.values():
            codec.write_as(self._id_of(codec.event))
            codec.resolve = self.schema

    def schema(self, schema_id: int) -> Mapping[str, Any] | None:
        """The Avro schema of an id, None when the registry has none; an unknown id is asked for once a minute."""
        now = self._monotonic()
        if now < self._unknown.get(schema_id, 0.0):
            return None
        with self._asking(_NOT_FOUND) as asked:
            asked.append(self._client.get_schema(schema_id).schema_str)
        try:
            found = json.loads(asked[0]) if asked else None
        except ValueError:  # a schema that is not Avro's
            found = None
        if isinstance(found, dict):
            return found
        self._unknown[schema_id] = now + FORGET_S
        return None

    def register(self, event: EventType) -> int:
        """Register every committed version and the present one under `TOPIC-value`; the id of the present one.

        Raises `UsageError` when the registry refuses one as incompatible.
        """
        subject = _subject(event)
        with self._asking():
            self._client.set_compatibility(subject_name=subject, level=event.compatibility)
        schema_id = 0
        for schema in (*committed(event.topic), event.avro):
            with self._asking(_CONFLICT) as asked:
                asked.append(self._client.register_schema(subject, _schema(schema)))
            if not asked:
                raise UsageError(
                    f"YUPAN_SCHEMA_REGISTRY={self._address}: refuses {subject}, it is not {event.compatibility} "
                    "compatible with what is registered; run `yupan schemas check`"
                )
            schema_id = asked[0]
        return schema_id

    def _id_of(self, event: EventType) -> int:
        subject = _subject(event)
        with self._asking(_NOT_FOUND) as asked:
            asked.append(self._client.lookup_schema(subject, _schema(event.avro)).schema_id)
        if not asked:
            raise UsageError(
                f"YUPAN_SCHEMA_REGISTRY={self._address}: {subject} is not registered as we write it; "
                "run `yupan schemas register`"
            )
        return int(asked[0])

    @contextmanager
    def _asking(self, *expected: int) -> Iterator[list[Any]]:
        """A place for an answer; it stays empty when the registry answers with one of the `expected` statuses."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            yield []
        except SchemaRegistryError as error:
            if error.http_status_code not in expected:
                raise self._away(f"{error.http_status_code}: {error.error_message}") from None
        except Exception as error:  # whatever its HTTP client raises when nobody answers
            raise self._away(type(error).__name__) from None

    def _away(self, why: str) -> PartError:
        return PartError(
            f"YUPAN_SCHEMA_REGISTRY={self._address}: the schema registry cannot be used ({why}); is it running, "
            "and is the address that of its Confluent interface?"
        )


def _subject(event: EventType) -> str:
    return f"{event.topic}-value"


def _schema(schema: Mapping[str, Any]) -> Any:
    from confluent_kafka.schema_registry import Schema

    return Schema(json.dumps(schema), "AVRO")
