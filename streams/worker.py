"""One worker: settings, metrics, an engine, and the agents of a role bound to it (`yupan worker`)."""

from __future__ import annotations

import errno
import gc
import logging
import sys
import threading
import time
from contextlib import ExitStack, closing
from typing import Any

from agents.intake import Intake
from schemas.codec import Codec, codecs
from schemas.errors import PartError
from sinks import alert_topic, history, registry
from sinks.clickhouse import open_clickhouse
from sinks.kafka import client_config, consumer_settings
from sinks.migrate import require_tables
from streams import topology
from streams.alerting import push_alerts
from streams.archive import Archive, Measured
from streams.engine.clock import SystemClock
from streams.engine.config import EngineConfig
from streams.engine.deadletters import DeadLetterLimit
from streams.engine.engine import Engine
from streams.engine.precheck import check_ledger, check_topics
from streams.metrics import EngineHooks, Metrics
from streams.refusal import Refusal
from streams.reloading import Reloading, read_checks
from streams.running import end_on_hang_up
from streams.settings import Settings

log = logging.getLogger("yupan.worker")
HISTORY_COMMIT_MS = 1_000
HISTORY_COMMIT_EVENTS = 50_000
LOOK_EVERY_S = 0.05
"""How often Python looks for cycles."""
_CHATTY = ("faust", "mode", "streams.app", "streams.engine.transport")
"""Loggers that tell of each of Faust's services that it starts and stops."""


def run(settings: Settings, role: str) -> int:
    """Run one role in the foreground until SIGTERM or SIGINT.

    SIGHUP has `decide` read its checks anew, and ends the others, unless they run under nohup.
    Raises `PartError`, `UsageError`.
    """
    from streams.app import build_app, run_app

    _log_to_stderr()
    gc.disable()
    threading.Thread(target=look_for_cycles, name="cycles", daemon=True).start()
    metrics = Metrics()
    log.info("%s: metrics on http://%s/metrics", role, _serve(metrics, settings.metrics))
    if role == "alerts":
        push_alerts(settings, _codecs(settings)[alert_topic.TOPIC], metrics, SystemClock())
        return 0
    with ExitStack() as stack:
        reloading = Reloading(metrics) if role == "decide" else None
        if reloading is None:
            end_on_hang_up()
        engine, bindings = (
            _history(settings, metrics, stack) if reloading is None else _decide(settings, metrics, reloading)
        )
        check_ledger(engine.config)
        check_topics(engine.config)  # the engine asks, too; asked here, the answer is the command's own error
        run_app(build_app(role, engine, bindings), heed=None if reloading is None else reloading.heed)
    return 0


def look_for_cycles() -> None:
    """Instead of Python's own search, during which nothing is decided: often, and at what is new alone.

    Python begins when so many more objects were made than let go. Here as many go as come, since a changed record
    replaces another: so what is new piled up meanwhile, and looking through it took half a second. What has survived
    one look is set aside; it still goes when nobody refers to it any more, unless it is part of a cycle by then.
    """
    while True:
        time.sleep(LOOK_EVERY_S)
        look()


def look() -> None:
    """One look."""
    gc.collect(0)
    gc.freeze()


def _serve(metrics: Metrics, address: str) -> str:
    """The metrics' address. A taken port is no reason not to work: a second worker on a host takes a free one."""
    try:
        return metrics.serve(address)
    except PartError as error:
        if getattr(error.__cause__, "errno", None) != errno.EADDRINUSE:
            raise
        log.warning("YUPAN_METRICS=%s is taken; this worker takes a free port", address)
        return metrics.serve(f"{address.rpartition(':')[0]}:0")


def _decide(settings: Settings, metrics: Metrics, reloading: Reloading) -> tuple[Engine, list[topology.Binding]]:
    bindings, conclusions = topology.deciding(settings, _codecs(settings), read_checks(settings), metrics)
    reloading.bind(conclusions)
    config = _config(
        settings,
        "yupan-decide",
        topology.topics(bindings),
        partitions=settings.partitions,
        delivery=settings.delivery,
        ledger=settings.ledger,
        commit_ms=settings.commit_ms,
        clock=settings.clock,
    )
    hooks = EngineHooks(metrics, "decide")
    refusal = Refusal("yupan-decide", SystemClock())
    return Engine(config, dead_letter=refusal, metrics=hooks, limit=_limit(settings)), bindings


def _history(settings: Settings, metrics: Metrics, stack: ExitStack) -> tuple[Engine, list[topology.Binding]]:
    db = Measured(stack.enter_context(closing(open_clickhouse(settings.clickhouse))), metrics)
    require_tables(db)
    intake = Intake(_codecs(settings), 0, events_clock=settings.clock == "events", country_code=settings.country_code)
    archive = Archive(intake, history.HistoryWriter(db), metrics, SystemClock(), _limit(settings))
    config = _config(
        settings,
        "yupan-history",
        history.TOPICS,
        delivery="at_least_once",
        ledger=None,
        urgent=(),
        clock=settings.clock,
        commit_ms=HISTORY_COMMIT_MS,
        commit_events=HISTORY_COMMIT_EVENTS,
    )
    hooks = EngineHooks(metrics, "history")
    engine = Engine(config, dead_letter=Refusal("yupan-history", SystemClock()), metrics=hooks, sink=archive.flush)
    return engine, [topology.Binding("archive", history.TOPICS, archive.process)]


def _config(settings: Settings, group: str, topics: tuple[str, ...], **more: Any) -> EngineConfig:
    extra = client_config(settings.kafka, settings.kafka_config)
    return EngineConfig(
        bootstrap=extra.pop("bootstrap.servers"),
        group=group,
        topics=topics,
        instance=settings.instance,
        group_protocol=settings.group_protocol,
        extra=extra,
        consumer_extra=consumer_settings(settings.kafka_config),
        **more,
    )


def _limit(settings: Settings) -> DeadLetterLimit:
    return DeadLetterLimit(settings.dead_letter_share, settings.dead_letter_run)


def _codecs(settings: Settings) -> dict[str, Codec]:
    known = codecs()
    registry.attach(known, settings.schema_registry)
    return known


def _log_to_stderr() -> None:
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=form, force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
