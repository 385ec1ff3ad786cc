"""What is wrong with this set-up, and the remedy: one finding a question, whatever else fails."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Literal

from schemas.errors import PartError, YupanError
from streams.settings import Settings, without_password

OURS = ("schemas", "agents", "sinks", "streams")
LEAST_FREE = 1 << 30
"""Bytes below which a disk counts as full."""
Status = Literal["ok", "warn", "fail"]
Answer = tuple[Status, str, str]


@dataclass(frozen=True)
class Finding:
    """The answer to one question. `exit_code`: what a command would end with because of it, 0 when it would not."""

    question: str
    status: Status
    text: str
    remedy: str = ""
    exit_code: int = 0


def examine(settings: Settings) -> Iterator[Finding]:
    """Ask all questions, one after the other; none stops the next but one that would wait for the same part."""
    failed = set()
    for question, ask in QUESTIONS.items():
        needed = NEEDS.get(question)
        if needed in failed:
            yield Finding(question, "warn", f"not asked, since {needed} does not answer")
            continue
        finding = _asked(question, ask, settings)
        if finding.status == "fail":
            failed.add(question)
        yield finding


def _asked(question: str, ask: Callable[[Settings], Answer], settings: Settings) -> Finding:
    try:
        status, text, remedy = ask(settings)
        return Finding(question, status, text, remedy, PartError.exit_code if status == "fail" else 0)
    except YupanError as error:
        return Finding(question, "fail", str(error), "", error.exit_code)


def foreign_owners() -> dict[str, str]:
    """Which of our four package names another distribution owns, too."""
    owners = packages_distributions()
    return {name: other for name in OURS for other in owners.get(name, []) if other.lower() != "yupan"}


def _python(_: Settings) -> Answer:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info < (3, 14):
        return "ok", f"Python {version}", ""
    return "fail", f"Python {version}", "use Python 3.11 to 3.13"


def _names(_: Settings) -> Answer:
    foreign = foreign_owners()
    if not foreign:
        return "ok", "the packages schemas, agents, sinks, streams are ours alone", ""
    what = ", ".join(f"{name} ({owner})" for name, owner in foreign.items())
    return "fail", f"another distribution owns {what}", "install yupan in an environment of its own"


def _checks(settings: Settings) -> Answer:
    from agents.rules import load_checks
    from agents.shadow import SHADOW

    checks = load_checks(settings.checks, settings.deadlines, settings.repairs)
    told = f"{len(checks.by_id)} checks: {', '.join(checks.by_id)}; {len(checks.watches)} watch lists"
    silent = [name for name, one in checks.files.items() if one.mode == SHADOW]
    return "ok", f"{told}; in shadow: {', '.join(silent)}" if silent else told, ""


def _broker(settings: Settings) -> Answer:
    from sinks.groups import Groups

    found = Groups(settings.kafka, settings.kafka_config).brokers()
    return "ok", f"{settings.kafka} answers: {found} broker{'s' if found != 1 else ''}", ""


def _topics(settings: Settings) -> Answer:
    from sinks.admin import MISSING, PARTITIONS, Admin, remedy

    found = Admin(settings.kafka, settings.kafka_config).diff(settings.partitions)
    if not found:
        return "ok", f"all topics are as they should be, {settings.partitions} partitions each", ""
    grave = any(d.what in (MISSING, PARTITIONS) for d in found)
    text = "; ".join(str(d) for d in found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
    return "fail" if grave else "warn", text, remedy(found)


def _workers(settings: Settings) -> Answer:
    from sinks.groups import Groups

    names = [f"yupan-{role}" for role in ("decide", "history")]
    groups = Groups(settings.kafka, settings.kafka_config).standing(names)
    idle = [group.name for group in groups if group.members == 0]
    text = ", ".join(f"{g.name}: {_count(g.members)}, {g.behind} records behind" for g in groups)
    if idle:
        return "warn", text, f"start a worker: yupan worker --role {idle[0].removeprefix('yupan-')}"
    return "ok", text, ""


def _count(members: int | None) -> str:
    if members is None:
        return "workers (this broker does not tell how many)"
    return f"{members} worker{'s' if members != 1 else ''}"


def _registry(settings: Settings) -> Answer:
    if not settings.schema_registry:
        return "ok", "no schema registry: schemas have ids of their own", ""
    from schemas.codec import codecs
    from sinks.registry import attach

    attach(codecs(), settings.schema_registry)
    return "ok", f"{settings.schema_registry} answers and knows all schemas", ""


def _clickhouse(settings: Settings) -> Answer:
    from sinks.clickhouse import open_clickhouse
    from sinks.migrate import migrate

    with closing(open_clickhouse(settings.clickhouse)) as db:
        version = ".".join(map(str, db.version))
        pending = [step.name for step in migrate(db, dry_run=True) if step.status == "pending"]
    if pending:
        return "fail", f"version {version}, {len(pending)} migrations are missing", "yupan migrate"
    return "ok", f"version {version}, tables are up to date", ""


def _alertmanager(settings: Settings) -> Answer:
    if not settings.alertmanager:
        return "ok", "no Alertmanager: alerts stay on yupan.alert.v1", ""
    from sinks.alertmanager import Alertmanager

    Alertmanager(settings.alertmanager).require_ready()
    return "ok", f"ready: {without_password(', '.join(settings.alertmanager))}", ""


def _ledger(settings: Settings) -> Answer:
    if settings.ledger == "memory":
        return "ok", "in memory: a worker that starts reads the changelog", ""
    directory = Path(settings.ledger.removeprefix("rocksdb://"))
    there = next(p for p in (directory, *directory.parents) if p.exists())
    if not os.access(there, os.W_OK):
        return "fail", f"{there} cannot be written", "give the worker's user the right, or change YUPAN_LEDGER"
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE:
        return "fail", f"{there} has {free >> 20} MiB left", "free space there, or change YUPAN_LEDGER"
    if not settings.instance:
        return "warn", "the directory belongs to no stable name", "set YUPAN_INSTANCE, so that a restart finds it"
    return "ok", f"{directory}, {free >> 30} GiB free", ""


def _metrics(settings: Settings) -> Answer:
    host, _, port = settings.metrics.rpartition(":")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            shown = _shown(settings.metrics)
            if shown is not None:
                return _worker(settings.metrics, shown)
            return "warn", f"YUPAN_METRICS={settings.metrics}: {error.strerror}", "choose another port"
    return "ok", f"{settings.metrics} can be bound", ""


def _shown(address: str) -> str | None:
    """The metrics of the worker on `address`; None when nothing answers, or something else."""
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=2) as answer:
            text: str = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    return text if "yupan_build_info" in text else None


def _worker(address: str, shown: str) -> Answer:
    waited_for = [part for name, part in WAITED_FOR.items() if re.search(rf"^{name} 0\.0$", shown, re.MULTILINE)]
    if waited_for:
        remedy = "it goes on by itself when that is back"
        return "warn", f"the worker that shows its metrics on {address} waits for {' and '.join(waited_for)}", remedy
    absent = re.findall(r'^yupan_baseline_missing{system="(.*)"} 1\.0$', shown, re.MULTILINE)
    if absent:
        told = f"checks are silent until the full export of {', '.join(sorted(absent))} is in (YUPAN_BASELINE)"
        return "warn", told, "yupan import states FILE --set system=NAME --snapshot, or YUPAN_BASELINE=off"
    return "ok", f"a worker shows its metrics on {address}", ""


QUESTIONS: dict[str, Callable[[Settings], Answer]] = {
    "python": _python,
    "names": _names,
    "checks": _checks,
    "kafka": _broker,
    "topics": _topics,
    "workers": _workers,
    "registry": _registry,
    "clickhouse": _clickhouse,
    "alertmanager": _alertmanager,
    "ledger": _ledger,
    "metrics": _metrics,
}
WAITED_FOR = {
    "yupan_broker_up{.*}": "the broker",
    'yupan_sink_up{sink="clickhouse"}': "ClickHouse",
    'yupan_sink_up{sink="alertmanager"}': "Alertmanager",
}
"""Metrics of a worker that are 0 while it waits."""
NEEDS = {"topics": "kafka", "workers": "kafka"}
"""Questions that nobody can answer when another one failed."""


def verdict(findings: list[Finding]) -> int:
    """The exit code: the gravest of the failures', 1 with warnings only, 0 when all is well."""
    codes = [finding.exit_code for finding in findings if finding.status == "fail"]
    if codes:
        return min(codes) if PartError.exit_code not in codes else PartError.exit_code
    return int(any(finding.status == "warn" for finding in findings))
