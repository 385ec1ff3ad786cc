"""One run: a fault, a seed, a workload, and the verdict on what is left behind."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

from schemas.catalogue import EVENTS
from sinks.groups import Place
from streams.engine.deadlines import PREFIX as DUE
from tests.faults.answer import Answer, dead_letters, due, held, known, sent
from tests.faults.faults import Fault
from tests.faults.ground import Ground
from tests.faults.judge import Findings, Verdict, judge
from tests.faults.scene import Scene
from tests.faults.seen import Record, TableRow, all_rows, changes
from tests.faults.workload import CALL, DUE_MS, UNSURE, Stories, Workload

CUSTOMERS = 400
MOST_WORKERS = 3
FOLLOWS_S = 60.0
"""How long what is missing may still come after all input is decided: deadlines, and the history."""
AFTER_MS = 60_000
TOLD_MS = 3_000
"""So long after the last deadline technicians have been told, and that it is over, too (`checks`)."""
LONG_S = 20.0
"""A pause worth a look into the logs."""


class Result(NamedTuple):
    """What a run showed."""

    fault: str
    seed: int
    events: int
    lost: int
    doubled: int
    pause_s: float
    seconds: float
    restarts: int
    told: str


def play(ground: Ground, fault: Fault, seed: int, customers: int = CUSTOMERS) -> Result:
    """Run `fault`; all that is random comes from `seed`."""
    chance, began = random.Random(f"{fault.name} {seed}"), time.monotonic()
    marks = ground.reader.ends()
    workers = {"decide": chance.randint(fault.fewest, MOST_WORKERS), "history": chance.randint(1, MOST_WORKERS)}
    with Scene(ground, chance, f"{fault.name}-{seed}-{time.monotonic_ns()}", workers, fault.settings) as scene:
        scene.start_workers()
        base = time.time_ns() // 1_000_000
        workload = Stories(random.Random(seed), base, seed).tell(customers)
        if fault.prepare is not None:
            fault.prepare(workload, chance)
        scene.start_feeding(workload, marks)
        fault.act(scene)
        scene.settle()
        verdict, records = _examine(scene, workload, marks, base)
        pause = longest_pause(records, scene.observer.seen)
        odd = verdict.losses or verdict.doubles or pause > LONG_S
        told = f"{verdict.told()}\n{scene.keep_logs()}" if odd else ""
        restarts = scene.supervisor.restarts
        assert not scene.went_back(), f"a consumer went back to what is decided; {scene.keep_logs()}"
    ground.remember(changes(records))
    seconds = time.monotonic() - began
    return Result(
        fault.name, seed, workload.count, verdict.losses, verdict.doubles, round(pause, 2), seconds, restarts, told
    )


def _examine(
    scene: Scene, workload: Workload, marks: Mapping[Place, int], base: int
) -> tuple[Verdict, Sequence[Record]]:
    """Wait for what follows from the input, and look at everything once more at the end.

    What one partition tells another is input, too, and may be written late, by a clock that was put back or a slow
    machine: each look has the answer to what is there then. That all of it is there, the answer's own outputs tell.
    """
    ground = scene.ground

    def looked() -> tuple[Verdict, Sequence[Record]]:
        records = ground.reader.read(marks)
        answer = expected(records, workload, ground.heads, base)
        rows = all_rows(ground.clickhouse, base)
        return judge(answer, found(records, rows, workload.ordered, earlier=ground.earlier)), records

    scene.sleep(max(0.0, (base + DUE_MS + TOLD_MS) / 1_000 - time.time()))
    until = time.monotonic() + FOLLOWS_S
    while any(looked()[0]) and time.monotonic() < until:
        scene.sleep(0.5)
    scene.settle()
    return looked()


def expected(
    records: Sequence[Record], workload: Workload, heads: Mapping[tuple[int, str], Any], base: int
) -> Findings:
    """The answer: the stories' own, and all input decided once more."""
    story = workload.known if workload.ordered else _sure(workload.known)
    return {**Answer(heads).decide(records, base + AFTER_MS), "story": story}


def found(
    records: Sequence[Record], rows: Iterable[TableRow], ordered: bool = True, *, earlier: Set[str] = frozenset()
) -> Findings:
    """What is there; without the deadlines of `earlier` runs' customers."""
    ledger, story = changes(records), known(records)
    return {
        **sent((r.topic, r.partition, r.value, r.headers) for r in records if r.topic in EVENTS),
        "dead letter": dead_letters(records),
        "ledger": held({place: record for place, record in ledger.items() if not place[1].startswith(DUE)}),
        "deadline": Counter(deadline for deadline in due(ledger) if deadline[1] not in earlier),
        "row": Counter(rows),
        "story": story if ordered else _sure(story),
    }


def _sure(story: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """Without what depends on the order of a customer's events."""
    return Counter({thing: count for thing, count in story.items() if thing[0] not in UNSURE})


def longest_pause(records: Sequence[Record], seen: Mapping[str, int]) -> float:
    """The longest time (s) from a call's broker timestamp to the first sight of its tagged call by a reader."""
    arrived: dict[str, int] = {}
    for record in records:
        if record.topic == CALL and "ce_id" in record.headers:
            arrived.setdefault(f"{record.headers['ce_source']}|{record.headers['ce_id']}", record.at)
    return max((seen[name] - at for name, at in arrived.items() if name in seen), default=0) / 1000
