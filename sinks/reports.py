"""Reports over the history (#12, #17): from deduplicated calls, the last division done on whole numbers."""

from __future__ import annotations

from typing import Any

from schemas.errors import UsageError
from sinks.calls import AGGREGATES
from sinks.clickhouse import ClickHouse

_DAY = 86_400_000

GROUPS = {
    "priority": "ifNull(toString(of_priority), 'none')",
    "segment": "if(of_segment = '', 'none', of_segment)",
    "brand": "if(of_brand = '', 'none', of_brand)",
    "hour": "concat(if(toHour(start) < 10, '0', ''), toString(toHour(start)))",
}
"""What `report calls --by` takes, as SQL over one call. The hour is that of the call's first phase, 00 to 23."""

# The waiting and the service time as measured; else between the phases; else none.
_TIMES = """
    ifNull(max(wait_ms), if(queued_at > 0 AND answered_at >= queued_at, answered_at - queued_at, 0)) AS wait,
    ifNull(max(talk_ms), if(answered_at > 0 AND ended_last >= answered_at, ended_last - answered_at, 0)) AS talk,
    minIf(occurred_at, phase = 'QUEUED' AND tagged = 0) AS queued_at,
    minIf(occurred_at, phase = 'ANSWERED' AND tagged = 0) AS answered_at,
    maxIf(occurred_at, phase = 'ENDED' AND tagged = 0) AS ended_last
"""


def report_calls(
    db: ClickHouse, by: str, timezone: str, since: int | None = None, until: int | None = None
) -> list[dict[str, Any]]:
    """Calls that began in [since, until) (ms), grouped by a name of `GROUPS`, sorted by group.

    Rows: `group, calls, answered, connect_rate, abandoned, wait_mean_s, wait_p90_s, handling_mean_s`
    (contracts, "Output for programs"); a group without answered calls has 0.0 for the times.
    """
    if by not in GROUPS:
        raise UsageError(f"--by takes {', '.join(GROUPS)}")
    rows = db.query(_statement(by, since, until), {"tz": timezone, "since": since, "until": until})
    return sorted((_figures(row) for row in rows), key=lambda row: row["group"])


def _statement(by: str, since: int | None, until: int | None) -> str:
    # Phases of a call may lie across a bound: read a day more, then judge by the call's start.
    near = [f"occurred_at >= {{since}} - {_DAY}"] if since is not None else []
    near += [f"occurred_at < {{until}} + {_DAY}"] if until is not None else []
    began = ["started_at >= {since}"] if since is not None else []
    began += ["started_at < {until}"] if until is not None else []
    where = f"WHERE {' AND '.join(near)}" if near else ""
    having = " AND ".join(["phases > 0", "measured != 'PHANTOM'", *began])
    calls = f"SELECT {AGGREGATES}, {_TIMES} FROM calls {where} GROUP BY call_id HAVING {having}"
    return f"""
        SELECT group_name,
            count() AS calls,
            countIf(served_by != '') AS answered,
            sumIf(wait, served_by != '') AS wait_sum,
            sumIf(talk, served_by != '') AS talk_sum,
            arraySort(groupArrayIf(wait, served_by != ''))[greatest(1, intDiv(answered * 9 + 9, 10))] AS wait_p90
        FROM (
            SELECT *, toDateTime(intDiv(started_at, 1000), {{tz}}) AS start, {GROUPS[by]} AS group_name
            FROM ({calls})
        )
        GROUP BY group_name
    """


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    calls, answered = row["calls"], row["answered"]
    served = 1000 * (answered or 1)
    return {
        "group": row["group_name"],
        "calls": calls,
        "answered": answered,
        "connect_rate": round(answered / calls, 3),
        "abandoned": calls - answered,
        "wait_mean_s": round(row["wait_sum"] / served, 3),
        "wait_p90_s": round(row["wait_p90"] / 1000, 3),
        "handling_mean_s": round(row["talk_sum"] / served, 3),
    }
