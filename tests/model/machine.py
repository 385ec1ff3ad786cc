"""One worker process: the real engine on model clients, with an agent that counts exactly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from agents.ports import Batch
from streams.engine.batch import EngineBatch
from streams.engine.committer import URGENT_MORE
from streams.engine.config import EngineConfig
from streams.engine.engine import Engine
from streams.engine.store import encode
from tests.model.consumer import ModelConsumer
from tests.model.errors import Killed
from tests.model.fakes import Executor, Queue
from tests.model.group import Member
from tests.model.kafka import Broker, fold
from tests.model.producer import ModelProducer
from tests.model.schedule import Actor, Loop

BULK, CALL = "in", "call"
TOPICS = (BULK, CALL)
LEDGER, OUT, DEAD, POP = "ledger", "out", "dead", "pop"
OWNER = b"\x00owner"
BAD = b"bad"
MAX_PENDING = 2
MAX_FETCHED = 6
POLL_RECORDS = 4
Action = tuple[str, Callable[[], None], Callable[[], bool]]
"""Its name, what it does, whether it still can."""
Choose = Callable[[int], int]


def place(message: Any) -> str:
    """What names an input."""
    return f"{message.topic()}/{message.partition()}/{message.offset()}"


def count(batch: Batch) -> None:
    """Count events by key; tell each, with its count, and pop each call. What is bad raises after it has written."""
    for message in batch.messages:
        with batch.scope(message):
            key = (message.key() or b"").decode()
            number = (batch.get(f"count/{key}") or {"n": 0})["n"] + 1
            batch.put(f"count/{key}", {"n": number})
            batch.send(OUT, f"{place(message)} {number}".encode(), message.key())
            if message.topic() == CALL:
                batch.send_now(POP, place(message).encode(), message.key())
            if message.value() == BAD:
                raise ValueError("bad")


def dead_letter(cause: Any, error: Exception) -> Any:
    """Names the input."""
    return DEAD, place(cause).encode(), cause.key(), None


class Clock:
    """The wall clock of the model."""

    def __init__(self, world: Any) -> None:
        self._world = world

    def now_ms(self) -> int:
        return int(self._world.now * 1000)


class Machine:
    """Implements `clients.Machine`; what the schedule can do to it are its methods."""

    def __init__(self, broker: Broker, name: str, config: EngineConfig, disk: dict[str, Any], choose: Choose) -> None:
        self.broker = broker
        self.name = name
        self.disk = disk
        self.open_databases: set[str] = set()
        self.dead = False
        self.paused = False
        self.stopping = False
        self.failure: BaseException | None = None
        self.away_before = 0
        self.away_after = 0
        self.refused = 0
        self.actors: list[Actor] = []
        self.producers: list[ModelProducer] = []
        self.consumers: list[ModelConsumer] = []
        """Those that are members of the group."""
        self.commands: Queue
        self._choose = choose
        self._config = config
        self._world = broker.world
        self.loop = Loop(self._world, self._start)

    def boot(self) -> None:
        """Start the engine (with the stage set)."""
        self.engine = Engine(self._config, dead_letter=dead_letter, clock=Clock(self._world), on_failure=self._failed)
        self._check_restores()
        self._tasks = [self.loop.create_task(self._guarded(self._life()))]

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (Killed, asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:
            self._failed(error)

    async def _life(self) -> None:
        self._queue: asyncio.Queue[EngineBatch] = asyncio.Queue()
        await self.engine.start()
        self._tasks.append(self.loop.create_task(self._guarded(self._agent())))
        await self.engine.dispatch(self._queue.put)

    async def _agent(self) -> None:
        while True:
            batch = await self._queue.get()
            with batch:
                count(batch)

    def _failed(self, error: BaseException) -> None:
        if not self.dead:
            self.failure = error
            self.end()
            raise Killed

    # --- clients.Machine, and what fakes ask for

    def alive(self) -> None:
        """Raise in the code of a process that is no more."""
        if self.dead:
            raise Killed

    def wanted(self) -> bool:
        """See `clients.Machine`."""
        return not self.commands.empty() or self.engine._group._stop.is_set()

    def chunk(self) -> int:
        """See `clients.Machine`."""
        return 1 + self._choose(3)

    def pick(self, many: int) -> int:
        """See `clients.Machine`."""
        return self._choose(many)

    def client(self, client: Any) -> Any:
        """Note a client of this process."""
        if isinstance(client, ModelProducer):
            self.producers.append(client)
        return client

    def spawn(self, name: str, work: Callable[[], None]) -> Actor:
        """A thread of this process."""
        actor = Actor(self._world, self, f"{self.name} {name}", work)
        self.actors = [*(other for other in self.actors if not other.done), actor]
        return actor

    def _start(self, executor: Executor | None, work: Callable[[], None]) -> None:
        if executor is None:
            self.spawn("other", work)
        else:
            executor.start(self, work)

    # --- its end

    def member(self) -> Member | None:
        """Its membership of the group, as the coordinator sees it."""
        for consumer in self.consumers:
            member = consumer.member
            if member is not None and self.broker.group.members.get(member.id) is member:
                return member
        return None

    def end(self) -> None:
        """Kill -9: all is forgotten, the coordinator finds out by its session. Call `bury` from the scheduler."""
        self.dead = True
        self.loop.closed = True
        member = self.member()
        if member is not None:
            self.broker.group.silent(member)

    def bury(self) -> None:
        """Unwind its threads."""
        for actor in self.actors:
            if not actor.done:
                actor.kill()
        self.actors.clear()
        self.producers.clear()
        self.consumers.clear()

    def pause(self) -> None:
        """SIGSTOP."""
        self.paused = True
        member = self.member()
        if member is not None:
            self.broker.group.silent(member)

    def resume(self) -> None:
        """SIGCONT."""
        self.paused = False
        member = self.member()
        if member is not None:
            member.silent_since = None

    def stop(self) -> None:
        """SIGTERM."""
        self.stopping = True

        async def stop() -> None:
            await self.engine.stop()
            self.end()
            raise Killed

        self._tasks.append(self.loop.create_task(self._guarded(stop())))

    # --- what can happen

    def actions(self) -> list[Action]:
        """What this process, and its clients in the background, can do now."""
        if self.dead or self.paused:
            return []
        found: list[Action] = []
        if self.loop.enabled():
            found.append(("loop", self.loop.step, self.loop.enabled))
        for actor in self.actors:
            if actor.enabled():
                found.append((actor.name, actor.step, actor.enabled))
        for producer in self.producers:
            if producer.can_deliver():
                found.append(("deliver", producer.deliver, producer.can_deliver))
        for consumer in self.consumers:
            if consumer.is_expelled():
                found.append(("learn", consumer.learn, consumer.is_expelled))
        return found

    def wakes_at(self) -> float | None:
        """When it goes on by itself."""
        if self.dead or self.paused:
            return None
        times = [actor.wakes_at for actor in self.actors if actor.wakes_at is not None]
        loop = self.loop.wakes_at
        return min([*times, loop] if loop is not None else times, default=None)

    # --- what must hold

    def backlog(self) -> str | None:
        """What is wrong with the amount of work that waits."""
        pending = self.engine._committer._pending
        bulk = sum(not batch.urgent for batch in pending)
        fetched = sum(len(b.messages) for p in self.engine.partitions.values() for b in p.bulk)
        too_much = bulk > MAX_PENDING + 1 or len(pending) > URGENT_MORE * MAX_PENDING + self.broker.partitions
        if too_much or fetched > MAX_FETCHED + POLL_RECORDS:
            waiting = f"{len(pending)} batches, {bulk} of them bulk, wait for a commit"
            return f"{self.name}: {waiting}, {fetched} fetched records for a decision"
        return None

    def _check_restores(self) -> None:
        restore = self.engine._restorer.restore

        def restored(number: int, store: Any) -> Any:
            done = restore(number, store)
            held = {key: encode(record) for key, record in store.scan("")}
            mine = any(consumer.owns((BULK, number)) for consumer in self.consumers)
            if mine and held != fold(self.broker.decided((LEDGER, number)), OWNER):
                self._world.broken(f"{self.name}: partition {number} restored as {held}")
            return done

        self.engine._restorer.restore = restored
