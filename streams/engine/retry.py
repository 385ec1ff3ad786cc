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
HANGS_AFTER = 15
"""Seconds; every step has a timeout of its own of 10 s at most."""
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


class StaleError(MustAbortError):
    """The client is one of before an outage and is not used again."""


class GaveUpError(MustAbortError):
    """Waiting for a part ended because the engine stops, or must hand partitions over."""


class FencedError(PartError):
    """Another worker has taken over, or the client is beyond repair: this process must end."""


class TooLargeError(PartError):
    """A record that the broker does not take. Deciding it anew makes it no smaller: this process must end."""


def is_too_large(error: KafkaError) -> bool:
    """Whether the client or the broker refuses a record for its size."""
    return error.code() == KafkaError.MSG_SIZE_TOO_LARGE


def error_of(exception: KafkaException) -> KafkaError:
    """The error inside confluent_kafka's exception."""
    error: KafkaError = exception.args[0]
    return error


class Step:
    """One attempt of a blocking call."""

    def __init__(self, what: str) -> None:
        self.what = what


class Watchdog:
    """Finds a step that does not come back: librdkafka's own timeouts do not always hold (its issues 5456, 5511)."""

    def __init__(self, retry: Retry, looks: int = HANGS_AFTER) -> None:
        """`looks`: how often the same step may be met. Not a span, so that a process that was paused is not ended."""
        self._retry = retry
        self._looks = looks
        self._met: Step | None = None
        self._times = 0

    def look(self, *, broker_up: bool) -> None:
        """Call it once a second. Raises `FencedError`.

        While the broker is away nothing counts: the call waits with it, and a new process could do no more.
        """
        step = self._retry.step
        self._times = self._times + 1 if broker_up and step is not None and step is self._met else 0
        self._met = step
        if step is not None and self._times >= self._looks:
            raise FencedError(f"{step.what}: the Kafka client has not answered for {self._times} s")


class Retry:
    """Calls a blocking step until it succeeds. Any thread."""

    def __init__(self) -> None:
        self.give_up = threading.Event()
        self.step: Step | None = None
        """The step under way; a new object at every attempt."""
        self._waiting: set[int] = set()  # threads

    @property
    def waiting(self) -> bool:
        """Whether a step waits for the broker."""
        return bool(self._waiting)

    def __call__(self, what: str, step: Callable[[], T], stale: Callable[[], bool] = lambda: False) -> T:
        """Run `step`. Raises `FencedError`, `TooLargeError`, `MustAbortError`; `GaveUpError` once `give_up` is set.

        While `stale()` nothing is tried: `StaleError`.
        """
        try:
            while True:
                if stale():
                    raise StaleError(f"{what}: the broker was away")
                self.step = Step(what)
                try:
                    result = step()
                except KafkaException as exception:
                    self._judge(what, error_of(exception))
                    self._wait(what, error_of(exception))
                    if self.give_up.wait(PAUSE_S):
                        raise GaveUpError(f"{what}: gave up waiting") from exception
                else:
                    if threading.get_ident() in self._waiting:
                        log.info("%s: the broker answers again", what)
                    return result
        finally:
            self.step = None
            self._waiting.discard(threading.get_ident())

    def until_part_is_back(self, what: str, step: Callable[[], T]) -> T:
        """Run `step` again while it raises `PartError`. Raises `GaveUpError` once `give_up` is set."""
        told = False
        while True:
            try:
                return step()
            except PartError as error:
                if not told:
                    log.warning("%s: waiting until it is back (%s)", what, error)
                    told = True
                if self.give_up.wait(SINK_PAUSE_S):
                    raise GaveUpError(f"{what}: gave up waiting") from error

    def _judge(self, what: str, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            raise FencedError(f"{what}: {error.name()}: {error.str()}")
        if is_too_large(error):
            raise TooLargeError(f"{what}: {error.str()}")
        if error.txn_requires_abort():
            raise MustAbortError(f"{what}: {error.name()}: {error.str()}")
        if not error.retriable() and error.code() not in AWAY:
            raise MustAbortError(f"{what}: {error.name()}: {error.str()}")

    def _wait(self, what: str, error: KafkaError) -> None:
        if threading.get_ident() not in self._waiting:
            self._waiting.add(threading.get_ident())
            log.warning("%s: waiting for the broker (%s: %s)", what, error.name(), error.str())
