"""The seam to Faust: a transport whose stream items are whole batches, carried by the engine.

Faust runs the app's life and its agents; the engine reads, restores and commits. Faust 0.15.3 is pinned: the
private names used here (`PRIVATE`) have a test that names each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

from faust import Schema
from faust.transport import base
from faust.transport.consumer import Consumer as FaustConsumer
from faust.types import TP, ConsumerMessage

from streams.engine.batch import EngineBatch
from streams.engine.engine import Engine

PRIVATE = (
    "faust.App._fetcher",
    "faust.App._create_directories",
    "faust.Worker._sentinel_task",
    "faust.Worker.install_signal_handlers",
    "faust.tables.manager.TableManager._update_channels",
    "faust.transport.consumer.Consumer._drain_messages",
    "faust.transport.consumer.Consumer._getmany",
    "faust.transport.consumer.Consumer._to_message",
    "faust.transport.consumer.Consumer._commit",
    "faust.transport.consumer.Consumer._seek",
    "faust.transport.consumer.Consumer._new_topicpartition",
)


class BatchSchema(Schema[Any, Any]):
    """What a stream yields is the batch itself; agents decode its records."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """Return None: a batch has many keys."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the batch."""
        return message.value


class EngineConsumer(FaustConsumer):
    """Starts the engine when Faust subscribes, and hands its batches to Faust's conductor."""

    @property
    def _engine(self) -> Engine:
        transport: Any = self.transport
        engine: Engine = transport.engine
        return engine

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Start the engine; its own configuration says what is read."""
        engine = self._engine
        if engine.started:
            return
        try:
            await engine.start()
        except asyncio.CancelledError:
            raise  # told to stop before it was under way
        except BaseException as error:
            engine.fail(error)  # Faust would only log a traceback and stand still
            raise
        app: Any = self.app
        await app.topics.on_partitions_assigned(self.assignment())
        # there is nothing of Faust's own to recover; the engine restores its ledgers itself
        app.tables.recovery.completed.set()
        app.flow_control.resume()
        self.resume_flow()
        await app._fetcher.maybe_start()

    async def _drain_messages(self, fetcher: Any) -> None:
        await self._engine.dispatch(self._deliver)

    async def _deliver(self, batch: EngineBatch) -> None:
        generation = self.app.consumer_generation_id
        tp = TP(batch.topic, batch.partition)
        value: Any = batch
        # Faust's own acknowledgements are off: leaving the batch's `with` block says that it is done
        message = ConsumerMessage(
            batch.topic, batch.partition, 0, 0.0, 0, [], None, value, None, 0, 0, tp, generation_id=generation
        )
        await self.callback(message)

    async def on_stop(self) -> None:
        """Commit, and leave the group."""
        if self._engine.started:
            await self._engine.stop()

    def assignment(self) -> set[TP]:
        """All partitions: which of them are ours is the engine's business, and changes without Faust."""
        return {TP(topic, number) for topic, number in self._engine.all_partitions()}

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Do nothing: the engine commits."""
        return True

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust's live-lock detection looks at offsets that it does not get."""

    async def create_topic(self, *_: Any, **__: Any) -> None:
        """Do nothing: `yupan topics apply` creates topics."""

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        raise NotImplementedError

    def _to_message(self, tp: TP, record: Any) -> Any:
        raise NotImplementedError

    async def seek_to_committed(self) -> Mapping[TP, int]:
        return {}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return True

    async def _seek(self, partition: TP, offset: int) -> None:
        raise NotImplementedError

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        raise NotImplementedError

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    async def position(self, tp: TP) -> int | None:
        return None

    def highwater(self, tp: TP) -> int:
        return 0

    def topic_partitions(self, topic: str) -> int | None:
        return self._engine.partition_count

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return {}

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        return {}

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        return partition

    def close(self) -> None:
        """Do nothing: `on_stop` has closed all."""


class EngineProducer(base.Producer):
    """Faust itself sends nothing: outputs go through the batch."""

    async def send(self, topic: str, *_: Any, **__: Any) -> Awaitable[Any]:
        """Refuse: what is not sent through a batch would not be exactly once."""
        raise NotImplementedError(f"{topic}: send through the batch")

    async def send_and_wait(self, topic: str, *_: Any, **__: Any) -> Any:
        """Refuse, as `send` does."""
        raise NotImplementedError(f"{topic}: send through the batch")

    async def flush(self) -> None:
        """Do nothing: nothing was sent."""

    async def create_topic(self, *_: Any, **__: Any) -> None:
        """Do nothing: `yupan topics apply` creates topics."""

    def supports_headers(self) -> bool:
        """Return True: Kafka has headers."""
        return True


class EngineTransport(base.Transport):
    """Binds one engine to one app."""

    Consumer = EngineConsumer
    Producer = EngineProducer
    default_port = 9092
    driver_version = "yupan engine"

    def __init__(self, url: Any, app: Any, engine: Engine) -> None:
        super().__init__(url, app)
        self.engine = engine
