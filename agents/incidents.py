"""Technician alerts (#50): what customers' partitions tell of open anomalies becomes incidents, each told once.

Each anomaly that opens or ends is brought to its incident's own key (`yupan.internal.incident.v1`), in the transaction
that decides it; here it is counted, and `yupan.alert.v1` tells technicians. Ledger record `~incident/KEY`: see
`incident`.
"""

from __future__ import annotations

from collections.abc import Mapping

from agents.conclude import Conclusions
from agents.cutovers import ALERT, Closings
from agents.cutovers import DEADLINE as CLOSING
from agents.event import Event
from agents.incident import Alerting, Change, Incident, fall_due, graver, is_old, joined, left
from agents.joining import INCIDENT
from agents.ports import Batch, Fired, rearm
from agents.shell import Shell

DEADLINE = "incident"
"""The name of the deadlines; they belong to the incident's key."""
DEFAULT = Alerting()


class Incidents:
    """Decides the batches of `yupan.internal.incident.v1`. `language`: of the alerts' summaries."""

    topics = (INCIDENT,)

    def __init__(self, shell: Shell, conclusions: Conclusions, closings: Closings, language: str = "zh") -> None:
        """`conclusions`: whose checks are in force; `closings`: takes what began in the window of works."""
        self.shell = shell
        self.closings = closings
        self.conclusions = conclusions
        self.language = language

    def process(self, batch: Batch) -> None:
        """Decide a batch: the incidents whose time has come, then the anomalies that join or leave."""
        self.shell.run(batch, self._decide, self._fired)

    def _decide(self, batch: Batch, event: Event) -> None:
        record, key = event.record, str(event.key)
        if record["cutover"]:
            self.closings.collected(batch, event)
            return
        alerting = self._alerting(record["check"])
        known = self._passed(batch, key, alerting, record["occurred_at"])
        if record["change"] == "JOINS":
            change = joined(known, record, f"{event.source}|{event.id}", alerting)
        else:
            change = (left if record["change"] == "LEAVES" else graver)(known, record, alerting)
        self._keep(batch, key, known, change, record["occurred_at"], event.traceparent)

    def _passed(self, batch: Batch, key: str, alerting: Alerting, at: int) -> Incident | None:
        """What is known of an incident at `at`.

        While the worker catches up, what comes past a time to look again does not cancel what that decides: one that
        has lasted is told, also when its end is read in the same second.
        """
        known: Incident | None = batch.get(_key(key))
        while known is not None and known["due"] is not None and known["due"] < at:
            due = known["due"]
            change = fall_due({**known, "due": None}, due, alerting)
            self._keep(batch, key, known, change, due)
            known = change.incident
        return known

    def _fired(self, batch: Batch, fired: Fired) -> None:
        if fired.name == CLOSING:
            self.closings.fired(batch, fired)
            return
        known: Incident | None = batch.get(_key(fired.customer))
        if known is not None and known["due"] == fired.due_at:
            change = fall_due(known, fired.due_at, self._alerting(fired.customer.partition("|")[0]))
            self._keep(batch, fired.customer, {**known, "due": None}, change, fired.due_at)

    def _alerting(self, check_id: str) -> Alerting:
        check = self.conclusions.checks.by_id.get(check_id)
        return DEFAULT if check is None else check.alert

    def _keep(
        self, batch: Batch, key: str, known: Incident | None, change: Change, at: int, traceparent: str | None = None
    ) -> None:
        """Keep what has become of an incident, arm or disarm its deadline, tell technicians."""
        incident = change.incident
        if incident is None:
            if known is not None:
                batch.delete(_key(key))
        else:
            batch.put(_key(key), incident)
        armed, due = (None if one is None else one["due"] for one in (known, incident))
        rearm(batch, key, DEADLINE, armed, due, self.topics)
        if change.tell is not None and incident is not None:
            self._tell(batch, key, incident, change.tell, at, traceparent)

    def _tell(self, batch: Batch, key: str, incident: Incident, status: str, at: int, traceparent: str | None) -> None:
        check_id, _, rest = key.partition("|")
        area, _, cause_code = rest.rpartition("|")  # a region may be any text, a cause has no such sign
        per, _, name = area.partition(":")
        alert = {
            "incident_id": incident["id"],
            "check": check_id,
            "cause_code": cause_code,
            "severity": incident["severity"],
            "status": status,
            "count": incident["hit"],
            "examples": incident["examples"],
            "cell": name if per == "cell" else None,
            "region": (name or None) if per == "region" else None,
            "summary": self._summary(
                check_id, area, cause_code, status, incident["hit"], of_customers=bool(incident["examples"])
            ),
            "guidance": dict(self._alerting(check_id).guidance),
            "old": is_old(incident),
            "first_at": incident["first_at"],
            "occurred_at": at,
        }
        event_id = f"{incident['id']}|{status}|{incident['severity']}|{incident['hit']}|{at}"
        self.shell.emit(batch, ALERT, alert, event_id, traceparent=traceparent)
        self.shell.counts.count("yupan_alerts", check=check_id, status=status)

    def _summary(self, check_id: str, area: str, cause_code: str, status: str, hit: int, *, of_customers: bool) -> str:
        """One line for a message to a telephone."""
        per, _, name = area.partition(":")
        check = self.conclusions.checks.by_id.get(check_id)
        title = check_id if check is None else check.title[self.language]
        words = _WORDS[self.language]
        where = words[per].format(name) if name else ""
        told = (where, words["one" if hit == 1 else "many"].format(hit) if of_customers else "", cause_code)
        return f"{title}{words[status]}{words['colon']}{words['comma'].join(said for said in told if said)}"


_WORDS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "FIRING": "异常",
        "RESOLVED": "已恢复",
        "cell": "小区 {}",
        "region": "{}",
        "one": "{} 项异常",
        "many": "{} 项异常",
        "colon": "：",
        "comma": "，",
    },
    "en": {
        "FIRING": " fails",
        "RESOLVED": " is over",
        "cell": "cell {}",
        "region": "{}",
        "one": "{} anomaly",
        "many": "{} anomalies",
        "colon": ": ",
        "comma": ", ",
    },
}


def _key(key: str) -> str:
    return f"~incident/{key}"
