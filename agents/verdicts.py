"""What a check says of a customer: its verdict, what it waits for, and what it decides.

A kind (`agents/kinds/`) is a pure function from the states, an event and what the check waits for to an
`Outcome`; the shell turns decisions into anomalies, reminders and deadlines.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple, NotRequired, Protocol, TypedDict

from agents.event import Event
from agents.states import Held


class Verdict(Enum):
    """The three values of a verdict, and that there is none."""

    CONSISTENT = "consistent"
    PROPAGATING = "propagating"
    """The systems differ, inside the deadline."""
    DIVERGENT = "divergent"
    NOT_APPLICABLE = "not_applicable"
    """A value that the check knows nothing about."""


class Open(TypedDict):
    """An anomaly that is open."""

    id: str
    opened_at: int
    evidence: dict[str, str]
    """As last announced while divergent: what the texts speak of."""
    cause_code: str


class Wait(TypedDict):
    """What a check holds of a customer while the systems differ. Times in milliseconds."""

    since: int
    due: int
    trigger: str
    """`ce_id` of the event that started the wait."""
    source: str
    region: str | None
    traceparent: NotRequired[str | None]
    """The trigger's, for what its deadline decides."""
    open: Open | None
    """None while inside the deadline."""


class Change(NamedTuple):
    """A state that was taken: the states before and after it."""

    name: str
    """`system.attribute`."""
    subject: str
    """What `PRODUCT` stands for in the names that a check watches; empty where it watches plain names."""
    before: Held
    after: Held
    event: Event
    msisdn: str


EVIDENCE_ONLY = frozenset({"reference_changed", "partner_changed"})
"""Reasons of decisions that leave an anomaly open and change its evidence."""


class Decision(NamedTuple):
    """An anomaly opens, changes its evidence (again OPEN), or ends. A record with its reason."""

    subject: str
    """The product, if the check is one of each product."""
    status: str
    """OPEN, RESOLVED or WITHDRAWN."""
    at: int
    reason: str
    """`deadline_passed`, `reference_changed`, `partner_changed`, `agrees_again`, `not_applicable`."""
    anomaly: Open
    evidence: dict[str, str]
    """As of now; equal to the anomaly's while it is open."""
    trigger: str
    region: str | None
    cause_id: str
    """`ce_source|ce_id` of what caused this decision (an id is its source's own); a deadline's is its trigger's."""
    traceparent: str | None
    """Of what caused this decision."""

    @property
    def changes_status(self) -> bool:
        """Whether the anomaly's status changes, rather than what it is known by."""
        return self.reason not in EVIDENCE_ONLY


class Outcome(NamedTuple):
    """What follows: the wait to keep (None: nothing to wait for) and what is decided, in this order."""

    verdict: Verdict
    wait: Wait | None = None
    decisions: tuple[Decision, ...] = ()


class Rule(Protocol):
    """The rule of one check, as its kind has read it."""

    watches: tuple[str, ...]
    """`system.attribute`, the attribute ending in `.PRODUCT` where the rule holds for each product."""
    reads: tuple[str, ...]
    """The topics that may settle it."""
    within: int
    """The deadline in milliseconds."""

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that the check's texts may use in braces."""

    def subject(self, name: str) -> str | None:
        """What `PRODUCT` is in `name`, empty for a plain name, None when the rule does not watch it."""

    def judge(self, change: Change, wait: Wait | None) -> Outcome:
        """A watched state has changed."""

    def fall_due(self, msisdn: str, subject: str, states: Held, wait: Wait) -> Outcome:
        """The deadline of `wait` has passed."""

    def describe(self) -> Mapping[str, object]:
        """The rule as plain data, for `checks show`."""
