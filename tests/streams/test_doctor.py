"""What `yupan doctor` reads of a worker's metrics."""

from __future__ import annotations

from streams.doctor import QUESTIONS
from streams.metrics import Metrics
from streams.settings import Settings


def test_it_says_for_which_exports_checks_are_silent() -> None:
    metrics = Metrics()
    settings = Settings.load({}).with_(metrics=metrics.serve("127.0.0.1:0"))
    ask = QUESTIONS["metrics"]
    assert ask(settings)[0] == "ok"
    for system, value in (("ocs", 1), ("crm", 1), ("hlr", 0)):
        metrics.set("yupan_baseline_missing", value, system=system)
    status, text, remedy = ask(settings)
    assert (status, "export of crm, ocs is in" in text) == ("warn", True)
    assert "--snapshot" in remedy
