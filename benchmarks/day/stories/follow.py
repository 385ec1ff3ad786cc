"""Stories of `follow`: a number is ordered, and customer care and billing open it: or nearly, or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.day.plan import MINUTE, Drift, Person, Plan

SECOND = 1_000
WITHIN = 10 * MINUTE
CHECK = "opening"
BEFORE = 11 * MINUTE
"""So long before an order is completed its story may begin."""


@dataclass
class Opening:
    """One order that is completed `at`."""

    plan: Plan
    person: Person
    at: int

    @property
    def due(self) -> int:
        return self.at + WITHIN

    def order(self, at: int, value: str, **how: Any) -> str:
        return self.plan.state(at, self.person, "order.opening", value, **how)

    def complete(self, **how: Any) -> str:
        self.order(self.at - 30 * SECOND, "accepted")
        return self.order(self.at, "completed", **how)

    def number(self, at: int, **how: Any) -> None:
        """Customer care has the number, and soon the network, too."""
        self.plan.state(at, self.person, "crm.status", "active", **how)
        self.plan.state(at + 20 * SECOND, self.person, "hlr.status", "active")

    def account(self, at: int, value: str = "open", **how: Any) -> None:
        self.plan.state(at, self.person, "ocs.account", value, **how)

    def soon(self) -> int:
        return self.at + self.plan.rng.randrange(SECOND, 2 * MINUTE)

    def later(self, at: int) -> int:
        return at + self.plan.rng.randrange(20 * SECOND, 90 * MINUTE)

    def drift(self, trigger: str, ended: int | None, cause: str, status: str = "RESOLVED") -> None:
        status = "" if ended is None else status
        self.plan.drift(Drift(CHECK, self.person.msisdn, trigger, self.due, ended, status, self.person.region, cause))


def in_time(o: Opening) -> None:
    o.complete()
    o.number(o.soon())
    o.account(o.soon())


# --- near misses


def at_the_deadline(o: Opening) -> None:
    o.complete()
    o.number(o.soon())
    o.account(o.due, first=True)


def both_at_the_deadline(o: Opening) -> None:
    o.complete()
    o.number(o.due, first=True)
    o.account(o.due, first=True)


def opened_before(o: Opening) -> None:
    """What holds already is satisfied."""
    o.number(o.at - 10 * MINUTE)
    o.account(o.at - 9 * MINUTE)
    o.complete()


def cancelled(o: Opening) -> None:
    o.complete()
    o.order(o.due, "cancelled", first=True)


def never_completed(o: Opening) -> None:
    o.order(o.at, "accepted")


def repeated(o: Opening) -> None:
    """A repeat grants no new time, and takes none."""
    o.complete(again=5 * MINUTE)
    o.order(o.at + 6 * MINUTE, "completed")
    o.number(o.soon())
    o.account(o.due, first=True, again=MINUTE)


def out_of_order(o: Opening) -> None:
    o.complete(late=20 * SECOND)
    o.number(o.at + 3 * SECOND)
    o.account(o.at + 4 * SECOND)


def frozen_afterwards(o: Opening) -> None:
    """Satisfied once is done."""
    in_time(o)
    o.account(o.at + 5 * MINUTE, "frozen")


# --- drifts


def no_account(o: Opening) -> None:
    o.drift(o.complete(), None, "ocs.account.missing")
    o.number(o.soon())


def no_number(o: Opening) -> None:
    ended = o.later(o.due)
    o.drift(o.complete(), ended, "crm.status.missing")
    o.account(o.soon())
    o.number(ended)


def frozen(o: Opening) -> None:
    ended = o.later(o.due)
    o.drift(o.complete(), ended, "ocs.account.differs")
    o.number(o.soon())
    o.account(o.soon(), "frozen")
    o.account(ended)


def just_late(o: Opening) -> None:
    o.drift(o.complete(), o.due + 1, "ocs.account.missing")
    o.number(o.soon())
    o.account(o.due + 1)


def cancelled_late(o: Opening) -> None:
    ended = o.later(o.due)
    o.drift(o.complete(), ended, "ocs.account.missing", "WITHDRAWN")
    o.number(o.soon())
    o.order(ended, "cancelled")


Story = Callable[[Opening], None]
NEAR: Sequence[Story] = (
    at_the_deadline,
    both_at_the_deadline,
    opened_before,
    cancelled,
    never_completed,
    repeated,
    out_of_order,
    frozen_afterwards,
)
DRIFTS: Sequence[Story] = (no_account, no_number, frozen, just_late, cancelled_late)
