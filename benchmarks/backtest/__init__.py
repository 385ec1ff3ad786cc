"""How fast `yupan checks backtest` is, and that it leaves no trace: `python -m benchmarks.backtest`.

A worker decides a day of states; then `yupan checks backtest activation` replays it, as a process of its own. It must
decide what was decided then, and every topic and every consumer group must stand where it stood.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from confluent_kafka.admin import AdminClient

from agents.differences import KINDS
from benchmarks.command import Say
from benchmarks.common.place import Place, cores
from benchmarks.reference.broker import QUIET
from benchmarks.slice.day import STATES, Answer, traffic
from benchmarks.slice.site import Progress, Site, wait_for
from benchmarks.slice.verdict import settle
from sinks.groups import Groups
from sinks.groups import Place as Partition

K = TypeVar("K", str, Partition)
CHECK = "activation"
HOUR_MS = 3_600_000
CUSTOMERS_SHARE = 10
"""One customer for so many events."""
DECIDING_S = 900.0
TOLD = ("events", "seconds", "events_per_s", *KINDS, "same")


class Standing(NamedTuple):
    """Where all topics of a cluster end, and what every group has committed."""

    ends: dict[Partition, int]
    committed: dict[str, dict[Partition, int]]


def measure(events: int, place: Place, say: Say) -> dict[str, Any]:
    """Write so many events, have them decided, replay them."""
    site, answer = Site(place), Answer()
    site.fresh()
    start = time.time_ns() // 1_000_000 - 3 * HOUR_MS
    site.write(traffic(start, 3600, events, STATES, events // CUSTOMERS_SHARE), answer)
    say(f"{answer.events.total():,} events written")
    with tempfile.TemporaryDirectory(prefix="yupan-backtest-") as directory, site.worker(Path(directory)) as worker:
        with closing(Progress(site.bootstrap)) as progress:
            total = answer.events.total()
            wait_for(lambda: progress.done() >= total, f"deciding them ({worker.log})", DECIDING_S, every=1.0)
        settle(site.bootstrap, answer)
    before = standing(site.bootstrap)
    say(f"decided: {answer.changes('OPEN'):,} anomalies")
    found = backtested(place)
    changed = traces(before, standing(site.bootstrap))
    say(f"{found['events']:,} events in {found['seconds']} s; traces: {', '.join(changed) or 'none'}")
    return {**{name: found[name] for name in TOLD}, "traces": changed}


def backtested(place: Place) -> dict[str, Any]:
    """What the command answers, on the core of programs. Raises `RuntimeError` when it fails."""
    ours = {**os.environ, "YUPAN_KAFKA": place.bootstrap}
    command = [sys.executable, "-m", "streams", "checks", "backtest", CHECK, "--json"]
    with cores(place.program_core):
        ended = subprocess.run(command, env=ours, stdout=subprocess.PIPE, check=False)
    if not ended.stdout:
        raise RuntimeError(f"`{' '.join(command[1:])}` ended with exit code {ended.returncode}")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def standing(bootstrap: str) -> Standing:
    """What a trace would change: of all topics, the cluster's own too, and of all groups."""
    admin, groups = AdminClient({"bootstrap.servers": bootstrap, **QUIET}), Groups(bootstrap)
    topics = admin.list_topics(timeout=10).topics
    names = [group.group_id for group in admin.list_consumer_groups().result().valid]
    ends = groups.ends([(name, number) for name, topic in topics.items() for number in topic.partitions])
    return Standing(ends, {name: groups.committed(name) for name in names})


def traces(before: Standing, after: Standing) -> list[str]:
    """What has changed, by name."""
    ends = [f"{topic}/{number}" for topic, number in _changed(before.ends, after.ends)]
    return ends + [f"group {name}" for name in _changed(before.committed, after.committed)]


def _changed(before: Mapping[K, Any], after: Mapping[K, Any]) -> list[K]:
    """The keys that have come, gone, or another value."""
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
