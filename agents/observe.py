"""Topics that no agent decides on yet: their records are validated, and unusable ones dead-lettered.

Only the role `decide` dead-letters what is unusable, so it has to read every topic that comes in.
"""

from __future__ import annotations

from agents.event import Event
from agents.ports import Batch
from agents.shell import Shell


class Observe:
    """Reads and checks, decides nothing."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def process(self, batch: Batch) -> None:
        """Validate every record of the batch."""
        self.shell.run(batch, self._nothing)

    def _nothing(self, batch: Batch, event: Event) -> None:
        """Being readable is all that is asked."""
