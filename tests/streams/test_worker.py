"""What a worker does to its process."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from streams import worker


@pytest.fixture
def as_before() -> Iterator[None]:
    gc.unfreeze()  # engines in this process set aside what they restore
    thresholds, callbacks = gc.get_threshold(), list(gc.callbacks)
    yield
    gc.set_threshold(*thresholds)
    gc.callbacks[:] = callbacks
    gc.unfreeze()


@pytest.mark.usefixtures("as_before")
def test_what_survives_a_full_collection_is_not_looked_at_again() -> None:
    worker._collect_in_short()
    kept = [[number] for number in range(1_000)]
    gc.collect(0)
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert gc.get_freeze_count() >= len(kept)
    assert not any(entry is kept[0] for entry in gc.get_objects())
