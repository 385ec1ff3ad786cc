"""Kind `follow`: when one system takes a value, others must come to hold theirs within a time (#48, #49).

Judged by the states held: what holds already satisfies, and what was satisfied once is done. The exact rules are
those of contracts, "follow".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.evidence import evidence_of, word
from agents.states import NEVER, Held, equal, value_of
from agents.verdicts import (
    QUIET,
    Change,
    Due,
    Outcome,
    Verdict,
    anomaly_of,
    as_waited,
    cause_of,
    changed,
    muted,
    on_event,
    opened_late,
    start,
)
from agents.waiting import Open, Wait
from agents.words import plain_state, value_for
from agents.yaml_reader import Item, Section


class Follow:
    """`when`: the trigger's name and value; `expect`: what must hold then, by name."""

    each = ""
    propagates = True
    reads = ("yupan.state.v1",)

    def __init__(self, check: str, within: int, when: tuple[str, Any], expect: Mapping[str, Any]) -> None:
        self.check = check
        self.within = within
        self.when = when
        self.expect = dict(expect)
        self.watches = (when[0], *self.expect)
        self.compares = tuple(self.expect)

    @property
    def placeholders(self) -> frozenset[str]:
        """See `Rule.placeholders`."""
        return frozenset((*self.watches, "within"))

    def words(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """See `Rule.words`."""
        return dict(evidence)

    @property
    def wanted_names(self) -> frozenset[str]:
        """See `Rule.wanted_names`."""
        return frozenset(self.expect)

    def wanted(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """See `Rule.wanted`."""
        return {name: word(value) for name, value in self.expect.items()}

    def subject(self, name: str) -> str | None:
        """See `Rule.subject`."""
        return "" if name in self.watches else None

    # --- the decisions

    def judge(self, change: Change, wait: Wait | None) -> Outcome:
        """The trigger starts a wait where it comes to hold; from then on all is told by what is held."""
        if wait is None:
            started = change.name == self.when[0] and self._triggered(change.after)
            if not started or self._triggered(change.before) or self._followed(change.after):
                return QUIET[Verdict.CONSISTENT]
            return Outcome(Verdict.PROPAGATING, start(change.event, change.at + self.within))
        if not self._triggered(change.after):
            return self._end(change, wait, "WITHDRAWN", "retracted")
        if self._followed(change.after):
            return self._end(change, wait, "RESOLVED", "followed")
        return self._still(change, wait)

    def fall_due(self, due: Due, wait: Wait) -> Outcome:
        """The deadline has passed."""
        if not self._triggered(due.states):  # it was retracted while the check's file was away
            return QUIET[Verdict.NOT_APPLICABLE]
        if self._followed(due.states):
            return QUIET[Verdict.CONSISTENT]  # the check's file was changed while the wait was running
        evidence = evidence_of(self.watches, due.states)
        anomaly = anomaly_of(self.check, due, wait, evidence, self._cause(due.states))
        return opened_late(due, wait, anomaly)

    def withdrawn(self, wait: Wait, at: int) -> Wait | None:
        """See `Rule.withdrawn`."""
        return muted(wait)

    def verdict(self, subject: str, states: Held, wait: Wait | None) -> Verdict:
        """See `Rule.verdict`."""
        return as_waited(wait, differs=wait is not None and self._triggered(states) and not self._followed(states))

    def evidence(self, subject: str, states: Held, wait: Wait | None) -> dict[str, str]:
        """See `Rule.evidence`."""
        return evidence_of(self.watches, states)

    def _end(self, change: Change, wait: Wait, status: str, reason: str) -> Outcome:
        if wait["open"] is None:
            return QUIET[Verdict.CONSISTENT]
        evidence = evidence_of(self.watches, change.after)
        return Outcome(Verdict.CONSISTENT, None, (on_event(change, status, reason, wait, wait["open"], evidence),))

    def _still(self, change: Change, wait: Wait) -> Outcome:
        anomaly = wait["open"]
        if anomaly is None:
            return Outcome(Verdict.PROPAGATING, wait)
        evidence = evidence_of(self.watches, change.after)
        after: Open = {**anomaly, "evidence": evidence, "cause_code": cause_of(wait, self._cause(change.after))}
        return changed(change, "partner_changed", wait, anomaly, after)

    def _triggered(self, states: Held) -> bool:
        name, value = self.when
        return equal(name, value_of(states, name), value)

    def _holds(self, states: Held, name: str) -> bool:
        return equal(name, value_of(states, name), self.expect[name])

    def _followed(self, states: Held) -> bool:
        return all(self._holds(states, name) for name in self.expect)

    def _cause(self, states: Held) -> str:
        """What alerts are grouped by: the first that does not hold, and how."""
        name = next(name for name in self.expect if not self._holds(states, name))
        return f"{name}.{'missing' if value_of(states, name) is NEVER else 'differs'}"

    def describe(self) -> Mapping[str, object]:
        """See `Rule.describe`."""
        return {"when": {self.when[0]: self.when[1]}, "expect": dict(self.expect)}


# --- the file

SCHEMA = {
    "when": {"$ref": "#/$defs/held", "maxProperties": 1},
    "expect": {"$ref": "#/$defs/held"},
}
REQUIRED = ("when", "expect")


def read(section: Section, check: str, within: int) -> Follow:
    """The keys of this kind: `when`, `expect`. Raises `FileError`."""
    item = section.take("when")
    when = _held(item)
    if len(when) != 1:
        raise item.fail("names one state and its value; several would need an order")
    expect_item = section.take("expect")
    expect = _held(expect_item)
    ((name, value),) = when.items()
    if name in expect:
        raise expect_item.fail(f"{name} is the trigger and cannot follow itself")
    return Follow(check, within, (name, value), expect)


def _held(item: Item) -> dict[str, Any]:
    held = {}
    for _, one in item.section().items():
        name = plain_state(one.key)
        held[name] = value_for(one, name)
    if not held:
        raise item.fail("names no state")
    return held
