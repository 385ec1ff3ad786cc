"""Kind `match`: each amount has its counterpart, of the same transaction and as much, once (#49).

The exact rules are those of contracts, "match". Sums are kept in ten-thousandths of a yuan, or of whatever unit, and
compared as whole hundredths: systems that charge in thousandths add up first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.states import Held
from agents.verdicts import (
    Change,
    Due,
    Outcome,
    Verdict,
    anomaly_of,
    as_waited,
    changed,
    hundredths,
    muted,
    on_event,
    opened_late,
    start,
)
from agents.waiting import Open, Sums, Wait
from agents.words import occurrence_name
from agents.yaml_reader import Section

REMEMBERED = 24 * 3_600_000
"""Milliseconds, at least, for which a settled transaction is remembered: what comes then once more is too much."""
PARTS = 10_000
"""Of one yuan."""
LARGEST = 10**12
"""Yuan; what is more is no amount."""

NOTHING: Sums = [None, None]


class Match:
    """`when`: what is due; `expect`: what is taken or given for it; `two_sided`: also what is not due is wrong."""

    each = "transaction"
    propagates = False
    reads = ("yupan.state.v1",)

    def __init__(self, check: str, within: int, when: str, expect: str, *, two_sided: bool) -> None:
        self.check = check
        self.within = within
        self.two_sided = two_sided
        self.watches = (when, expect)

    @property
    def placeholders(self) -> frozenset[str]:
        """See `Rule.placeholders`."""
        return frozenset((*self.watches, "transaction", "within"))

    compares: tuple[str, ...] = ()
    wanted_names: frozenset[str] = frozenset()

    def wanted(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """See `Rule.wanted`: nothing beyond the words."""
        return {}

    def words(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """See `Rule.words`."""
        return {**evidence, "transaction": subject}

    def subject(self, name: str) -> str | None:
        """See `Rule.subject`."""
        return "" if name in self.watches else None

    # --- the decisions

    def judge(self, change: Change, wait: Wait | None) -> Outcome:
        """An amount has come; null says as little as never having been seen."""
        value = change.event.record["value"]
        if value is None:
            return Outcome(Verdict.CONSISTENT, wait)
        known = start(change.event, None) if wait is None or _forgotten(wait, change.at) else wait
        if known.get("void") or not _is_amount(value):
            return self._not_applicable(change, known)
        sums = list(known.get("sums", NOTHING))
        side = self.watches.index(change.name)
        sums[side] = (sums[side] or 0) + round(value * PARTS)
        if _is_idle(known):  # it is the first amount of what is amiss now, if anything is
            known = start(change.event, None)
        return self._weigh(change, {**known, "sums": sums})

    def _weigh(self, change: Change, wait: Wait) -> Outcome:
        sums, anomaly = wait["sums"], wait["open"]
        if self._done(sums):
            return self._settle(change, wait)
        if anomaly is not None:
            return self._changed(change, wait, anomaly)
        if _too_much(sums):
            anomaly = anomaly_of(self.check, change, wait, self._evidence(sums), self._cause(sums))
            opened = on_event(change, "OPEN", "too_much", wait, anomaly, anomaly["evidence"])
            return Outcome(Verdict.DIVERGENT, {**wait, "due": None, "open": anomaly}, (opened,))
        due = change.at + self.within
        if wait["due"] is not None:
            due = min(due, wait["due"])  # that of the earliest amount, whichever side's it is
        return Outcome(Verdict.PROPAGATING, {**wait, "due": due})

    def _settle(self, change: Change, wait: Wait) -> Outcome:
        anomaly = wait["open"]
        kept = self._remembered(wait, change.at)
        if anomaly is None:
            return Outcome(Verdict.CONSISTENT, kept)
        ended = on_event(change, "RESOLVED", "amounts_match", wait, anomaly, self._evidence(wait["sums"]))
        return Outcome(Verdict.CONSISTENT, kept, (ended,))

    def _remembered(self, wait: Wait, at: int) -> Wait:
        """Nothing is waited for, and for a while it is known what has come."""
        return {**muted(wait), "until": at + max(REMEMBERED, self.within)}

    def withdrawn(self, wait: Wait, at: int) -> Wait:
        """See `Rule.withdrawn`: another amount begins anew."""
        return self._remembered(wait, at)

    def fall_due(self, due: Due, wait: Wait) -> Outcome:
        """The deadline has passed."""
        sums = wait.get("sums", NOTHING)
        if self._done(sums):
            return Outcome(Verdict.CONSISTENT, self._remembered(wait, due.at))  # since the check's file was changed
        anomaly = anomaly_of(self.check, due, wait, self._evidence(sums), self._cause(sums))
        return opened_late(due, wait, anomaly)

    def verdict(self, subject: str, states: Held, wait: Wait | None) -> Verdict:
        """See `Rule.verdict`."""
        if wait is not None and wait.get("void"):
            return Verdict.NOT_APPLICABLE
        return as_waited(wait, differs=wait is not None and not self._done(wait.get("sums", NOTHING)))

    def evidence(self, subject: str, states: Held, wait: Wait | None) -> dict[str, str]:
        """See `Rule.evidence`."""
        return self._evidence(NOTHING if wait is None else wait.get("sums", NOTHING))

    def _changed(self, change: Change, wait: Wait, anomaly: Open) -> Outcome:
        sums = wait["sums"]
        after: Open = {**anomaly, "evidence": self._evidence(sums), "cause_code": self._cause(sums)}
        return changed(change, "amount_changed", wait, anomaly, after)

    def _not_applicable(self, change: Change, wait: Wait) -> Outcome:
        """What is no amount cannot be weighed, nor can what belongs to it: the transaction is void for a day."""
        kept: Wait = {**self._remembered(wait, change.at), "void": True}
        anomaly = wait["open"]
        if anomaly is None:
            return Outcome(Verdict.NOT_APPLICABLE, kept)
        ended = on_event(change, "WITHDRAWN", "not_applicable", wait, anomaly, anomaly["evidence"])
        return Outcome(Verdict.NOT_APPLICABLE, kept, (ended,))

    # --- weighing

    def _done(self, sums: Sums) -> bool:
        """Whether as much was taken as is due; a one-sided check does not mind what was never due."""
        return _is_settled(sums) or (not self.two_sided and not hundredths(sums[0] or 0))

    def _evidence(self, sums: Sums) -> dict[str, str]:
        return {name: _yuan(amount) for name, amount in zip(self.watches, sums, strict=True)}

    def _cause(self, sums: Sums) -> str:
        """What alerts are grouped by: which side is wrong, and how."""
        due, taken = sums
        if due is None:
            return f"{self.watches[0]}.missing"
        if taken is None:
            return f"{self.watches[1]}.missing"
        return f"{self.watches[1]}.{'too_much' if _more(due, taken) else 'too_little'}"

    def describe(self) -> Mapping[str, object]:
        """See `Rule.describe`."""
        return {"when": self.watches[0], "expect": self.watches[1], "two_sided": self.two_sided}


def _is_settled(sums: Sums) -> bool:
    """Whether as much was taken as is due."""
    return hundredths(sums[0] or 0) == hundredths(sums[1] or 0)


def _too_much(sums: Sums) -> bool:
    """Taken is more than due (given back, than to be given back); what is not due at all may become so in time."""
    due, taken = sums
    return taken is not None and bool(hundredths(due or 0)) and _more(due or 0, taken)


def _more(due: int, taken: int) -> bool:
    return taken > due if hundredths(due) >= 0 else taken < due


def _is_idle(wait: Wait) -> bool:
    """Whether nothing is waited for: nothing is amiss, or a person has withdrawn what was."""
    return wait["due"] is None and wait["open"] is None


def _forgotten(wait: Wait, at: int) -> bool:
    """Whether nothing is waited for, and all that was remembered is too old to count."""
    return _is_idle(wait) and at > wait.get("until", at)


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST


def _yuan(amount: int | None) -> str:
    if amount is None:
        return "never seen"
    text = f"{hundredths(amount) / 100:.2f}"
    return text.rstrip("0").rstrip(".")


# --- the file

SCHEMA = {
    "when": {"type": "string"},
    "expect": {"type": "string"},
    "two_sided": {"type": "boolean"},
}
REQUIRED = ("when", "expect", "two_sided")


def read(section: Section, check: str, within: int) -> Match:
    """The keys of this kind: `when`, `expect`, `two_sided`. Raises `FileError`."""
    when = occurrence_name(section.take("when"))
    item = section.take("expect")
    expect = occurrence_name(item)
    if expect == when:
        raise item.fail(f"{when} cannot be its own counterpart")
    return Match(check, within, when, expect, two_sided=section.take("two_sided").flag())
