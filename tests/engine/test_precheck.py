"""What is asked of the topics before a worker joins its group."""

from __future__ import annotations

import pytest

from schemas.errors import PartError, UsageError
from streams.engine import precheck
from streams.engine.config import EngineConfig


def config(**more: object) -> EngineConfig:
    return EngineConfig(**{"bootstrap": "127.0.0.1:1", "group": "g", "topics": ("a", "b"), "changelog": "c"} | more)


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    found = {"a": 4, "b": 4, "c": 4}
    monkeypatch.setattr(precheck, "_counts", lambda *_: found)
    return found


def test_the_partitions_of_the_topics_are_those_of_the_setting(counts: dict[str, int]) -> None:
    assert precheck.check_topics(config()) == 4
    assert precheck.check_topics(config(partitions=4)) == 4
    with pytest.raises(UsageError, match=r"^YUPAN_PARTITIONS=12, but the topics have 4: set it to 4$"):
        precheck.check_topics(config(partitions=12))


def test_topics_with_other_partitions_than_the_rest_are_named(counts: dict[str, int]) -> None:
    counts["c"] = 3
    with pytest.raises(PartError, match="a 4, b 4, c 3"):
        precheck.check_topics(config(partitions=4))
