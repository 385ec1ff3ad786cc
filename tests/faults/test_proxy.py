"""The proxy of the fault harness passes on, cuts, stalls and slows."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from streams.parts.ports import HOST
from tests.faults.proxy import Proxy


class Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socketserver.ThreadingTCPServer((HOST, 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Proxy(server.server_address[1]) as running:
            yield running
        server.shutdown()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=5)


def echoed(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(1024)


def test_it_passes_on(proxy: Proxy) -> None:
    with connect(proxy) as one, connect(proxy) as other:
        assert (echoed(one, b"a"), echoed(other, b"b"), echoed(one, b"c")) == (b"a", b"b", b"c")


def test_it_cuts_and_refuses_until_it_is_healed(proxy: Proxy) -> None:
    with connect(proxy) as before:
        assert echoed(before, b"a") == b"a"
        proxy.cut()
        assert ends(before)
        with connect(proxy) as refused:
            assert ends(refused)
        proxy.heal()
        with connect(proxy) as after:
            assert echoed(after, b"b") == b"b"


def ends(connection: socket.socket) -> bool:
    """Whether the other side has ended it."""
    try:
        return connection.recv(1024) == b""
    except ConnectionResetError:
        return True


def test_it_stalls_and_loses_nothing(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        assert echoed(connection, b"a") == b"a"
        proxy.stall()
        connection.sendall(b"b")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1024)
        proxy.heal()
        connection.settimeout(5)
        assert connection.recv(1024) == b"b"


def test_it_slows_both_ways(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.delay_s = 0.1
        began = time.monotonic()
        assert echoed(connection, b"a") == b"a"
        assert time.monotonic() - began >= 0.2
