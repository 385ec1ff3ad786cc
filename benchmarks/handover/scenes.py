"""What happens to the workers of one group: one joins, leaves, dies, starts again under its own name."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from benchmarks.common import ledger
from benchmarks.common.place import cores
from benchmarks.handover.load import Load, Seen, now_ms
from benchmarks.handover.pauses import Pauses, check, owners, pauses
from benchmarks.handover.worker import PARTITIONS, Options, Worker
from benchmarks.reference import broker

STEADY_S = 3.0
LEAD_MS = 500
"""What was appended so long before it happened may still wait for its output."""
LONGEST_S = 60.0
QUIET_MS = 300
"""All partitions are well when nothing that was appended in the last second took longer than this."""


class Group:
    """Workers of one group under load; for `with`. Scenes are called one after the other."""

    def __init__(self, options: Options, records: int = 0) -> None:
        """`records`: so many lie in the ledger before."""
        self._options = options
        self._records = records
        self._exit = ExitStack()
        self.load = Load(options.bootstrap, options.source, options.out)

    def __enter__(self) -> Group:
        names = self._options
        broker.create(names.bootstrap, names.source, names.out)
        ledger.create(names.bootstrap, names.changelog)
        if self._records:
            ledger.fill(names.bootstrap, names.changelog, self._records)
        self._exit.enter_context(self.load)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()
        broker.delete(self._options.bootstrap, self._options.source, self._options.out, self._options.changelog)

    @property
    def protocol(self) -> str:
        """Of the group: `classic` or `consumer`."""
        return self._options.protocol

    def start(self, instance: str = "") -> Worker:
        """One more worker; returns at once."""
        worker = Worker(self._options._replace(instance=instance))
        return self._exit.enter_context(worker)

    def settled(self, workers: Sequence[Worker]) -> None:
        """Wait until these workers own all, each its share, and delays are as they should be."""
        wanted = {worker.pid for worker in workers}
        until = time.monotonic() + LONGEST_S
        while not self._well(wanted):
            ended = [worker for worker in workers if not worker.alive]
            if ended or self.load.failures or time.monotonic() > until:
                log = "\n".join(worker.log.read_text(errors="replace")[-2_000:] for worker in workers)
                raise RuntimeError(f"the group does not settle: {self.load.failures or ended}\n{log}")
            time.sleep(0.1)

    def _well(self, wanted: set[int | None]) -> bool:
        since = now_ms() - 1_000
        recent = [one for one in self._last(6 * 2_000) if one.appended >= since]
        found = owners(recent)
        return (
            len(found) == PARTITIONS
            and set(found.values()) == wanted
            and max(one.delay for one in recent) < QUIET_MS
            and min(max(o.seen for o in recent if o.partition == number) for number in found) > since + 500
        )

    def _last(self, count: int) -> list[Seen]:
        return self.load.seen[-count:]

    def scene(self, happens: Callable[[], Sequence[Worker]]) -> Pauses:
        """The pauses while something happens; `happens` returns the workers that are left at the end."""
        time.sleep(STEADY_S)
        at = now_ms()
        before = [one for one in self._last(20_000) if at - STEADY_S * 1000 < one.appended < at - LEAD_MS]
        self.settled(happens())
        end = now_ms()
        during = [one for one in self.load.seen if at - LEAD_MS <= one.appended < end]
        return pauses(before, during)

    def finish(self) -> None:
        """All that was sent came out, once. Raises `WrongResultError`."""
        self.load.stop_sending()
        until = time.monotonic() + LONGEST_S
        while len(self.load.seen) < sum(self.load.sent) and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(0.5)  # what is too much would come now
        check(self.load.sent, self.load.seen)


@contextmanager
def group(options: Options, broker_core: int, records: int = 0) -> Iterator[Group]:
    """A group; the load runs on the broker's core."""
    with cores(broker_core), Group(options, records) as running:
        yield running


def unnamed(running: Group, quick: bool) -> dict[str, Pauses]:
    """Workers without names: dynamic members, as a deployment that is scaled has them."""
    workers = [running.start()]
    running.settled(workers)

    def nothing() -> list[Worker]:
        time.sleep(2)
        return workers

    def join() -> list[Worker]:
        workers.append(running.start())
        return workers

    def leave() -> list[Worker]:
        workers.pop().stop()
        return workers

    def die() -> list[Worker]:
        workers.pop().kill()
        return workers

    scenes = {"join": join, "leave": leave}
    if not quick:
        scenes = {"nothing": nothing, **scenes, "join_again": join, "die": die}
    found = {name: running.scene(happens) for name, happens in scenes.items()}
    running.finish()
    return found


def named(running: Group, quick: bool) -> dict[str, Pauses]:
    """Two workers with names (YUPAN_INSTANCE): static members, as a StatefulSet has them."""
    workers = [running.start("worker-1"), running.start("worker-2")]
    running.settled(workers)

    def again(number: signal.Signals) -> list[Worker]:
        gone = workers.pop()
        gone.send(number)
        while gone.alive:
            time.sleep(0.01)
        workers.append(running.start("worker-2"))
        return workers

    scenes = {"restart": signal.SIGTERM}
    if not quick and running.protocol == "classic":  # with KIP-848 a name is taken until its session is over
        scenes["killed_and_restarted"] = signal.SIGKILL
    found = {name: running.scene(partial(again, number)) for name, number in scenes.items()}
    running.finish()
    return found
