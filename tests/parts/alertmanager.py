"""Debian's Prometheus Alertmanager on loopback, and a webhook that keeps what it is told."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from schemas.errors import PartError
from streams.parts.part import Part
from streams.parts.ports import HOST, free_port

CONFIG = """\
route: {{receiver: gateway, group_by: [incident_id], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: gateway
    webhook_configs: [{{url: "{url}", send_resolved: true}}]
"""


class Webhook:
    """The message gateway: `told` has every alert that it was told, in order. A context manager."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        handler = type("Handler", (_Handler,), {"webhook": self})
        self._server = ThreadingHTTPServer((HOST, 0), handler)
        self.url = f"http://{HOST}:{self._server.server_port}/alerts"

    def __enter__(self) -> Webhook:
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of(self, incident_id: str) -> list[tuple[str, str]]:
        """What was told of an incident: (status, count), a repeat left out."""
        mine = [a for a in self.told if a["labels"]["incident_id"] == incident_id]
        said = [(a["status"], a["annotations"]["count"]) for a in mine]
        return [each for n, each in enumerate(said) if n == 0 or each != said[n - 1]]


class _Handler(BaseHTTPRequestHandler):
    webhook: Webhook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.webhook.told += body["alerts"]
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class AlertmanagerPart(Part):
    """One Alertmanager that tells `url`. It forgets all alerts when it stops, and keeps its port."""

    name = "alertmanager"
    remedy = "Debian: apt-get install prometheus-alertmanager"

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.port = free_port()

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def prepare(self) -> None:
        if shutil.which("prometheus-alertmanager") is None:
            raise PartError(f"prometheus-alertmanager is not on PATH ({self.remedy})")
        (self.directory / "alertmanager.yml").write_text(CONFIG.format(url=self._url), "utf-8")

    def command(self) -> list[str]:
        return [
            "prometheus-alertmanager",
            f"--config.file={self.directory / 'alertmanager.yml'}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
            "--cluster.listen-address=",
        ]

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/-/ready", timeout=1):
                return True
        except OSError:
            return False

    def alerts(self) -> list[dict[str, Any]]:
        """What fires, as its API tells it."""
        with urllib.request.urlopen(f"{self.address}/api/v2/alerts?active=true", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found
