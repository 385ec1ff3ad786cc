"""A large ledger that moves: half of it to a worker that joins, and back when that worker leaves."""

from __future__ import annotations

from benchmarks.command import Say
from benchmarks.common.place import SESSION_MS
from benchmarks.handover.scenes import group
from benchmarks.handover.worker import Options, Worker


def moved(bootstrap: str, kind: str, records: int, broker_core: int, core: int, say: Say) -> dict[str, float | None]:
    """The longest pause of the partitions that move, under the load of the hand-over (see `benchmarks.handover`).

    The worker that stays still has what it gave away on its disk when the ledger is RocksDB.
    """
    name = f"moving-{kind}"
    topics = (f"{name}-in", f"{name}-out", f"{name}-ledger")
    options = Options(bootstrap, name, *topics, "classic", SESSION_MS, "", core, kind)
    found: dict[str, float | None] = {}
    with group(options, broker_core, records) as running:
        first = running.start()
        running.settled([first])
        joined: list[Worker] = []

        def join() -> list[Worker]:
            joined.append(running.start())
            return [first, *joined]

        def leave() -> list[Worker]:
            joined.pop().stop()
            return [first]

        for scene, happens in (("join", join), ("leave", leave)):
            pauses = running.scene(happens)
            found[f"{scene}_moved_s"], found[f"{scene}_stayed_s"] = pauses.moved, pauses.stayed
            say(f"{kind}: {scene}: {pauses.moved} s, those that stayed {pauses.stayed} s")
        running.finish()
    return found
