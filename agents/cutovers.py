"""Works on systems at work (#31): every partition learns of them, and one report closes each.

Ledger record `~closing/ID`, on the partition of the works' id: `Closing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NotRequired

from agents.conclude import CUTOVERS, Conclusions
from agents.cutover import KEPT, Told, causes_with, with_cutover
from agents.event import Event
from agents.incident import AGAIN, shown
from agents.joining import INCIDENT
from agents.ports import Batch, Fired
from agents.shell import Shell
from agents.states import short_name

CUTOVER = "yupan.cutover.v1"
INTERNAL_CUTOVER = "yupan.internal.cutover.v1"
ALERT = "yupan.alert.v1"
CHECK = "cutover"
"""Instead of a check's id in the report."""
DEADLINE = "closing"
SETTLES = 10_000
"""Milliseconds after the last deadline of a window's drift before the report, and after what is news later."""
LONGEST = 3_600_000
"""Milliseconds after the end of the works for which the report waits at most."""


class Sums(NamedTuple):
    """Of all checks together."""

    opened: int
    still: int
    """How many of them are open."""
    older: int = 0
    """What the works healed."""

    def is_news_after(self, told: Sums) -> bool:
        """Whether a report that told `told` is to be told anew: over, or not so after all, or twice as many."""
        is_open = self.still > 0
        return is_open != (told.still > 0) or (is_open and self.opened >= 2 * told.opened)


class Closing(Told):
    """What becomes of the drift that began in the window of some works. Times are milliseconds."""

    v: int
    title: dict[str, str]
    regions: list[str]
    starts_at: int
    ends_at: NotRequired[int]
    """Left out by older records."""
    due: int | None
    """When to report; None: it was reported, and nothing new is to be told."""
    checks: dict[str, list[int]]
    """Of each check how many opened, one that opens again counting once, and how many of them are open."""
    older: NotRequired[dict[str, int]]
    """Of each check how many from before the works were resolved in their window."""
    told: NotRequired[list[int]]
    """How many had opened, and were open, when it was reported last; left out when the works go on."""
    reported_at: NotRequired[int]
    """When that was."""
    examples: list[str]


class Closings:
    """Collects and reports. `language`: of the report's summary."""

    def __init__(self, shell: Shell, conclusions: Conclusions, language: str) -> None:
        self.shell = shell
        self.conclusions = conclusions
        self.language = language

    def told(self, batch: Batch, event: Event) -> None:
        """Works were planned, changed or cancelled."""
        record, key = event.record, _key(event.record["cutover_id"])
        known: Closing | None = batch.get(key)
        causes = causes_with(known, record["occurred_at"], short_name(event))
        if causes is None:
            return  # something newer is known, or this very record
        if record["ends_at"] + KEPT < batch.now():
            return  # they are long over, and perhaps forgotten
        due = self._due(batch, event, known)
        before: Closing | dict[str, Any] = known or {"checks": {}, "examples": []}
        closing: Any = {
            **before,
            "v": 1,
            "title": dict(record["title"]),
            "regions": list(record["regions"]),
            "told_at": record["occurred_at"],
            "causes": causes,
            "starts_at": record["starts_at"],
            "ends_at": record["ends_at"],
            "due": before["due"] if due is None else due,
        }
        if due is not None:
            closing.pop("told", None)
            batch.arm(key, DEADLINE, due, (INCIDENT,))
        batch.put(key, closing)

    def _due(self, batch: Batch, event: Event, known: Closing | None) -> int | None:
        """When to report of works that are told of; None: they are closed, and do not go on.

        Never as of a time that was reported already: it would be another report of the same id.
        """
        record, is_closed = event.record, known is not None and (known["due"] is None or "told" in known)
        if record["action"] == "CANCELLED":
            return None if is_closed else max(batch.now(), event.occurred_at)
        due: int = record["ends_at"] + self._grace(record["systems"]) + SETTLES
        if known is None or due > known.get("reported_at", 0):
            return due
        return None if is_closed else batch.now()  # they were to go on, and do not after all

    def collected(self, batch: Batch, event: Event) -> None:
        """An anomaly whose drift began in the window has opened, or has ended; or an older one has ended in it."""
        record, key = event.record, _key(event.record["cutover"])
        known: Closing | None = batch.get(key)
        if known is None:
            return
        closing = with_change(known, record)
        if known["due"] is None:
            told = known.get("told", [*_sums(known)[:2]])
            closing = {**closing, "told": told}
            if _sums(closing).is_news_after(Sums(*told)):
                due = record["occurred_at"] + SETTLES
                closing["due"] = due
                batch.arm(key, DEADLINE, due, (INCIDENT,))
        batch.put(key, closing)

    def fired(self, batch: Batch, fired: Fired) -> None:
        """There is something to report: at the end, of what came late, once a day while something is left.

        Or it is so long ago that nothing late joins it.
        """
        key = fired.customer
        known: Closing | None = batch.get(key)
        if known is None:
            return
        sums, told = _sums(known), known.get("told")
        if known["due"] is None and not sums.still:
            batch.delete(key)
            return
        closing: Closing = {**known, "due": None}
        if known["due"] is None or told is None or sums.is_news_after(Sums(*told)):
            closing["told"] = [sums.opened, sums.still]
            closing["reported_at"] = max(fired.due_at, known.get("reported_at", 0))
            self._report(batch, key.removeprefix(_key("")), closing, fired.due_at)
        batch.put(key, closing)
        # kept for as long as `told` takes records of them: a repeat of what planned them would begin anew
        last = max(fired.due_at, known.get("ends_at", 0))
        batch.arm(key, DEADLINE, fired.due_at + AGAIN if sums.still else last + KEPT, (INCIDENT,))

    def _grace(self, systems: list[str]) -> int:
        """The longest deadline of the checks that read one of these systems."""
        rules = self.conclusions.checks.rules.values()
        reads = (rule for rule in rules if {name.partition(".")[0] for name in rule.watches} & set(systems))
        return min(max((rule.within for rule in reads), default=0), LONGEST)

    def _report(self, batch: Batch, cutover_id: str, closing: Closing, at: int) -> None:
        sums, regions = _sums(closing), closing["regions"]
        status = "FIRING" if sums.still else "RESOLVED"
        alert = {
            "incident_id": f"cutover-{cutover_id}",
            "check": CHECK,
            "cause_code": cutover_id,
            "severity": "MAJOR" if sums.still else "WARNING",
            "status": status,
            "count": sums.opened,
            "examples": closing["examples"],
            "cell": None,
            "region": regions[0] if len(regions) == 1 else None,
            "summary": self._summary(self.language, cutover_id, closing),
            "guidance": {language: self._by_check(language, closing) for language in _WORDS},
            "first_at": closing["starts_at"],
            "occurred_at": at,
        }
        event_id = f"cutover-{cutover_id}|{status}|{sums.opened}|{sums.still}|{at}"
        self.shell.emit(batch, ALERT, alert, event_id)
        self.shell.counts.count("yupan_alerts", check=CHECK, status=status)

    def _summary(self, language: str, cutover_id: str, closing: Closing) -> str:
        title = closing["title"].get(language) or next(iter(closing["title"].values()), cutover_id)
        return _WORDS[language]["report"].format(title=title, **_said(_sums(closing)))

    def _by_check(self, language: str, closing: Closing) -> str:
        """What each check found: new, and left; and what was healed."""
        words, known = _WORDS[language], self.conclusions.checks.by_id
        said = [
            words["check"].format(title=known[name].title[language] if name in known else name, **_said(sums))
            for name, sums in sorted(_by_check(closing).items())
        ]
        return words["between"].join(said) or words["nothing"]


_WORDS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "report": "{title}收尾报告：新增差异 {opened} 项，已恢复 {healed} 项，未恢复 {still} 项；"
        "原有差异恢复 {older} 项",
        "check": "{title}新增 {opened}，未恢复 {still}，原有恢复 {older}",
        "between": "；",
        "nothing": "窗口内未发现差异，也无原有差异恢复",
    },
    "en": {
        "report": "{title}, closing report: {opened} new differences, {healed} healed, {still} left; "
        "{older} older ones healed",
        "check": "{title}: {opened} new, {still} left, {older} older healed",
        "between": "; ",
        "nothing": "no difference began in its window, and no older one was healed",
    },
}


class Cutovers:
    """Decides the batches of `yupan.cutover.v1`, and its copies."""

    topics = (CUTOVER, INTERNAL_CUTOVER)

    def __init__(self, shell: Shell, closings: Closings) -> None:
        self.shell = shell
        self.closings = closings

    def process(self, batch: Batch) -> None:
        """Note all works of a batch."""
        self.shell.run(batch, self._decide)

    def _decide(self, batch: Batch, event: Event) -> None:
        if event.topic == CUTOVER:
            cause = f"{event.source}|{event.id}"
            self.shell.fan_out(batch, INTERNAL_CUTOVER, event.record, cause, traceparent=event.traceparent)
            self.closings.told(batch, event)
            return
        known: Mapping[str, Any] = batch.get(CUTOVERS) or {"windows": {}}
        windows, dropped = with_cutover(known["windows"], event.record, short_name(event), batch.now())
        if windows is not known["windows"]:
            batch.put(CUTOVERS, {"v": 1, "windows": windows})
        if dropped:
            self.shell.counts.count("yupan_works_dropped", dropped)


def with_change(closing: Closing, record: Mapping[str, Any]) -> Closing:
    """`closing` with a record of `yupan.internal.incident.v1`."""
    check, change = record["check"], record["change"]
    if change == "HEALED":
        older = closing.get("older", {})
        return {**closing, "older": {**older, check: older.get(check, 0) + 1}}
    if change == "GRAVER":
        return closing
    joins = change == "JOINS"
    opened, still = closing["checks"].get(check, [0, 0])
    still = max(0, still + (1 if joins else -1))
    opened = max(opened + (joins and not record["again"]) - bool(record["moves"]), still)
    examples = shown(closing["examples"], record["example"]) if joins else closing["examples"]
    return {**closing, "checks": {**closing["checks"], check: [opened, still]}, "examples": examples}


def _by_check(closing: Closing) -> dict[str, Sums]:
    found = {name: Sums(opened, still) for name, (opened, still) in closing["checks"].items()}
    for name, older in closing.get("older", {}).items():
        found[name] = found.get(name, Sums(0, 0))._replace(older=older)
    return found


def _sums(closing: Closing) -> Sums:
    found = _by_check(closing).values()
    return Sums(sum(s.opened for s in found), sum(s.still for s in found), sum(s.older for s in found))


def _said(sums: Sums) -> dict[str, int]:
    return {**sums._asdict(), "healed": sums.opened - sums.still}


def _key(cutover_id: str) -> str:
    return f"~closing/{cutover_id}"
