"""A ClickHouse server, through its native protocol (`clickhouse-driver`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException, TypeMismatchError

from schemas.errors import PartError
from sinks.statements import NotMigratedError, Params, RefusedError, Row, clean, fault, insert_into, render, unreachable

# The driver logs every failed attempt with its traceback; we say in one line what went wrong.
logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)

_NOT_STORABLE = (TypeMismatchError, TypeError, ValueError, AttributeError)
"""What the driver raises while it packs a row whose value does not fit its column."""


class Native:
    """One connection to a server; it connects anew by itself after the server went away."""

    def __init__(self, address: tuple[str, int], user: str, password: str, database: str) -> None:
        """Connect; raises `PartError`. A missing database is created by `create_database`, not here."""
        self._where = f"ClickHouse at {address[0]}:{address[1]}"
        self._database = database or "default"
        self._lock = threading.Lock()
        self._login = {"host": address[0], "port": address[1], "user": user, "password": password}
        self._client = self._connect(self._database)
        self.version = self._version()

    def query(self, sql: str, params: Params | None = None) -> list[Row]:
        with self._lock, self._faults():
            rows, columns = self._client.execute(render(sql, params), with_column_types=True)
        names = [name for name, _ in columns]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def execute(self, sql: str) -> None:
        with self._lock, self._faults():
            self._client.execute(sql)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        statement = f"{insert_into(table, columns)} VALUES"
        with self._lock, self._faults():
            try:
                self._client.execute(statement, rows)
            except _NOT_STORABLE as error:
                self._client.disconnect()
                raise RefusedError(f"a row does not fit its columns: {clean(type(error).__name__)}") from None

    def create_database(self) -> None:
        try:
            self.query("SELECT 1")
        except NotMigratedError:
            with self._faults(), self._connect("default") as client:
                client.execute(f"CREATE DATABASE IF NOT EXISTS `{self._database}`")

    def close(self) -> None:
        with self._lock:
            self._client.disconnect()

    def _connect(self, database: str) -> Client:
        return Client(
            **self._login, database=database, connect_timeout=5, send_receive_timeout=120, client_name="yupan"
        )

    def _version(self) -> tuple[int, ...]:
        try:
            rows = self.query("SELECT version() AS version")
        except NotMigratedError:
            with self._faults(), self._connect("default") as client:
                rows = [{"version": client.execute("SELECT version()")[0][0]}]
        return tuple(int(part) for part in str(rows[0]["version"]).split(".") if part.isdigit())

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except ServerException as error:
            raise fault(error.code, str(error.message), self._where) from None
        except (Error, EOFError, OSError) as error:
            raise unreachable(self._where, error) from None
        except RuntimeError as error:  # the driver on a half-read connection
            raise PartError(f"{self._where} answered out of step: {clean(str(error))}") from None
