"""The injected scheduler: model time, actors that block, an event loop that is stepped.

Everything runs one at a time. Blocking code of the engine (the consumer's thread, the executors) runs in actors:
parked OS threads that get a baton, so that a schedule is a list of choices and nothing else.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

from tests.model.errors import Killed

Condition = Callable[[], Any]


class _Carrier:
    """An OS thread that carries one actor after the other; kept, since a new one costs more than a run's actor."""

    def __init__(self) -> None:
        self.go = threading.Lock()
        self.back = threading.Lock()
        self.go.acquire()
        self.back.acquire()
        self.work: Callable[[], None] | None = None
        threading.Thread(target=self._carry, daemon=True).start()

    def _carry(self) -> None:
        while True:
            self.go.acquire()
            assert self.work is not None
            self.work()
            self.work = None
            self.back.release()

    def switch(self) -> None:
        """From the scheduler: let it run until it blocks or ends."""
        self.go.release()
        self.back.acquire()

    def park(self) -> None:
        """From the carrier: give the baton back, and wait for it."""
        self.back.release()
        self.go.acquire()


_idle: list[_Carrier] = []


class Actor:
    """Blocking code of one worker. Between two `block` calls it runs alone."""

    def __init__(self, world: World, owner: Any, name: str, work: Callable[[], None]) -> None:
        self.world = world
        self.owner = owner
        self.name = name
        self.done = False
        self._killed = False
        self._until: Condition | None = None
        self._wake_at: float | None = None
        self._work = work
        self._carrier: _Carrier | None = None

    def enabled(self) -> bool:
        """Whether it can go on."""
        if self.done:
            return False
        if self._wake_at is not None and self.world.now >= self._wake_at:
            return True
        return (self._until is None and self._wake_at is None) or (self._until is not None and bool(self._until()))

    @property
    def wakes_at(self) -> float | None:
        """When it goes on by itself."""
        return None if self.done else self._wake_at

    def step(self) -> None:
        """Run to the next place where it blocks."""
        if self._carrier is None:
            self._carrier = _idle.pop() if _idle else _Carrier()
            self._carrier.work = self._run
        before, self.world.actor = self.world.actor, self
        self._carrier.switch()
        self.world.actor = before
        if self.done:
            _idle.append(self._carrier)

    def _run(self) -> None:
        try:
            if not self._killed:
                self._work()
        except Killed:
            pass
        except BaseException as error:
            self.world.broken(f"{self.name}: {error!r}", error)
        self.done = True

    def block(self, until: Condition | None, seconds: float | None) -> bool:
        """Wait inside the actor for `until` or so long; with neither, only let others run. Whether `until` holds."""
        self._until = until
        self._wake_at = None if seconds is None else self.world.now + seconds
        assert self._carrier is not None
        self._carrier.park()
        if self._killed:
            raise Killed
        return bool(until()) if until is not None else False

    def kill(self) -> None:
        """End it where it stands."""
        self._killed = True
        if self._carrier is None:
            self.done = True
        for _ in range(100):
            if self.done:
                return
            self.step()
        raise AssertionError(f"{self.name} does not end")


class World:
    """Model time in seconds, who runs, and what went wrong."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.actor: Actor | None = None
        self.wrong: list[str] = []
        self.trace: list[str] = []
        self.cause: BaseException | None = None
        self.timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def note(self, text: str) -> None:
        """One line of what led to a failure."""
        self.trace.append(f"{self.now - 1_000:8.3f} {text}")

    def broken(self, text: str, cause: BaseException | None = None) -> None:
        """The engine, or an invariant, is broken."""
        self.wrong.append(text)
        self.cause = self.cause or cause

    def block(self, until: Condition | None = None, seconds: float | None = None) -> bool:
        """Block the actor that runs. The event loop must not block: then it is an error, unless `until` holds."""
        if self.actor is None:
            assert until is not None, "the event loop blocks"
            assert until(), "the event loop blocks"
            return True
        return self.actor.block(until, seconds)

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do it in so many seconds of model time."""
        heapq.heappush(self.timers, (self.now + seconds, next(self._order), work))

    def advance(self, to: float) -> None:
        """Let time pass."""
        self.now = max(self.now, to)
        while self.timers and self.timers[0][0] <= self.now:
            heapq.heappop(self.timers)[2]()


class Loop(asyncio.AbstractEventLoop):
    """An event loop without a selector: `step` runs one iteration."""

    def __init__(self, world: World, start: Callable[[Any, Callable[[], None]], None]) -> None:
        """`start(executor, work)` runs blocking work."""
        self._world = world
        self._start = start
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = count()
        self.closed = False
        self.steps = 0

    # --- what asyncio asks for

    def time(self) -> float:
        return self._world.now

    def get_debug(self) -> bool:
        return False

    def is_closed(self) -> bool:
        return self.closed

    def is_running(self) -> bool:
        return not self.closed

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **_: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.closed and "exception" in context and not isinstance(context["exception"], Killed):
            self._world.broken(f"event loop: {context['message']}: {context['exception']!r}", context["exception"])

    def run_in_executor(self, executor: Any, function: Any, *args: Any) -> asyncio.Future[Any]:
        future = self.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def work() -> None:
            try:
                outcome = function(*args), None
            except Killed:
                raise
            except BaseException as error:
                outcome = None, error
            self.call_soon(settle, *outcome)

        self._start(executor, work)
        return future

    # --- for the scheduler

    def enabled(self) -> bool:
        """Whether an iteration has something to do."""
        return bool(self._ready) or self._due()

    def _due(self) -> bool:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return bool(self._timers) and self._timers[0][0] <= self._world.now

    @property
    def wakes_at(self) -> float | None:
        """When the next timer is due."""
        self._due()
        return self._timers[0][0] if self._timers else None

    def step(self) -> None:
        """One iteration."""
        self.steps += 1
        while self._due():
            self._ready.append(heapq.heappop(self._timers)[2])
        asyncio._set_running_loop(self)
        try:
            for _ in range(len(self._ready)):
                handle = self._ready.popleft()
                if not handle.cancelled() and not self.closed:
                    handle._run()
        finally:
            asyncio._set_running_loop(None)
