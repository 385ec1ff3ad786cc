"""What stands in for time, threads, queues and RocksDB in the engine's modules, and where it is put."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from streams.engine import (
    assignment,
    committer,
    engine,
    fetched,
    group,
    instant,
    outbox,
    ownership,
    restore,
    retry,
    rocks,
    shelf,
    urgent,
)
from tests.model.consumer import ModelConsumer
from tests.model.producer import ModelProducer

TICK_S = 5.0
URGENT_POLL_S = 0.5
stage: Any = SimpleNamespace(machine=None, world=None)
"""Whose code runs now; set by the simulation before each step."""


def _monotonic() -> float:
    return float(stage.world.now)


def _sleep(seconds: float) -> None:
    stage.machine.alive()
    stage.world.block(None, seconds)


class Event:
    """`threading.Event`."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float) -> bool:
        stage.machine.alive()
        return bool(stage.world.block(self.is_set, seconds))


class Queue:
    """`queue.SimpleQueue`. Whoever waits on it looks again when the event loop has gone on: it may wait for that."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        stage.machine.commands = self

    def put(self, item: Any) -> None:
        self._items.append(item)

    def empty(self) -> bool:
        return not self._items

    def get(self, timeout: float) -> Any:
        stage.machine.alive()
        loop = stage.machine.loop
        before = loop.steps
        if timeout and not self._items:
            stage.world.block(lambda: self._items or loop.steps != before, max(timeout, 0.1))
        return self.get_nowait()

    def get_nowait(self) -> Any:
        if not self._items:
            raise queue.Empty
        return self._items.popleft()


class Thread:
    """`threading.Thread`."""

    def __init__(self, target: Callable[[], None], name: str, daemon: bool) -> None:
        self._target = target
        self._actor: Any = None
        self.ident: int | None = None

    def start(self) -> None:
        self.ident = 1
        self._actor = stage.machine.spawn("consumer", self._target)

    def join(self, seconds: float) -> None:
        stage.world.block(lambda: self._actor.done, seconds)

    def is_alive(self) -> bool:
        return self._actor is not None and not self._actor.done


class Local:
    """`threading.local`: one life for each piece of blocking work."""

    def __init__(self) -> None:
        object.__setattr__(self, "_held", {})

    def __getattr__(self, name: str) -> Any:
        try:
            return self._held[stage.world.actor, name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._held[stage.world.actor, name] = value


class Executor:
    """`ThreadPoolExecutor`."""

    def __init__(self, slots: int, name: str) -> None:
        self._free = slots
        self._name = name
        self._waiting: deque[Callable[[], None]] = deque()

    def start(self, machine: Any, work: Callable[[], None]) -> None:
        self._waiting.append(work)
        if self._free:
            self._free -= 1
            machine.spawn(self._name, self._run)

    def _run(self) -> None:
        while self._waiting:
            self._waiting.popleft()()
        self._free += 1

    def shutdown(self, wait: bool, cancel_futures: bool) -> None:
        self._waiting.clear()


class WriteBatch(dict[bytes, bytes | None]):
    """`rocksdict.WriteBatch`."""

    def __init__(self, raw_mode: bool) -> None:
        super().__init__()

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def delete(self, key: bytes) -> None:
        self[key] = None


class Database:
    """`rocksdict.Rdict` on the disk of the simulation, which survives its process."""

    def __init__(self, path: Any) -> None:
        stage.machine.alive()
        self._open = stage.machine.open_databases
        self._path = str(path)
        assert self._path not in self._open, "opened twice"
        self._open.add(self._path)
        self._rows: dict[bytes, bytes] = stage.machine.disk.setdefault(self._path, {})

    def get(self, key: bytes) -> bytes | None:
        return self._rows.get(key)

    def write(self, batch: WriteBatch) -> None:
        stage.machine.alive()
        for key, value in batch.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value

    def iter(self) -> Rows:
        return Rows(self._rows)

    def close(self) -> None:
        self._open.discard(self._path)

    @staticmethod
    def destroy(path: str, options: Any) -> None:
        stage.machine.disk[path] = {}


class Rows:
    """An iterator of RocksDB."""

    def __init__(self, rows: dict[bytes, bytes]) -> None:
        self._rows = sorted(rows.items())
        self._at = 0

    def seek(self, start: bytes) -> None:
        self._at = sum(key < start for key, _ in self._rows)

    def valid(self) -> bool:
        return self._at < len(self._rows)

    def key(self) -> bytes:
        return self._rows[self._at][0]

    def value(self) -> bytes:
        return self._rows[self._at][1]

    def next(self) -> None:
        self._at += 1


def _consumer(conf: dict[str, Any]) -> ModelConsumer:
    return stage.machine.client(ModelConsumer(stage.machine, conf))


def _producer(conf: dict[str, Any]) -> ModelProducer:
    return stage.machine.client(ModelProducer(stage.machine, conf))


@contextmanager
def installed() -> Iterator[None]:
    """The engine's modules see the model instead of the world."""
    with ExitStack() as stack:
        for patch in _patches():
            stack.enter_context(patch)
        yield


def _patches() -> list[Any]:
    time = SimpleNamespace(monotonic=_monotonic, sleep=_sleep)
    ids = SimpleNamespace(Event=Event, Thread=Thread, local=Local, get_ident=lambda: id(stage.world.actor))
    queues = SimpleNamespace(SimpleQueue=Queue, Empty=queue.Empty)
    replace = mock.patch.multiple
    return [
        replace(engine, time=time, threading=ids, ThreadPoolExecutor=Executor, TICK_S=TICK_S),
        replace(engine, URGENT_POLL_S=URGENT_POLL_S, check_topics=lambda _: stage.machine.broker.partitions),
        *(replace(module, time=time) for module in (committer, assignment, fetched)),
        replace(ownership, time=time, gc=SimpleNamespace(freeze=lambda: None)),
        replace(group, time=time, threading=ids, queue=queues, Consumer=_consumer),
        replace(restore, time=time, threading=ids, Consumer=_consumer, Producer=_producer),
        replace(retry, threading=ids),
        replace(urgent, Consumer=_consumer),
        replace(outbox, Producer=_producer),
        replace(instant, Producer=_producer),
        replace(rocks, _opened=lambda path, _: Database(path), Rdict=Database, WriteBatch=WriteBatch, Options=dict),
        replace(shelf, Cache=lambda _: None),
    ]
