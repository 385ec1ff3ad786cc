"""The format of a check's file as a JSON Schema (2020-12), by which an editor completes and marks while one writes.

It tells keys, types and what is required. What needs more than that (a name that no system has, a row that is too
short, a placeholder that nobody fills in) `rules` refuses when the file is read.
"""

from __future__ import annotations

from typing import Any

from agents.rules import SEVERITIES, STATUSES, kind_module, kind_names
from agents.yaml_reader import LANGUAGES
from schemas.events.usage import KINDS

SPAN = {"type": "string", "pattern": r"^\d+ ?(ms|s|min|h|d)$", "examples": ["10 min"]}
TEXT = {
    "type": "object",
    "properties": {language: {"type": "string", "pattern": r"\S"} for language in LANGUAGES},
    "required": list(LANGUAGES),
    "additionalProperties": False,
}
VALUE = {"type": ["string", "number", "boolean"]}
ANY_STEP: dict[str, Any] = {
    "at": {"$ref": "#/$defs/span"},
    "region": {"type": "string", "pattern": r"\S"},
    "id": {"type": "string", "pattern": r"\S"},
    "source": {"type": "string", "pattern": r"\S"},
    "times": {"type": "integer", "minimum": 1},
}
STATE_STEP = {
    "properties": {
        **ANY_STEP,
        "state": {"type": "string", "examples": ["crm.status"]},
        "value": {"type": ["string", "number", "boolean", "null"]},
        "transaction": {"type": "string", "pattern": r"\S"},
        "sequence": {"type": "integer"},
    },
    "required": ["at", "state", "value"],
    "additionalProperties": False,
}
USAGE_STEP = {
    "properties": {
        **ANY_STEP,
        "usage": {"$ref": "#/$defs/usage"},
        "result": {"enum": ["OK", "FAILED"]},
        "cause": {"type": "string", "pattern": r"\S"},
        "cell": {"type": "string", "pattern": r"\S"},
    },
    "required": ["at", "usage", "result"],
    "additionalProperties": False,
}
STEP = {"type": "object", "oneOf": [STATE_STEP, USAGE_STEP], "not": {"required": ["id", "times"]}}
EXPECTED = {
    "type": "object",
    "properties": {
        "at": {"$ref": "#/$defs/span"},
        "status": {"enum": list(STATUSES)},
        "evidence": {"type": "object", "additionalProperties": VALUE},
    },
    "required": ["at", "status"],
    "additionalProperties": False,
}
CASE = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "events": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        "until": {"$ref": "#/$defs/span"},
        "expect": {"type": "array", "items": {"$ref": "#/$defs/expected"}},
    },
    "required": ["name", "events", "expect"],
    "additionalProperties": False,
}
COMMON: dict[str, Any] = {
    "id": {"type": "string", "pattern": r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?$"},
    "title": {"$ref": "#/$defs/text"},
    "within": {"$ref": "#/$defs/span"},
    "severity": {"enum": list(SEVERITIES)},
    "cause": {"$ref": "#/$defs/text"},
    "wording": {"$ref": "#/$defs/text"},
    "guidance": {"$ref": "#/$defs/text"},
    "cases": {"type": "array", "items": {"$ref": "#/$defs/case"}},
}


def schema() -> dict[str, Any]:
    """The schema of one file, whatever its kind."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A check of Yupan",
        "type": "object",
        "required": ["kind"],
        "oneOf": [_of_kind(kind) for kind in kind_names()],
        "$defs": {
            "text": TEXT,
            "span": SPAN,
            "share": {"type": "string", "pattern": r"^\d{1,3}(\.\d+)? ?%$", "examples": ["90 %"]},
            "value": VALUE,
            "held": {"type": "object", "minProperties": 1, "additionalProperties": VALUE},
            "usage": {"enum": list(KINDS)},
            "causes": {"type": "array", "items": {"type": "string", "pattern": r"\S"}},
            "case": CASE,
            "step": STEP,
            "expected": EXPECTED,
        },
    }


def _of_kind(kind: str) -> dict[str, Any]:
    module = kind_module(kind)
    about = (module.__doc__ or "").splitlines()[0]
    return {
        "title": kind,
        "description": about,
        "properties": {"kind": {"const": kind}, **COMMON, **module.SCHEMA},
        "required": ["kind", *COMMON, *module.REQUIRED],
        "additionalProperties": False,
    }
