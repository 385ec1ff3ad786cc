"""How long a partition pauses when a worker joins, leaves, dies or starts again (issue 4, 2)."""

from __future__ import annotations

from typing import Any

from benchmarks.command import Say
from benchmarks.common.place import SESSION_MS, Place
from benchmarks.handover.load import RATE
from benchmarks.handover.pauses import Pauses
from benchmarks.handover.scenes import group, named, unnamed
from benchmarks.handover.worker import Options
from benchmarks.slice.site import Site

GOALS = {"join": 0.5, "leave": 0.5, "die": SESSION_MS / 1000 + 1.5, "restart": 2.0, "stayed": 0.2}


def measure(quick: bool, place: Place, say: Say) -> dict[str, object]:
    """All scenes, for each protocol; quick: the default protocol without what takes a session's end."""
    rounds = {"classic": 1} if quick else {"classic": 1, "consumer": 1}
    found: dict[str, dict[str, list[Pauses]]] = {protocol: {} for protocol in rounds}
    Site(place).fresh()
    for protocol, number in ((name, number) for name, count in rounds.items() for number in range(1, count + 1)):
        for scenes in (unnamed, named):
            name = f"handover-{protocol}-{scenes.__name__}-{number}"
            topics = (f"{name}-in", f"{name}-out", f"{name}-ledger")
            options = Options(place.bootstrap, name, *topics, protocol, SESSION_MS, "", place.program_core)
            with group(options, place.broker_core) as running:
                for scene, pauses in scenes(running, quick).items():
                    say(f"round {number}: {protocol:8} {scene:21} {_told(pauses)}")
                    found[protocol].setdefault(scene, []).append(pauses)
    return {
        "session_s": SESSION_MS / 1000,
        "events_per_s": RATE,
        "goals_s": GOALS,
        "pauses_s": {protocol: _summary(scenes) for protocol, scenes in found.items()},
    }


def _told(pauses: Pauses) -> str:
    moved = "none moved" if pauses.moved is None else f"{pauses.moved_partitions} moved, {pauses.moved:.3f} s"
    return moved if pauses.stayed is None else f"{moved}; those that stayed {pauses.stayed:.3f} s"


def _summary(scenes: dict[str, list[Pauses]]) -> dict[str, Any]:
    """The longest pause of all rounds by scene, and those of each round."""
    return {
        scene: {
            kind: {"longest": max(each), "rounds": each}
            for kind in ("moved", "stayed")
            if (each := [found for one in rounds if (found := getattr(one, kind)) is not None])
        }
        for scene, rounds in scenes.items()
    }
