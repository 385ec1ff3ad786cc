"""The contracts as an AsyncAPI 3 document, for upstream teams and their tools."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from schemas.catalogue import EVENTS
from schemas.event_type import EventType
from schemas.topics import topic_specs

AVRO = "application/vnd.apache.avro;version=1.9.0"
_HEADERS = {
    "ce_id": "identifies the event together with ce_source; missing: a hash of the content",
    "ce_source": "who the event comes from; missing: the record's system or channel",
    "ce_type": "the topic",
    "ce_time": "occurred_at, ISO 8601",
    "ce_specversion": "1.0",
    "traceparent": "W3C trace context, carried through",
}


def asyncapi(partitions: int) -> dict[str, Any]:
    """The document as plain data. Operations are as seen from Yupan: it receives what upstream sends."""
    specs = {spec.name: spec for spec in topic_specs(partitions, 3)}
    events = EVENTS.values()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Yupan 预判",
            "version": _version(),
            "description": "Events of a telecom operator's customer service, Avro in Confluent framing.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/avro",
        "channels": {e.topic: _channel(e, specs[e.topic].partitions, specs[e.topic].config) for e in events},
        "operations": {_operation_name(e): _operation(e) for e in events},
        "components": {"messages": {e.record.__name__: _message(e) for e in events}},
    }


def _channel(event: EventType, partitions: int, config: dict[str, str]) -> dict[str, Any]:
    settings: dict[str, Any] = {"cleanup.policy": [config["cleanup.policy"]]}
    if "retention.ms" in config:
        settings["retention.ms"] = int(config["retention.ms"])
    return {
        "address": event.topic,
        "messages": {event.record.__name__: {"$ref": f"#/components/messages/{event.record.__name__}"}},
        "bindings": {"kafka": {"topic": event.topic, "partitions": partitions, "topicConfiguration": settings}},
    }


def _operation_name(event: EventType) -> str:
    return f"{_action(event)}{event.record.__name__}"


def _action(event: EventType) -> str:
    return "receive" if event.flow == "in" else "send"


def _operation(event: EventType) -> dict[str, Any]:
    return {"action": _action(event), "channel": {"$ref": f"#/channels/{event.topic}"}}


def _message(event: EventType) -> dict[str, Any]:
    return {
        "name": event.record.__name__,
        "summary": (event.record.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/avro",
        "headers": {
            "type": "object",
            "properties": {name: {"type": "string", "description": text} for name, text in _HEADERS.items()},
        },
        "payload": {"schemaFormat": AVRO, "schema": event.avro},
        "examples": [{"payload": event.from_json(example)} for example in event.examples],
        "bindings": {"kafka": {"key": {"type": "string"}}},
    }


def _version() -> str:
    try:
        return version("yupan")
    except PackageNotFoundError:
        return "0"
