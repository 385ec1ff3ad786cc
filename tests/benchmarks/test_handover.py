"""What the pause of a partition is, and that a lost or doubled output is found."""

from __future__ import annotations

import pytest

from benchmarks.handover.load import Seen
from benchmarks.handover.pauses import WrongResultError, check, pauses


def seen(partition: int, delays: list[int], worker: int, since: int = 0) -> list[Seen]:
    """Outputs of events appended every 10 ms."""
    return [
        Seen(partition, number, since + 10 * number, since + 10 * number + delay, worker)
        for number, delay in enumerate(delays)
    ]


def test_the_pause_is_the_longest_delay_less_the_usual_one() -> None:
    before = seen(0, [40, 50, 60], worker=1) + seen(1, [50, 50, 50], worker=1)
    during = seen(0, [50, 450, 440], worker=2) + seen(1, [50, 150, 50], worker=1)
    assert pauses(before, during) == (0.4, 0.1, 1)


def test_without_a_partition_of_a_kind_there_is_no_pause() -> None:
    usual = seen(0, [50, 50], worker=1)
    assert pauses(usual, usual) == (None, 0.0, 0)


@pytest.mark.parametrize(
    ("sequences", "what"),
    [([0, 1], "lost=1"), ([0, 1, 1, 2], "doubled=1"), ([0, 2, 1], "out of order")],
)
def test_a_wrong_result_has_no_speed(sequences: list[int], what: str) -> None:
    with pytest.raises(WrongResultError, match=what):
        check([3], [Seen(0, sequence, 0, 0, 1) for sequence in sequences])


def test_a_right_result_is_right() -> None:
    check([2, 1], [*seen(0, [1, 1], worker=1), *seen(1, [1], worker=1)])
