"""Blocking calls on a broker that may be away: waited for, unless the error says that waiting is useless."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from schemas.errors import PartError

log = logging.getLogger(__name__)
T = TypeVar("T")
PAUSE_S = 0.1
SINK_PAUSE_S = 0.5
AWAY = frozenset(
    (
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._WAIT_COORD,
        KafkaError._RESOLVE,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
    )
)


class MustAbortError(Exception):
    """The transaction cannot be committed; what it holds is decided anew."""


class FencedError(PartError):
    """Another worker has taken over, or the client is beyond repair: this process must end."""


def error_of(exception: KafkaException) -> KafkaError:
    """The error inside confluent_kafka's exception."""
    error: KafkaError = exception.args[0]
    return error


class Retry:
    """Calls a blocking step until it succeeds. Any thread."""

    def __init__(self) -> None:
        self.give_up = threading.Event()
        self._waiting: set[int] = set()  # threads

    @property
    def waiting(self) -> bool:
        """Whether a step waits for the broker."""
        return bool(self._waiting)

    def __call__(self, what: str, step: Callable[[], T]) -> T:
        """Run `step`. Raises `FencedError`, or `MustAbortError`, also once `give_up` is set."""
        try:
            while True:
                try:
                    result = step()
                except KafkaException as exception:
                    self._judge(what, error_of(exception))
                    self._wait(what, error_of(exception))
                    if self.give_up.wait(PAUSE_S):
                        raise MustAbortError(f"{what}: gave up waiting") from exception
                else:
                    if threading.get_ident() in self._waiting:
                        log.info("%s: the broker answers again", what)
                    return result
        finally:
            self._waiting.discard(threading.get_ident())

    def until_part_is_back(self, what: str, step: Callable[[], T]) -> T:
        """Run `step` again while it raises `PartError`. Raises `MustAbortError` once `give_up` is set."""
        told = False
        while True:
            try:
                return step()
            except PartError as error:
                if not told:
                    log.warning("%s: waiting until it is back (%s)", what, error)
                    told = True
                if self.give_up.wait(SINK_PAUSE_S):
                    raise MustAbortError(f"{what}: gave up waiting") from error

    def _judge(self, what: str, error: KafkaError) -> None:
        if error.fatal():
            raise FencedError(f"{what}: {error.name()}: {error.str()}")
        if error.txn_requires_abort():
            raise MustAbortError(f"{what}: {error.name()}: {error.str()}")
        if not error.retriable() and error.code() not in AWAY:
            raise MustAbortError(f"{what}: {error.name()}: {error.str()}")

    def _wait(self, what: str, error: KafkaError) -> None:
        if threading.get_ident() not in self._waiting:
            self._waiting.add(threading.get_ident())
            log.warning("%s: waiting for the broker (%s: %s)", what, error.name(), error.str())
