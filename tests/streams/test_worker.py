"""How a worker is set up, as far as that is not seen from outside."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any
from weakref import ref

import pytest

from streams.worker import look


class Kept:
    """Something that may be part of a cycle."""

    other: Any = None


@pytest.fixture
def unfrozen() -> Iterator[None]:
    gc.unfreeze()  # engines in this process set aside what they restore
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("unfrozen")
def test_what_survives_a_look_is_not_looked_at_again_and_still_goes() -> None:
    kept = Kept()
    look()
    assert not any(one is kept for one in gc.get_objects())
    watched = ref(kept)
    del kept
    assert watched() is None


@pytest.mark.usefixtures("unfrozen")
def test_a_cycle_of_new_objects_goes_with_the_next_look() -> None:
    one, other = Kept(), Kept()
    one.other, other.other = other, one
    watched = ref(one)
    del one, other
    assert watched() is not None
    look()
    assert watched() is None
