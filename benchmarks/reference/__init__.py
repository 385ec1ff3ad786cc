"""The reference work of issue 4, written for each system: `python -m benchmarks.reference`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.command import Say


def measure(quick: bool, say: Say) -> dict[str, Any]:
    """All systems; as `python -m benchmarks` asks for it."""
    from benchmarks.reference import rounds  # late: a measured program of this package imports only what it needs

    return rounds.summary(rounds.run(list(rounds.EVENTS), rounds.QUICK_ROUNDS if quick else rounds.ROUNDS, say))
