"""A ledger on disk: RocksDB holds what is committed, memory what is not yet, and what was asked for lately."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch

from agents.ports import Clock
from schemas.errors import PartError
from streams.engine.store import Position, decode, encode

_POSITION = b"\x00position"  # no ledger key starts with a zero byte
_ABSENT: Any = object()
RECENT = 2_000
"""Decoded records of a partition kept at least; twice as many at most. Reading and decoding one costs as much as
deciding an event, and a customer who calls is asked for at each phase of the call."""


class _Recent:
    """Committed records in two generations: who is not asked for while a new one fills is forgotten."""

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: dict[str, Any] = {}
        self._old: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """The record, None where there is none in the ledger, or `_ABSENT` when it must be looked up."""
        record = self._new.get(key, _ABSENT)
        if record is _ABSENT:
            record = self._old.get(key, _ABSENT)
            if record is not _ABSENT:
                self.keep(key, record)
        return record

    def keep(self, key: str, record: Any) -> None:
        self._new[key] = record
        if len(self._new) >= RECENT:
            self._old, self._new = self._new, {}

    def clear(self) -> None:
        self._new.clear()
        self._old.clear()


class RocksStore:
    """See `Store`. Values and changelog position are written in one WriteBatch after the commit."""

    def __init__(self, path: Path, cache: Cache, clock: Clock) -> None:
        """Open or create the database in `path`; `cache` is shared by all stores of a worker.

        Raises `PartError` when it is in use or cannot be written.
        """
        self._path = path
        self._cache = cache
        self._clock = clock
        self._uncommitted: dict[str, Any] = {}
        self._recent = _Recent()
        self._db = _opened(path, cache)

    def load(self, key: str) -> Any:
        """See `Store`."""
        record = self._uncommitted.get(key, _ABSENT)
        if record is not _ABSENT:
            return record
        record = self._recent.get(key)
        if record is _ABSENT:
            raw = self._db.get(key.encode())
            record = None if raw is None else decode(raw)
            self._recent.keep(key, record)
        return record

    def apply(self, changes: Mapping[str, Any]) -> None:
        """See `Store`."""
        self._uncommitted.update(changes)

    def persist(self, encoded: Mapping[str, bytes | None], offset: int | None) -> None:
        """See `Store`."""
        self._write(encoded.items(), offset)

    def settle(self, changes: Mapping[str, Any]) -> None:
        """See `Store`; what was changed again meanwhile stays uncommitted."""
        uncommitted, keep = self._uncommitted, self._recent.keep
        for key, record in changes.items():
            keep(key, record)
            if uncommitted.get(key, _ABSENT) is record:
                del uncommitted[key]

    def restore(self, records: Iterable[tuple[str, bytes | None]]) -> None:
        """See `Store`."""
        self._recent.clear()
        self._write(records, None)

    def restored(self, offset: int) -> None:
        """See `Store`."""
        self._write((), offset)

    def position(self) -> Position | None:
        """See `Store`."""
        raw = self._db.get(_POSITION)
        return None if raw is None else Position(*decode(raw))

    def scan(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """See `Store`; what is committed, which is all there is before the store is shared."""
        start = prefix.encode()
        rows = self._db.iter()
        rows.seek(start)
        while rows.valid() and rows.key().startswith(start):
            yield rows.key().decode(), decode(rows.value())
            rows.next()

    def clear(self) -> None:
        """See `Store`."""
        self.close()
        Rdict.destroy(str(self._path), Options(raw_mode=True))
        self._db = _opened(self._path, self._cache)

    def close(self) -> None:
        """See `Store`."""
        self._uncommitted.clear()
        self._recent.clear()
        self._db.close()

    def _write(self, records: Iterable[tuple[str, bytes | None]], offset: int | None) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, raw in records:
            if raw is None:
                batch.delete(key.encode())
            else:
                batch.put(key.encode(), raw)
        if offset is not None:
            batch.put(_POSITION, encode(Position(offset, self._clock.now_ms())))
        try:
            self._db.write(batch)
        except Exception as error:  # rocksdict raises plain Exception
            raise PartError(
                f"YUPAN_LEDGER: RocksDB cannot write to {self._path} ({error}); is the disk full?"
            ) from error


def _opened(path: Path, cache: Cache) -> Rdict:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(16 << 20)
    table = BlockBasedOptions()
    table.set_bloom_filter(10, False)
    table.set_block_cache(cache)
    options.set_block_based_table_factory(table)
    try:
        path.mkdir(parents=True, exist_ok=True)
        return Rdict(str(path), options)
    except Exception as error:  # rocksdict raises plain Exception
        raise PartError(
            f"YUPAN_LEDGER: RocksDB cannot be opened in {path} ({error}); "
            "each worker needs a directory of its own: set YUPAN_INSTANCE, or another directory"
        ) from error
