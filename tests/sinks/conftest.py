"""Three kinds of ClickHouse behind one interface, each with an empty migrated database for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sinks.clickhouse import ClickHouse, open_clickhouse
from sinks.migrate import migrate

KINDS = ("server", "chdb", "remote")


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


@pytest.fixture(params=KINDS)
def empty_db(request: pytest.FixtureRequest) -> Iterator[ClickHouse]:
    """A ClickHouse of each kind without our tables; the remote one's owner is `empty_db.owner`."""
    if request.param == "server":
        server, name = request.getfixturevalue("clickhouse_server"), request.getfixturevalue("prefix")
        db = open_clickhouse(server.database(f"{name}history"))
        yield db
        db.close()
        return
    directory = request.getfixturevalue("chdb_directory")
    owner = open_clickhouse(f"chdb://{directory}")
    if request.param == "chdb":
        yield owner
    else:
        from sinks.remote import RemoteServer

        server = RemoteServer(owner)
        db = open_clickhouse(server.dsn)
        db.owner = owner
        yield db
        db.close()
        server.close()
    owner.close()


@pytest.fixture
def owner() -> Callable[[ClickHouse], ClickHouse]:
    """Who may change the tables of a database: its owner, for the remote kind another."""
    return lambda db: getattr(db, "owner", db)


@pytest.fixture
def db(empty_db: ClickHouse, owner: Callable[[ClickHouse], ClickHouse]) -> ClickHouse:
    migrate(owner(empty_db))
    return empty_db
