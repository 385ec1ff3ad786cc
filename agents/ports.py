"""What decisions need from the machinery around them, as protocols.

`streams/engine` implements `Batch` over Kafka, `checks replay` implements it over a file; decisions
cannot tell the difference, which is what makes them testable without either.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

Headers = list[tuple[str, bytes]]
"""Kafka record headers, in order; a name may repeat."""


class Clock(Protocol):
    """The wall clock, injected so that tests and replays own the time."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch (UTC)."""


class Message(Protocol):
    """One Kafka record as it was delivered (`confluent_kafka.Message` has this shape)."""

    def topic(self) -> str: ...

    def partition(self) -> int: ...

    def offset(self) -> int: ...

    def key(self) -> bytes | None: ...

    def value(self) -> bytes | None: ...

    def headers(self) -> Headers | None: ...

    def timestamp(self) -> tuple[int, int]:
        """(kind, milliseconds); the broker's time, since our topics use LogAppendTime."""


class Fired(NamedTuple):
    """A deadline that became due (contracts, "the clock")."""

    customer: str
    """The ledger's customer key, as it was given to `Batch.arm`."""
    name: str
    """The name given to `Batch.arm`, unique within the customer."""
    due_at: int
    """Milliseconds since the epoch; the `occurred_at` of what is decided now."""


class Batch(Protocol):
    """The records of one topic and partition, and the only way to state and outputs.

    The engine enters it (`with batch:`) around an agent's `process`; leaving it whole hands changes and
    outputs to the open transaction.
    Within it, every event is a scope of its own: what raises inside `scope` leaves nothing behind
    and is dead-lettered in the same transaction, while its neighbours stand.
    """

    topic: str
    partition: int
    messages: Sequence[Message]
    fired: Sequence[Fired]

    def __enter__(self) -> Batch: ...

    def __exit__(self, *exc: object) -> None: ...

    def scope(self, cause: Message | Fired) -> AbstractContextManager[None]:
        """Everything done inside belongs to `cause`; an exception undoes it and dead-letters the cause."""

    def now(self) -> int:
        """The clock of this partition in milliseconds: the wall clock, or the largest `occurred_at` seen."""

    def occurred(self, at: int) -> None:
        """Tell the event clock that an event of this partition occurred at `at` (ms)."""

    def get(self, key: str) -> Any:
        """The ledger's record under `key`, or None. Never change it in place: `put` a new one."""

    def put(self, key: str, record: Any) -> None:
        """Replace the record under `key`. Plain data only: dict, list, str, int, float, bool, None."""

    def delete(self, key: str) -> None:
        """Forget `key` (a tombstone in the changelog)."""

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> None:
        """Output through the transaction. Without `partition`, murmur2 of the key decides."""

    def send_now(self, topic: str, value: bytes, key: bytes | None, headers: Headers | None = None) -> None:
        """Output at the end of the scope, before the commit (screen pops); repeats are possible after a crash."""

    def arm(self, customer: str, name: str, due_at: int, reads: tuple[str, ...]) -> None:
        """Set or move the deadline `name`; `reads` are the topics that may still settle it."""

    def disarm(self, customer: str, name: str) -> None:
        """Drop the deadline `name`; nothing happens when it is not armed."""


def rearm(batch: Batch, customer: str, name: str, armed: int | None, due: int | None, reads: tuple[str, ...]) -> None:
    """Have the deadline `name` due at `due` (ms; None: not at all) instead of at `armed`, which it is now."""
    if due is not None and due != armed:
        batch.arm(customer, name, due, reads)
    elif due is None and armed is not None:
        batch.disarm(customer, name)
