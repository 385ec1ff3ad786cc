"""The reference work of issue 4, written for each system: `python -m benchmarks.reference`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.command import Say
    from benchmarks.common.place import Place


def measure(quick: bool, place: Place, say: Say) -> dict[str, Any]:
    """All systems; as `python -m benchmarks` asks for it."""
    from benchmarks.reference import program, rounds  # late: a measured program imports only what it needs

    return rounds.summary(rounds.run(place, program.events(quick), 1 if quick else rounds.ROUNDS, say))
