"""Versions that cannot read each other are caught, and what is compatible is not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas import codec, compatibility, export
from schemas.catalogue import EVENTS
from schemas.errors import UsageError
from streams.cli import run

CALL = EVENTS["yupan.call.v1"]
Fields = dict[str, dict[str, Any]]


def enum_of(fields: Fields) -> dict[str, Any]:
    found: dict[str, Any] = fields["outcome"]["type"][1]
    return found


def add(fields: Fields, **field: Any) -> None:
    fields[field["name"]] = field


def drop(fields: Fields, name: str) -> None:
    del fields[name]


COMPATIBLE: dict[str, Callable[[Fields], Any]] = {
    "an optional field more": lambda f: add(f, name="new", type=["null", "string"], default=None),
    "an optional field less": lambda f: drop(f, "brand"),
    "a symbol more in an enum": lambda f: enum_of(f)["symbols"].append("VOICEMAIL"),
    "a symbol less in an enum": lambda f: enum_of(f)["symbols"].remove("PHANTOM"),
}
BROKEN: dict[str, tuple[Callable[[Fields], Any], str]] = {
    "a required field more": (lambda f: add(f, name="new", type="string"), "new: reader field missing default"),
    "a required field less": (lambda f: drop(f, "call_id"), "call_id: reader field missing default"),
    "another type": (lambda f: f["phase"].update(type="long"), "phase: type mismatch"),
    "no null any more": (lambda f: f["brand"].update(type="string", default=""), "brand: type mismatch"),
    "another value in a map": (lambda f: f["details"]["type"].update(values="long"), "details: type mismatch"),
    "another enum": (lambda f: enum_of(f).update(name="Other"), "outcome: missing union branch"),
    "no default symbol, and one less": (
        lambda f: (enum_of(f).pop("default"), enum_of(f)["symbols"].remove("PHANTOM")),
        "outcome: missing union branch",
    ),
}


def changed(change: Callable[[Fields], Any]) -> dict[str, Any]:
    schema = copy.deepcopy(CALL.avro)
    fields = {f["name"]: f for f in schema["fields"]}
    change(fields)
    return {**schema, "fields": list(fields.values())}


@pytest.mark.parametrize("what", COMPATIBLE)
def test_a_compatible_change_is_let_through(what: str) -> None:
    assert compatibility.incompatibilities(CALL.topic, [CALL.avro, changed(COMPATIBLE[what])]) == []


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_change_is_caught_and_its_field_named(what: str) -> None:
    change, text = BROKEN[what]
    found = compatibility.incompatibilities(CALL.topic, [CALL.avro, changed(change)])
    assert found
    assert all(text in str(finding) for finding in found)
    assert all(str(finding).startswith("yupan.call.v1: version ") for finding in found)


def test_another_record_name_is_one_finding_each_way() -> None:
    found = compatibility.incompatibilities(CALL.topic, [CALL.avro, {**CALL.avro, "name": "Ring"}])
    assert [f.text.split(": ")[1] for f in found] == ["the record", "the record"]


def test_every_pair_of_versions_is_compared() -> None:
    first = changed(lambda f: add(f, name="x", type=["null", "string"], default=None))
    last = changed(lambda f: add(f, name="x", type=["null", "long"], default=None))
    found = compatibility.incompatibilities(CALL.topic, [first, CALL.avro, last])
    assert {f.text.split(":")[0] for f in found} == {
        "version 1 cannot read what version 3 wrote",
        "version 3 cannot read what version 1 wrote",
    }, "a field that came back with another type: neighbours agree, the ends do not"


def test_what_is_committed_is_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schemas", "check"]) == 0
    assert run(["schemas", "export", "--check"]) == 0
    assert run(["schemas", "export"]) == 0
    assert capsys.readouterr().out == ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the committed schemas for a test to change."""
    copied = tmp_path / "avro"
    export.export(copied)
    monkeypatch.setattr(codec, "FOLDER", copied)
    monkeypatch.setattr(export, "FOLDER", copied)
    return copied


def code_says(monkeypatch: pytest.MonkeyPatch, version: int, schema: dict[str, Any]) -> None:
    """Let the code's call be `version` with another schema."""
    event = replace(CALL, version=version)
    event.__dict__["avro"] = schema
    monkeypatch.setitem(EVENTS, CALL.topic, event)


def test_check_catches_a_broken_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code_says(monkeypatch, 2, changed(BROKEN["another type"][0]))
    assert run(["schemas", "export"]) == 0
    assert (folder / CALL.topic / "2.avsc").is_file()
    assert run(["schemas", "check"]) == 1
    told = capsys.readouterr()
    assert "yupan.call.v1: version 2 cannot read what version 1 wrote: phase: type mismatch" in told.out
    assert "2 findings" in told.err


def test_check_catches_a_change_without_a_new_version(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code_says(monkeypatch, 1, changed(COMPATIBLE["an optional field more"]))
    assert run(["schemas", "check"]) == 1
    assert "raise EventType.version to 2" in capsys.readouterr().out
    assert run(["schemas", "export", "--check"]) == 1
    with pytest.raises(UsageError, match=r"raise EventType\.version to 2"):
        export.export(folder)
    assert (folder / CALL.topic / "1.avsc").read_text("utf-8") == export.text_of(CALL.avro)


def test_check_catches_a_version_that_was_not_exported(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code_says(monkeypatch, 2, changed(COMPATIBLE["a symbol more in an enum"]))
    assert run(["schemas", "check"]) == 1
    assert "version 2 is not committed; run `yupan schemas export`" in capsys.readouterr().out
    assert run(["schemas", "export"]) == 0
    assert run(["schemas", "check"]) == 0


def test_a_new_version_still_reads_records_of_the_old(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = CALL.from_json(CALL.examples[0])
    old = codec.Codec(CALL).encode(record)
    code_says(monkeypatch, 2, changed(COMPATIBLE["an optional field more"]))
    export.export(folder)
    assert codec.Codec(EVENTS[CALL.topic]).decode(old) == {**record, "new": None}
