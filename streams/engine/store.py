"""The ledger of one partition: records by key, held in memory; `rocks.py` holds them on disk.

Records are plain data. They are encoded once, at commit, for the changelog (and for the disk).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from agents.ports import Clock

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode


class Position(NamedTuple):
    """How far a store has followed its changelog."""

    offset: int
    """The changelog offset to read next."""
    saved_at: int
    """When that was so (wall clock, ms)."""


class Store(Protocol):
    """What the engine needs of a ledger. All but `persist` is called in the event loop, or before it is shared."""

    def load(self, key: str) -> Any:
        """The record under `key`, as last applied, or None."""

    def apply(self, changes: Mapping[str, Any]) -> None:
        """Take decided, uncommitted changes; None deletes."""

    def persist(self, encoded: Mapping[str, bytes | None], offset: int | None) -> None:
        """Keep committed changes and the changelog offset after them, at once or not at all (any thread)."""

    def settle(self, changes: Mapping[str, Any]) -> None:
        """Say that `changes` were committed and persisted."""

    def restore(self, records: Iterable[tuple[str, bytes | None]]) -> None:
        """Take records of the changelog, in their order; None deletes."""

    def restored(self, offset: int) -> None:
        """Say that everything before the changelog's `offset` is held."""

    def position(self) -> Position | None:
        """How far the changelog is held, or None for an empty store."""

    def scan(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """All records whose keys start with `prefix`."""

    def clear(self) -> None:
        """Forget everything."""

    def close(self) -> None:
        """Let go of files; uncommitted changes are lost."""


class DictStore:
    """A ledger in memory. It follows the changelog's position, too, so that a rebalance need not read all anew.

    What is restored stays encoded until it is asked for: a tenth of the memory of decoded records, nothing that the
    garbage collector would look through, and a restore ten times as fast.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, Any] = {}
        self._encoded: dict[str, bytes] = {}
        self._position: Position | None = None

    def load(self, key: str) -> Any:
        """See `Store`."""
        record = self._records.get(key)
        if record is None and key in self._encoded:
            record = self._records[key] = decode(self._encoded.pop(key))
        return record

    def apply(self, changes: Mapping[str, Any]) -> None:
        """See `Store`."""
        self._records.update(changes)
        if self._encoded:
            for key in changes:
                self._encoded.pop(key, None)
        if None in changes.values():
            for key, record in changes.items():
                if record is None:
                    del self._records[key]

    def persist(self, encoded: Mapping[str, bytes | None], offset: int | None) -> None:
        """See `Store`; memory keeps nothing else than the position."""
        if offset is not None:
            self.restored(offset)

    def settle(self, changes: Mapping[str, Any]) -> None:
        """See `Store`; memory has nothing to settle."""

    def restore(self, records: Iterable[tuple[str, bytes | None]]) -> None:
        """See `Store`."""
        for key, raw in records:
            self._records.pop(key, None)
            if raw is None:
                self._encoded.pop(key, None)
            else:
                self._encoded[key] = raw

    def restored(self, offset: int) -> None:
        """See `Store`."""
        self._position = Position(offset, self._clock.now_ms())

    def position(self) -> Position | None:
        """See `Store`."""
        return self._position

    def scan(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """See `Store`."""
        yield from ((key, record) for key, record in self._records.items() if key.startswith(prefix))
        yield from ((key, decode(raw)) for key, raw in self._encoded.items() if key.startswith(prefix))

    def clear(self) -> None:
        """See `Store`."""
        self._records.clear()
        self._encoded.clear()
        self._position = None

    def close(self) -> None:
        """See `Store`."""
        self.clear()
