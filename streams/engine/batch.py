"""One batch: the records of one topic and partition, and the only way to state and outputs (agents.ports.Batch)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from agents.ports import Clock, Fired, Headers, Message
from schemas.errors import PartError, UsageError, YupanError, reason_of
from schemas.headers import is_replayed
from streams.engine.deadletters import DeadLetterLimit
from streams.engine.deadlines import PREFIX
from streams.engine.metrics import EngineMetrics
from streams.engine.partition import Partition

Cause = Message | Fired
_ABSENT: Any = object()


class Output(NamedTuple):
    """One record to produce; without a partition murmur2 of the key decides."""

    topic: str
    value: bytes | None
    key: bytes | None
    headers: Headers | None = None
    partition: int = -1


class DeadLetter(Protocol):
    """Makes the record that is sent instead of what could not be used: `(topic, value, key, headers)`.

    When its topic is the cause's own, the record is re-routed (to the partition of its key), not dead.
    """

    def __call__(self, cause: Cause, error: Exception) -> tuple[str, bytes | None, bytes | None, Headers | None]: ...


class OutputTooLargeError(YupanError):
    """An output that no broker takes; the event that caused it is dead-lettered."""

    reason = "too_large"


class Desk(NamedTuple):
    """What every batch of an engine uses."""

    clock: Clock
    by_events: bool
    max_output_bytes: int
    dead_letter: DeadLetter
    limit: DeadLetterLimit
    metrics: EngineMetrics
    send_now: Callable[[Output], None]
    finished: Callable[[EngineBatch], None]


def _no_ledger(key: str) -> Any:
    raise UsageError(f"ledger key {key.split('/')[0]}: this engine has no ledger")


class EngineBatch:
    """Implements `agents.ports.Batch`; all in the event loop's thread."""

    __slots__ = (
        "_armed",
        "_changes",
        "_desk",
        "_load",
        "_occurred",
        "_occurred_before",
        "_outputs",
        "_outputs_before",
        "_passed",
        "_scope",
        "_soon",
        "_undo",
        "at_end",
        "end",
        "error",
        "fired",
        "messages",
        "open",
        "owner",
        "partition",
        "received_at",
        "topic",
        "urgent",
    )

    def __init__(
        self,
        desk: Desk,
        owner: Partition,
        topic: str,
        messages: Sequence[Message] = (),
        fired: Sequence[Fired] = (),
        *,
        urgent: bool = False,
        received_at: float = 0.0,
    ) -> None:
        self.topic = topic
        self.partition = owner.number
        self.messages = messages
        self.fired = fired
        self.owner = owner
        self.urgent = urgent
        self.received_at = received_at
        self.end: int | None = messages[-1].offset() + 1 if messages else None
        """The offset to commit once this batch is decided; behind the records when the topic's end is known."""
        self.at_end = False
        """Whether the topic ends behind this batch."""
        self.open = False
        self.error: BaseException | None = None
        self._desk = desk
        self._load = owner.store.load if owner.store is not None else _no_ledger
        self._changes: dict[str, Any] = {}
        self._armed: dict[tuple[str, str], tuple[int, tuple[str, ...]] | None] = {}
        self._outputs: list[Output] = []
        self._soon: list[Output] = []
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._outputs_before = 0
        self._occurred: int | None = None
        self._occurred_before: int | None = None
        self._passed = 0
        self._scope: Any = None

    def __enter__(self) -> EngineBatch:
        self.open = True
        self._scope = _Scope(self)
        for fired in self.fired:  # whatever comes of it, a fired deadline is gone
            self._drop_armed(fired.customer, fired.name)
        return self

    def __exit__(self, *exc: object) -> None:
        self.open = False
        self._scope = None  # a cycle: all that was decided would stay until Python looks for garbage
        self.error = exc[1] if isinstance(exc[1], BaseException) else None
        self._desk.limit.passed(self.topic, self._passed)
        self._desk.finished(self)

    # --- agents.ports.Batch

    def scope(self, cause: Cause) -> _Scope:
        """See `agents.ports.Batch.scope`. Scopes do not nest."""
        scope: _Scope = self._scope
        scope.cause = cause
        self._undo.clear()
        self._outputs_before = len(self._outputs)
        self._occurred_before = self._occurred
        return scope

    def now(self) -> int:
        """See `agents.ports.Batch.now`."""
        if not self._desk.by_events:
            return self._desk.clock.now_ms()
        clock = self.owner.event_clock
        return clock if self._occurred is None or self._occurred < clock else self._occurred

    def occurred(self, at: int) -> None:
        """See `agents.ports.Batch.occurred`."""
        if self._occurred is None or at > self._occurred:
            self._occurred = at

    def get(self, key: str) -> Any:
        """See `agents.ports.Batch.get`."""
        record = self._changes.get(key, _ABSENT)
        return self._load(key) if record is _ABSENT else record

    def put(self, key: str, record: Any) -> None:
        """See `agents.ports.Batch.put`."""
        changes = self._changes
        self._undo.append((changes, key, changes.get(key, _ABSENT)))
        changes[key] = record

    def delete(self, key: str) -> None:
        """See `agents.ports.Batch.delete`."""
        if self.get(key) is not None:
            self.put(key, None)

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> None:
        """See `agents.ports.Batch.send`. Raises `OutputTooLargeError`."""
        self._check_size(topic, value, key, headers)
        self._outputs.append(Output(topic, value, key, headers, -1 if partition is None else partition))

    def send_now(self, topic: str, value: bytes, key: bytes | None, headers: Headers | None = None) -> None:
        """See `agents.ports.Batch.send_now`. Raises `OutputTooLargeError`."""
        self._check_size(topic, value, key, headers)
        self._soon.append(Output(topic, value, key, headers))

    def arm(self, customer: str, name: str, due_at: int, reads: tuple[str, ...]) -> None:
        """See `agents.ports.Batch.arm`."""
        key = PREFIX + customer
        before = self.get(key) or ()
        entry = [name, due_at, list(reads)]
        if entry in before:
            return
        self.put(key, [*(other for other in before if other[0] != name), entry])
        self._arm((customer, name), (due_at, tuple(reads)))

    def disarm(self, customer: str, name: str) -> None:
        """See `agents.ports.Batch.disarm`."""
        if customer not in self.owner.deadlines and PREFIX + customer not in self._changes:
            return  # the usual case needs no look into the ledger
        self._drop_armed(customer, name)

    def _drop_armed(self, customer: str, name: str) -> None:
        key = PREFIX + customer
        before = self.get(key) or ()
        after = [other for other in before if other[0] != name]
        if len(after) < len(before):
            self.put(key, after or None)
            self._arm((customer, name), None)

    # --- for the engine, once the batch is left

    @property
    def changes(self) -> dict[str, Any]:
        """Changed ledger records by key; None: deleted."""
        return self._changes

    @property
    def outputs(self) -> list[Output]:
        """What the transaction sends."""
        return self._outputs

    @property
    def armed(self) -> dict[tuple[str, str], tuple[int, tuple[str, ...]] | None]:
        """Deadlines by (customer, name): due time and topics read, or None: disarmed."""
        return self._armed

    @property
    def latest(self) -> int | None:
        """The largest `occurred_at` told, in milliseconds."""
        return self._occurred

    def ages(self, now: int, monotonic: float) -> dict[str, float]:
        """Seconds since its oldest record was `received` and reached the `broker`, and since its newest `occurred`.

        The oldest waited longest: while a worker catches up, the newest of each batch would look better than it is.
        """
        found = {"received": monotonic - self.received_at}
        found["broker"] = (now - self.messages[0].timestamp()[1]) / 1000
        if self._occurred is not None:
            found["occurred"] = (now - self._occurred) / 1000
        return found

    # --- the scope's doing

    def keep(self) -> None:
        """A scope ended well: its urgent outputs may go."""
        self._passed += 1
        if self._soon:
            for output in self._soon:
                self._desk.send_now(output)
            self._soon.clear()

    def give_up(self, cause: Cause, error: Exception) -> None:
        """A scope raised: nothing of it stays, and its cause is dead-lettered."""
        for mapping, key, old in reversed(self._undo):
            if old is _ABSENT:
                del mapping[key]
            else:
                mapping[key] = old
        del self._outputs[self._outputs_before :]
        self._soon.clear()
        self._occurred = self._occurred_before
        topic, value, key, headers = self._desk.dead_letter(cause, error)
        self.send(topic, value, key, headers)
        if topic == self.topic:
            self._desk.metrics.rerouted(topic)
            return
        self._desk.metrics.dead_letter(self.topic, reason_of(error))
        self._desk.limit.passed(self.topic, self._passed)
        self._passed = 0
        if not _is_replayed(cause):  # a person tried it once more, and that says nothing of this deployment
            self._desk.limit.failed(self.topic)

    def _arm(self, name: tuple[str, str], value: tuple[int, tuple[str, ...]] | None) -> None:
        self._undo.append((self._armed, name, self._armed.get(name, _ABSENT)))
        self._armed[name] = value

    def _check_size(self, topic: str, value: bytes | None, key: bytes | None, headers: Headers | None) -> None:
        size = len(value or b"") + len(key or b"")
        if headers is not None:
            size += sum(len(name) + len(text) for name, text in headers)
        if size > self._desk.max_output_bytes:
            raise OutputTooLargeError(f"{topic}: {size} bytes are more than {self._desk.max_output_bytes}")


def _is_replayed(cause: Cause) -> bool:
    return not isinstance(cause, Fired) and is_replayed(cause.headers())


class _Scope:
    """`with batch.scope(cause):`, one object a batch, since it is entered once an event."""

    __slots__ = ("_batch", "cause")

    def __init__(self, batch: EngineBatch) -> None:
        self._batch = batch
        self.cause: Any = None

    def __enter__(self) -> None:
        """`scope` has prepared all."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if error is None:
            self._batch.keep()
            return False
        # a part that is away, an exit or a cancelled task is no fault of the event
        if not isinstance(error, Exception) or isinstance(error, PartError):
            return False
        self._batch.give_up(self.cause, error)
        return True
