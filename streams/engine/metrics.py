"""What the engine tells about itself. The worker binds these hooks to Prometheus; the engine knows no exporter.

Hooks are called once a batch or a commit, never once an event, partly from the engine's own threads.
"""

from __future__ import annotations

from typing import Protocol


class EngineMetrics(Protocol):
    """The hooks. Seconds are floats, `topic` and `partition` as Kafka names them."""

    def decided(self, topic: str, events: int, since: dict[str, float]) -> None:
        """A batch was decided; `since` gives seconds by moment, see `EngineBatch.ages`."""

    def committed(self, events: int, seconds: float) -> None:
        """A transaction with `events` input events was committed in `seconds`."""

    def aborted(self) -> None:
        """A transaction was aborted; its events are decided anew."""

    def pending(self, batches: int) -> None:
        """Batches decided that are not yet part of a transaction."""

    def armed(self, deadlines: int) -> None:
        """Deadlines armed in this worker."""

    def assigned(self, partitions: int) -> None:
        """Partitions that this worker owns and has restored."""

    def restored(self, records: int, seconds: float) -> None:
        """One partition's ledger was restored by reading `records` of its changelog."""

    def lag(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """Records not yet decided, and the age of the newest decided one while any wait (0 otherwise)."""

    def lag_gone(self, topic: str, partition: int) -> None:
        """The partition has moved to another worker."""

    def broker_up(self, up: bool) -> None:
        """False while the engine waits for a broker that is away."""

    def dead_letter(self, topic: str, reason: str) -> None:
        """An event of `topic` could not be used."""

    def rerouted(self, topic: str) -> None:
        """An event was sent back to `topic`, to the partition of its key."""


class NullMetrics:
    """Hooks that tell nobody."""

    def decided(self, topic: str, events: int, since: dict[str, float]) -> None: ...

    def committed(self, events: int, seconds: float) -> None: ...

    def aborted(self) -> None: ...

    def pending(self, batches: int) -> None: ...

    def armed(self, deadlines: int) -> None: ...

    def assigned(self, partitions: int) -> None: ...

    def restored(self, records: int, seconds: float) -> None: ...

    def lag(self, topic: str, partition: int, records: int, seconds: float) -> None: ...

    def lag_gone(self, topic: str, partition: int) -> None: ...

    def broker_up(self, up: bool) -> None: ...

    def dead_letter(self, topic: str, reason: str) -> None: ...

    def rerouted(self, topic: str) -> None: ...
