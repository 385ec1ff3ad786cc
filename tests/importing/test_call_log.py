"""The mapping `call-log`: each wart by a row, and whole logs against the report computed from the CSV."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from streams.importing import mapping as mappings
from streams.importing.program import Made, Program, Surroundings
from streams.importing.reader import Table
from tests.importing import reference

SAMPLE = Path(__file__).parent / "data" / "calls.csv"
SHANGHAI = timezone(timedelta(hours=8))


def events_of(path: Path) -> list[Made]:
    mapping = mappings.load("call-log")
    with Table(path, mapping.encoding, mapping.delimiter) as table:
        program = Program(mapping, table.header, Surroundings("Asia/Shanghai", "86", 0, {}))
        return [made for line in table for made in program.events(line.number, line.cells)]


def local(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, SHANGHAI):%m-%d %H:%M:%S}"


@pytest.fixture(scope="module")
def calls() -> dict[str, dict[str, dict[str, Any]]]:
    """call_id to phase to record, of the sample."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for made in events_of(SAMPLE):
        found[made.record["call_id"]][made.record["phase"]] = made.record
    return found


def times(call: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {phase: local(record["occurred_at"]) for phase, record in call.items()}


def test_a_call_in_the_queue_has_five_phases(calls) -> None:
    call = calls["L01-2-2010-08-01"]
    assert times(call) == {
        "IVR_ENTERED": "08-01 09:05:00",
        "IVR_LEFT": "08-01 09:05:10",
        "QUEUED": "08-01 09:05:10",
        "ANSWERED": "08-01 09:06:39",
        "ENDED": "08-01 09:09:39",
    }
    ended = call["ENDED"]
    assert (ended["outcome"], ended["staff"], ended["wait_ms"], ended["talk_ms"]) == (
        "ANSWERED",
        "AVI",
        90_000,
        180_000,
    )
    assert (ended["priority"], ended["need"], ended["details"]) == (2, "PS", {"outcome": "AGENT"})


def test_who_hangs_up_in_the_menu_was_never_queued(calls) -> None:
    call = calls["L01-1-2010-08-01"]
    assert set(call) == {"IVR_ENTERED", "IVR_LEFT", "ABANDONED", "ENDED"}
    assert call["ENDED"]["wait_ms"] == 0
    assert call["ENDED"]["msisdn"] is None


def test_an_id_comes_again_on_another_day(calls) -> None:
    assert {"L01-2-2010-08-01", "L01-2-2010-08-02"} <= set(calls)


def test_an_id_that_comes_twice_a_day_is_two_calls(calls) -> None:
    assert calls["L03-12-2010-08-03"]["ENDED"]["staff"] == "AVI"
    assert calls["L03-12-2010-08-03~2"]["ENDED"]["staff"] == "DORIT"


def test_what_follows_midnight_is_of_the_next_day(calls) -> None:
    assert times(calls["L02-3-2010-08-02"]) == {
        "IVR_ENTERED": "08-02 23:58:00",
        "IVR_LEFT": "08-02 23:59:00",
        "QUEUED": "08-02 23:59:00",
        "ANSWERED": "08-03 00:02:59",
        "ENDED": "08-03 00:08:59",
    }
    assert times(calls["L02-4-2010-08-02"]) == {
        "IVR_ENTERED": "08-02 23:59:40",
        "IVR_LEFT": "08-03 00:00:10",
        "QUEUED": "08-03 00:00:10",
        "ABANDONED": "08-03 00:00:40",
        "ENDED": "08-03 00:00:40",
    }


def test_a_queue_entered_at_midnight_is_one(calls) -> None:
    assert times(calls["L02-5-2010-08-03"])["QUEUED"] == "08-04 00:00:00"


def test_times_out_of_order_stay_as_written(calls) -> None:
    assert times(calls["L03-6-2010-08-03"])["IVR_ENTERED"] == "08-03 12:04:42"
    assert times(calls["L03-6-2010-08-03"])["IVR_LEFT"] == "08-03 12:03:15"


def test_an_answered_call_without_times_is_answered_where_its_waiting_ended(calls) -> None:
    call = calls["L03-7-2010-08-03"]
    assert times(call)["ANSWERED"] == times(call)["ENDED"] == "08-03 14:49:33"
    assert call["ENDED"]["talk_ms"] == 0


def test_the_server_decides_who_was_answered(calls) -> None:
    served_hang, unserved_agent = calls["L03-9-2010-08-03"], calls["L03-10-2010-08-03"]
    assert served_hang["ENDED"]["outcome"] == "ANSWERED"
    assert served_hang["ENDED"]["details"] == {"outcome": "HANG"}
    assert unserved_agent["ENDED"]["outcome"] == "ABANDONED"
    assert unserved_agent["ENDED"]["talk_ms"] is None
    assert "ABANDONED" in unserved_agent


def test_a_hang_with_a_time_in_service_ends_with_it(calls) -> None:
    call = calls["L03-8-2010-08-03"]
    assert times(call)["ABANDONED"] == "08-03 11:12:09"
    assert times(call)["ENDED"] == "08-03 11:16:57"


def test_a_phantom_stays_one(calls) -> None:
    call = calls["L03-11-2010-08-03"]
    assert set(call) == {"IVR_ENTERED", "IVR_LEFT", "QUEUED", "ENDED"}
    assert call["ENDED"]["outcome"] == "PHANTOM"


def test_a_customer_is_never_taken_for_a_number(calls) -> None:
    assert calls["L03-12-2010-08-03"]["ENDED"]["msisdn"].startswith("999")
    assert calls["L03-12-2010-08-03"]["ENDED"]["msisdn"] != calls["L01-2-2010-08-01"]["ENDED"]["msisdn"]
    assert calls["L01-2-2010-08-01"]["ENDED"]["msisdn"] == calls["L03-11-2010-08-03"]["ENDED"]["msisdn"]


def test_an_import_again_makes_the_same_ids() -> None:
    first, second = events_of(SAMPLE), events_of(SAMPLE)
    assert [made.id for made in first] == [made.id for made in second]
    assert len({made.id for made in first}) == len(first)


def report_of(events: list[Made], by: str) -> list[dict[str, Any]]:
    """The report from events alone, by the rules of the contracts."""
    calls: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for made in events:
        calls[made.record["call_id"]].append(made.record)
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for phases in calls.values():
        ended = next(record for record in phases if record["phase"] == "ENDED")
        if ended["outcome"] != "PHANTOM":
            first = min(record["occurred_at"] for record in phases)
            group = f"{datetime.fromtimestamp(first / 1000, SHANGHAI):%H}" if by == "hour" else str(ended["priority"])
            groups[group].append(
                {
                    "server": ended["staff"] or "NO_SERVER",
                    "q_time": str(ended["wait_ms"] // 1000),
                    "ser_time": str((ended["talk_ms"] or 0) // 1000),
                }
            )
    return [reference.figures(group, found) for group, found in sorted(groups.items())]


@pytest.mark.parametrize("by", ["priority", "hour"])
def test_the_sample_gives_the_report_of_its_csv(by: str) -> None:
    assert report_of(events_of(SAMPLE), by) == reference.call_report(SAMPLE, by)


def test_the_real_log_is_accounted_for(shared_data: Path) -> None:
    log = shared_data / "calls-1-15-august.csv.gz"
    events = events_of(log)
    assert len({made.record["call_id"] for made in events}) == len(reference.rows_of(log)) == 23_668
    assert len({made.id for made in events}) == len(events) == 112_638
    assert Counter(made.record["phase"] for made in events) == {
        "IVR_ENTERED": 23_668,
        "IVR_LEFT": 23_668,
        "QUEUED": 18_165,
        "ANSWERED": 15_730,
        "ABANDONED": 7_739,
        "ENDED": 23_668,
    }
    for by in ("priority", "hour"):
        assert report_of(events, by) == reference.call_report(log, by)


def test_no_real_call_lasts_half_a_day(shared_data: Path) -> None:
    phases: dict[str, list[int]] = defaultdict(list)
    for made in events_of(shared_data / "calls-1-15-august.csv.gz"):
        phases[made.record["call_id"]].append(made.record["occurred_at"])
    assert max(max(times) - min(times) for times in phases.values()) < 4 * 3_600_000
