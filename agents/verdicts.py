"""What a check says of a customer: its verdict, what it waits for, and what it decides.

A kind (`agents/kinds/`) is a pure function from the states, an event and what the check waits for to an
`Outcome`; the shell turns decisions into anomalies, reminders and deadlines. What several kinds need for that
stands here, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from agents.event import Event
from agents.states import Held
from agents.waiting import Open, Rates, Wait
from schemas.events.anomaly import DID_NOT_HELP
from schemas.events.state import SNAPSHOT


class Verdict(Enum):
    """The three values of a verdict, and that there is none."""

    CONSISTENT = "consistent"
    PROPAGATING = "propagating"
    """The systems differ, inside the deadline."""
    DIVERGENT = "divergent"
    NOT_APPLICABLE = "not_applicable"
    """A value that the check knows nothing about."""


CUTOVER = "cutover"
"""The cause of what a full export has shown."""


class Change(NamedTuple):
    """What has happened to what a rule watches: the states held before and after it."""

    name: str
    """`system.attribute`, or `usage.KIND`."""
    subject: str
    """What `PRODUCT` stands for in the names that a rule watches, or the transaction; empty where it needs neither."""
    before: Held
    after: Held
    event: Event
    msisdn: str

    @property
    def at(self) -> int:
        """When it happened."""
        return self.event.occurred_at


class Due(NamedTuple):
    """The time that a wait was armed for has come: the states held then."""

    subject: str
    """As of a `Change`."""
    at: int
    states: Held
    msisdn: str


CHECK_CHANGED = "check_changed"
"""Why an anomaly is withdrawn whose check is of another kind by now, or reads other systems."""
EVIDENCE_CHANGED = "evidence_changed"
"""It is told otherwise, since its check has changed, or the systems did while its check was away."""
EVIDENCE_ONLY = frozenset({"reference_changed", "partner_changed", "amount_changed", EVIDENCE_CHANGED, *DID_NOT_HELP})
"""Reasons of decisions that leave an anomaly open and change its evidence."""


class Decision(NamedTuple):
    """An anomaly opens, changes its evidence (again OPEN), or ends. A record with its reason."""

    subject: str
    """The product or transaction, if the check is one of each of them."""
    status: str
    """OPEN, RESOLVED or WITHDRAWN as kinds say it; ACKNOWLEDGED by a person's command."""
    at: int
    reason: str
    """Why, in a word of its kind: `deadline_passed`, `agrees_again` …"""
    anomaly: Open
    evidence: dict[str, str]
    """As of now; equal to the anomaly's while it is open."""
    trigger: str
    region: str | None
    cause_id: str
    """`ce_source|ce_id` of what caused this decision (an id is its source's own); a deadline: its trigger, and when."""
    traceparent: str | None
    """Of what caused this decision."""
    arrived: int = 0
    """When the broker got what caused this decision (of a deadline its trigger); 0: it was no event."""

    @property
    def changes_status(self) -> bool:
        """Whether the anomaly's status changes, rather than what it is known by."""
        return self.reason not in EVIDENCE_ONLY


class Outcome(NamedTuple):
    """What follows: the wait to keep (None: nothing to wait for) and what is decided, in this order."""

    verdict: Verdict
    wait: Wait | None = None
    decisions: tuple[Decision, ...] = ()


QUIET = {verdict: Outcome(verdict) for verdict in Verdict}
"""Outcomes of which nothing follows."""


class AreaChange(NamedTuple):
    """What follows for a cell or region: the counts to keep, when to ask again, what is decided."""

    rates: Rates
    due: int | None
    decisions: tuple[Decision, ...] = ()


@runtime_checkable
class AreaRule(Protocol):
    """The rule of one check about each cell or region, as its kind has read it."""

    per: str
    """The field of a usage record that names the area: `cell` or `region`."""
    usage: str
    """The kind of usage that is counted."""
    within: int
    """The length of a window in milliseconds."""
    slide: int
    """By how much windows slide: the length of a pane in milliseconds."""

    @property
    def placeholders(self) -> frozenset[str]:
        """See `Rule`."""

    def words(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """See `Rule`."""

    def counts(self, record: Mapping[str, Any]) -> bool:
        """Whether a usage record counts for or against its area."""

    def pane(self, at: int) -> int:
        """The start of the pane that `at` lies in."""

    def add(self, rates: Rates | None, pane: int, succeeded: int, failed: int) -> AreaChange | None:
        """Counts have come; None: too late for every window to come."""

    def due(self, rates: Rates) -> int | None:
        """As of when the next window that holds anything is judged: `slide` after its end."""

    def fall_due(self, area: str, region: str | None, rates: Rates, at: int) -> AreaChange:
        """Judge the window that is due at `at`."""

    def describe(self) -> Mapping[str, object]:
        """See `Rule`."""


class Rule(Protocol):
    """The rule of one check about each customer, as its kind has read it."""

    each: str
    """The field of a record that parts what is waited for, such as `transaction`; empty: none."""
    watches: tuple[str, ...]
    """`system.attribute`, the attribute ending in `.PRODUCT` where the rule holds for each product; `usage.KIND`."""
    compares: tuple[str, ...]
    """Those of them that it compares as states: not what only triggers it, nor what counts each time."""
    reads: tuple[str, ...]
    """The topics that may settle it."""
    within: int
    """The deadline in milliseconds."""
    propagates: bool
    """Whether it waits until other systems hold what the first one does: how long that takes can be learned."""

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that the check's texts may use in braces."""

    def words(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """What these names stand for in a decision with this evidence, `within` apart."""

    def subject(self, name: str) -> str | None:
        """What `PRODUCT` is in `name`, empty for a plain name, None when the rule does not watch it."""

    def judge(self, change: Change, wait: Wait | None) -> Outcome:
        """Something that is watched has changed."""

    def fall_due(self, due: Due, wait: Wait) -> Outcome:
        """The time of `wait` has come."""

    def withdrawn(self, wait: Wait, at: int) -> Wait | None:
        """What is kept of `wait` when a person has withdrawn its anomaly as of `at`: it opens no more by itself."""

    def verdict(self, subject: str, states: Held, wait: Wait | None) -> Verdict:
        """What it says at present, of what is held and waited for."""

    def evidence(self, subject: str, states: Held, wait: Wait | None) -> dict[str, str]:
        """What it is told by at present, in words."""

    @property
    def wanted_names(self) -> frozenset[str]:
        """The names of what should be held, which a repair's arguments may use besides."""

    def wanted(self, subject: str, evidence: Mapping[str, str]) -> dict[str, str]:
        """What should be held of them instead of this evidence, as far as that can be told."""

    def describe(self) -> Mapping[str, object]:
        """The rule as plain data, as a file says it, for `checks show`."""


# --- for the kinds


def start(event: Event, due: int | None) -> Wait:
    """A wait that `event` begins."""
    wait: Wait = {
        "since": event.occurred_at,
        "due": due,
        "trigger": event.id,
        "source": event.source,
        "region": event.record.get("region"),
        "traceparent": event.traceparent,
        "arrived": event.arrived_at,
        "open": None,
    }
    return {**wait, "snapshot": True} if event.record.get("reason") == SNAPSHOT else wait


def begun_anew(wait: Wait, event: Event) -> Wait:
    """`wait` of an open anomaly, which stays the same one, though what is amiss from now on began with `event`."""
    if event.record.get("reason") == SNAPSHOT:
        return wait  # that tells nothing of when it began
    kept: Wait = {**wait, "since": event.occurred_at}
    kept.pop("snapshot", None)
    return kept


def cause_of(wait: Wait, cause_code: str) -> str:
    """What alerts are grouped by: what a full export has shown comes from works that told nobody, not from a fault."""
    return CUTOVER if wait.get("snapshot") else cause_code


def on_event(change: Change, status: str, reason: str, wait: Wait, anomaly: Open, evidence: dict[str, str]) -> Decision:
    """A decision that an event brought about, as of its own time."""
    event = change.event
    cause_id = f"{event.source}|{event.id}"
    cause = wait["trigger"], wait["region"], cause_id, event.traceparent, event.arrived_at
    return Decision(change.subject, status, event.occurred_at, reason, anomaly, evidence, *cause)


def on_deadline(due: Due, status: str, reason: str, wait: Wait, anomaly: Open) -> Decision:
    """A decision that the passing of time brought about, as of the due time."""
    cause_id = f"{wait['source']}|{wait['trigger']}|{due.at}"
    cause = wait["trigger"], wait["region"], cause_id, wait.get("traceparent"), wait.get("arrived", 0)
    return Decision(due.subject, status, due.at, reason, anomaly, anomaly["evidence"], *cause)


def anomaly_of(
    check: str, what: Change | Due, wait: Wait, evidence: dict[str, str], cause_code: str, opened_at: int | None = None
) -> Open:
    """The anomaly that `wait` ends in at `what`. The same cause is the same anomaly, also when it is replayed."""
    cause = "\x00".join((check, what.subject, wait["source"], wait["trigger"], what.msisdn))
    anomaly_id = hashlib.sha256(cause.encode()).hexdigest()[:32]
    at = what.at if opened_at is None else opened_at
    return {"id": anomaly_id, "opened_at": at, "evidence": evidence, "cause_code": cause_of(wait, cause_code)}


def hundredths(amount: int) -> int:
    """Ten-thousandths as whole hundredths, halves away from zero."""
    whole = (abs(amount) + 50) // 100
    return whole if amount >= 0 else -whole


def as_waited(wait: Wait | None, *, differs: bool) -> Verdict:
    """The verdict at present where something differs, or nothing does: as long as a deadline runs, it may settle."""
    if wait is not None and wait["open"] is not None:
        return Verdict.DIVERGENT
    if not differs:
        return Verdict.CONSISTENT
    running = wait is not None and wait["due"] is not None
    return Verdict.PROPAGATING if running else Verdict.DIVERGENT  # a person has withdrawn it


def muted(wait: Wait) -> Wait:
    """Nothing is open, and nothing opens before something new is told."""
    return {**wait, "open": None, "due": None}


def opened_late(due: Due, wait: Wait, anomaly: Open) -> Outcome:
    """The deadline has passed, and it is not as it should be."""
    opened = on_deadline(due, "OPEN", "deadline_passed", wait, anomaly)
    return Outcome(Verdict.DIVERGENT, {**wait, "due": None, "open": anomaly}, (opened,))


def changed(change: Change, reason: str, wait: Wait, before: Open, after: Open) -> Outcome:
    """An open anomaly stays the same one; what may have changed is its evidence. What a repair said stays."""
    if "repair" in before["evidence"]:
        after = {**after, "evidence": {**after["evidence"], "repair": before["evidence"]["repair"]}}
    if after["evidence"] == before["evidence"]:
        return Outcome(Verdict.DIVERGENT, wait)
    decision = on_event(change, "OPEN", reason, wait, after, after["evidence"])
    return Outcome(Verdict.DIVERGENT, {**wait, "open": after}, (decision,))


def since_of(anomaly: Open) -> int:
    """When it has opened, the last time."""
    return anomaly.get("since", anomaly["opened_at"])
