"""The format of a check's file as a JSON Schema (2020-12), by which an editor completes and marks while one writes.

It tells keys, types and what is required. What needs more than that (a name that no system has, a row that is too
short, a placeholder that nobody fills in) `rules` refuses when the file is read.
"""

from __future__ import annotations

from typing import Any

from agents.case_files import ACTIONS, MOST_TIMES, STATUSES
from agents.rules import kind_module, kind_names
from agents.shadow import MODES
from agents.watch_files import SEVERITIES, watch_kind_module, watch_kind_names
from agents.yaml_reader import LANGUAGES
from schemas.events.call import PHASES
from schemas.events.customer import KNOWN
from schemas.events.state import WORDS
from schemas.events.usage import KINDS

SPAN = {"type": "string", "pattern": r"^\d{1,15} ?(ms|s|min|h|d)$", "examples": ["10 min"]}
TEXT = {
    "type": "object",
    "properties": {language: {"type": "string", "pattern": r"\S"} for language in LANGUAGES},
    "required": list(LANGUAGES),
    "additionalProperties": False,
}
VALUE = {"type": ["string", "number", "boolean"]}
NAME = {"type": "string", "pattern": r"\S"}
MAYBE = {"type": ["string", "number", "boolean", "null"]}
ANY_STEP: dict[str, Any] = {
    "at": {"$ref": "#/$defs/span"},
    "id": NAME,
    "source": NAME,
    "times": {"type": "integer", "minimum": 1, "maximum": MOST_TIMES},
}
MOMENT: dict[str, Any] = {"value": MAYBE, "moment": {"$ref": "#/$defs/span"}}
ONE_VALUE = {"oneOf": [{"required": ["value"]}, {"required": ["moment"]}]}


def _step(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    closed = {"required": ["at", *required], "additionalProperties": False}
    return {"properties": {**ANY_STEP, **properties}, **closed, **more}


STEPS = [
    _step(
        {
            "state": {"type": "string", "examples": ["crm.status"]},
            **MOMENT,
            "transaction": NAME,
            "sequence": {"type": "integer"},
            "region": NAME,
        },
        "state",
        **ONE_VALUE,
    ),
    _step(
        {
            "usage": {"$ref": "#/$defs/usage"},
            "result": {"enum": ["OK", "FAILED"]},
            "cause": NAME,
            "cell": NAME,
            "region": NAME,
        },
        "usage",
        "result",
    ),
    _step({"fact": {"enum": list(KNOWN)}, **MOMENT}, "fact", **ONE_VALUE),
    _step({"call": NAME, "phase": {"enum": list(PHASES)}}, "call", "phase"),
    _step(
        {
            "list": {"type": "string", "pattern": "^watch:"},
            "action": {"enum": ["ADD", "REMOVE", "REPLACED"]},
            "version": NAME,
            "valid_from": {"$ref": "#/$defs/span"},
            "valid_to": {"$ref": "#/$defs/span"},
        },
        "list",
        "action",
    ),
]
STEP = {"type": "object", "oneOf": STEPS, "not": {"required": ["id", "times"]}}
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
REMINDED = {
    "type": "object",
    "properties": {"at": {"$ref": "#/$defs/span"}, "reminder": {"enum": list(ACTIONS)}},
    "required": ["at", "reminder"],
    "additionalProperties": False,
}


def _cases(expected: dict[str, Any]) -> dict[str, Any]:
    case = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "events": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}},
            "until": {"$ref": "#/$defs/span"},
            "expect": {"type": "array", "items": expected},
        },
        "required": ["name", "events", "expect"],
        "additionalProperties": False,
    }
    return {"type": "array", "items": case}


TEXTS: dict[str, Any] = {
    "title": {"$ref": "#/$defs/text"},
    "severity": {"enum": list(SEVERITIES)},
    "cause": {"$ref": "#/$defs/text"},
    "wording": {"$ref": "#/$defs/text"},
    "guidance": {"$ref": "#/$defs/text"},
}
CHECK: dict[str, Any] = {
    "id": {"type": "string", "pattern": r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?$"},
    "within": {"$ref": "#/$defs/span"},
    **TEXTS,
    "cases": _cases(EXPECTED),
}
ALERT = {
    "type": "object",
    "properties": {
        "by": {"enum": ["region", "all"]},
        "at_least": {"type": "integer", "minimum": 1},
        "wait": {"$ref": "#/$defs/span"},
        "guidance": {"$ref": "#/$defs/text"},
    },
    "additionalProperties": False,
}
REPAIR = {
    "type": "object",
    "properties": {
        "system": {"enum": list(WORDS)},
        "command": NAME,
        "arguments": {"type": "object", "additionalProperties": NAME},
        "per_minute": {"type": "integer", "minimum": 1},
        "per_day": {"type": "integer", "minimum": 1},
        "within": {"$ref": "#/$defs/span"},
    },
    "required": ["system", "command"],
    "additionalProperties": False,
}
MODE: dict[str, Any] = {"mode": {"enum": list(MODES)}}
OPTIONAL: dict[str, Any] = {"alert": ALERT, "repair": REPAIR, **MODE}
WATCH: dict[str, Any] = {
    "id": {"type": "string", "pattern": r"^watch:[a-z0-9][a-z0-9_.-]{0,63}$"},
    **TEXTS,
    "cases": _cases(REMINDED),
}


def schema() -> dict[str, Any]:
    """The schema of one file, whatever its kind."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A check or a watch list of Yupan",
        "type": "object",
        "required": ["kind"],
        "oneOf": [
            *(_of_kind(kind, kind_module(kind), CHECK, OPTIONAL) for kind in kind_names()),
            *(_of_kind(kind, watch_kind_module(kind), WATCH, MODE) for kind in watch_kind_names()),
        ],
        "$defs": {
            "text": TEXT,
            "span": SPAN,
            "share": {"type": "string", "pattern": r"^\d{1,3}(\.\d+)? ?%$", "examples": ["90 %"]},
            "value": VALUE,
            "held": {"type": "object", "minProperties": 1, "additionalProperties": VALUE},
            "usage": {"enum": list(KINDS)},
            "causes": {"type": "array", "items": {"type": "string", "pattern": r"\S"}},
            "step": STEP,
        },
    }


def _of_kind(kind: str, module: Any, common: dict[str, Any], optional: dict[str, Any]) -> dict[str, Any]:
    about = (module.__doc__ or "").splitlines()[0]
    return {
        "title": kind,
        "description": about,
        "properties": {"kind": {"const": kind}, **common, **optional, **module.SCHEMA},
        "required": ["kind", *common, *module.REQUIRED],
        "additionalProperties": False,
    }
