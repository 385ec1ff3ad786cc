"""confluent_kafka's clients over the model: what they keep, when they block, what gets lost with them.

Each blocking call can be interrupted before and after its effect; `Machine.away_before` and `away_after` make it fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from tests.model.errors import Killed, away
from tests.model.kafka import Broker, Name


class Machine(Protocol):
    """The worker process that a client lives in."""

    broker: Broker
    dead: bool
    away_before: int
    away_after: int
    refused: int
    consumers: list[Any]

    def wanted(self) -> bool:
        """Whether the consumer's thread should leave `poll`."""

    def chunk(self) -> int:
        """How many records come at once."""

    def pick(self, many: int) -> int:
        """One of so many, from 0."""


class Record:
    """`confluent_kafka.Message`."""

    __slots__ = ("_error", "_key", "_name", "_offset", "_time", "_value")

    def __init__(
        self, name: Name, offset: int, key: bytes | None, value: bytes | None, time: int = 0, error: Any = None
    ) -> None:
        self._name = name
        self._offset = offset
        self._key = key
        self._value = value
        self._time = time
        self._error = error

    def topic(self) -> str:
        return self._name[0]

    def partition(self) -> int:
        return self._name[1]

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 2, self._time

    def error(self) -> Any:
        return self._error


class Client:
    """What consumers and producers share."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._broker = machine.broker
        self._world = machine.broker.world

    def _alive(self) -> None:
        if self._machine.dead:
            raise Killed

    def _block(self, until: Callable[[], Any] | None = None, seconds: float | None = None) -> bool:
        self._alive()
        return self._world.block(until, seconds)

    def _ask(self, effect: Callable[[], Any]) -> Any:
        """A request and its answer."""
        self._block()
        if self._machine.away_before:
            self._machine.away_before -= 1
            raise away()
        answer = effect()
        self._block()
        if self._machine.away_after:
            self._machine.away_after -= 1
            raise away()
        return answer
