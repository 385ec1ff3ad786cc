"""Prometheus Alertmanager, API v2: it routes, silences, repeats, and passes on to the message gateway (#50).

An alert is told apart by its labels. It is over at its `endsAt`, so whoever tells it must tell it again before then.
"""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from schemas.errors import PartError
from schemas.fields import iso

ANSWER_S = 5.0
MOST = 500
"""Alerts of one request."""
Alert = Mapping[str, Any]


def firing(record: Mapping[str, Any], until: int) -> Alert:
    """The alert of an incident (`yupan.alert.v1`) that fires, at least `until` (ms)."""
    return _alert(record, max(until, record["first_at"] + 1))


def resolved(record: Mapping[str, Any], at: int) -> Alert:
    """The alert of an incident that is over since `at` (ms), under the labels of `record`."""
    return _alert(record, max(at, record["first_at"] + 1))


def labels(record: Mapping[str, Any]) -> dict[str, str]:
    """What Alertmanager knows an alert by, and routes it by. No MSISDN."""
    told = {
        "alertname": record["check"],
        "service": "yupan",
        "check": record["check"],
        "cause_code": record["cause_code"],
        "severity": record["severity"].lower(),
        "incident_id": record["incident_id"],
        "cell": record["cell"],
        "region": record["region"],
    }
    return {name: value for name, value in told.items() if value}


def _alert(record: Mapping[str, Any], ends_at: int) -> Alert:
    said = {
        "summary": record["summary"],
        "count": str(record["count"]),
        "examples": ", ".join(record["examples"]),
        **{f"guidance_{language}": text for language, text in record["guidance"].items()},
    }
    return {
        "labels": labels(record),
        "annotations": {name: text for name, text in said.items() if text},
        "startsAt": iso(record["first_at"]),
        "endsAt": iso(ends_at),
    }


class Alertmanager:
    """One, or the members of a cluster: each is told, since they do not tell each other."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    def push(self, alerts: Sequence[Alert]) -> None:
        """Tell them. Raises `PartError` when none has taken all of it; telling again does no harm."""
        for begin in range(0, len(alerts), MOST):
            self._to_any("/api/v2/alerts", json.dumps(alerts[begin : begin + MOST]).encode())

    def require_ready(self) -> None:
        """Raise `PartError` unless one of them is ready."""
        self._to_any("/-/ready", None)

    def _to_any(self, path: str, body: bytes | None) -> None:
        failures = [why for address in self._addresses if (why := _ask(address, path, body)) is not None]
        if len(failures) == len(self._addresses):
            raise PartError(f"YUPAN_ALERTMANAGER: {'; '.join(failures)}")


def _ask(address: str, path: str, body: bytes | None) -> str | None:
    """None when it went well, else one line that says what did not."""
    url = urlsplit(address)
    shown = f"{url.scheme}://{url.hostname}:{url.port}" if url.port else f"{url.scheme}://{url.hostname}"
    request = urllib.request.Request(f"{shown}{url.path.rstrip('/')}{path}", data=body)
    request.add_header("Content-Type", "application/json")
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S):
            return None
    except urllib.error.HTTPError as error:
        return f"{shown} answers {error.code} {error.reason}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"{shown} does not answer ({getattr(error, 'reason', None) or error})"
