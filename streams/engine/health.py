"""What the consumers know of their fetching: whether it goes on without a break, and where the topics end."""

from __future__ import annotations

import msgspec

from streams.engine.deadlines import Steady

BREAK_MS = 500
SILENT_US = 2_000_000
STATISTICS_MS = 1_000
Ends = dict[tuple[str, int], int]


class _Broker(msgspec.Struct):
    state: str = ""
    rxidle: int = 0
    txidle: int = 0
    waitresp_cnt: int = 0
    toppars: dict[str, object] = {}


class _Toppar(msgspec.Struct):
    ls_offset: int = -1


class _Topic(msgspec.Struct):
    partitions: dict[str, _Toppar] = {}


class _Statistics(msgspec.Struct):
    brokers: dict[str, _Broker] = {}
    topics: dict[str, _Topic] = {}


_decoder = msgspec.json.Decoder(_Statistics)


class Health:
    """Follows one consumer; used by the thread that polls it. Times are wall clock, ms.

    Quiet counts only while polling is unbroken, all that is fetched is taken, and the brokers that lead our partitions
    answer: after a pause of the process, of fetching or of a broker, the second of quiet (contracts) begins anew.
    """

    def __init__(self, fetch_wait_ms: int = 500) -> None:
        self._silent_us = SILENT_US + fetch_wait_ms * 1_000
        self._since: int | None = None
        self._last = 0
        self._until = 0
        self.ends: Ends = {}
        """Where each topic and partition ends, as of the last statistics."""
        self.up = True
        self._was_connected = False

    def polled(self, now: int, newest: int | None = None) -> Steady:
        """The consumer was polled, and handed on all that it gave; what lies fetched now is not older than `newest`.

        A consumer that has fetched enough fetches no topic, not even one whose end it had come to. So while more lies
        ready, nothing has come of that topic up to the broker time (ms) of what was taken last, since one request asks
        for all topics. None: nothing lay ready any more.
        """
        if self._since is None or now - self._last > BREAK_MS or now < self._last:
            self._since = self._until = now
        self._last = now
        self._until = now if newest is None else max(self._until, min(newest, now))
        return Steady(self._since, self._until)

    def broken(self) -> None:
        """Fetching was interrupted."""
        self._since = None

    def told(self, topic: str, number: int, end: int) -> None:
        """The broker was asked where this partition ends."""
        self.ends[topic, number] = end

    def statistics(self, text: str) -> None:
        """Take librdkafka's statistics."""
        found = _decoder.decode(text)
        leaders = [broker for broker in found.brokers.values() if broker.toppars]
        connected = any(broker.state == "UP" for broker in found.brokers.values())
        self._was_connected = self._was_connected or connected
        # while a cluster is away nobody leads anything
        self.up = connected >= self._was_connected and not any(self._is_away(broker) for broker in leaders)
        if not self.up or any(broker.rxidle >= self._silent_us for broker in leaders):
            self.broken()
        # what is not fetched keeps the end of its last fetch there; `told` may know more
        self.ends = {
            (topic, int(number)): max(partition.ls_offset, self.ends.get((topic, int(number)), 0))
            for topic, held in found.topics.items()
            for number, partition in held.partitions.items()
            if partition.ls_offset >= 0
        }

    def _is_away(self, broker: _Broker) -> bool:
        """Whether it owes us an answer for too long. Who has fetched enough asks nothing, and hears nothing."""
        waited = min(broker.rxidle, broker.txidle) if broker.waitresp_cnt else 0
        return broker.state != "UP" or waited >= self._silent_us
