"""Where ledgers come from: opened for a partition, kept for a moment while a rebalance moves them."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

from rocksdict import Cache

from agents.ports import Clock
from streams.engine.config import EngineConfig
from streams.engine.rocks import RocksStore
from streams.engine.store import DictStore, Store

CACHE_BYTES = 256 << 20
SCHEME = "rocksdb://"


class Shelf:
    """Opens the store of a partition, and takes it back.

    Classic rebalances take all partitions away and give most of them back: a store that holds nothing
    uncommitted is parked meanwhile, open, and then reads only what it missed.
    """

    def __init__(self, config: EngineConfig, clock: Clock) -> None:
        self._clock = clock
        self._parked: dict[int, Store] = {}
        self._closing = threading.Lock()
        self._directory: Path | None = None
        self._cache: Cache | None = None
        ledger = config.ledger or "memory"
        if ledger.startswith(SCHEME):
            self._directory = Path(ledger.removeprefix(SCHEME)) / f"{config.group}-{config.instance or 'worker'}"
            self._cache = Cache(CACHE_BYTES)

    def open(self, partition: int) -> Store:
        """The store of `partition`, perhaps with content. Raises `PartError` when its directory cannot be used."""
        with self._closing:  # a directory that is being closed cannot be opened
            parked = self._parked.pop(partition, None)
        if parked is not None:
            return parked
        if self._directory is None or self._cache is None:
            return DictStore(self._clock)
        return RocksStore(self._directory / str(partition), self._cache, self._clock)

    def park(self, partition: int, store: Store) -> None:
        """Take back a store without uncommitted changes."""
        self._parked[partition] = store

    def forget_parked(self, needed: Collection[int] = ()) -> None:
        """The rebalance is over: what nobody asks for belongs to others. Closing RocksDB takes a while."""
        for partition in self._parked.keys() - set(needed):
            with self._closing:
                store = self._parked.pop(partition, None)  # it may have been asked for meanwhile
                if store is not None:
                    store.close()
