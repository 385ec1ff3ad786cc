"""What people order about anomalies (`yupan.command.v1`, #52): acknowledged, withdrawn, repaired.

A command about a customer comes to the customer's partition. One about a cell or a region is keyed by the anomaly's id:
it is sent on to all partitions (`yupan.internal.command.v1`), since only that of the area knows the anomaly.
"""

from __future__ import annotations

from agents.areas import Areas
from agents.conclude import COMMAND, Conclusions
from agents.event import Event
from agents.ports import Batch
from agents.repairs import Repairs
from agents.shell import Shell

INTERNAL_COMMAND = "yupan.internal.command.v1"


class Commands:
    """Follows the commands of a batch."""

    topics = (COMMAND, INTERNAL_COMMAND)

    def __init__(self, shell: Shell, conclusions: Conclusions, areas: Areas, repairs: Repairs) -> None:
        self.shell = shell
        self.conclusions = conclusions
        self.areas = areas
        self.repairs = repairs

    def process(self, batch: Batch) -> None:
        """Follow all commands of a batch."""
        self.shell.run(batch, self._decide)

    def _decide(self, batch: Batch, event: Event) -> None:
        command = event.record
        if event.topic == INTERNAL_COMMAND:
            outcome = self.areas.order(batch, event)
            if outcome == "unknown":
                return  # it is another partition's, or nobody's: that of its id has counted it
        elif command["msisdn"] is None:
            cause = f"{event.source}|{event.id}"
            self.shell.fan_out(batch, INTERNAL_COMMAND, command, cause, traceparent=event.traceparent)
            outcome = "sent_on"
        elif command["kind"] == "REPAIR":
            outcome = self.repairs.order(batch, event)
        else:
            outcome = self.conclusions.order(batch, event)
        self.shell.counts.count("yupan_commands", kind=command["kind"], outcome=outcome)
