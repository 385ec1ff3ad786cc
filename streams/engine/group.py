"""The thread that owns the group's consumer. Every call on it happens here: from elsewhere they would hang."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from agents.ports import Clock
from streams.engine.config import EngineConfig
from streams.engine.fetched import Fetched, sort
from streams.engine.health import STATISTICS_MS, Health
from streams.engine.metrics import EngineMetrics
from streams.engine.offsets import Offsets
from streams.engine.partition import Name
from streams.engine.room import Room

log = logging.getLogger(__name__)
POLL_S = 0.02
TELL_EVERY_MS = 200
PAUSE_AFTER_S = 1.0
ASK_S = 1.0
SAY_EVERY_S = 30.0


class Rebalance(Protocol):
    """What happens when partitions come and go. All in the consumer's thread."""

    def assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None: ...

    def revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None: ...

    def lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None: ...


class GroupConsumer:
    """The member of the consumer group."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        metrics: EngineMetrics,
        hand_over: Callable[[Fetched], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`hand_over` and `failed` are called in this thread, and must only pass on."""
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self._hand_over = hand_over
        self._failed = failed
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._consumer: Consumer
        self._rebalance: Rebalance
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{config.group}-consumer", daemon=True)
        self._told_at = 0
        self._errors_told: dict[int, float] = {}
        self._full_since: float | None = None
        self._paused: deque[TopicPartition] = deque()
        self.health = Health(int(config.bulk_consumer().get("fetch.wait.max.ms", 500)))
        self.offsets = Offsets(failed)
        """Commits where delivery is at least once."""
        self.room = Room(config.max_fetched, lambda: self._commands.put(_nothing))
        self.metadata: Any = None
        """The group's metadata, for `send_offsets_to_transaction`."""
        self._nobody: Any = None
        self.epochs: dict[int, int] = {}
        """The life that each partition's fetched records belong to; written in this thread."""
        self.positions: dict[Name, int] = {}
        """The offset behind what each topic and partition assigned has given; written in this thread."""
        self.owned: set[Name] = set()
        """Topics and partitions that the group gave us, urgent ones too; written in this thread."""
        self.held_back: set[Name] = set()
        """Topics and partitions that stay paused until they are restored; written in this thread."""

    # --- from other threads

    def start(self, rebalance: Rebalance) -> None:
        """Join the group."""
        self._rebalance = rebalance
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Leave the group and wait for the thread; whether it ended in time. Not in the event loop."""
        self._stop.set()
        self._commands.put(_nothing)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def do(self, step: Callable[[Consumer], None]) -> None:
        """Run `step(consumer)` in the consumer's thread; what it raises ends the engine."""
        self._commands.put(lambda: step(self._consumer))

    # --- in the consumer's thread

    def refresh(self, consumer: Consumer) -> None:
        """Take the group's metadata, unless it names no member, which it does between expulsion and `on_lost`.

        Without member and generation Kafka checks neither: it would take the offsets of partitions that are lost.
        """
        metadata = consumer.consumer_group_metadata()
        if metadata != self._nobody:
            self.metadata = metadata

    def wait(self, future: Future[Any], timeout_s: float | None = None) -> bool:
        """Wait for `future` inside a rebalance, doing meanwhile what others ask of the consumer."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not future.done():
            if until is not None and time.monotonic() >= until:
                return False
            self._serve(0.002)
        return True

    def _serve(self, timeout_s: float) -> None:
        try:
            self._commands.get(timeout=timeout_s)()
            while True:
                self._commands.get_nowait()()
        except queue.Empty:
            return

    def _run(self) -> None:
        try:
            self._consumer = consumer = Consumer(
                {
                    **self._config.bulk_consumer(),
                    "statistics.interval.ms": STATISTICS_MS,
                    "stats_cb": self._statistics,
                    "error_cb": self._error,
                    "on_commit": self.offsets.answered,
                }
            )
            self._nobody = consumer.consumer_group_metadata()
            consumer.subscribe(
                list(self._config.topics),
                on_assign=self._rebalance.assigned,
                on_revoke=self._rebalance.revoked,
                on_lost=self._rebalance.lost,
            )
            while not self._stop.is_set():
                self._step(consumer)
            consumer.close()
        except BaseException as error:
            self._failed(error)

    def _step(self, consumer: Consumer) -> None:
        if not self._commands.empty():
            self._serve(0)
        self.offsets.send(consumer, self.owned, broker_up=self.health.up)
        if self.room.full:
            self._stand_still(consumer)
            return
        if self._full_since is not None:
            self._go_on(consumer)
        message = consumer.poll(POLL_S)
        self.refresh(consumer)
        # consume() alone would wait the whole time when fewer come
        messages = [message, *consumer.consume(self._config.poll_records - 1, 0)] if message is not None else ()
        self._pass_on(sort(messages, self.epochs), drained=len(messages) < self._config.poll_records)

    def _pass_on(self, fetched: Fetched, *, drained: bool) -> None:
        now = self._clock.now_ms()
        fetched.steady = self.health.polled(now, None if drained else fetched.newest())
        for name, messages in fetched.groups.items():
            self.positions[name] = messages[-1].offset() + 1
        # a clock that is set back must not silence this until it has caught up: no deadline would fall due by quiet
        if fetched.groups or fetched.ends or not 0 <= now - self._told_at < TELL_EVERY_MS:
            self._told_at = now
            self.room.take(fetched.records)
            self._hand_over(fetched)

    def _stand_still(self, consumer: Consumer) -> None:
        """Too much waits for its decision: fetch nothing, but stay in the group."""
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
        if now - self._full_since < PAUSE_AFTER_S:
            self._serve(0.02)
            return
        if not self._paused:
            self._paused = deque(consumer.assignment())
            consumer.pause(list(self._paused))
            self.health.broken()
        self._ask_for_an_end(consumer)
        message = consumer.poll(POLL_S)  # paused partitions give nothing; rebalances and the group's life go on
        self.refresh(consumer)
        if message is not None:
            self._pass_on(sort([message], self.epochs), drained=False)

    def _ask_for_an_end(self, consumer: Consumer) -> None:
        """What is paused is not fetched, and nobody would tell how far it is behind: ask, one partition a turn."""
        if self._paused and self.health.up:
            self._paused.rotate()
            tp = self._paused[0]
            with suppress(KafkaException):
                self.health.told(tp.topic, tp.partition, consumer.get_watermark_offsets(tp, timeout=ASK_S)[1])

    def _go_on(self, consumer: Consumer) -> None:
        self._full_since = None
        if self._paused:
            held = {(tp.topic, tp.partition) for tp in consumer.assignment()} - self.held_back
            consumer.resume([tp for tp in self._paused if (tp.topic, tp.partition) in held])
            self._paused.clear()

    def _statistics(self, text: str) -> None:
        before = self.health.up
        self.health.statistics(text)
        if before != self.health.up:
            self._metrics.broker_up(self.health.up)
            log.warning("broker: %s", "it answers again" if self.health.up else "it does not answer; waiting")

    def _error(self, error: KafkaError) -> None:
        self.health.broken()
        if error.fatal():
            self._failed(RuntimeError(error.str()))
        elif time.monotonic() - self._errors_told.get(error.code(), -SAY_EVERY_S) >= SAY_EVERY_S:
            self._errors_told[error.code()] = time.monotonic()
            log.warning("broker: %s: %s", error.name(), error.str())


def _nothing() -> None:
    """Wakes the thread."""
