"""What a user meets who makes a mistake: one line that names it, and the exit code of the reference."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from streams import cli
from streams.settings import Settings

Told = Callable[..., tuple[int, str]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """Run a command; gives its exit code and what it said on stderr."""
    monkeypatch.delenv("YUPAN_CONFIG", raising=False)

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        return cli.run(list(words)), capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("foo.bar=1", 'No such configuration property: "foo.bar"'),
        ("socket.timeout.ms=soon", 'Invalid value for configuration property "socket.timeout.ms"'),
        ("fetch.wait.max.ms=soon", 'Invalid value for configuration property "fetch.wait.max.ms"'),
        ("security.protocol=SSL,ssl.ca.location=/no/ca.pem", "ssl.ca.location failed"),
    ],
)
@pytest.mark.parametrize("command", [["topics", "list"], ["worker", "--role", "decide"]], ids=" ".join)
def test_what_librdkafka_refuses_is_a_wrong_setting(
    told: Told, monkeypatch: pytest.MonkeyPatch, free_port: int, command: list[str], setting: str, why: str
) -> None:
    monkeypatch.setenv("YUPAN_KAFKA", f"127.0.0.1:{free_port}")
    monkeypatch.setenv("YUPAN_KAFKA_CONFIG", setting)
    code, err = told(*command)
    assert code == 2
    last = err.splitlines()[-1]
    assert last.startswith(f"yupan: YUPAN_KAFKA_CONFIG: {why}")
    assert "Traceback" not in err


def test_ctrl_c_within_code_of_others_is_no_fault_of_ours(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> Settings:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise TypeError("expected header key to be unicode string") from None  # as confluent_kafka does
        raise AssertionError

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Settings, "load", load)
    assert told("topics", "list") == (130, "stopped\n")
    assert signal.getsignal(signal.SIGINT) is before


def test_dev_says_before_it_starts_what_it_cannot_write(told: Told, tmp_path: Path) -> None:
    missing = tmp_path / "none" / "ready.json"
    assert told("dev", "--ready-file", str(missing)) == (
        2,
        f"yupan: --ready-file {missing}: cannot be written (No such file or directory)\n",
    )
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "data"
    assert told("dev", "--data", str(below)) == (
        3,
        f"yupan: --data {below}: cannot be made (Not a directory); name another\n",
    )


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("option", ["--rate", "--seconds", "--haste"])
def test_what_is_no_number_is_wrong_use(told: Told, option: str, number: str) -> None:
    code, err = told("simulate", option, number)
    assert code == 2
    assert err.splitlines()[-1].startswith(f"Error: Invalid value for '{option}': ")


@pytest.mark.parametrize("words", [["customer", "13800138000", "13900139000"], ["13900139000"]], ids=len)
def test_a_number_in_the_wrong_place_is_masked(told: Told, words: list[str]) -> None:
    code, err = told(*words)
    assert code == 2
    assert "139****9000" in err
    assert "13900139000" not in err
