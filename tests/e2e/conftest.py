"""One whole Yupan for all end-to-end tests: a broker, a ClickHouse server and a worker of each role of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streams.settings import Settings
from tests.conftest import absent
from tests.e2e.kit import Live, started

DEADLINE_MS = 2_000


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Kafka, ClickHouse, topics, tables, workers, with short deadlines. Use numbers of your own (`kit.msisdn`).

    A directory of an operator's checks is there, and empty: `Live.own_checks`.
    """
    checks = (str(tmp_path_factory.mktemp("checks")),)
    settings = Settings().with_(partitions=4, deadlines={"activation": DEADLINE_MS}, checks=checks)
    live = started(Live(settings, "kafka", "server", workers=1), absent)
    try:
        yield live
    finally:
        live.__exit__()
