"""Checks are data: one YAML file each, read strictly (#49).

Ours lie in `agents/checks/`, an operator's in any number of directories (`YUPAN_CHECKS`). A file of an
operator with the id of one of ours takes its place. What a check decides is in its kind's file,
`agents/kinds/KIND.py`, found by its name.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from agents import kinds
from agents.verdicts import AreaRule, Rule
from agents.yaml_reader import FileError, Item, Section, load
from schemas.errors import UsageError
from schemas.events.state import WORDS
from schemas.events.usage import KINDS as USAGE_KINDS

SHIPPED = Path(__file__).parent / "checks"
SEVERITIES = ("CRITICAL", "MAJOR", "MINOR", "WARNING")
STATUSES = ("OPEN", "ACKNOWLEDGED", "REPAIRING", "RESOLVED", "WITHDRAWN")
_ID = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?").fullmatch
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

Text = dict[str, str]


@dataclass(frozen=True)
class Step:
    """One event of a case: what happens `at` milliseconds after its start."""

    at: int
    topic: str
    record: Mapping[str, Any]
    """Its fields without `msisdn` and `occurred_at`."""
    id: str | None
    source: str | None
    times: int
    """So often, each time as another event."""


@dataclass(frozen=True)
class Expected:
    """One change of an anomaly's status that a case expects."""

    at: int
    status: str
    evidence: Mapping[str, str] | None


@dataclass(frozen=True)
class Case:
    """Events in order of arrival and what must be decided on them, `until` milliseconds after the start."""

    name: str
    steps: Sequence[Step]
    until: int
    expect: Sequence[Expected]
    line: int


@dataclass(frozen=True)
class Check:
    """One check as its file says it."""

    id: str
    title: Text
    kind: str
    severity: str
    rule: Rule | AreaRule
    cause: Text
    wording: Text
    guidance: Text
    cases: Sequence[Case]
    file: Path


class Watch(NamedTuple):
    """A check that watches a name, and what `PRODUCT` is there."""

    check: Check
    rule: Rule
    subject: str


class Checks:
    """All checks that are in force, by id and by what they watch."""

    def __init__(self, checks: Iterable[Check]) -> None:
        self.by_id = {check.id: check for check in checks}
        self.rules: dict[str, Rule] = {}
        """Those about each customer."""
        self.areas: dict[str, AreaRule] = {}
        """Those about cells and regions."""
        for check in self.by_id.values():
            if isinstance(check.rule, AreaRule):
                self.areas[check.id] = check.rule
            else:
                self.rules[check.id] = check.rule
        self.watching = lru_cache(maxsize=4096)(self._watching)
        self.counting = cache(self._counting)

    def _watching(self, name: str) -> tuple[Watch, ...]:
        """The checks that watch `system.attribute` or `usage.KIND`."""
        found = ((check_id, rule, rule.subject(name)) for check_id, rule in self.rules.items())
        return tuple(Watch(self.by_id[i], rule, subject) for i, rule, subject in found if subject is not None)

    def _counting(self, kind: str) -> tuple[tuple[str, AreaRule], ...]:
        """The checks that count a kind of usage, by id."""
        return tuple((check_id, rule) for check_id, rule in self.areas.items() if rule.usage == kind)


def load_checks(directories: Iterable[str | Path] = (), deadlines: Mapping[str, int] | None = None) -> Checks:
    """Ours and those of `directories`; `deadlines` overrides a check's `within` (milliseconds by id).

    Raises `FileError` (a `UsageError`): the file, the line and the reason.
    """
    deadlines = deadlines or {}
    found = _of_directory(SHIPPED, deadlines)
    own: dict[str, Check] = {}
    for directory in directories:
        for check_id, check in _of_directory(Path(directory), deadlines).items():
            if check_id in own:
                raise FileError(check.file, 1, f"id: {check_id!r} is also in {own[check_id].file}")
            own[check_id] = check
    found |= own
    unknown = sorted(set(deadlines) - set(found))
    if unknown:
        raise UsageError(f"YUPAN_DEADLINES: no check {unknown[0]!r}; there are {', '.join(sorted(found))}")
    return Checks(found[check_id] for check_id in sorted(found))


def _of_directory(directory: Path, deadlines: Mapping[str, int]) -> dict[str, Check]:
    found: dict[str, Check] = {}
    for file in sorted(directory.glob("*.yaml")):
        check = read_check(file, deadlines)
        if check.id in found:
            raise FileError(file, 1, f"id: {check.id!r} is also in {found[check.id].file}")
        found[check.id] = check
    return found


def read_check(file: Path, deadlines: Mapping[str, int] | None = None) -> Check:
    """The check in `file`. Raises `FileError`."""
    section = load(file)
    check_id = _id(section.take("id"))
    title = section.take("title").texts()
    kind = section.take("kind").one_of(*kind_names())
    within = _positive(section.take("within"))
    severity = section.take("severity").one_of(*SEVERITIES)
    rule: Rule | AreaRule = kind_module(kind).read(section, check_id, (deadlines or {}).get(check_id, within))
    texts = {name: _filled(section.take(name), rule.placeholders) for name in ("cause", "wording", "guidance")}
    cases = [_case(item) for item in section.take("cases").items()]
    section.finish()
    return Check(check_id, title, kind, severity, rule, cases=cases, file=file, **texts)


def kind_names() -> list[str]:
    """The kinds that there are: the modules of `agents/kinds/`."""
    return sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))


def kind_module(kind: str) -> Any:
    """The module of a kind: its `read`, and its `SCHEMA` and `REQUIRED` keys."""
    return importlib.import_module(f"agents.kinds.{kind}")


def _id(item: Item) -> str:
    text = item.text()
    if not _ID(text):
        raise item.fail(f"{text!r} is not STATION or STATION.NAME in small letters, digits and '-'")
    return text


def _positive(item: Item) -> int:
    span = item.span()
    if span == 0:
        raise item.fail("should be more than nothing")
    return span


def _filled(item: Item, known: frozenset[str]) -> Text:
    """A text for people whose placeholders can all be filled in."""
    texts = item.texts()
    section = item.section()
    for language, text in texts.items():
        for name in _PLACEHOLDER.findall(text):
            if name not in known:
                names = ", ".join(f"{{{n}}}" for n in sorted(known))
                raise section.take(language).fail(f"unknown placeholder {{{name}}}; known are {names}")
    return texts


# --- cases


def _case(item: Item) -> Case:
    section = item.section()
    name = section.take("name").text()
    steps = [_step(step) for step in section.take("events").items()]
    until = section.get("until")
    expect = [_expected(one) for one in section.take("expect").items()]
    section.finish()
    last = max((step.at for step in steps), default=0)
    return Case(name, steps, last if until is None else until.span(), expect, item.key_line)


def _step(item: Item) -> Step:
    section = item.section()
    at = section.take("at").span()
    usage = section.get("usage")
    topic, record = ("yupan.state.v1", _state(section)) if usage is None else ("yupan.usage.v1", _usage(section, usage))
    record["region"] = _text(section, "region")
    event_id, times = section.get("id"), section.get("times")
    if event_id is not None and times is not None:
        raise times.fail("would make several events of one id")
    step = Step(
        at,
        topic,
        record,
        None if event_id is None else event_id.text(),
        _text(section, "source"),
        1 if times is None else times.count(),
    )
    section.finish()
    return step


def _state(section: Section) -> dict[str, Any]:
    state = section.take("state")
    system, _, attribute = state.text().partition(".")
    if system not in WORDS or not attribute:
        raise state.fail(f"should be SYSTEM.ATTRIBUTE, the system one of {', '.join(WORDS)}")
    sequence = section.get("sequence")
    return {
        "system": system,
        "attribute": attribute,
        "value": section.take("value").plain(),
        "transaction": _text(section, "transaction"),
        "sequence": None if sequence is None else sequence.whole(),
    }


def _usage(section: Section, kind: Item) -> dict[str, Any]:
    return {
        "kind": kind.one_of(*USAGE_KINDS),
        "result": section.take("result").one_of("OK", "FAILED"),
        "cause": _text(section, "cause"),
        "cell": _text(section, "cell"),
    }


def _text(section: Section, name: str) -> str | None:
    item = section.get(name)
    return None if item is None else item.text()


def _expected(item: Item) -> Expected:
    section = item.section()
    at = section.take("at").span()
    status = section.take("status").one_of(*STATUSES)
    evidence = section.get("evidence")
    said = None if evidence is None else {name: str(value.plain()) for name, value in evidence.section().rest()}
    section.finish()
    return Expected(at, status, said)


def fill(texts: Mapping[str, str], values: Mapping[str, str]) -> Text:
    """`texts` with `{name}` replaced out of `values`."""
    return {lang: _PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), text) for lang, text in texts.items()}
