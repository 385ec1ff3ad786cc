"""A small model of Kafka's rules: logs, transactions with markers, producers with epochs, a group and its offsets.

What it keeps of the real thing, because exactly once hangs on it:
- a transaction is decided first (`Txn.ending`), its markers are written later, one partition at a time; until then
  it hides what follows (last stable offset), and its offsets are pending: stable reads of them wait;
- `init_transactions` bumps the epoch and aborts what is open; a time-out does, too; older epochs are refused;
- transactional offset commits are checked against member and generation, but not when both are left out (-1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError

from tests.model.errors import abortable, fenced
from tests.model.group import Group
from tests.model.schedule import World

Name = tuple[str, int]
TRANSACTION_TIMEOUT_S = 60.0


@dataclass(eq=False)
class Txn:
    """One transaction of one producer."""

    owner: str
    number: int
    ending: str = ""
    """"", "commit" or "abort": decided, whether or not its markers are written."""
    unmarked: dict[Name, int] = field(default_factory=dict)
    """Partitions that it wrote to and that have no marker of it yet, with its first offset there."""
    offsets: dict[Name, int] = field(default_factory=dict)
    offsets_pending: bool = False


@dataclass(slots=True, eq=False)
class Entry:
    """One offset of a log: a record, or a transaction's marker."""

    key: bytes | None
    value: bytes | None
    txn: Txn | None
    at_ms: int
    marker: bool = False


@dataclass
class Identity:
    """A transactional id, as its coordinator knows it."""

    epoch: int = -1
    txn: Txn | None = None
    last: Txn | None = None


class Broker:
    """The cluster. Its own work (markers) is done when the schedule says so."""

    def __init__(self, world: World, partitions: int, session_s: float) -> None:
        self.world = world
        self.partitions = partitions
        self.logs: dict[Name, list[Entry]] = {}
        self.committed: dict[Name, int] = {}
        self.identities: dict[str, Identity] = {}
        self.transactions: list[Txn] = []
        self.unfinished: list[Txn] = []
        self.group = Group(world, partitions, session_s)
        self.timed_out = 0
        self.on_commit: Callable[[Txn], None] = lambda txn: None

    # --- logs

    def log(self, name: Name) -> list[Entry]:
        """The entries of a partition, by offset."""
        return self.logs.setdefault(name, [])

    def append(self, name: Name, key: bytes | None, value: bytes | None, txn: Txn | None = None) -> int:
        """Write one record; its offset."""
        log = self.log(name)
        log.append(Entry(key, value, txn, int(self.world.now * 1000)))
        return len(log) - 1

    def end(self, name: Name, committed: bool) -> int:
        """The high watermark, or the last stable offset."""
        log = self.log(name)
        hidden = [txn.unmarked[name] for txn in self.unfinished if name in txn.unmarked] if committed else []
        return min(hidden, default=len(log))

    # --- transactions

    def init(self, identity: str) -> int | None:
        """Take a transactional id over: its new epoch, or None while its last transaction is being ended."""
        held = self.identities.setdefault(identity, Identity())
        if held.txn is not None:
            held.epoch += 1  # from now on the former owner is fenced
            self._end(held, "abort")
        if held.last is not None and held.last in self.unfinished:
            return None
        held.epoch += 1
        return held.epoch

    def _check(self, identity: str, epoch: int) -> Identity:
        held = self.identities[identity]
        if held.epoch != epoch:
            raise fenced()
        return held

    def can_begin(self, identity: str) -> bool:
        """Whether the markers of the last transaction are written (CONCURRENT_TRANSACTIONS until then)."""
        held = self.identities[identity]
        return held.last is None or held.last not in self.unfinished

    def _transaction(self, identity: str, epoch: int) -> Txn:
        held = self._check(identity, epoch)
        if held.txn is None:
            held.txn = txn = Txn(identity, len(self.transactions))
            self.transactions.append(txn)
            self.unfinished.append(txn)
            self.world.later(TRANSACTION_TIMEOUT_S, lambda: self._time_out(held, txn))
        return held.txn

    def _time_out(self, held: Identity, txn: Txn) -> None:
        if held.txn is txn:
            self.timed_out += 1
            held.epoch += 1
            self._end(held, "abort")

    def write(self, identity: str, epoch: int, name: Name, key: bytes | None, value: bytes | None) -> int:
        """One record of a transaction."""
        txn = self._transaction(identity, epoch)
        txn.unmarked.setdefault(name, len(self.log(name)))
        return self.append(name, key, value, txn)

    def send_offsets(self, identity: str, epoch: int, offsets: dict[Name, int], member: tuple[str, int]) -> None:
        """Offsets of a transaction: pending until its end."""
        txn = self._transaction(identity, epoch)
        self.group.check(member)
        txn.offsets.update(offsets)
        txn.offsets_pending = True

    def end_transaction(self, identity: str, epoch: int, how: str) -> None:
        """Commit or abort; said again after an unknown answer, it is the same."""
        held = self._check(identity, epoch)
        if held.txn is not None:
            self._end(held, how)
        elif held.last is not None and held.last.ending != how:
            raise abortable(KafkaError.INVALID_TXN_STATE, "ended otherwise")

    def _end(self, held: Identity, how: str) -> None:
        txn = held.txn
        assert txn is not None
        txn.ending = how
        held.last, held.txn = txn, None
        if how == "commit":
            self.on_commit(txn)

    def marking(self) -> list[Txn]:
        """Transactions that are decided and not wholly marked."""
        return [txn for txn in self.unfinished if txn.ending]

    def mark(self, txn: Txn) -> None:
        """Write one marker: offsets first or last, as the schedule wants it (last is `unmarked` empty)."""
        if txn.unmarked:
            name, _ = txn.unmarked.popitem()
            self.log(name).append(Entry(None, None, txn, int(self.world.now * 1000), marker=True))
        elif txn.offsets_pending:
            self._apply_offsets(txn)
        if not txn.unmarked and not txn.offsets_pending:
            self.unfinished.remove(txn)

    def _apply_offsets(self, txn: Txn) -> None:
        txn.offsets_pending = False
        if txn.ending == "commit":
            self.committed.update(txn.offsets)

    # --- what the group has committed

    def pending(self, names: Iterable[Name]) -> bool:
        """Whether a stable answer must wait."""
        wanted = set(names)
        return any(txn.offsets_pending and wanted & txn.offsets.keys() for txn in self.unfinished)

    # --- what a read_committed reader will have seen, once all markers are written

    def decided(self, name: Name) -> list[Entry]:
        """Records that are, or are bound to become, visible."""
        return [
            entry
            for entry in self.log(name)
            if not entry.marker and (entry.txn is None or entry.txn.ending == "commit")
        ]

    def decided_offsets(self) -> dict[Name, int]:
        """The group's offsets, with those of transactions that are bound to become visible."""
        found = dict(self.committed)
        for txn in self.unfinished:
            if txn.ending == "commit" and txn.offsets_pending:
                found.update(txn.offsets)
        return found


def is_visible(entry: Entry) -> bool:
    """Whether a read_committed reader below the last stable offset gets it."""
    return not entry.marker and (entry.txn is None or entry.txn.ending == "commit")


def fold(entries: Iterable[Entry], skip: bytes) -> dict[str, Any]:
    """A changelog, compacted."""
    held: dict[str, Any] = {}
    for entry in entries:
        if entry.key is None or entry.key == skip:
            continue
        if entry.value is None:
            held.pop(entry.key.decode(), None)
        else:
            held[entry.key.decode()] = entry.value
    return held
