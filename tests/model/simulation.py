"""One run: workers on a model of Kafka, a schedule, faults, and what must hold whatever happens.

The script is bytes; each chooses what happens next. When it is used up no more faults happen, everything gets its
turn, and all inputs must be decided within `SETTLED_S` of model time: shorter than any transaction's time-out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from streams.engine.config import EngineConfig
from streams.engine.failure import OUTSIDE, exit_code
from streams.engine.restore import LATE_S
from streams.engine.store import decode, encode
from tests.model.fakes import stage
from tests.model.kafka import Broker, Name, Txn, fold
from tests.model.machine import (
    BAD,
    BULK,
    CALL,
    DEAD,
    LEDGER,
    MAX_FETCHED,
    MAX_PENDING,
    OUT,
    OWNER,
    POLL_RECORDS,
    POP,
    TOPICS,
    Machine,
)
from tests.model.schedule import World

PARTITIONS = 2
INPUTS_EACH = 5
SESSION_S = 2.0
SETTLED_S = 30.0
STEPS_AT_MOST = 6_000
FAULTS_AT_MOST = 4
MACHINES_AT_MOST = 6
ORDINARY, TIME, STRIDE = 160, 184, 208  # bytes below choose: an ordinary step, time passes, a stride of fair steps
Action = tuple[str, Callable[[], None]]
Possible = tuple[Machine | None, str, Callable[[], None], Callable[[], bool]]


class BrokenError(AssertionError):
    """An invariant does not hold, with what led there."""


class Simulation:
    """See the module. `run` raises `BrokenError`."""

    def __init__(self, script: bytes) -> None:
        self._script = iter(script[1:])
        self._shape = script[0] if script else 0
        self._over = False
        self.world = stage.world = World()
        self.broker = Broker(self.world, PARTITIONS, SESSION_S)
        self.broker.group.incremental = bool(self._shape & 1)
        self.broker.on_commit = self._check_commit
        self.machines: list[Machine] = []
        self.steps = 0
        self._rounds = 0
        self._faults = 0
        self._disk: dict[str, Any] = {}
        self._unsent: list[tuple[Name, bytes, bytes]] = []
        self._settle_from = 0.0

    def run(self) -> None:
        """From the first worker's start to the end."""
        try:
            self._feed()
            self._start()
            if self._shape & 2:
                self._start()
            self._stride((self._shape >> 4) * 4)
            for choice in self._script:
                self._do(*self._chosen(choice))
            self._settle()
        finally:
            for machine in self.machines:
                stage.machine = machine
                machine.dead = machine.loop.closed = True
                machine.bury()

    # --- input

    def _feed(self) -> None:
        """Some is there at the start, some comes later; two logs end with a marker behind their last record."""
        records = [
            (
                (topic, number),
                f"{number}{'ab'[turn % 2]}".encode(),
                BAD if (topic, number, turn) == (BULK, 0, 1) else b"",
            )
            for turn in range(INPUTS_EACH)
            for number in range(PARTITIONS)
            for topic in TOPICS
        ]
        for name, key, value in records[: len(records) // 2]:
            self.broker.append(name, key, value)
        self._unsent = records[len(records) // 2 :]

    def _send(self) -> None:
        name, key, value = self._unsent.pop(0)
        if name == (BULK, 1):
            self._send_in_transaction(name, key, value)
        else:
            self.broker.append(name, key, value)

    def _send_in_transaction(self, name: Name, key: bytes, value: bytes) -> None:
        epoch = self.broker.init("source")
        if epoch is None:
            self._unsent.insert(0, (name, key, value))
            return
        self.broker.write("source", epoch, name, key, value)
        self.broker.end_transaction("source", epoch, "commit")

    # --- workers

    def _start(self) -> None:
        number = len(self.machines)
        slot = number % 2
        config = EngineConfig(
            bootstrap="model",
            group="g",
            topics=TOPICS,
            urgent=(CALL,),
            changelog=LEDGER,
            ledger="rocksdb:///model" if self._shape & 4 else "memory",
            instance=f"w{slot}" if self._shape & 4 and not self._named(f"w{slot}") else f"only{number}",
            group_protocol="consumer" if self._shape & 1 else "classic",
            commit_ms=20,
            poll_records=POLL_RECORDS,
            slice_events=1,
            max_pending=MAX_PENDING,
            max_fetched=MAX_FETCHED,
            restore_wait_ms=0 if self._shape & 8 else 500,
            unique=str(number),
        )
        machine = Machine(self.broker, f"{number}", config, self._disk, self._small)
        self.machines.append(machine)
        stage.machine = machine
        machine.boot()

    def _named(self, instance: str) -> bool:
        return any(m._config.instance == instance and not m.dead for m in self.machines)

    def _small(self, below: int) -> int:
        return self.steps * 7 % below if not self._over else below - 1

    @property
    def _living(self) -> list[Machine]:
        return [machine for machine in self.machines if not machine.dead]

    # --- what happens next

    def _ordinary(self) -> list[Possible]:
        found: list[Possible] = [(machine, *action) for machine in self.machines for action in machine.actions()]
        for txn in self.broker.marking():
            found.append((None, f"mark {txn.owner}", lambda t=txn: self.broker.mark(t), lambda: True))
        if self._unsent and (self._over or self._rounds % 3 == 0):
            found.append((None, "input", self._send, lambda: True))
        return found

    def _chosen(self, choice: int) -> tuple[Machine | None, str, Callable[[], None]]:
        ordinary = self._ordinary()
        if choice < ORDINARY and ordinary:
            return ordinary[choice % len(ordinary)][:3]
        if choice < TIME:
            return None, "time", self._advance
        if choice < STRIDE:
            return None, "stride", lambda: self._stride(choice - TIME + 1)
        faults = list(self._possible())
        if not faults or self._faults >= FAULTS_AT_MOST:
            return None, "stride", lambda: self._stride(3)
        self._faults += 1
        return (None, *faults[(choice - STRIDE) % len(faults)])

    def _possible(self) -> Iterator[Action]:
        for machine in self._living:
            name, member = machine.name, machine.member()
            yield f"kill {name}", machine.end
            yield (f"resume {name}", machine.resume) if machine.paused else (f"pause {name}", machine.pause)
            if member is not None:
                yield f"expel {name}", lambda m=member: self.broker.group.leave(m)
            yield f"no answer, not done, {name}", lambda m=machine: setattr(m, "away_before", m.away_before + 1)
            yield f"no answer, but done, {name}", lambda m=machine: setattr(m, "away_after", m.away_after + 1)
            yield f"refuse a record of {name}", lambda m=machine: setattr(m, "refused", 1)
            if member is not None and not machine.stopping and not machine.paused:
                yield f"stop {name}", lambda m=machine: self._on_stage(m, m.stop)
        if len(self._living) < 3 and len(self.machines) < MACHINES_AT_MOST:
            yield "start", self._start

    def _on_stage(self, machine: Machine, action: Callable[[], None]) -> None:
        stage.machine = machine
        action()

    def _do(self, machine: Machine | None, name: str, action: Callable[[], None]) -> None:
        self.steps += 1
        if name != "loop":
            self.world.note(f"{machine.name}: {name}" if machine is not None else name)
        if machine is not None:
            stage.machine = machine
        action()
        self._look_at(machine)

    def _look_at(self, machine: Machine | None) -> None:
        for each in self.machines:
            if each.dead and each.actors:
                stage.machine = each
                each.bury()
        if machine is not None and not machine.dead and (wrong := machine.backlog()):
            self.world.broken(wrong)
        if machine is not None and machine.failure is not None:
            if exit_code(machine.failure) != OUTSIDE or not self._faults:
                self.world.broken(f"worker {machine.name} ended: {machine.failure!r}", machine.failure)
            machine.failure = None
        if self.world.wrong:
            told = "\n".join(self.world.trace)
            raise BrokenError(f"{self.world.wrong[0]}\nafter {self.steps} steps:\n{told}") from self.world.cause

    def _wakes(self) -> float | None:
        times = [machine.wakes_at() for machine in self.machines]
        timers = [self.world.timers[0][0]] if self.world.timers else []
        return min([*(t for t in times if t is not None), *timers], default=None)

    def _advance(self) -> None:
        at = self._wakes()
        if at is not None:
            self.world.advance(at)

    # --- everything gets its turn

    def _stride(self, steps: int) -> None:
        for _ in range(steps):
            if not self._round():
                self._do(None, "time", self._advance)

    def _round(self) -> bool:
        ordinary = self._ordinary()
        self._rounds += 1
        for machine, name, action, still in ordinary:
            if still() and (machine is None or not (machine.dead or machine.paused)):
                self._do(machine, name, action)
        return bool(ordinary)

    def _settle(self) -> None:
        self._over = True
        self._settle_from = self.world.now
        timed_out = self.broker.timed_out
        for machine in self._living:
            if machine.paused:
                machine.resume()
        if len(self._living) < min(len(self.machines), 2):
            self._start()
        while not self._finished():
            if self.world.now <= self._settle_from + LATE_S:  # who is dead is not fenced before
                timed_out = self.broker.timed_out
            if not any(not m.stopping for m in self._living):
                self._start()
            if not self._round():
                self._do(None, "time", self._advance)
            if self.steps > STEPS_AT_MOST or self.world.now > self._settle_from + SETTLED_S:
                self.world.broken(
                    f"not all is decided within {SETTLED_S} s and {STEPS_AT_MOST} steps: {self._offsets()}; "
                    f"hidden: {self._hidden()}"
                )
                self._look_at(None)
        assert self.broker.timed_out == timed_out
        self._check_end()

    def _offsets(self) -> dict[Name, int]:
        return {(t, n): self.broker.committed.get((t, n), 0) for t in TOPICS for n in range(PARTITIONS)}

    def _finished(self) -> bool:
        if self._unsent or self.broker.marking() or self._hidden():
            return False
        return all(offset == len(self.broker.log(name)) for name, offset in self._offsets().items())

    def _hidden(self) -> list[Name]:
        """Outputs that readers of committed records cannot see, behind what a dead worker left open."""
        outputs = [(OUT, number) for number in range(PARTITIONS)]
        return [name for name in outputs if self.broker.end(name, committed=True) < len(self.broker.log(name))]

    # --- what must hold

    def _inputs(self, offsets: dict[Name, int]) -> Iterator[tuple[str, bytes, bytes]]:
        for (topic, number), offset in offsets.items():
            for at, entry in enumerate(self.broker.log((topic, number))[:offset]):
                if not entry.marker:
                    yield f"{topic}/{number}/{at}", entry.key or b"", entry.value or b""

    def _check_commit(self, txn: Txn) -> None:
        """At each commit: outputs, dead letters, ledger and offsets tell the same; pops are there already."""
        if txn.owner == "source":
            return
        inputs = list(self._inputs(self.broker.decided_offsets()))
        good = [(name, key) for name, key, value in inputs if value != BAD]
        numbers: dict[bytes, int] = {}
        told = sorted(value.split() for value in self._values(OUT))
        self._same("outputs", sorted(name.encode() for name, _ in good), [name for name, _ in told])
        bad = sorted(name.encode() for name, _, value in inputs if value == BAD)
        self._same("dead letters", bad, sorted(self._values(DEAD)))
        for _, key in good:
            numbers[key] = numbers.get(key, 0) + 1
        for number in range(PARTITIONS):
            ledger = fold(self.broker.decided((LEDGER, number)), OWNER)
            held = {key: decode(value)["n"] for key, value in ledger.items()}
            mine = {f"count/{k.decode()}": n for k, n in numbers.items() if k.startswith(str(number).encode())}
            self._same("ledger", mine, held)
        counted = sorted(int(number) for _, number in told)
        self._same("counts told", sorted(n + 1 for most in numbers.values() for n in range(most)), counted)
        missing = {name for name, _ in good if name.startswith(CALL)} - {v.decode() for v in self._values(POP)}
        self._same("pops missing", set(), missing)

    def _values(self, topic: str) -> list[bytes]:
        logs = [self.broker.decided((topic, number)) for number in range(PARTITIONS)]
        return [entry.value or b"" for log in logs for entry in log]

    def _same(self, what: str, wanted: Any, found: Any) -> None:
        if wanted != found:
            self.world.broken(f"{what}: should be {wanted}, but are {found}")

    def _check_end(self) -> None:
        """Each worker's ledger is the committed one."""
        for machine in self._living:
            for number, partition in machine.engine.partitions.items():
                if partition.ready and partition.store is not None and machine.member() is not None:
                    fresh = fold(self.broker.decided((LEDGER, number)), OWNER)
                    held = {key: encode(record) for key, record in partition.store.scan("")}
                    self._same(f"the ledger of worker {machine.name}, partition {number}", fresh, held)
        self._look_at(None)
