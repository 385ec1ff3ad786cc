"""Outputs go to the broker behind the record that names their transaction's owner; without Kafka."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streams.engine import outbox
from streams.engine.batch import Output
from streams.engine.config import EngineConfig
from streams.engine.outbox import TransactionalOutbox
from streams.engine.retry import Retry


class Fake:
    """A producer: what it was given, and reports that come when the test says so."""

    def __init__(self, conf: dict[str, Any]) -> None:
        self.did: list[Any] = []
        self.reports: list[Callable[[], None]] = []
        self.arrived = False

    def produce(self, topic: str, value: bytes, key: bytes, partition: int, **more: Any) -> None:
        self.did.append(value)
        if "on_delivery" in more:
            self.reports.append(lambda: more["on_delivery"](None, None))

    def poll(self, seconds: float) -> None:
        while self.arrived and self.reports:
            self.reports.pop(0)()

    def flush(self, seconds: float) -> int:
        self.arrived = True
        self.poll(0)
        self.did.append("flush")
        return 0

    def init_transactions(self, seconds: float) -> None: ...

    def begin_transaction(self) -> None: ...

    def abort_transaction(self, seconds: float) -> None: ...

    def send_offsets_to_transaction(self, *_: Any) -> None:
        self.did.append("offsets")

    def commit_transaction(self, seconds: float) -> None:
        self.did.append("commit")


def output(value: bytes) -> Output:
    return Output("out", value, b"k", None, 0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> TransactionalOutbox:
    monkeypatch.setattr(outbox, "Producer", Fake)
    found = TransactionalOutbox(EngineConfig("nowhere", "g", ("in",)), Retry())
    found.start()
    found.begin()
    return found


def fake(made: TransactionalOutbox) -> Fake:
    found: Any = made._producer
    assert isinstance(found, Fake)
    return found


def test_outputs_wait_until_the_broker_has_the_owners_record(made: TransactionalOutbox) -> None:
    made.name_owner(output(b"owner"))
    made.produce(output(b"1"))
    made.name_owner(output(b"owner of another partition"))
    made.produce(output(b"2"))
    assert fake(made).did == [b"owner", b"owner of another partition"]
    fake(made).arrived = True
    made.produce(output(b"3"))
    made.name_owner(output(b"owner of a third partition"))
    made.produce(output(b"4"))
    assert fake(made).did[2:] == [b"1", b"2", b"3", b"owner of a third partition", b"4"]


def test_a_commit_sends_what_still_waits_before_the_offsets(made: TransactionalOutbox) -> None:
    made.name_owner(output(b"owner"))
    made.produce(output(b"1"))
    made.commit([], None)
    assert fake(made).did == [b"owner", "flush", b"1", "flush", "offsets", "commit"]


def test_nothing_waits_for_the_next_transaction(made: TransactionalOutbox) -> None:
    made.name_owner(output(b"owner"))
    made.produce(output(b"1"))
    made.abort()
    made.begin()
    made.produce(output(b"without a ledger nobody is named"))
    assert fake(made).did == [b"owner", b"without a ledger nobody is named"]
