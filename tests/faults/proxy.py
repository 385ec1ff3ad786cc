"""A TCP proxy between workers and a broker, which cuts, stalls and slows the connection when told to."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from streams.parts.ports import HOST, free_port

_CHUNK = 65_536


class Proxy:
    """Listens on `port` and passes everything on to `target` on loopback; a thread of its own runs it."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.delay_s = 0.0
        """How long each piece is held back, in both directions."""
        self._target = target
        self._open = True
        self._flows = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Proxy:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self) -> None:
        """Reset every connection and refuse new ones until `heal`."""
        self._open = False
        self._loop.call_soon_threadsafe(self._reset)

    def stall(self) -> None:
        """Let nothing through until `heal`; connections stay open, as behind a switch that drops packets."""
        self._flows = False

    def heal(self) -> None:
        """Let everything through again, at once."""
        self.delay_s, self._open, self._flows = 0.0, True, True

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, HOST, self.port))
        self._ready.set()
        self._loop.run_forever()

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        try:
            there, here = await asyncio.open_connection(HOST, self._target)
        except OSError:  # the broker is away
            writer.transport.abort()
            return
        pair = {writer, here}
        self._writers |= pair
        try:
            await asyncio.gather(self._pass_on(reader, here), self._pass_on(there, writer))
        finally:
            self._writers -= pair

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                while not self._flows:
                    await asyncio.sleep(0.02)
                sink.write(data)
                await sink.drain()
        sink.close()
