"""What Alertmanager is told, and what it says when it cannot be told."""

from __future__ import annotations

import socket
import threading

import pytest

from schemas.errors import PartError
from schemas.fields import millis
from sinks.alertmanager import Alertmanager, firing, labels, resolved

T0 = 1_795_320_000_000
RECORD = {
    "incident_id": "i-1",
    "check": "activation",
    "cause_code": "hlr.status.missing",
    "severity": "MAJOR",
    "status": "FIRING",
    "count": 42,
    "examples": ["86138****8000"],
    "cell": None,
    "region": "nanchang",
    "summary": "42",
    "guidance": {"zh": "检查"},
    "first_at": T0,
    "occurred_at": T0 + 10_000,
}


def test_labels_are_small_and_annotations_say_what_to_do():
    alert = firing(RECORD, T0 + 600_000)
    assert alert["labels"] == labels(RECORD)
    assert alert["labels"]["severity"] == "major"
    assert "cell" not in alert["labels"]
    assert alert["annotations"] == {"summary": "42", "count": "42", "examples": "86138****8000", "guidance_zh": "检查"}


@pytest.mark.parametrize("alert", [firing(RECORD, T0 - 5), resolved(RECORD, T0 - 5)])
def test_it_ends_after_it_begins_whatever_clocks_say(alert):
    assert millis(alert["endsAt"]) > millis(alert["startsAt"]) == T0


def test_who_does_not_speak_http_is_told_of_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with server.accept()[0] as peer:
                peer.recv(1000)
                peer.sendall(b"220 mail ready\r\n")

        threading.Thread(target=answer, daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(PartError, match=rf"^YUPAN_ALERTMANAGER: {address} does not answer"):
            Alertmanager([address]).push([firing(RECORD, T0)])
