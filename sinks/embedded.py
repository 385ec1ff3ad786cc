"""The embedded ClickHouse (`chdb`): the same engine in this process, its data in a directory.

The directory belongs to one process at a time. Our own lock says so before the engine is asked,
because the engine would write its complaint to stderr and give a reason that names nothing.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from schemas.errors import PartError
from sinks.statements import SETTING, Params, RefusedError, Row, clean, code_of, fault, insert_into, render

DATABASE = "yupan"


class Embedded:
    """chDB's directory, owned by this process until `close`. One process can own one directory."""

    def __init__(self, directory: str) -> None:
        """Take the directory, creating it; raises `PartError` when it is in use, full or not writable."""
        self._directory = directory
        self._where = f"chDB's directory {directory}"
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._lease = _lease(directory)
        try:
            self._session = self._open()
            self._reader = self._open()
            self._reader.query("SET readonly = 1")
        except BaseException:
            os.close(self._lease)
            raise
        version = str(self.query("SELECT version() AS version")[0]["version"])
        self.version = tuple(int(part) for part in version.split("."))

    def query(self, sql: str, params: Params | None = None) -> list[Row]:
        return decode_rows(self.read(render(sql, params)))

    def read(self, sql: str) -> bytes:
        """Answer of one rendered statement as JSONCompact, in a session that cannot write."""
        with self._reading:
            return self._run(self._reader, sql)

    def execute(self, sql: str) -> None:
        with self._lock:
            self._run(self._session, sql)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self.insert_encoded(table, columns, encode_rows(rows))

    def insert_encoded(self, table: str, columns: Iterable[str], body: bytes) -> None:
        """Insert rows that are encoded already (`encode_rows`)."""
        # One query with its data: the streaming insert of chDB 4.4 reports success on a full disk.
        statement = f"{insert_into(table, columns)} FORMAT JSONCompactEachRow\n{body.decode()}"
        with self._lock:
            self._run(self._session, statement)

    def create_database(self) -> None:
        """Nothing to do: opening the directory created it."""

    def close(self) -> None:
        with self._lock, self._reading:
            if self._lease >= 0:
                self._reader.close()
                self._session.close()
                os.close(self._lease)
                self._lease = -1

    def _open(self) -> Any:
        try:
            from chdb.session import Session
        except ImportError:
            raise PartError(f"{SETTING} names chDB, which is missing: pip install 'yupan[embedded]'") from None
        try:
            session: Any = Session(self._directory)  # type: ignore[no-untyped-call]
            session.query(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
            session.query(f"USE {DATABASE}")
        except RuntimeError as error:
            raise self._not_opened(str(error)) from None
        return session

    def _not_opened(self, text: str) -> Exception:
        if "already initialized" in text:
            return PartError(f"{self._where} cannot be opened: this process owns another one; close that first")
        if code_of(text) == 36:
            return PartError(f"{self._where} cannot be opened; let {SETTING} name another: {clean(text)}")
        return fault(code_of(text), text, self._where)

    def _run(self, session: Any, sql: str) -> bytes:
        if self._lease < 0:
            raise PartError(f"{self._where} is closed")
        try:
            answer: bytes = session.query(sql, fmt="JSONCompact").bytes()
        except RuntimeError as error:
            raise fault(code_of(str(error)), str(error), self._where) from None
        return answer


def _lease(directory: str) -> int:
    """Lock the directory for this process; the lock ends with the process, whatever kills it."""
    try:
        os.makedirs(directory, exist_ok=True)
        lease = os.open(os.path.join(directory, ".yupan.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        reason = f"{error.strerror}; let {SETTING} name another"
        raise PartError(f"chDB's directory {directory} cannot be used: {reason}") from None
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(lease, 20).decode(errors="replace").strip() or "unknown"
        os.close(lease)
        raise PartError(
            f"chDB's directory {directory} is in use by process {owner}: stop it, use the {SETTING} "
            "that `yupan dev` printed, or name another directory"
        ) from None
    with suppress(OSError):  # only a courtesy to the next one's error text
        os.ftruncate(lease, 0)
        os.pwrite(lease, str(os.getpid()).encode(), 0)
    return lease


def encode_rows(rows: Sequence[Sequence[object]]) -> bytes:
    """Rows as JSONCompactEachRow; raises `RefusedError` for a value that JSON cannot hold."""
    try:
        return b"\n".join(map(_encode, rows))
    except (TypeError, ValueError, OverflowError) as error:
        raise RefusedError(f"a row cannot be written as JSON: {type(error).__name__}") from None


_encode = msgspec.json.Encoder().encode


def decode_rows(answer: bytes) -> list[Row]:
    """The rows of an answer in JSONCompact."""
    if not answer:
        return []
    document = msgspec.json.decode(answer)
    names = [column["name"] for column in document["meta"]]
    return [dict(zip(names, row, strict=True)) for row in document["data"]]
