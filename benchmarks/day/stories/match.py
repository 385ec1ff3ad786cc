"""Stories of `match`: an amount is due, and as much is taken or given for it, once: or nearly, or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.day.plan import MINUTE, Drift, Person, Plan

SECOND = 1_000


@dataclass
class Deal:
    """One transaction."""

    plan: Plan
    person: Person
    at: int
    check: str
    owed: str
    """`system.attribute` of what is due."""
    paid: str
    within: int
    two_sided: bool
    amount: float
    transaction: str = field(init=False)

    def __post_init__(self) -> None:
        self.transaction = f"T{self.plan.number()}"

    @property
    def due(self) -> int:
        return self.at + self.within

    def owe(self, at: int, amount: float, **how: Any) -> str:
        return self.plan.state(at, self.person, self.owed, amount, **{"transaction": self.transaction, **how})

    def pay(self, at: int, amount: float, **how: Any) -> str:
        return self.plan.state(at, self.person, self.paid, amount, **{"transaction": self.transaction, **how})

    def soon(self) -> int:
        return self.at + self.plan.rng.randrange(SECOND, 2 * MINUTE)

    def later(self, at: int) -> int:
        return at + self.plan.rng.randrange(20 * SECOND, 90 * MINUTE)

    def drift(self, trigger: str, at: int, ended: int | None, cause: str) -> None:
        status = "" if ended is None else "RESOLVED"
        self.plan.drift(Drift(self.check, self.person.msisdn, trigger, at, ended, status, self.person.region, cause))


def in_time(d: Deal) -> None:
    d.owe(d.at, d.amount)
    d.pay(d.soon(), d.amount)


# --- near misses


def at_the_deadline(d: Deal) -> None:
    d.owe(d.at, d.amount)
    d.pay(d.due, d.amount, first=True)


def in_parts(d: Deal) -> None:
    d.owe(d.at, d.amount)
    d.pay(d.soon(), round(d.amount / 4, 2))
    d.pay(d.due, round(d.amount - round(d.amount / 4, 2), 2), first=True)


def taken_first(d: Deal) -> None:
    """The bill comes at the deadline of what was taken."""
    d.pay(d.at, d.amount)
    d.owe(d.due, d.amount, first=True)


def reversed_in_time(d: Deal) -> None:
    """Taken, and given back: the bill is taken back at the deadline of that."""
    d.owe(d.at, d.amount)
    d.pay(d.at + 10 * SECOND, d.amount)
    d.pay(d.at + MINUTE, -d.amount)
    d.owe(d.at + MINUTE + d.within, -d.amount, first=True)


def repeated(d: Deal) -> None:
    """Both sides come again under their ids: each counts once."""
    d.owe(d.at, d.amount, again=5 * MINUTE)
    d.pay(d.soon(), d.amount, again=3 * MINUTE)


def in_thousandths(d: Deal) -> None:
    """What is charged in thousandths adds up to whole fen."""
    third = round(d.amount / 3, 4)
    d.owe(d.at, d.amount)
    for part in (third, third, round(d.amount - 2 * third + 0.0004, 4)):
        d.pay(d.soon(), part)


def out_of_order(d: Deal) -> None:
    d.owe(d.at, d.amount, late=30 * SECOND)
    d.pay(d.at + 5 * SECOND, d.amount)


def of_no_transaction(d: Deal) -> None:
    """Cannot be judged."""
    d.pay(d.at, d.amount, transaction=None)


def unpromised(d: Deal) -> None:
    """Given though nobody promised it: nobody minds if the check is one-sided."""
    if d.two_sided:
        taken_first(d)
    else:
        d.pay(d.at, d.amount)


# --- drifts


def missing(d: Deal) -> None:
    d.drift(d.owe(d.at, d.amount), d.due, None, f"{d.paid}.missing")


def late(d: Deal) -> None:
    ended = d.later(d.due)
    d.drift(d.owe(d.at, d.amount), d.due, ended, f"{d.paid}.missing")
    d.pay(ended, d.amount)


def just_late(d: Deal) -> None:
    d.drift(d.owe(d.at, d.amount), d.due, d.due + 1, f"{d.paid}.missing")
    d.pay(d.due + 1, d.amount)


def too_little(d: Deal) -> None:
    """A fen is missing; half of them get it later."""
    ended = d.later(d.due) if d.plan.rng.random() < 0.5 else None
    d.drift(d.owe(d.at, d.amount, again=MINUTE), d.due, ended, f"{d.paid}.too_little")
    d.pay(d.soon(), round(d.amount - 0.01, 2))
    if ended is not None:
        d.pay(ended, 0.01)


def too_much(d: Deal) -> None:
    """A fen more than is due is told at once."""
    at = d.soon()
    d.drift(d.owe(d.at, d.amount), at, None, f"{d.paid}.too_much")
    d.pay(at, round(d.amount + 0.01, 2))


def twice(d: Deal) -> None:
    """Taken again under another id, and given back later."""
    at = d.at + 4 * MINUTE
    ended = d.later(at)
    d.owe(d.at, d.amount)
    d.pay(d.soon(), d.amount)
    d.drift(d.pay(at, d.amount), at, ended, f"{d.paid}.too_much")
    d.pay(ended, -d.amount)


def not_due(d: Deal) -> None:
    """Taken though nobody billed it."""
    if not d.two_sided:
        missing(d)
        return
    ended = d.later(d.due) if d.plan.rng.random() < 0.5 else None
    d.drift(d.pay(d.at, d.amount), d.due, ended, f"{d.owed}.missing")
    if ended is not None:
        d.owe(ended, d.amount)


Story = Callable[[Deal], None]
NEAR: Sequence[Story] = (
    at_the_deadline,
    in_parts,
    taken_first,
    reversed_in_time,
    repeated,
    in_thousandths,
    out_of_order,
    of_no_transaction,
    unpromised,
)
DRIFTS: Sequence[Story] = (missing, late, just_late, too_little, too_much, twice, not_due)
