"""A worker process for the engine's tests: counts events by customer, exactly, and tells each tenth one.

Options as one JSON argument: bootstrap, prefix, and anything of `EngineConfig`.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from streams.engine.engine import Engine
from tests.engine.driver import main
from tests.engine.kit import config, dead_letter


def counting(prefix: str, slow_s: float = 0.0) -> Any:
    """A handler: `count/KEY` in the ledger, and every tenth count of a key to `PREFIX-out`.

    `slow_s` more seconds for each 200 events give a test the time to interfere.
    """
    out = f"{prefix}-out"

    def process(batch: Any) -> None:
        time.sleep(slow_s * len(batch.messages) / 200)
        for message in batch.messages:
            with batch.scope(message):
                key = message.key().decode()
                before = batch.get(f"count/{key}")
                count = 1 if before is None else before["n"] + 1
                batch.put(f"count/{key}", {"n": count})
                if count % 10 == 0:
                    batch.send(out, json.dumps([key, count]).encode(), message.key())

    return process


def run() -> None:
    """Start the worker."""
    options = json.loads(sys.argv[1])
    slow_s = options.pop("slow_s", 0.0)
    faust = options.pop("faust", False)
    for name in ("topics", "urgent"):
        if name in options:
            options[name] = tuple(options[name])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    settings = config(**options)
    handler = counting(options["prefix"], slow_s)
    engine = Engine(settings, dead_letter=dead_letter)
    if not faust:
        main(engine, dict.fromkeys(settings.topics, handler))
        return
    from streams.app import Binding, build_app, run_app

    run_app(
        build_app("test", engine, [Binding(topic.rsplit("-", 1)[1], [topic], handler) for topic in settings.topics])
    )


if __name__ == "__main__":
    run()
