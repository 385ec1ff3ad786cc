"""The rule of contracts.md, "the clock", clause by clause, without Kafka. Times are small numbers of ms."""

from __future__ import annotations

from agents.ports import Fired
from streams.engine.deadlines import MOST_CLOCKS, SCAN_AT, Deadlines, Steady

STATE, CALL = "state", "call"
BOTH = frozenset((STATE, CALL))


def armed(due_at: int, now: int = 0, reads: tuple[str, ...] = (STATE,), by_events: bool = False) -> Deadlines:
    deadlines = Deadlines(quiet_ms=1_000, by_events=by_events)
    deadlines.arm("c1", "check", due_at, reads, now)
    return deadlines


def fires(deadlines: Deadlines, clock: int, now: int | None = None) -> list[Fired]:
    deadlines.collect(clock, clock if now is None else now)
    taken = deadlines.take(100)
    return taken[1] if taken else []


# --- the clock is past due


def test_fires_when_past_due_and_read_past_theta() -> None:
    deadlines = armed(10_000)
    deadlines.decided(STATE, 10_000, None)
    assert fires(deadlines, 10_001) == [Fired("c1", "check", 10_000)]
    assert len(deadlines) == 0


def test_does_not_fire_exactly_at_the_due_time() -> None:
    deadlines = armed(10_000)
    deadlines.decided(STATE, 20_000, None)
    assert fires(deadlines, 10_000) == []
    assert len(deadlines) == 1


# --- a record with a broker timestamp >= θ


def test_waits_for_a_record_at_theta_when_records_keep_coming() -> None:
    deadlines = armed(10_000)
    deadlines.decided(STATE, 9_999, None)
    assert fires(deadlines, 60_000) == []
    deadlines.decided(STATE, 10_000, None)
    assert len(fires(deadlines, 60_000)) == 1


def test_theta_is_the_moment_of_arming_when_that_is_later_than_due() -> None:
    deadlines = armed(10_000, now=50_000)  # a worker that catches up: the trigger is old
    deadlines.decided(STATE, 49_999, None)
    assert fires(deadlines, 50_100) == []
    deadlines.decided(STATE, 50_000, None)
    assert fires(deadlines, 50_100) == [Fired("c1", "check", 10_000)]


def test_delivered_but_undecided_records_do_not_count() -> None:
    deadlines = armed(10_000)
    deadlines.delivered(STATE)
    assert fires(deadlines, 60_000) == []


def test_every_topic_read_must_have_passed() -> None:
    deadlines = armed(10_000, reads=(STATE, CALL))
    deadlines.decided(STATE, 20_000, None)
    assert fires(deadlines, 20_001) == []
    deadlines.decided(CALL, 10_000, None)
    assert len(fires(deadlines, 20_001)) == 1


def test_other_topics_do_not_matter() -> None:
    deadlines = armed(10_000)
    deadlines.decided(CALL, 20_000, None)
    assert fires(deadlines, 20_001) == []


# --- nothing delivered for 1 s since θ, its end reached, fetching all the while


def test_fires_after_a_quiet_second_since_theta() -> None:
    deadlines = armed(10_000)
    deadlines.end_reached(STATE, 5_000)
    deadlines.steady(BOTH, Steady(1_000, 10_999))
    assert fires(deadlines, 11_000) == []
    deadlines.steady(BOTH, Steady(1_000, 11_000))
    assert len(fires(deadlines, 11_000)) == 1


def test_quiet_counts_from_the_end_when_that_was_reached_after_theta() -> None:
    deadlines = armed(10_000)
    deadlines.end_reached(STATE, 12_000)
    deadlines.steady(BOTH, Steady(1_000, 12_999))
    assert fires(deadlines, 13_000) == []
    deadlines.steady(BOTH, Steady(1_000, 13_000))
    assert len(fires(deadlines, 13_000)) == 1


def test_quiet_does_not_count_before_the_end_is_reached() -> None:
    deadlines = armed(10_000)
    deadlines.steady(BOTH, Steady(0, 60_000))
    assert fires(deadlines, 60_000) == []


def test_a_record_ends_the_quiet_until_the_end_is_reached_again() -> None:
    deadlines = armed(10_000)
    deadlines.end_reached(STATE, 5_000)
    deadlines.delivered(STATE)
    deadlines.steady(BOTH, Steady(0, 30_000))
    assert fires(deadlines, 30_000) == []
    deadlines.decided(STATE, 9_000, None)  # an old record: it may have been under way for long
    deadlines.end_reached(STATE, 30_000)
    deadlines.steady(BOTH, Steady(0, 30_999))
    assert fires(deadlines, 31_000) == []
    deadlines.steady(BOTH, Steady(0, 31_000))
    assert len(fires(deadlines, 31_001)) == 1


def test_quiet_begins_anew_when_fetching_was_paused() -> None:
    deadlines = armed(10_000)
    deadlines.end_reached(STATE, 5_000)
    deadlines.steady(BOTH, Steady(40_000, 40_999))  # steady only since 40,000
    assert fires(deadlines, 41_000) == []
    deadlines.steady(BOTH, Steady(40_000, 41_000))
    assert len(fires(deadlines, 41_000)) == 1


def test_without_news_from_the_consumer_nothing_is_quiet() -> None:
    deadlines = armed(10_000)
    deadlines.end_reached(STATE, 5_000)
    assert fires(deadlines, 60_000) == []


def test_one_topic_may_be_quiet_and_the_other_read_past_theta() -> None:
    deadlines = armed(10_000, reads=(STATE, CALL))
    deadlines.decided(STATE, 10_500, None)
    deadlines.end_reached(CALL, 5_000)
    deadlines.steady(frozenset((CALL,)), Steady(0, 11_000))
    assert len(fires(deadlines, 11_000)) == 1


# --- the event clock


def test_event_clock_asks_for_an_occurred_at_at_or_past_due() -> None:
    deadlines = armed(10_000, now=999_999, by_events=True)
    deadlines.decided(STATE, 5, 9_999)
    assert fires(deadlines, 10_001) == []
    deadlines.decided(STATE, 6, 10_000)
    assert len(fires(deadlines, 10_001)) == 1


def test_event_clock_waits_for_each_topic() -> None:
    deadlines = armed(10_000, by_events=True, reads=(STATE, CALL))
    deadlines.decided(STATE, 5, 50_000)
    deadlines.decided(CALL, 5, 9_000)
    assert fires(deadlines, 50_000) == []
    deadlines.decided(CALL, 5, 10_000)
    assert len(fires(deadlines, 50_000)) == 1


def test_event_clock_takes_a_quiet_second_since_arming() -> None:
    deadlines = armed(10_000, now=700_000, by_events=True, reads=(STATE, CALL))
    deadlines.decided(STATE, 5, 50_000)
    deadlines.end_reached(CALL, 600_000)
    deadlines.steady(BOTH, Steady(0, 700_999))
    assert fires(deadlines, 50_000, 700_000) == []
    deadlines.steady(BOTH, Steady(0, 701_000))
    assert len(fires(deadlines, 50_000, 701_000)) == 1


def test_event_clock_takes_a_quiet_second_since_the_clock_has_passed() -> None:
    """What another topic tells of a later time may be fetched before what settles it, which the broker has, too."""
    deadlines = armed(10_000, now=500_000, by_events=True, reads=(STATE,))
    deadlines.decided(STATE, 5, 9_000)
    deadlines.end_reached(STATE, 500_000)
    deadlines.steady(BOTH, Steady(0, 600_000))
    assert fires(deadlines, 9_000, 600_000) == []
    assert fires(deadlines, 11_000, 600_010) == []  # the other topic's clock
    deadlines.steady(BOTH, Steady(0, 601_009))
    assert fires(deadlines, 12_000, 601_010) == []
    deadlines.steady(BOTH, Steady(0, 601_010))
    assert len(fires(deadlines, 13_000, 601_011)) == 1


def test_event_clock_that_was_seen_often_forgets_where_it_was() -> None:
    deadlines = armed(10, now=0, by_events=True)
    deadlines.end_reached(STATE, 0)
    for clock in range(10 * MOST_CLOCKS):
        assert fires(deadlines, clock, 100 * clock) == []
    assert len(deadlines._clocks) <= MOST_CLOCKS
    deadlines.steady(BOTH, Steady(0, 100 * 10 * MOST_CLOCKS + 1_000))
    assert len(fires(deadlines, 10 * MOST_CLOCKS, 100 * 10 * MOST_CLOCKS)) == 1


def test_event_clock_forgets_a_quiet_that_has_ended() -> None:
    deadlines = armed(10_000, by_events=True, reads=(STATE, CALL))
    deadlines.end_reached(CALL, 0)
    deadlines.steady(BOTH, Steady(0, 5_000))
    deadlines.delivered(CALL)
    deadlines.decided(CALL, 5, 6_000)
    deadlines.decided(STATE, 5, 50_000)
    assert fires(deadlines, 50_000) == []


def test_event_clock_does_not_fire_at_the_due_time() -> None:
    deadlines = armed(10_000, by_events=True)
    deadlines.decided(STATE, 5, 10_000)
    assert fires(deadlines, 10_000) == []


def test_event_clock_a_later_deadline_armed_earlier_need_not_wait_for_one_armed_late() -> None:
    deadlines = armed(10_000, now=9_500, by_events=True)
    deadlines.arm("c2", "check", 11_000, (STATE,), 0)
    deadlines.end_reached(STATE, 0)
    deadlines.collect(12_000, 100)
    deadlines.steady(BOTH, Steady(0, 10_000))  # quiet up to 9,000: past the arming of c2 only
    assert fires(deadlines, 12_000, 10_000) == [Fired("c2", "check", 11_000)]
    deadlines.steady(BOTH, Steady(0, 10_500))
    assert fires(deadlines, 12_000, 10_500) == [Fired("c1", "check", 10_000)]


# --- arming, moving, dropping, order


def test_a_dropped_deadline_does_not_fire() -> None:
    deadlines = armed(10_000)
    deadlines.disarm("c1", "check")
    deadlines.disarm("c1", "never armed")
    deadlines.decided(STATE, 20_000, None)
    assert fires(deadlines, 20_000) == []
    assert "c1" not in deadlines


def test_a_deadline_dropped_while_it_waits_to_be_taken_does_not_fire() -> None:
    deadlines = armed(10_000)
    deadlines.decided(STATE, 20_000, None)
    assert deadlines.collect(20_000, 20_000) == 1
    deadlines.disarm("c1", "check")
    assert deadlines.take(10) is None


def test_a_moved_deadline_fires_once_at_its_new_time() -> None:
    deadlines = armed(10_000)
    deadlines.arm("c1", "check", 30_000, (STATE,), 0)
    deadlines.decided(STATE, 40_000, None)
    assert fires(deadlines, 30_000) == []
    assert fires(deadlines, 30_001) == [Fired("c1", "check", 30_000)]
    assert fires(deadlines, 99_000) == []


def test_fire_in_order_of_due_time_whenever_they_were_armed() -> None:
    deadlines = Deadlines(1_000)
    for due_at, now in ((3_000, 0), (1_000, 9_000), (2_000, 8_000)):
        deadlines.arm(f"c{due_at}", "check", due_at, (STATE,), now)
    deadlines.decided(STATE, 10_000, None)
    assert [fired.due_at for fired in fires(deadlines, 10_000)] == [1_000, 2_000, 3_000]


def test_taken_together_only_as_far_as_the_first_topic_is_the_same() -> None:
    deadlines = Deadlines(1_000)
    for due_at, topic in ((1, STATE), (2, STATE), (3, CALL), (4, STATE)):
        deadlines.arm(f"c{due_at}", "check", due_at, (topic,), 0)
    deadlines.decided(STATE, 100, None)
    deadlines.decided(CALL, 100, None)
    assert deadlines.collect(100, 100) == 4
    takes = []
    while (taken := deadlines.take(100)) is not None:
        takes.append((taken[0], [fired.due_at for fired in taken[1]]))
    assert takes == [(STATE, [1, 2]), (CALL, [3]), (STATE, [4])]


def test_no_more_than_the_limit_at_once() -> None:
    deadlines = Deadlines(1_000)
    for number in range(5):
        deadlines.arm("c", str(number), 1, (STATE,), 0)
    deadlines.decided(STATE, 100, None)
    deadlines.collect(100, 100)
    sizes = []
    while (taken := deadlines.take(2)) is not None:
        sizes.append(len(taken[1]))
    assert sizes == [2, 2, 1]


def test_dropped_deadlines_do_not_pile_up() -> None:
    deadlines = Deadlines(1_000)
    for number in range(10 * SCAN_AT):
        deadlines.arm("c", "check", number, (STATE,), 0)
    assert sum(map(len, deadlines._heaps.values())) <= SCAN_AT + 1
