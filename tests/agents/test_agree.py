"""Every rule that contracts state for `agree`, through `checks replay`; each test is named after its rule."""

from __future__ import annotations

import pytest

from tests.agents.replaying import ANNA, BERT, Replaying, state


def crm(minute: float, value: object, **more: object) -> dict[str, object]:
    return state(minute, "crm.status", value, **more)


def hlr(minute: float, value: object, **more: object) -> dict[str, object]:
    return state(minute, "hlr.status", value, **more)


# --- the mapping


@pytest.mark.parametrize(
    ("reference", "partner"),
    [("active", "active"), ("suspended", "barred"), ("half_suspended", "barred_outgoing"), ("closed", "absent")],
)
def test_what_the_mapping_puts_together_agrees(replay: Replaying, reference: str, partner: str) -> None:
    assert replay([crm(0, reference), hlr(1, partner)], until=60).story == []


@pytest.mark.parametrize("reference", ["active", "suspended", "half_suspended", "closed"])
@pytest.mark.parametrize("partner", ["active", "barred", "barred_outgoing", "absent"])
def test_every_other_pair_is_divergent(replay: Replaying, reference: str, partner: str) -> None:
    right = {"active": "active", "suspended": "barred", "half_suspended": "barred_outgoing", "closed": "absent"}
    story = replay([hlr(-1, partner), crm(0, reference)], until=60).story
    assert story == ([] if right[reference] == partner else [(10, "OPEN")])


# --- the three-valued verdict and the deadline


def test_inside_the_deadline_it_is_still_propagating(replay: Replaying) -> None:
    assert replay([crm(0, "active")], until=9.99).story == []
    assert replay([crm(0, "active")], until=10).story == []


def test_a_deadline_is_due_at_occurred_at_plus_within_and_the_decision_occurred_then(replay: Replaying) -> None:
    assert replay([crm(0, "active")], until=300).story == [(10, "OPEN")]


def test_a_counterpart_exactly_at_the_deadline_is_in_time(replay: Replaying) -> None:
    assert replay([crm(0, "active"), hlr(10, "active")], until=60).story == []


def test_a_counterpart_past_the_deadline_does_not_cancel_it_open_and_resolved_are_both_decided(
    replay: Replaying,
) -> None:
    found = replay([crm(0, "active"), hlr(25, "active")])
    assert found.story == [(10, "OPEN"), (25, "RESOLVED")]
    opened, resolved = found.anomalies
    assert opened["anomaly_id"] == resolved["anomaly_id"]
    assert opened["evidence"] == {"crm.status": "active", "hlr.status": "never seen"}
    assert resolved["evidence"] == {"crm.status": "active", "hlr.status": "active"}
    assert (opened["reason"], resolved["reason"]) == ("deadline_passed", "agrees_again")


def test_after_a_resolution_a_new_divergence_is_a_new_anomaly(replay: Replaying) -> None:
    found = replay([crm(0, "active"), hlr(25, "active"), crm(30, "suspended")], until=60)
    assert found.story == [(10, "OPEN"), (25, "RESOLVED"), (40, "OPEN")]
    assert found.anomalies[0]["anomaly_id"] != found.anomalies[2]["anomaly_id"]


# --- settling


def test_settling_starts_at_the_occurred_at_of_the_event_that_ends_agreement(replay: Replaying) -> None:
    events = [crm(0, "active"), hlr(1, "active"), hlr(30, "barred")]
    assert replay(events, until=60).story == [(40, "OPEN")]


def test_settling_starts_anew_when_the_reference_takes_a_new_value(replay: Replaying) -> None:
    assert replay([crm(0, "active"), crm(8, "suspended")], until=60).story == [(18, "OPEN")]
    assert replay([crm(0, "active"), crm(8, "suspended"), hlr(17, "barred")], until=60).story == []


def test_settling_does_not_start_anew_on_a_repeat_of_the_references_value(replay: Replaying) -> None:
    assert replay([crm(0, "active"), crm(8, "active")], until=60).story == [(10, "OPEN")]


def test_settling_does_not_start_anew_when_another_system_goes_from_one_wrong_value_to_another(
    replay: Replaying,
) -> None:
    events = [crm(0, "active"), hlr(4, "barred"), hlr(8, "barred_outgoing")]
    assert replay(events, until=60).story == [(10, "OPEN")]


def test_agreement_in_between_ends_the_wait(replay: Replaying) -> None:
    events = [crm(0, "active"), hlr(5, "active"), hlr(9, "barred")]
    assert replay(events, until=18).story == []
    assert replay(events, until=20).story == [(19, "OPEN")]


def test_the_reference_going_back_ends_the_wait(replay: Replaying) -> None:
    events = [crm(-60, "active"), hlr(-59, "active"), crm(0, "suspended"), crm(5, "active")]
    assert replay(events, until=60).story == []


# --- an open anomaly


def test_a_new_reference_value_keeps_the_open_anomaly_and_changes_its_evidence(replay: Replaying) -> None:
    found = replay([crm(0, "active"), crm(20, "suspended")], until=120)
    assert found.story == [(10, "OPEN")]
    (changed,) = [line for line in found.lines if line["kind"] == "evidence"]
    assert changed["anomaly_id"] == found.anomalies[0]["anomaly_id"]
    assert changed["evidence"] == {"crm.status": "suspended", "hlr.status": "never seen"}
    assert changed["reason"] == "reference_changed"
    assert "status" not in changed


def test_the_new_reference_value_is_what_resolves_it_then(replay: Replaying) -> None:
    events = [crm(0, "active"), crm(20, "suspended"), hlr(30, "active"), hlr(40, "barred")]
    assert replay(events).story == [(10, "OPEN"), (40, "RESOLVED")]


def test_an_open_anomaly_is_resolved_by_the_reference_going_back(replay: Replaying) -> None:
    events = [crm(-60, "active"), hlr(-59, "active"), crm(0, "suspended"), crm(50, "active")]
    assert replay(events).story == [(10, "OPEN"), (50, "RESOLVED")]


# --- never seen


def test_a_customer_of_whom_no_system_of_a_check_was_seen_agrees(replay: Replaying) -> None:
    assert replay([state(0, "ocs.account", "open")], until=600).story == []
    assert replay([crm(0, None), hlr(0, None)], until=600).story == []


@pytest.mark.parametrize("value", ["active", "suspended", "half_suspended"])
def test_never_seen_differs_from_any_value(replay: Replaying, value: str) -> None:
    assert replay([crm(0, value)], until=60).story == [(10, "OPEN")]


def test_never_seen_equals_absent_for_the_hlr(replay: Replaying) -> None:
    assert replay([crm(0, "closed")], until=60).story == []


def test_a_reference_never_seen_agrees_with_a_partner_that_is_absent_and_with_no_other(replay: Replaying) -> None:
    assert replay([hlr(0, "absent")], until=60).story == []
    found = replay([hlr(0, "barred")], until=60)
    assert found.story == [(10, "OPEN")]
    assert found.anomalies[0]["evidence"] == {"crm.status": "never seen", "hlr.status": "barred"}


def test_null_counts_as_never_seen(replay: Replaying) -> None:
    events = [crm(0, "active"), hlr(1, "active"), hlr(30, None)]
    assert replay(events, until=60).story == [(40, "OPEN")]
    assert replay([*events, crm(35, "closed")], until=60).story == []


# --- values outside the mapping


def test_a_value_outside_the_mapping_ends_a_running_wait_silently(replay: Replaying) -> None:
    for strange in (crm(5, "reserved"), hlr(5, "unreachable")):
        assert replay([crm(0, "active"), strange], until=60).story == []


def test_a_value_outside_the_mapping_withdraws_an_open_anomaly(replay: Replaying) -> None:
    for strange in (crm(30, "reserved"), hlr(30, "unreachable")):
        found = replay([crm(0, "active"), strange])
        assert found.story == [(10, "OPEN"), (30, "WITHDRAWN")]
        assert found.anomalies[1]["reason"] == "not_applicable"


def test_settling_starts_when_the_check_applies_again(replay: Replaying) -> None:
    assert replay([crm(0, "reserved"), crm(20, "active")], until=60).story == [(30, "OPEN")]


@pytest.mark.parametrize("value", [1, 1.0, True])
def test_a_value_of_another_type_is_outside_the_mapping(replay: Replaying, value: object) -> None:
    assert replay([crm(0, value)], until=60).story == []


# --- without a mapping, what is no word of the state


@pytest.mark.parametrize("value", ["true", "1", 1, 1.0, 0])
def test_what_is_no_boolean_says_nothing_of_a_product(replay: Replaying, value: object) -> None:
    crm_music, vas_music = "crm.subscription.music", "vas.subscription.music"
    assert replay([state(0, crm_music, value), state(1, vas_music, True)], until=60).story == []
    assert replay([state(0, crm_music, True), state(5, vas_music, value)], until=60).story == []
    found = replay([state(0, crm_music, True), state(30, vas_music, value), state(40, vas_music, True)])
    assert found.story == [(10, "OPEN"), (30, "WITHDRAWN")]


@pytest.mark.parametrize("value", ["5G", "6g", "", True, 5])
def test_what_is_no_network_type_says_nothing_of_it(replay: Replaying, value: object) -> None:
    events = [state(0, "crm.network_type", value), *(state(1, f"{s}.network_type", "5g") for s in ("sacp", "hlr"))]
    assert replay(events, until=60).story == []


def test_null_is_a_value_never_seen_also_without_a_mapping(replay: Replaying) -> None:
    events = [state(0, "crm.subscription.music", True), state(1, "vas.subscription.music", None)]
    assert replay(events, until=60).story == [(10, "OPEN")]


# --- states


def test_of_two_states_the_higher_sequence_of_the_same_source_wins(replay: Replaying) -> None:
    events = [crm(0, "active"), hlr(1, "active", sequence=7), hlr(2, "barred", sequence=6)]
    assert replay(events, until=60).story == []
    assert replay([*events[:2], hlr(0.5, "barred", sequence=8)], until=60).story == [(10.5, "OPEN")]


def test_sequences_of_different_sources_do_not_compare(replay: Replaying) -> None:
    events = [crm(0, "active"), hlr(1, "active", sequence=7), hlr(2, "barred", sequence=6, source="hlr-2")]
    assert replay(events, until=60).story == [(12, "OPEN")]


def test_without_sequences_the_later_occurred_at_wins(replay: Replaying) -> None:
    assert replay([crm(0, "active"), hlr(5, "active"), hlr(2, "barred")], until=60).story == []


def test_at_the_same_occurred_at_the_later_arrival_wins(replay: Replaying) -> None:
    events = [crm(0, "active"), hlr(5, "active"), hlr(5, "barred")]
    assert replay(events, until=60).story == [(15, "OPEN")]
    assert replay([events[0], events[2], events[1]], until=60).story == []


def test_a_repeated_event_changes_nothing(replay: Replaying) -> None:
    events = [crm(0, "active"), hlr(5, "barred", id="a"), hlr(5, "active", id="b"), hlr(5, "barred", id="a")]
    assert replay(events, until=60).story == []


def test_the_order_of_arrival_does_not_matter_inside_the_deadline(replay: Replaying) -> None:
    assert replay([hlr(2, "active"), crm(0, "active")], until=60).story == []


# --- the clock


def test_all_deadlines_due_before_an_events_occurred_at_fire_before_it_is_applied_in_order_of_due_time(
    replay: Replaying,
) -> None:
    events = [crm(2, "active"), crm(0, "active", msisdn=BERT), hlr(30, "active"), hlr(31, "active", msisdn=BERT)]
    found = replay(events)
    assert [(line["msisdn"], line["status"]) for line in found.anomalies] == [
        (BERT, "OPEN"),
        (ANNA, "OPEN"),
        (ANNA, "RESOLVED"),
        (BERT, "RESOLVED"),
    ]


def test_a_deadline_due_exactly_at_an_events_occurred_at_has_not_fired_before_it(replay: Replaying) -> None:
    other = state(10, "ocs.account", "open", msisdn=BERT)
    assert replay([crm(0, "active"), other, hlr(9, "active")], until=60).story == []


def test_the_clock_is_the_largest_occurred_at_so_far_also_at_the_end(replay: Replaying) -> None:
    late = [state(60, "ocs.account", "open", msisdn=BERT), crm(0, "active")]
    assert replay(late).story == [(10, "OPEN")]
    # due before the clock, but not before the next event's own time: that event settles it
    assert replay([*late, hlr(9, "active")]).story == []


def test_events_of_other_topics_move_the_clock(replay: Replaying) -> None:
    call = {"topic": "yupan.call.v1", "record": {"call_id": "c", "phase": "ENDED", "occurred_at": "2026-11-22T05:00Z"}}
    assert replay([crm(0, "active"), call]).story == [(10, "OPEN")]


def test_until_moves_the_clock_at_the_end(replay: Replaying) -> None:
    assert replay([crm(0, "active")]).story == []
    assert replay([crm(0, "active")], until=10.1).story == [(10, "OPEN")]


# --- ids and customers


def test_replayed_the_same_anomaly_has_the_same_id_and_another_cause_another(replay: Replaying) -> None:
    def anomaly_id(*events: dict[str, object]) -> str:
        return str(replay(events, until=60).anomalies[0]["anomaly_id"])

    once = anomaly_id(crm(0, "active", id="e-1"))
    assert once == anomaly_id(crm(0, "active", id="e-1"))
    assert once != anomaly_id(crm(0, "active", id="e-2"))
    assert once != anomaly_id(crm(0, "active", id="e-1", msisdn=BERT))
    assert once != anomaly_id(crm(0, "active", id="e-1", source="other"))


def test_customers_are_judged_apart(replay: Replaying) -> None:
    found = replay([crm(0, "active"), hlr(1, "active", msisdn=BERT), hlr(2, "active")], until=60)
    assert [(line["msisdn"], line["status"]) for line in found.anomalies] == [(BERT, "OPEN")]
