"""The Faust app of one worker, bound to an engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import faust
import uvloop
from faust.tables.manager import TableManager

from schemas.errors import UsageError
from streams.engine.engine import Engine
from streams.engine.transport import BatchSchema, EngineTransport
from streams.topology import Binding, Process

Heed = Callable[[asyncio.AbstractEventLoop], None]
"""Installs signal handlers in the loop that decides."""


class YupanApp(faust.App):
    """A Faust app that keeps nothing on disk: the ledger is the engine's."""

    def _create_directories(self) -> None:
        """Do nothing: Faust's data directory would stay empty."""


class NoTables(TableManager):
    """Faust's tables are not used."""

    async def on_start(self) -> None:
        """Start without the second that Faust gives an app to make tables."""
        await self._update_channels()
        await self.recovery.start()


class AppProcess(faust.Worker):
    """The process around the app."""

    heed: Heed | None = None

    def install_signal_handlers(self) -> None:
        """Faust's own, and those of who wants to be told of a signal in the loop."""
        super().install_signal_handlers()
        if self.heed is not None:
            self.heed(self.loop)

    async def _sentinel_task(self) -> None:
        """End without a last second of the event loop: by now all of it has stopped."""


def build_app(role: str, engine: Engine, bindings: Sequence[Binding]) -> faust.App:
    """Return an app that runs `bindings` on `engine`. Raises `UsageError` when a topic has no agent, or two."""
    _check(engine, bindings)
    app = YupanApp(
        f"yupan-{role}",
        broker=f"kafka://{engine.config.bootstrap.split(',')[0]}",
        origin="streams",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        reply_create_topic=False,
        store="memory://",
        broker_commit_interval=3600.0,
        stream_wait_empty=False,
        worker_redirect_stdouts=False,
        TableManager=NoTables,
    )
    app.transport = app.producer_transport = EngineTransport(app.conf.broker, app, engine)
    for binding in bindings:
        topic = app.topic(*binding.topics, schema=BatchSchema(), acks=False)
        app.agent(topic, name=f"yupan.{role}.{binding.agent}")(_looping(binding.process))
    return app


def _check(engine: Engine, bindings: Sequence[Binding]) -> None:
    bound = [topic for binding in bindings for topic in binding.topics]
    if sorted(bound) != sorted(engine.config.topics):
        odd = sorted(set(bound) ^ set(engine.config.topics)) or sorted({t for t in bound if bound.count(t) > 1})
        raise UsageError(f"{engine.config.group}: each topic needs exactly one agent: {', '.join(odd)}")


def _looping(process: Process) -> Callable[[Any], Awaitable[None]]:
    async def agent(stream: Any) -> None:
        async for batch in stream:
            with batch:
                process(batch)

    return agent


def run_app(app: faust.App, loglevel: int = logging.INFO, heed: Heed | None = None) -> None:
    """Run until SIGTERM or SIGINT; logging is set up by the caller, `heed` is called when the loop takes signals."""
    worker = AppProcess(
        app,
        loop=uvloop.new_event_loop(),
        loglevel=loglevel,
        override_logging=False,
        redirect_stdouts=False,
        quiet=True,
    )
    worker.heed = heed
    worker.spinner = None  # it would write a terminal's control codes into the log
    worker.execute_from_commandline()
