"""chDB over loopback: `yupan dev` owns the directory, workers write and commands read through it.

Two requests exist. `POST /query` reads: one statement, in a session that cannot write. `POST /insert?table=&columns=`
takes rows, never SQL, and only for the tables of the history. Migrations stay with the owner.
"""

from __future__ import annotations

import hmac
import http.client
import re
import secrets
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from schemas.errors import PartError, UsageError, YupanError
from sinks.embedded import Embedded, decode_rows, encode_rows
from sinks.statements import NotMigratedError, Params, RefusedError, Row, render, unreachable
from sinks.tables import TABLES

_HOST = "127.0.0.1"
_LARGEST_BODY = 512 << 20
_KINDS: dict[str, type[YupanError]] = {
    kind.__name__: kind for kind in (RefusedError, NotMigratedError, PartError, UsageError, YupanError)
}
"""The errors that cross the wire by name; the first that fits is named."""


class RemoteServer:
    """Serves an `Embedded` on a loopback port; `dsn` is what others take as YUPAN_CLICKHOUSE."""

    def __init__(self, db: Embedded, port: int = 0) -> None:
        """Listen on `port` (0: a free one) at once; raises `PartError` when it is taken."""
        self.token = secrets.token_urlsafe(24)
        handler = type("Handler", (_Handler,), {"db": db, "token": self.token.encode()})
        try:
            self._server = ThreadingHTTPServer((_HOST, port), handler)
        except OSError as error:
            raise PartError(f"chDB cannot be served on {_HOST}:{port}: {error.strerror}") from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="chdb-server", daemon=True)
        self._thread.start()

    @property
    def dsn(self) -> str:
        """`chdb+http://TOKEN@127.0.0.1:PORT`."""
        return f"chdb+http://{self.token}@{_HOST}:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening; the `Embedded` stays open."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    """One connection of a caller."""

    db: Embedded
    token: bytes
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600

    def do_POST(self) -> None:
        """Answer one request: 200 with the rows, else an error by its kind and text."""
        try:
            if self._authorised():
                self._answer(200, self._dispatch(self._body()))
            else:
                self.close_connection = True  # its body stays unread
                self._answer(401, _error(PartError("the token is not the one of this server")))
        except YupanError as error:
            self._answer(422, _error(error))
        except Exception as error:  # the caller gets a line, never a traceback
            self._answer(500, _error(YupanError(f"the server of chDB failed: {type(error).__name__}")))

    def _dispatch(self, body: bytes) -> bytes:
        address = urlsplit(self.path)
        if address.path == "/query":
            return self.db.read(single_select(body.decode()))
        if address.path == "/insert":
            wanted = parse_qs(address.query)
            table, columns = wanted["table"][0], wanted["columns"][0].split(",")
            if table not in TABLES:
                raise UsageError("rows are taken for the tables of the history only")
            self.db.insert_encoded(table, columns, body)
            return b""
        raise UsageError("there are /query and /insert, nothing else")

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= _LARGEST_BODY:
            self.close_connection = True
            raise UsageError(f"a request has at most {_LARGEST_BODY >> 20} MiB")
        return self.rfile.read(length)

    def _authorised(self) -> bool:
        given = (self.headers.get("Authorization") or "").encode()
        return hmac.compare_digest(given, b"Bearer " + self.token)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a request line may hold what belongs in no log."""


def _error(error: YupanError) -> bytes:
    kind = next(name for name, each in _KINDS.items() if isinstance(error, each))
    return msgspec.json.encode({"error": kind, "message": str(error)})


_QUOTED = re.compile(r"'(?:\\.|''|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:\\.|[^`\\])*`", re.DOTALL)
_READS = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
_UNSAFE = re.compile(r";|--|/\*|[#$'\"`‘’“”]|\b(INTO|OUTFILE|INFILE|FORMAT|SETTINGS)\b", re.IGNORECASE)


def single_select(sql: str) -> str:
    """Give one reading statement back with `SETTINGS readonly = 1`; raise `UsageError` for anything else.

    The session refuses writes already. What it does not refuse is a file written by the client side
    of the engine (INTO OUTFILE), so statements are held to one SELECT without comments.
    """
    bare = _QUOTED.sub(" ", sql)
    if not _READS.match(bare) or _UNSAFE.search(bare):
        raise UsageError("readers send one SELECT, without comments, INTO, FORMAT, SETTINGS or a second statement")
    return f"{sql}\nSETTINGS readonly = 1"


class Remote:
    """A client of `RemoteServer`: what workers and commands use beside `yupan dev`."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        """Connect; raises `PartError` when nobody answers or the token is wrong."""
        self._where = f"chDB served at {address[0]}:{address[1]} (is `yupan dev` running?)"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._lock = threading.Lock()
        self._connection = http.client.HTTPConnection(*address, timeout=120)
        version = str(self.query("SELECT version() AS version")[0]["version"])
        self.version = tuple(int(part) for part in version.split("."))

    def query(self, sql: str, params: Params | None = None) -> list[Row]:
        return decode_rows(self._ask("/query", render(sql, params).encode()))

    def execute(self, sql: str) -> None:
        raise PartError("only the process that owns chDB's directory changes its tables; `yupan dev` did at start")

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        wanted = urlencode({"table": table, "columns": ",".join(columns)})
        self._ask(f"/insert?{wanted}", encode_rows(rows))

    def create_database(self) -> None:
        """Nothing to do: the owner created it."""

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _ask(self, path: str, body: bytes) -> bytes:
        with self._lock:
            try:
                status, answer = self._once(path, body)
            except (http.client.HTTPException, OSError):
                # A kept connection may have ended meanwhile. Asking twice is safe: rows replace themselves.
                status, answer = self._again(path, body)
        if status == 200:
            return answer
        raise _from_wire(answer, self._where)

    def _once(self, path: str, body: bytes) -> tuple[int, bytes]:
        self._connection.request("POST", path, body, self._headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def _again(self, path: str, body: bytes) -> tuple[int, bytes]:
        self._connection.close()
        try:
            return self._once(path, body)
        except (http.client.HTTPException, OSError) as error:
            self._connection.close()
            raise unreachable(self._where, error) from None


def _from_wire(answer: bytes, where: str) -> YupanError:
    try:
        document = msgspec.json.decode(answer)
        return _KINDS[document["error"]](document["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return PartError(f"{where} is no server of chDB of ours")
