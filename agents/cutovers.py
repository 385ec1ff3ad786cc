"""Works on systems at work (#31): every partition learns of them, and one report closes each.

Ledger record `~closing/ID`, on the partition of the works' id: `Closing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from agents.conclude import CUTOVERS, INCIDENT, Conclusions
from agents.cutover import KEPT, with_cutover
from agents.event import Event
from agents.incident import shown
from agents.ports import Batch, Fired
from agents.shell import Shell

CUTOVER = "yupan.cutover.v1"
INTERNAL_CUTOVER = "yupan.internal.cutover.v1"
ALERT = "yupan.alert.v1"
CHECK = "cutover"
"""Instead of a check's id in the report."""
DEADLINE = "closing"
SETTLES = 10_000
"""Milliseconds after the last deadline of a window's drift before the report."""
LONGEST = 3_600_000
"""Milliseconds after the end of the works for which the report waits at most."""


class Closing(TypedDict):
    """What becomes of the drift that began in the window of some works. Times are milliseconds."""

    v: int
    title: dict[str, str]
    regions: list[str]
    told_at: int
    """When what is known of them was told."""
    starts_at: int
    due: int | None
    """When to report; None: it was reported."""
    checks: dict[str, list[int]]
    """Of each check how many opened, and how many of them are open."""
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
        if known is not None and known["told_at"] >= record["occurred_at"]:
            return  # something newer is known
        if record["ends_at"] + KEPT < batch.now():
            return  # they are long over, and perhaps forgotten
        if record["action"] == "CANCELLED" and known is not None and known["due"] is None:
            return  # it is closed
        if record["action"] == "CANCELLED":
            due = max(batch.now(), event.occurred_at)
        else:
            due = record["ends_at"] + self._grace(record["systems"]) + SETTLES
        closing: Closing = {
            "v": 1,
            "title": dict(record["title"]),
            "regions": list(record["regions"]),
            "told_at": record["occurred_at"],
            "starts_at": record["starts_at"],
            "due": due,
            "checks": {} if known is None else known["checks"],
            "examples": [] if known is None else known["examples"],
        }
        batch.put(key, closing)
        batch.arm(key, DEADLINE, due, (INCIDENT,))

    def collected(self, batch: Batch, event: Event) -> None:
        """An anomaly whose drift began in the window has opened, or has ended."""
        record, key = event.record, _key(event.record["cutover"])
        known: Closing | None = batch.get(key)
        if known is None or record["change"] == "GRAVER":
            return
        joins = record["change"] == "JOINS"
        opened, still = known["checks"].get(record["check"], [0, 0])
        counts = [opened + joins, max(0, still + (1 if joins else -1))]
        closing: Closing = {
            **known,
            "checks": {**known["checks"], record["check"]: counts},
            "examples": shown(known["examples"], record["example"]) if joins else known["examples"],
        }
        batch.put(key, closing)
        if known["due"] is None and _is_open(known) != _is_open(closing):  # after the report: over, or not so after all
            self._report(batch, record["cutover"], closing, record["occurred_at"], event.traceparent)

    def fired(self, batch: Batch, fired: Fired) -> None:
        """The works are over, and what they began has opened; or that is so long ago that nothing late joins it."""
        key = fired.customer
        known: Closing | None = batch.get(key)
        if known is None:
            return
        if known["due"] is None and not _is_open(known):
            batch.delete(key)
            return
        batch.arm(key, DEADLINE, fired.due_at + KEPT, (INCIDENT,))
        if known["due"] == fired.due_at:
            closing: Closing = {**known, "due": None}
            batch.put(key, closing)
            self._report(batch, key.removeprefix(_key("")), closing, fired.due_at, None)

    def _grace(self, systems: list[str]) -> int:
        """The longest deadline of the checks that read one of these systems."""
        rules = self.conclusions.checks.rules.values()
        reads = (rule for rule in rules if {name.partition(".")[0] for name in rule.watches} & set(systems))
        return min(max((rule.within for rule in reads), default=0), LONGEST)

    def _report(self, batch: Batch, cutover_id: str, closing: Closing, at: int, traceparent: str | None) -> None:
        opened, still = (sum(counts[n] for counts in closing["checks"].values()) for n in (0, 1))
        status = "FIRING" if still else "RESOLVED"
        regions = closing["regions"]
        alert = {
            "incident_id": f"cutover-{cutover_id}",
            "check": CHECK,
            "cause_code": cutover_id,
            "severity": "MAJOR" if still else "WARNING",
            "status": status,
            "count": opened,
            "examples": closing["examples"],
            "cell": None,
            "region": regions[0] if len(regions) == 1 else None,
            "summary": self._summary(self.language, cutover_id, closing, opened, still),
            "guidance": {language: self._by_check(language, closing) for language in _WORDS},
            "first_at": closing["starts_at"],
            "occurred_at": at,
        }
        event_id = f"cutover-{cutover_id}|{status}|{opened}|{still}|{at}"
        self.shell.emit(batch, ALERT, alert, event_id, traceparent=traceparent)
        self.shell.counts.count("yupan_alerts", check=CHECK, status=status)

    def _summary(self, language: str, cutover_id: str, closing: Closing, opened: int, still: int) -> str:
        title = closing["title"].get(language) or next(iter(closing["title"].values()), cutover_id)
        return _WORDS[language]["report"].format(title=title, opened=opened, healed=opened - still, still=still)

    def _by_check(self, language: str, closing: Closing) -> str:
        """What each check found: new, and left."""
        words, known = _WORDS[language], self.conclusions.checks.by_id
        said = [
            words["check"].format(
                title=known[name].title[language] if name in known else name, opened=opened, still=still
            )
            for name, (opened, still) in sorted(closing["checks"].items())
        ]
        return words["between"].join(said) or words["nothing"]


_WORDS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "report": "{title}收尾报告：新增差异 {opened} 项，已恢复 {healed} 项，未恢复 {still} 项",
        "check": "{title}新增 {opened}，未恢复 {still}",
        "between": "；",
        "nothing": "窗口内未发现差异",
    },
    "en": {
        "report": "{title}, closing report: {opened} new differences, {healed} healed, {still} left",
        "check": "{title}: {opened} new, {still} left",
        "between": "; ",
        "nothing": "no difference began in its window",
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
        windows = with_cutover(known["windows"], event.record, batch.now())
        if windows is not known["windows"]:
            batch.put(CUTOVERS, {"v": 1, "windows": windows})


def _is_open(closing: Closing) -> bool:
    return any(still for _, still in closing["checks"].values())


def _key(cutover_id: str) -> str:
    return f"~closing/{cutover_id}"
