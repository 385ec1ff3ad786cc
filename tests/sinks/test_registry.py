"""Against a real schema registry (Apicurio, through its Confluent interface)."""

from __future__ import annotations

import copy
import io
import json
import struct
import urllib.request
from dataclasses import replace
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from schemas import codec as codecs
from schemas.catalogue import EVENTS
from schemas.codec import HEAD_SIZE, Codec
from schemas.errors import PartError, RecordError, UsageError
from schemas.event_type import EventType, without_logical_types
from sinks.registry import FORGET_S, Registry, attach
from streams.cli import run
from tests.parts.apicurio import Apicurio

USAGE = EVENTS["yupan.usage.v1"]
Change = dict[str, Any]


@pytest.fixture
def topic(prefix: str) -> str:
    """A topic that only this test registers."""
    return f"{prefix}.v1"


def usage(topic: str, schema: dict[str, Any] | None = None) -> EventType:
    """The usage event under a topic of the test's own, perhaps with another schema."""
    event = replace(USAGE, topic=topic)
    event.__dict__["avro"] = schema or USAGE.avro
    return event


def changed(**changes: Any) -> dict[str, Any]:
    """The usage schema with the `result` enum or a field changed."""
    schema = copy.deepcopy(USAGE.avro)
    fields = {f["name"]: f for f in schema["fields"]}
    for name, change in changes.items():
        change(fields[name])
    return schema


MORE = changed(result=lambda f: f["type"]["symbols"].append("DROPPED"))
BROKEN = changed(cause=lambda f: f.update(type=["null", "long"]))


def ask(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"{address}/{path}", timeout=10) as answer:
        return json.load(answer)


def record(**changes: Any) -> dict[str, Any]:
    return {**USAGE.from_json(USAGE.examples[0]), **changes}


def written(schema: dict[str, Any], schema_id: int, value: dict[str, Any]) -> bytes:
    """`value` as a producer writes it that has another version."""
    body = io.BytesIO()
    schemaless_writer(body, parse_schema(without_logical_types(schema)), value)
    return struct.pack(">bI", 0, schema_id) + body.getvalue()


def test_register_all_and_write_the_registrys_ids(
    apicurio: Apicurio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YUPAN_SCHEMA_REGISTRY", apicurio.address)
    assert run(["schemas", "register"]) == 0
    told = dict(line.split(": id ") for line in capsys.readouterr().out.splitlines())
    assert set(told) == {f"{topic}-value" for topic in EVENTS}
    assert run(["schemas", "register"]) == 0, "a second time nothing changes"
    assert dict(line.split(": id ") for line in capsys.readouterr().out.splitlines()) == told
    assert ask(apicurio.address, "config/yupan.state.v1-value") == {"compatibilityLevel": "FULL_TRANSITIVE"}

    codec = Codec(USAGE)
    before = codec.encode(record())
    attach({USAGE.topic: codec}, apicurio.address)
    value = codec.encode(record())
    assert int.from_bytes(value[1:HEAD_SIZE], "big") == int(told["yupan.usage.v1-value"])
    assert value[HEAD_SIZE:] == before[HEAD_SIZE:]
    assert codec.decode(value) == record()
    assert codec.decode(before) == record(), "what was written without a registry stays readable"


def test_a_symbol_is_added_to_an_enum_while_readers_stay_old(apicurio: Apicurio, topic: str) -> None:
    registry = Registry(apicurio.address)
    registry.register(usage(topic))
    reader = Codec(usage(topic))
    registry.attach({topic: reader})

    new_id = registry.register(usage(topic, MORE))
    assert reader.decode(written(MORE, new_id, record()))["result"] == "FAILED"
    assert reader.decode(written(MORE, new_id, record(result="DROPPED")))["result"] == "UNKNOWN"

    upgraded = Codec(usage(topic, MORE))
    upgraded.event.__dict__["wire"] = without_logical_types(MORE)
    registry.attach({topic: upgraded})
    assert upgraded.decode(reader.encode(record())) == record(), "and the other way round"


def test_the_registry_refuses_a_broken_version(apicurio: Apicurio, topic: str) -> None:
    registry = Registry(apicurio.address)
    registry.register(usage(topic))
    with pytest.raises(UsageError, match=rf"YUPAN_SCHEMA_REGISTRY=.* refuses {topic}-value, it is not FULL_TRANSITIVE"):
        registry.register(usage(topic, BROKEN))


def test_a_schema_that_is_not_registered_names_the_remedy(apicurio: Apicurio, topic: str) -> None:
    with pytest.raises(UsageError, match=r"is not registered as we write it; run `yupan schemas register`"):
        attach({topic: Codec(usage(topic))}, apicurio.address)


class CountingClient:
    """Counts how often the real client is asked for a schema."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.asked = 0

    def get_schema(self, schema_id: int) -> Any:
        self.asked += 1
        return self.client.get_schema(schema_id)


def test_an_unknown_id_is_asked_for_once_a_minute(apicurio: Apicurio) -> None:
    now = [0.0]
    registry = Registry(apicurio.address, monotonic=lambda: now[0])
    counting: Any = CountingClient(registry._client)
    registry._client = counting
    codec = Codec(USAGE)
    codec.resolve = registry.schema
    for _ in range(3):
        with pytest.raises(RecordError, match="schema id 987654 is not known"):
            codec.decode(struct.pack(">bI", 0, 987654) + b"\x00" * 9)
    assert counting.asked == 1
    now[0] += FORGET_S + 1
    assert registry.schema(987654) is None
    assert counting.asked == 2


def test_a_known_id_is_asked_for_once(apicurio: Apicurio, topic: str) -> None:
    registry = Registry(apicurio.address)
    schema_id = registry.register(usage(topic, MORE))
    counting: Any = CountingClient(registry._client)
    registry._client = counting
    codec = Codec(usage(topic))
    codec.resolve = registry.schema
    for _ in range(3):
        assert codec.decode(written(MORE, schema_id, record())) == record()
    assert counting.asked == 1


def test_a_registry_that_is_away_is_named(free_port: int) -> None:
    address = f"http://127.0.0.1:{free_port}"
    with pytest.raises(PartError, match=rf"YUPAN_SCHEMA_REGISTRY={address}: the schema registry cannot be used"):
        attach({USAGE.topic: Codec(USAGE)}, address)
    codec = Codec(USAGE)
    codec.resolve = Registry(address).schema
    with pytest.raises(PartError, match="YUPAN_SCHEMA_REGISTRY"):
        codec.decode(struct.pack(">bI", 0, 5) + b"\x00")


def test_without_a_registry_nothing_is_asked() -> None:
    codec = Codec(USAGE)
    attach({USAGE.topic: codec}, "")
    assert codec.resolve is None
    assert int.from_bytes(codec.encode(record())[1:HEAD_SIZE], "big") == codecs.own_id(USAGE.avro)


def test_register_without_an_address_is_wrong_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("YUPAN_SCHEMA_REGISTRY", raising=False)
    assert run(["schemas", "register"]) == 2
    assert "YUPAN_SCHEMA_REGISTRY is not set" in capsys.readouterr().err
