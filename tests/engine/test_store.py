"""One contract for every ledger store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rocksdict import Cache

from schemas.errors import PartError
from streams.engine import rocks
from streams.engine.clock import ManualClock
from streams.engine.config import EngineConfig
from streams.engine.rocks import RocksStore
from streams.engine.shelf import Shelf
from streams.engine.store import DictStore, Position, Store, encode

RECORD = {"value": "active", "at": 1_700_000_000_000, "list": [1, 2.5, None, True], "名": "开户"}


@pytest.fixture(params=["dict", "rocks"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, ManualClock]]:
    clock = ManualClock(1_000)
    store: Store = DictStore(clock) if request.param == "dict" else RocksStore(tmp_path / "0", Cache(1 << 20), clock)
    yield store, clock
    store.close()


@pytest.fixture
def store(opened: tuple[Store, ManualClock]) -> Store:
    return opened[0]


def commit(store: Store, changes: dict[str, object], offset: int) -> None:
    store.persist({key: None if record is None else encode(record) for key, record in changes.items()}, offset)
    store.settle(changes)


def test_unknown_key_is_none(store: Store) -> None:
    assert store.load("state/1") is None


def test_applied_changes_are_read_before_they_are_committed(store: Store) -> None:
    store.apply({"state/1": RECORD})
    assert store.load("state/1") == RECORD


def test_committed_changes_stay(store: Store) -> None:
    store.apply({"state/1": RECORD})
    commit(store, {"state/1": RECORD}, 8)
    assert store.load("state/1") == RECORD


def test_a_change_during_the_commit_is_not_lost(store: Store) -> None:
    first, second = {"n": 1}, {"n": 2}
    store.apply({"state/1": first})
    store.persist({"state/1": encode(first)}, 8)
    store.apply({"state/1": second})
    store.settle({"state/1": first})
    assert store.load("state/1") == second


def test_deleted_is_gone_before_and_after_the_commit(store: Store) -> None:
    store.apply({"state/1": RECORD})
    commit(store, {"state/1": RECORD}, 8)
    store.apply({"state/1": None})
    assert store.load("state/1") is None
    commit(store, {"state/1": None}, 9)
    assert store.load("state/1") is None
    assert list(store.scan("state/")) == []


def test_restored_records_are_read_and_tombstones_delete(store: Store) -> None:
    store.restore([("a", encode(1)), ("b", encode(RECORD)), ("a", None), ("c", encode(None))])
    store.restore([("c", None), ("never", None)])
    assert [store.load(key) for key in ("a", "b", "c")] == [None, RECORD, None]


def test_restored_records_change_and_go_without_being_read_before(store: Store) -> None:
    store.restore([("a", encode(1)), ("b", encode(1))])
    store.apply({"a": 2})
    commit(store, {"a": 2}, 8)
    store.apply({"b": None})
    commit(store, {"b": None}, 9)
    assert [store.load(key) for key in ("a", "b")] == [2, None]
    assert [*store.scan("a"), *store.scan("b")] == [("a", 2)]


def test_what_is_restored_replaces_what_was_read(store: Store) -> None:
    store.restore([("a", encode(1)), ("b", encode(1))])
    assert (store.load("a"), store.load("b")) == (1, 1)
    store.restore([("a", encode(2)), ("b", None)])
    assert (store.load("a"), store.load("b")) == (2, None)
    assert [key for key, _ in store.scan("a")] == ["a"]


def test_position_is_that_of_the_last_commit_with_its_time(opened: tuple[Store, ManualClock]) -> None:
    store, clock = opened
    assert store.position() is None
    store.restored(5)
    assert store.position() == Position(5, 1_000)
    clock.set(2_000)
    store.apply({"a": 1})
    commit(store, {"a": 1}, 9)
    assert store.position() == Position(9, 2_000)


def test_a_commit_without_acknowledged_offset_keeps_the_position(store: Store) -> None:
    store.restored(5)
    store.persist({"a": encode(1)}, None)
    position = store.position()
    assert position is not None
    assert position.offset == 5


def test_scan_finds_committed_records_by_prefix(store: Store) -> None:
    store.restore([("~due/2", encode([2])), ("~due/1", encode([1])), ("~dua", encode(0)), ("~dv", encode(0))])
    assert sorted(store.scan("~due/")) == [("~due/1", [1]), ("~due/2", [2])]


def test_clear_forgets_everything(store: Store) -> None:
    store.restore([("a", encode(1))])
    store.restored(3)
    store.clear()
    assert store.load("a") is None
    assert store.position() is None
    store.apply({"a": 2})
    assert store.load("a") == 2


def test_rocks_keeps_what_was_committed_and_nothing_else(tmp_path: Path) -> None:
    def open_() -> RocksStore:
        return RocksStore(tmp_path / "0", Cache(1 << 20), ManualClock(7))

    store = open_()
    store.apply({"a": 1, "b": 2})
    commit(store, {"a": 1}, 4)
    store.close()
    again = open_()
    assert (again.load("a"), again.load("b"), again.position()) == (1, None, Position(4, 7))
    again.close()


def test_rocks_forgets_what_is_not_asked_for_and_reads_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rocks, "RECENT", 2)
    store = RocksStore(tmp_path / "0", Cache(1 << 20), ManualClock(0))
    for n in range(9):
        store.apply({"a": {"n": n}, f"b{n}": n})
        commit(store, {"a": {"n": n}, f"b{n}": n}, n)
    assert len(store._recent._new) + len(store._recent._old) <= 4
    assert [store.load(f"b{n}") for n in range(9)] == list(range(9))
    assert store.load("a") == {"n": 8}
    assert store.load("never") is None
    store.apply({"never": 1})
    commit(store, {"never": 1}, 9)
    assert store.load("never") == 1
    store.close()


def test_rocks_directory_in_use_is_said(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "0", Cache(1 << 20), ManualClock())
    with pytest.raises(PartError, match="YUPAN_INSTANCE"):
        RocksStore(tmp_path / "0", Cache(1 << 20), ManualClock())
    store.close()


@pytest.fixture
def shelf_of() -> Callable[[str], Shelf]:
    return lambda ledger: Shelf(
        EngineConfig(bootstrap="", group="g", topics=("t",), ledger=ledger, instance="w1"), ManualClock()
    )


@pytest.mark.parametrize("kind", ["memory", "rocksdb"])
def test_shelf_gives_a_parked_store_back_once(kind: str, shelf_of: Callable[[str], Shelf], tmp_path: Path) -> None:
    shelf = shelf_of("memory" if kind == "memory" else f"rocksdb://{tmp_path}")
    store = shelf.open(3)
    shelf.park(3, store)
    assert shelf.open(3) is store
    store.close()
    assert shelf.open(3) is not store


@pytest.mark.parametrize("kind", ["memory", "rocksdb"])
def test_shelf_forgets_what_nobody_asked_for(kind: str, shelf_of: Callable[[str], Shelf], tmp_path: Path) -> None:
    shelf = shelf_of("memory" if kind == "memory" else f"rocksdb://{tmp_path}")
    store, needed = shelf.open(3), shelf.open(4)
    shelf.park(3, store)
    shelf.park(4, needed)
    shelf.forget_parked({4})
    assert shelf.open(3) is not store  # of RocksDB's it would fail were the first still open
    assert shelf.open(4) is needed


def test_shelf_keeps_a_directory_by_instance_and_partition(shelf_of: Callable[[str], Shelf], tmp_path: Path) -> None:
    store = shelf_of(f"rocksdb://{tmp_path}").open(3)
    store.close()
    assert (tmp_path / "g-w1" / "3" / "CURRENT").exists()
