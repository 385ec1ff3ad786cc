"""Three kinds of ClickHouse behind one interface, each with an empty migrated database for a test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sinks.clickhouse import ClickHouse, open_clickhouse
from sinks.migrate import migrate
from sinks.tables import TABLES

KINDS = ("server", "chdb", "remote")
_NUMBERS = itertools.count(1)


class House(NamedTuple):
    """Who reads and writes, and who may change the tables."""

    db: ClickHouse
    owner: ClickHouse


@dataclass
class Event:
    """What the history needs of an event."""

    topic: str
    record: dict[str, Any] | None
    id: str
    source: str = "test"
    occurred_at: int = 0
    key: str | None = None
    partition: int = 0
    offset: int = 0
    arrived_at: int = field(default=1_800_000_000_000)

    def __post_init__(self) -> None:
        self.occurred_at = self.occurred_at or (self.record or {}).get("occurred_at", 0)


@pytest.fixture
def chdb_directory(tmp_path: Path) -> Path:
    pytest.importorskip("chdb", reason="chDB is not installed (extra 'embedded')")
    return tmp_path / "chdb"


@pytest.fixture(scope="module", params=KINDS)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A ClickHouse of each kind for a module, and who may change its tables."""
    if request.param == "server":
        server = request.getfixturevalue("clickhouse_server")
        owner = open_clickhouse(server.database(f"history_{os.getpid()}_{next(_NUMBERS)}"))
    else:
        pytest.importorskip("chdb", reason="chDB is not installed (extra 'embedded')")
        owner = open_clickhouse(f"chdb://{tmp_path_factory.mktemp('chdb')}")
    if request.param == "remote":
        from sinks.remote import RemoteServer

        served = RemoteServer(owner)
        db = open_clickhouse(served.dsn)
        yield House(db, owner)
        db.close()
        served.close()
    else:
        yield House(owner, owner)
    owner.close()


@pytest.fixture
def owner(house: House) -> ClickHouse:
    """Who may change the tables: for the remote kind another than who reads."""
    return house.owner


@pytest.fixture
def empty_db(house: House) -> ClickHouse:
    """A database without our tables."""
    for table in (*TABLES, "migrations"):
        house.owner.execute(f"DROP TABLE IF EXISTS {table}")
    return house.db


@pytest.fixture
def db(house: House) -> ClickHouse:
    """A database with our tables, all empty."""
    migrate(house.owner)
    for table in TABLES:
        house.owner.execute(f"TRUNCATE TABLE {table}")
    return house.db
