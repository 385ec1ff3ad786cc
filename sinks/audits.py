"""The report on the audit (#61): what it found, before or after the customer, what was repaired, and how fast.

The unit is an anomaly, whatever became of it, by when it opened first. Its rows are read in their order of arrival,
which is that in which they were decided; what happened to it is a string of marks. All figures come from deduplicated
rows, the last division done on whole numbers. 18.16 knows neither window functions nor WITH: arrays do their work.
"""

from __future__ import annotations

from typing import Any

from schemas.errors import UsageError
from schemas.events.anomaly import DID_NOT_HELP, REPAIR_ORDERED, REPAIR_SENT
from sinks.calls import AGGREGATES
from sinks.clickhouse import ClickHouse

DAY = 86_400_000
"""A contact belongs to an anomaly from so long before its opening to so long after its end."""
ALL = "all"
"""The group of all together, which comes last."""

_BY_OPENING = {"day": 10, "month": 7}
GROUPS = {
    "check": "`check`",
    "cause": "cause_code",
    "severity": "severity",
    "region": "if(region = '', 'none', region)",
    **{name: f"substring(toString(opened_on), 1, {length})" for name, length in _BY_OPENING.items()},
}
"""What `report audits --by` takes, as SQL over the first row of an anomaly; `day` and `month` over its opening."""

# R resolved, W withdrawn, S a repair was sent, F it did not help; O: open, whatever else is told.
_MARK = f"""
    multiIf(status = 'RESOLVED', 'R', status = 'WITHDRAWN', 'W', reason IN {DID_NOT_HELP}, 'F',
        status = 'REPAIRING' AND (reason = '{REPAIR_SENT}' OR startsWith(reason, '{REPAIR_ORDERED}')), 'S', 'O')
"""


def report_audits(
    db: ClickHouse, by: str, timezone: str, since: int | None = None, until: int | None = None
) -> list[dict[str, Any]]:
    """Anomalies that first opened in [since, until) (ms), grouped by a name of `GROUPS`, sorted by group, then all.

    Rows as docs/reference.md says ("Output for programs"): counts are whole numbers, times seconds; a share or a time
    of nothing is None.
    """
    if by not in GROUPS:
        raise UsageError(f"--by takes {', '.join(GROUPS)}")
    rows = db.query(_statement(by, since, until), {"tz": timezone, "since": since, "until": until})
    return [_figures(row) for row in sorted(rows, key=lambda row: (row["whole"], row["group_name"]))]


def _statement(by: str, since: int | None, until: int | None) -> str:
    return f"""
        SELECT
            whole, group_name, opened_count, resolved_count, withdrawn_count, reopened_count,
            of_customers, contact_before, contact_after, repairs_sent, repairs_helped, repairs_failed,
            {_times("leads")}, {_times("repairs")}
        FROM (
            SELECT
                arrayJoin([0, 1]) AS whole,
                if(whole = 1, '{ALL}', of_group) AS group_name,
                count() AS opened_count,
                countIf(last = 'R') AS resolved_count,
                countIf(last = 'W') AS withdrawn_count,
                countIf(reopened) AS reopened_count,
                countIf(counts) AS of_customers,
                countIf(counts AND before) AS contact_before,
                countIf(counts AND NOT before AND contact > 0) AS contact_after,
                sum(sent) AS repairs_sent,
                sum(helped) AS repairs_helped,
                sum(failed) AS repairs_failed,
                arraySort(groupArrayIf(contact - opened, counts AND NOT before AND contact > 0)) AS leads,
                arraySort(groupArrayIf(greatest(ended - opened, 0), last = 'R')) AS repairs
            FROM ({_met(by, since, until)})
            GROUP BY whole, group_name
        )
    """


def _times(name: str) -> str:
    """Sum, median and ninth decile of a sorted array; the smallest values that half and nine tenths do not exceed."""
    count = f"toInt64(length({name}))"
    ranks = {"p50": f"intDiv({count} + 1, 2)", "p90": f"intDiv({count} * 9 + 9, 10)"}
    quantiles = ", ".join(f"{name}[greatest(1, {rank})] AS {name}_{level}" for level, rank in ranks.items())
    return f"{count} AS {name}_count, arraySum({name}) AS {name}_sum, {quantiles}"


def _met(by: str, since: int | None, until: int | None) -> str:
    """One row an anomaly: what became of it, and whether and when its customer came to us about then."""
    return f"""
        SELECT
            of_group, opened, ended, last, reopened, sent, helped, failed,
            customer != '' AND last != 'W' AS counts,
            arrayExists(at -> at >= opened - {DAY} AND at < opened, times) AS before,
            arrayFirst(at -> at >= opened AND (ended = 0 OR at <= ended + {DAY}), times) AS contact
        FROM ({_lives(by, since, until)}) AS lives
        ANY LEFT JOIN ({_contacts(since, until)}) AS contacted USING customer
    """


def _lives(by: str, since: int | None, until: int | None) -> str:
    """One row an anomaly from its own rows: all of them, since one that opened again may bear a later `opened_at`."""
    bounds = _between("opened_at", since, until)
    near = f"WHERE anomaly_id IN (SELECT anomaly_id FROM anomalies WHERE {bounds})" if bounds else ""
    exactly = f"HAVING {_between('opened', since, until)}" if bounds else ""
    group = GROUPS[by] if by in _BY_OPENING else "of_first"
    first = "''" if by in _BY_OPENING else GROUPS[by]
    return f"""
        SELECT
            customer, opened,
            toDate(toDateTime(intDiv(opened, 1000), {{tz}})) AS opened_on,
            {group} AS of_group,
            arrayMap(row -> row.3, told) AS marks,
            marks[length(marks)] AS last,
            if(last IN ('R', 'W'), told[length(told)].4, 0) AS ended,
            arrayExists((a, b) -> (a = 'R' OR a = 'W') AND b != 'R' AND b != 'W', {_PAIRS}) AS reopened,
            arrayCount(mark -> mark = 'S', marks) AS sent,
            arrayCount(mark -> mark = 'F', marks) AS failed,
            arrayFilter(mark -> mark != 'O', marks) AS turns,
            arrayCount((a, b) -> a = 'S' AND b = 'R', arrayPopBack(turns), arrayPopFront(turns)) AS helped
        FROM (
            SELECT
                max(msisdn) AS customer,
                ifNull(min(opened_at), min(occurred_at)) AS opened,
                argMax({first}, row_version) AS of_first,
                arraySort(groupArray(tuple(arrived_at, arrival_offset, {_MARK}, occurred_at))) AS told
            FROM anomalies FINAL
            {near}
            GROUP BY anomaly_id
            {exactly}
        )
    """


_PAIRS = "arrayPopBack(marks), arrayPopFront(marks)"
"""Each mark and the next."""


def _contacts(since: int | None, until: int | None) -> str:
    """When the customers of these anomalies came to us: contacts of direction IN, and the beginnings of calls."""
    bounds = _between("opened_at", since, until)
    whose = f"SELECT msisdn FROM anomalies WHERE msisdn != ''{f' AND {bounds}' if bounds else ''}"
    # Phases of a call may lie across a bound: they are read from a day more.
    contacted = f"AND occurred_at >= {{since}} - {DAY}" if since is not None else ""
    called = f"AND occurred_at >= {{since}} - {2 * DAY}" if since is not None else ""
    return f"""
        SELECT customer, arraySort(groupArray(at)) AS times
        FROM (
            SELECT msisdn AS customer, occurred_at AS at FROM contacts FINAL
            WHERE direction = 'IN' AND msisdn IN ({whose}) {contacted}
            UNION ALL
            SELECT customer, started_at AS at FROM (
                SELECT {AGGREGATES}, max(msisdn) AS customer FROM calls
                WHERE (msisdn = '' OR msisdn IN ({whose})) {called}
                GROUP BY call_id
                HAVING phases > 0 AND measured != 'PHANTOM' AND customer != ''
            )
        )
        GROUP BY customer
    """


def _between(name: str, since: int | None, until: int | None) -> str:
    bounds = [f"{name} >= {{since}}"] if since is not None else []
    bounds += [f"{name} < {{until}}"] if until is not None else []
    return " AND ".join(bounds)


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    opened, resolved, withdrawn = row["opened_count"], row["resolved_count"], row["withdrawn_count"]
    customers, before, after = row["of_customers"], row["contact_before"], row["contact_after"]
    return {
        "group": row["group_name"],
        "opened": opened,
        "resolved": resolved,
        "withdrawn": withdrawn,
        "open": opened - resolved - withdrawn,
        "reopened": row["reopened_count"],
        "of_customers": customers,
        "contact_before": before,
        "contact_after": after,
        "contact_none": customers - before - after,
        "found_first_share": round((customers - before) / customers, 3) if customers else None,
        **_seconds("lead", row, "leads"),
        **_seconds("resolve", row, "repairs"),
        "repairs_sent": row["repairs_sent"],
        "repairs_helped": row["repairs_helped"],
        "repairs_failed": row["repairs_failed"],
    }


def _seconds(name: str, row: dict[str, Any], times: str) -> dict[str, float | None]:
    count = row[f"{times}_count"]
    if not count:
        return {f"{name}_mean_s": None, f"{name}_p50_s": None, f"{name}_p90_s": None}
    return {
        f"{name}_mean_s": round(row[f"{times}_sum"] / (1000 * count), 3),
        f"{name}_p50_s": round(row[f"{times}_p50"] / 1000, 3),
        f"{name}_p90_s": round(row[f"{times}_p90"] / 1000, 3),
    }
