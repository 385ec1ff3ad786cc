"""Fixtures for the real parts. A part starts when the first test asks for it, and serves the whole session.

A part that is absent, or cannot be fetched or started, skips its tests with one line; where CI is set it
fails them, so that nothing looks green that did not run.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from schemas.errors import PartError
from streams.parts import ports
from streams.parts.clickhouse_server import ClickHouseServer
from streams.parts.kafka import Kafka
from streams.parts.part import Part
from streams.parts.tansu import Tansu
from tests.parts.apicurio import Apicurio

ROOT = Path(__file__).resolve().parent.parent
P = TypeVar("P", bound=Part | Kafka)


def absent(error: PartError) -> NoReturn:
    """Skip with the first line of the reason; fail with all of it where CI is set."""
    if os.environ.get("CI"):
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error).splitlines()[0])


def running(part: P) -> Iterator[P]:
    """Start a part for a fixture and stop it afterwards."""
    try:
        part.start()
    except PartError as error:
        absent(error)
    yield part
    part.stop()


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """Apache Kafka, one node, shared by the session: `.bootstrap`."""
    yield from running(Kafka())


@pytest.fixture(scope="session")
def tansu() -> Iterator[Tansu]:
    """Tansu, shared by the session: `.bootstrap`."""
    yield from running(Tansu())


@pytest.fixture(scope="session")
def clickhouse_server() -> Iterator[ClickHouseServer]:
    """The ClickHouse server on PATH: `.dsn`, `.port`, `.database(name)` for one's own database."""
    yield from running(ClickHouseServer())


@pytest.fixture(scope="session")
def apicurio() -> Iterator[Apicurio]:
    """A schema registry, shared by the session: `.address`."""
    yield from running(Apicurio())


@pytest.fixture
def start_part() -> Iterator[Callable[[P], P]]:
    """Start a part of the test's own, `start_part(Kafka(nodes=3))`; it stops when the test ends."""
    started: list[Iterator[P]] = []

    def start(part: P) -> P:
        steps = running(part)
        started.append(steps)
        return next(steps)

    yield start
    for steps in reversed(started):
        next(steps, None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory with the real call log, which lies beside the checkout."""
    data = ROOT.parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("no real data: ../shared/data does not lie beside this checkout")
    return data


@pytest.fixture
def free_port() -> int:
    """A free port of 127.0.0.1."""
    return ports.free_port()


_NUMBERS = itertools.count(1)


@pytest.fixture
def prefix() -> str:
    """A prefix for topics, groups and databases that no other test of this run has."""
    return f"t{os.getpid()}_{next(_NUMBERS)}_"
