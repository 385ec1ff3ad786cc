"""A worker as `yupan worker --role ROLE` runs it, that can be killed at an exact point and has a clock that jumps.

The harness arms a point by a file `POINT-ROLE` in the directory `FAULTS`. The first worker that comes to the point
takes the file and kills itself with SIGKILL, as a crash would. The file `clock` there is added to the wall clock.
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.shell import Shell
from streams.engine import retry
from streams.engine.clock import SystemClock
from streams.engine.offsets import Offsets
from streams.engine.ownership import Ownership
from streams.engine.restore import Restorer

FAULTS = "FAULTS"
OFFSET = struct.Struct("<q")
"""How the file `clock` holds its milliseconds."""


def dying(directory: Path, role: str) -> Callable[[str], None]:
    """A function that ends the process when its point is armed."""

    def reached(point: str) -> None:
        try:
            os.unlink(directory / f"{point}-{role}")
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    return reached


def jump(directory: Path) -> None:
    """Let `SystemClock` show what the file `clock` says."""
    with (directory / "clock").open("rb") as file:
        shift = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
    now = SystemClock.now_ms
    SystemClock.now_ms = lambda self: now(self) + OFFSET.unpack_from(shift)[0]  # type: ignore[method-assign]


def mine(reached: Callable[[str], None]) -> None:
    """Lay the points into the engine: before and after each step that waits for Kafka or ClickHouse, and the others."""
    wait, until_back = retry.Retry.__call__, retry.Retry.until_part_is_back
    one, read, give_up, begin = Shell._one, Restorer._read, Ownership.give_up, Ownership.begin
    done = Offsets.done

    def around(step: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, what: str, action: Any, *more: Any) -> Any:
            reached(f"before-{what}")
            result = step(self, what, action, *more)
            reached(f"after-{what}")
            return result

        return wrapped

    def before_offsets(self: Any, offsets: Any) -> None:
        reached("before-offsets")
        done(self, offsets)

    def in_batch(self: Any, batch: Any, message: Any, decide: Any) -> None:
        if message is not batch.messages[0]:
            reached("in-batch")
        one(self, batch, message, decide)

    def in_recovery(self: Any, partition: int, start: int, high: int, store: Any) -> Any:
        restore = store.restore

        def piece(records: Any) -> None:
            restore(records)
            reached("in-recovery")

        store.restore = piece
        return read(self, partition, start, high, store)

    async def revoking(self: Any, names: Any) -> None:
        reached("before-revoke")
        await give_up(self, names)
        reached("after-revoke")

    async def assigning(self: Any, names: Any) -> Any:
        begun = await begin(self, names)
        reached("in-assign")
        return begun

    retry.Retry.__call__ = around(wait)  # type: ignore[method-assign]
    Offsets.done = before_offsets  # type: ignore[method-assign]
    retry.Retry.until_part_is_back = around(until_back)  # type: ignore[method-assign]
    Shell._one = in_batch  # type: ignore[method-assign]
    Restorer._read = in_recovery  # type: ignore[method-assign]
    Ownership.give_up = revoking  # type: ignore[method-assign]
    Ownership.begin = assigning  # type: ignore[method-assign]


def main() -> None:
    """Run the role named by the first argument. SIGUSR1 writes what all threads do to the log."""
    from streams import cli

    faulthandler.register(signal.SIGUSR1)
    directory, role = Path(os.environ[FAULTS]), sys.argv[1]
    jump(directory)
    mine(dying(directory, role))
    sys.exit(cli.run(["worker", "--role", role]))


if __name__ == "__main__":
    main()
