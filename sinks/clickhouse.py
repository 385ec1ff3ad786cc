"""ClickHouse behind one small interface: a server, the embedded engine, or the embedded engine of another process.

`query` gives plain values only: int, float, str, None, and lists of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from schemas.errors import UsageError
from sinks.statements import SETTING, Params, Row


class ClickHouse(Protocol):
    """One database. Thread-safe: one statement at a time, others wait.

    Every method raises `PartError` when ClickHouse is away, full, in use or not migrated.
    """

    @property
    def version(self) -> tuple[int, ...]:
        """The engine's version, such as (18, 16, 1)."""

    def query(self, sql: str, params: Params | None = None) -> list[Row]:
        """Read; `{name}` in `sql` stands for the literal of `params[name]`."""

    def execute(self, sql: str) -> None:
        """Change tables (migrations)."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Write rows whole or not at all for a month; raises `RefusedError` when the data cannot be stored."""

    def create_database(self) -> None:
        """Create the address's database unless it is there."""

    def close(self) -> None:
        """Let go of the connection or the directory."""


def open_clickhouse(dsn: str) -> ClickHouse:
    """Open `clickhouse://user:password@host:port/db`, `chdb:///directory` or `chdb+http://TOKEN@host:port`.

    Raises `UsageError` for an address that is none, `PartError` when it cannot be used.
    """
    url = urlsplit(dsn)
    if url.scheme == "clickhouse" and url.hostname:
        from sinks.native import Native

        return Native(host_and_port(url, 9000), user(url), unquote(url.password or ""), url.path.strip("/"))
    if url.scheme == "chdb" and not url.netloc and url.path.strip("/"):
        from sinks.embedded import Embedded

        return Embedded(unquote(url.path))
    if url.scheme == "chdb+http" and url.hostname and url.username:
        from sinks.remote import Remote

        return Remote(host_and_port(url, None), unquote(url.username))
    raise UsageError(
        f"{SETTING} is no address of ClickHouse: write clickhouse://user:password@host:port/db, "
        "chdb:///directory, or chdb+http://TOKEN@127.0.0.1:PORT as `yupan dev` prints it"
    )


def user(url: SplitResult) -> str:
    """The address's user, `default` when it names none."""
    return unquote(url.username or "") or "default"


def host_and_port(url: SplitResult, default: int | None) -> tuple[str, int]:
    """Host and port of an address; raises `UsageError` without a usable port."""
    try:
        port = url.port or default
    except ValueError:
        port = None
    if not url.hostname or port is None:
        raise UsageError(f"{SETTING}: the address needs a host and a port between 1 and 65535")
    return url.hostname, port
