"""Checks are data: one YAML file each, read strictly (#49).

Ours lie in `agents/checks/`, an operator's in any number of directories (`YUPAN_CHECKS`). A file of an
operator with the id of one of ours takes its place. What a check decides is in its kind's file,
`agents/kinds/KIND.py`, found by its name. A file whose id begins with `watch:` is a watch list (`watch_files`). By its
`mode` a file is on, off, or in shadow (`shadow`).
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from agents import kinds
from agents.case_files import Case, anomaly, read_cases
from agents.incident import Alerting
from agents.repair import WANTED, Repairing
from agents.shadow import OFF, ON
from agents.verdicts import AreaRule, Rule
from agents.watch_files import HEAD, SEVERITIES, TEXTS, Text, WatchList, read_mode, read_watch
from agents.yaml_reader import FileError, Item, Section, load
from schemas.errors import UsageError
from schemas.events.list import WATCH
from schemas.events.state import WORDS

SHIPPED = Path(__file__).parent / "checks"
ENDINGS = (".yaml", ".yml")
"""What the names of files of checks end in; others, hidden ones, and directories below, are left out."""
_ID = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?").fullmatch


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
    alert: Alerting
    repair: Repairing | None
    cases: Sequence[Case]
    file: Path
    mode: str = ON
    """on, shadow or off."""

    @cached_property
    def shape(self) -> str:
        """What a wait belongs to: a rule of another kind, or about other systems, cannot go on with it."""
        rule = self.rule
        reads = (rule.usage, rule.per) if isinstance(rule, AreaRule) else rule.watches
        return hashlib.sha256(" ".join((self.kind, *reads)).encode()).hexdigest()[:8]


class Watch(NamedTuple):
    """A check that watches a name, and what `PRODUCT` is there."""

    check: Check
    rule: Rule
    subject: str


class Checks:
    """All checks and watch lists that are in force, by id and by what they read."""

    def __init__(self, checks: Iterable[Check], watches: Iterable[WatchList] = ()) -> None:
        """What is off is only known by its file."""
        self.files: dict[str, Check | WatchList] = {**{c.id: c for c in checks}, **{w.id: w for w in watches}}
        """All of them by id, the checks first, also those that are off."""
        known = [one for one in self.files.values() if one.mode != OFF]
        self.by_id = {one.id: one for one in known if isinstance(one, Check)}
        self.rules: dict[str, Rule] = {}
        """Those about each customer."""
        self.areas: dict[str, AreaRule] = {}
        """Those about cells and regions."""
        for check in self.by_id.values():
            if isinstance(check.rule, AreaRule):
                self.areas[check.id] = check.rule
            else:
                self.rules[check.id] = check.rule
        self.exported = frozenset(_system(name) for rule in self.rules.values() for name in rule.compares)
        """The systems of which a full export says something: their states are compared by some check."""
        self.watches = {one.id: one for one in known if isinstance(one, WatchList)}
        # no bound methods: a cycle would keep each set that is replaced (`streams/worker.py` sets aside what survives)
        self.watching = lru_cache(maxsize=4096)(partial(_watching, self.by_id, self.rules))
        self.counting = cache(partial(_counting, self.areas))
        self.reminding = lru_cache(maxsize=4096)(partial(_reminding, self.watches))


def _system(name: str) -> str:
    return name.partition(".")[0]


def _watching(checks: Mapping[str, Check], rules: Mapping[str, Rule], name: str) -> tuple[Watch, ...]:
    """The checks that watch `system.attribute` or `usage.KIND`."""
    found = ((check_id, rule, rule.subject(name)) for check_id, rule in rules.items())
    return tuple(Watch(checks[i], rule, subject) for i, rule, subject in found if subject is not None)


def _counting(areas: Mapping[str, AreaRule], kind: str) -> tuple[tuple[str, AreaRule], ...]:
    """The checks that count a kind of usage, by id."""
    return tuple((check_id, rule) for check_id, rule in areas.items() if rule.usage == kind)


def _reminding(watches: Mapping[str, WatchList], name: str) -> tuple[str, ...]:
    """The watch lists whose rules read `name`, by id."""
    return tuple(watch.id for watch in watches.values() if name in watch.rule.reads)


class Changes(NamedTuple):
    """What is different after files were read anew: ids of checks and watch lists."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __str__(self) -> str:
        """One line for people."""
        told = [f"{what} {', '.join(ids)}" for what, ids in zip(self._fields, self, strict=True) if ids]
        return "; ".join(told) or "nothing is different"


def changes(before: Checks, after: Checks) -> Changes:
    """What `after` decides or says otherwise than `before`; cases and where a file lies do not matter."""
    old, new = ({name: _said(one) for name, one in checks.files.items()} for checks in (before, after))
    changed = tuple(name for name in new if name in old and new[name] != old[name])
    return Changes(tuple(name for name in new if name not in old), changed, tuple(n for n in old if n not in new))


def _said(one: Check | WatchList) -> dict[str, Any]:
    """All that a file says, but for its cases."""
    plain = {field.name: getattr(one, field.name) for field in fields(one) if field.name not in ("cases", "file")}
    return {**plain, "rule": dict(one.rule.describe()), "within": getattr(one.rule, "within", None)}


def load_checks(
    directories: Iterable[str | Path] = (),
    deadlines: Mapping[str, int] | None = None,
    repairs: Mapping[str, str] | None = None,
) -> Checks:
    """Ours and those of `directories`.

    `deadlines` overrides a check's `within` (milliseconds by id); `repairs` gives the modes of automatic repair by id.

    Raises `FileError` (a `UsageError`): the file, the line and the reason.
    """
    deadlines = deadlines or {}
    found = _of_directory(SHIPPED, deadlines)
    own: dict[str, Check | WatchList] = {}
    for directory in directories:
        for name, one in _of_directory(Path(directory), deadlines).items():
            if name in own:
                raise FileError(one.file, 1, f"id: {name!r} is also in {own[name].file}")
            own[name] = one
    found |= own
    checks = {name: one for name, one in sorted(found.items()) if isinstance(one, Check)}
    unknown = sorted(set(deadlines) - set(checks))
    if unknown:
        raise UsageError(f"YUPAN_DEADLINES: no check {unknown[0]!r}; there are {', '.join(checks)}")
    checks |= {name: _with_repair(name, mode, checks) for name, mode in (repairs or {}).items()}
    watches = [one for _, one in sorted(found.items()) if isinstance(one, WatchList)]
    return Checks(checks.values(), watches)


def _with_repair(name: str, mode: str, checks: Mapping[str, Check]) -> Check:
    check = checks.get(name)
    if check is None or check.repair is None:
        able = ", ".join(name for name, one in checks.items() if one.repair is not None)
        what = f"no check {name!r}" if check is None else f"the file of {name} says no repair"
        raise UsageError(f"YUPAN_REPAIRS: {what}; these can be repaired: {able}")
    return replace(check, repair=replace(check.repair, mode=mode))


def _of_directory(directory: Path, deadlines: Mapping[str, int]) -> dict[str, Check | WatchList]:
    found: dict[str, Check | WatchList] = {}
    for file in _files(directory):
        one = read_file(file, deadlines)
        if one.id in found:
            raise FileError(file, 1, f"id: {one.id!r} is also in {found[one.id].file}")
        found[one.id] = one
    return found


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(file for file in directory.iterdir() if file.suffix.lower() in ENDINGS and _is_of_check(file))
    except OSError as error:
        raise UsageError(f"{directory}: cannot be read ({error.strerror})") from None


def _is_of_check(file: Path) -> bool:
    """Whether it is neither what editors and systems put beside a file (`.#a.yaml`, `._a.yaml`) nor a directory.

    A link that leads nowhere is taken, and refused when it is read: a check that is gone should not go unseen.
    """
    return not file.name.startswith(".") and (file.is_file() or not file.exists())


def read_file(file: Path, deadlines: Mapping[str, int] | None = None) -> Check | WatchList:
    """The check or the watch list in `file`: the id tells which. Raises `FileError`."""
    section = load(file)
    item = section.take("id")
    if str(item.plain()).startswith(WATCH):
        return read_watch(section, item)
    return _check(section, _id(item), deadlines or {})


def _check(section: Section, check_id: str, deadlines: Mapping[str, int]) -> Check:
    kind = section.take("kind").one_of(*kind_names())
    section.only(*HEAD, "within", "severity", *kind_module(kind).SCHEMA, *TEXTS, "alert", "repair", "cases", "mode")
    title = section.take("title").texts()
    within = section.take("within").positive_span()
    severity = section.take("severity").one_of(*SEVERITIES)
    rule: Rule | AreaRule = kind_module(kind).read(section, check_id, deadlines.get(check_id, within))
    texts = {name: section.take(name).filled(rule.placeholders) for name in TEXTS}
    alert, repair = _alerting(section.get("alert")), _repairing(section.get("repair"), rule)
    cases, mode, file = read_cases(section, anomaly), read_mode(section), section.here.file
    more: dict[str, Any] = {**texts, "alert": alert, "repair": repair, "cases": cases, "file": file, "mode": mode}
    return Check(check_id, title, kind, severity, rule, **more)


def _repairing(item: Item | None, rule: Rule | AreaRule) -> Repairing | None:
    """The key `repair`: what may be sent to put it right. Raises `FileError`."""
    if item is None:
        return None
    if isinstance(rule, AreaRule):
        raise item.fail("a cell or region has nothing that a command could put right")
    section, default = item.section(), Repairing("", "", {})
    section.only("system", "command", "arguments", "per_minute", "per_day", "within")
    system, command, arguments = section.take("system").one_of(*WORDS), section.take("command").text(), {}
    known = rule.placeholders | {f"{WANTED}{name}" for name in rule.wanted_names}
    if (given := section.get("arguments")) is not None:
        arguments = {name: value.template(known - {"within"}) for name, value in given.section().items()}
    minute, day, within = (section.get(name) for name in ("per_minute", "per_day", "within"))
    return Repairing(
        system,
        command,
        arguments,
        default.per_minute if minute is None else minute.count(),
        default.per_day if day is None else day.count(),
        default.within if within is None else within.positive_span(),
    )


def _alerting(item: Item | None) -> Alerting:
    """The key `alert`: how technicians are told. Raises `FileError`."""
    if item is None:
        return Alerting()
    section = item.section()
    section.only("by", "at_least", "wait", "guidance")
    by, at_least, wait = (section.get(name) for name in ("by", "at_least", "wait"))
    guidance = section.get("guidance")
    default = Alerting()
    return Alerting(
        by_region=by is None or by.one_of("region", "all") == "region",
        at_least=default.at_least if at_least is None else at_least.count(),
        wait=default.wait if wait is None else wait.span(),
        guidance={} if guidance is None else _of_incidents(guidance),
    )


def _of_incidents(item: Item) -> dict[str, str]:
    """A text for technicians, as it is told: of many customers, there are no values to fill in. Raises `FileError`."""
    texts, section = item.texts(), item.section()
    for language, text in texts.items():
        if "{" in text or "}" in text:
            raise section.take(language).fail(
                "has a brace; nothing is filled in here, since an incident is of many customers"
            )
    return texts


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
