"""The JSON Schema by which editors complete a check's file, beside the reader that has the last word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from agents.check_schema import schema
from agents.rules import SHIPPED, kind_names
from streams import cli

FILES = sorted(SHIPPED.glob("*.yaml"))
BROKEN = Path(__file__).parent / "broken_checks"
VALIDATOR = Draft202012Validator(schema())
BEYOND = {
    # what needs the words of the systems, arithmetic, or more than one key
    "alert-guidance-with-a-brace",
    "alert-guidance-with-a-placeholder",
    "brace-closed",
    "brace-open",
    "case-ends-too-soon",
    "case-of-each-product",
    "case-too-far",
    "case-unknown-attribute",
    "case-value-too-large",
    "rate-too-short",
    "within-too-long",
    "boolean-in-quotes",
    "follow-boolean-for-a-text",
    "follow-impossible-value",
    "follow-itself",
    "follow-unknown-attribute",
    "follow-each-product",
    "follow-text-for-a-number",
    "match-a-state",
    "match-itself",
    "rate-of-more-than-all",
    "repair-unknown-placeholder",
    "rate-recovers-below",
    "rate-unknown-placeholder",
    "streak-forgets-too-soon",
    "case-unknown-system",
    "case-state-without-attribute",
    "impossible-value",
    "occurrence-in-agree",
    "product-and-plain",
    "products-without-pattern",
    "unknown-attribute",
    "unknown-placeholder-system",
    "unknown-placeholder",
    "unknown-system",
    "watch-each-product",
    "watch-impossible-value",
    "watch-no-amount",
    "watch-no-moment",
    "watch-soon-without-time",
    "watch-unknown-placeholder",
    "within-nothing",
}


class Editors(yaml.SafeLoader):
    """YAML 1.2, as editors read it: `on`, `off` and `yes` are words there."""


Editors.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(file: Path) -> Any:
    return yaml.load(file.read_text("utf-8"), Loader=Editors)


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_shipped_check_fits(file: Path) -> None:
    assert list(VALIDATOR.iter_errors(read(file))) == []


@pytest.mark.parametrize("kind", ["agree", "holds"])
def test_its_modes_are_words(kind: str) -> None:
    check = next(check for check in map(read, FILES) if check["kind"] == kind)
    assert [VALIDATOR.is_valid({**check, "mode": mode}) for mode in ("on", "shadow", "off", True, "quiet")] == [
        True, True, True, False, False
    ]  # fmt: skip


@pytest.mark.parametrize("kind", kind_names())
def test_a_key_too_many_and_a_key_too_few_do_not_fit(kind: str) -> None:
    check = next(check for check in map(read, FILES) if check["kind"] == kind)
    assert not VALIDATOR.is_valid({**check, "colour": "red"})
    for name in ("id", "within", "cases", "guidance"):
        assert not VALIDATOR.is_valid({key: value for key, value in check.items() if key != name})


@pytest.mark.parametrize("file", sorted(BROKEN.glob("*.yaml")), ids=lambda file: file.stem)
def test_it_marks_what_a_schema_can_mark(file: Path) -> None:
    try:
        check = read(file)
    except (yaml.YAMLError, ValueError):
        return  # an editor marks that without a schema
    if file.stem == "key-twice":
        return  # so it does here
    assert VALIDATOR.is_valid(check) is (file.stem in BEYOND)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["checks", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()
