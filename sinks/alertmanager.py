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
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from schemas.errors import PartError
from schemas.fields import iso

ANSWER_S = 5.0
MOST = 500
"""Alerts of one request."""
REFUSALS = (400, 413, 422)
"""Answers to what is in a request, which another one may get past; any other failure is one of all requests."""
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

    def push(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Tell them, and return the alerts that they refuse: one does not hold up the others.

        Raises `PartError` when none of them has taken or refused all the rest; telling again does no harm.
        """
        refused: list[Alert] = []
        for begin in range(0, len(alerts), MOST):
            refused += self._push(alerts[begin : begin + MOST])
        return refused

    def require_ready(self) -> None:
        """Raise `PartError` unless one of them is ready."""
        self._to_any("/-/ready", None)

    def _push(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Of what is refused together, halves are told by themselves."""
        try:
            self._to_any("/api/v2/alerts", json.dumps(alerts).encode())
        except _RefusedError:
            if len(alerts) == 1:
                return alerts
            middle = len(alerts) // 2
            return [*self._push(alerts[:middle]), *self._push(alerts[middle:])]
        return ()

    def _to_any(self, path: str, body: bytes | None) -> None:
        failures = [failure for address in self._addresses if (failure := _ask(address, path, body)) is not None]
        if len(failures) == len(self._addresses):
            is_refused = any(failure.is_refusal for failure in failures)
            said = f"YUPAN_ALERTMANAGER: {'; '.join(failure.why for failure in failures)}"
            raise _RefusedError(said) if is_refused else PartError(said)


class _RefusedError(PartError):
    """What was told is not taken, however often it is told."""


class _Failure(NamedTuple):
    """One line that says what did not go well."""

    why: str
    is_refusal: bool = False


def _ask(address: str, path: str, body: bytes | None) -> _Failure | None:
    """None when it went well."""
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
        return _Failure(f"{shown} answers {error.code} {error.reason}", error.code in REFUSALS)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _Failure(f"{shown} does not answer ({getattr(error, 'reason', None) or error})")
