"""The agents of the audit, made to work together: what a worker and a replay have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from agents.areas import Areas
from agents.audit import Audit
from agents.baseline import Baselines
from agents.commands import Commands
from agents.conclude import Conclusions
from agents.cutovers import Closings, Cutovers
from agents.incidents import Incidents
from agents.ports import Batch
from agents.repairs import Repairs
from agents.rules import Checks
from agents.shell import Shell
from agents.usage import Usage
from agents.watching import Watching


class Agent(Protocol):
    """Decides the batches of its topics."""

    @property
    def topics(self) -> Sequence[str]:
        """Whose batches it alone gets."""

    def process(self, batch: Batch) -> None:
        """Decide a batch."""


class Auditing(NamedTuple):
    """The agents, and what others need of them."""

    agents: Sequence[Agent]
    conclusions: Conclusions
    """Holds the checks that all of them ask."""
    watching: Watching
    """The watch lists, which calls and profiles bring up, too."""


def auditing(
    shell: Shell,
    checks: Checks,
    zone: ZoneInfo,
    language: str = "zh",
    *,
    baseline: bool = False,
    exchanged: bool = True,
) -> Auditing:
    """`zone`: in which texts tell the time; `language`: of summaries for technicians; the others: see `Conclusions`."""
    conclusions = Conclusions(shell, checks, baseline=baseline, exchanged=exchanged)
    watching = Watching(shell, conclusions, zone)
    closings = Closings(shell, conclusions, language)
    areas, repairs = Areas(shell, conclusions), Repairs(shell, conclusions, zone)
    agents = (
        Audit(shell, conclusions, watching),
        Usage(shell, conclusions),
        areas,
        repairs,
        Commands(shell, conclusions, areas, repairs),
        Incidents(shell, conclusions, closings, language),
        Cutovers(shell, closings),
        Baselines(shell),
    )
    return Auditing(agents, conclusions, watching)
