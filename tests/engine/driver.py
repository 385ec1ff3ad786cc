"""Runs an engine without Faust, as the suite does: handlers by topic, called one batch after the other."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping

import uvloop

from agents.ports import Batch
from streams.engine.batch import EngineBatch
from streams.engine.engine import Engine

Process = Callable[[Batch], None]


async def run(engine: Engine, handlers: Mapping[str, Process], stop: asyncio.Event) -> None:
    """Run until `stop` is set; `handlers` are by topic. Raises what a handler raised outside a scope."""

    async def deliver(batch: EngineBatch) -> None:
        with batch:
            handlers[batch.topic](batch)

    await engine.start()
    dispatching = asyncio.create_task(engine.dispatch(deliver))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([dispatching, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    await engine.stop()
    await dispatching


def main(engine: Engine, handlers: Mapping[str, Process]) -> None:
    """Run as a process of its own, until SIGTERM or SIGINT."""

    async def until_signal() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run(engine, handlers, stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_signal())
