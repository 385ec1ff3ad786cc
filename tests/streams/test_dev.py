"""What `yupan dev` tells those who want to join in."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from schemas.errors import PartError
from streams.dev import Stack, settings_for_dev
from streams.settings import Settings


def test_the_ready_file_appears_whole_by_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, rename, renamed = tmp_path / "ready.json", Path.replace, []

    def watched(part: Path, target: Path) -> Path:
        renamed.append((json.loads(part.read_text()), target.exists()))
        return rename(part, target)

    monkeypatch.setattr(Path, "replace", watched)
    stack = Stack(Settings().with_(kafka="broker:9092"), "tansu", "chdb", 0, tmp_path / "data")
    stack.announce(file)
    assert renamed == [({"YUPAN_KAFKA": "broker:9092"}, False)]
    assert json.loads(file.read_text()) == renamed[0][0]
    assert [path.name for path in tmp_path.iterdir()] == ["ready.json"]
    assert capsys.readouterr().out == "export YUPAN_KAFKA='broker:9092'\n"


def test_dev_takes_the_partitions_of_the_environment_and_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("YUPAN_PARTITIONS", raising=False)
    assert settings_for_dev().partitions == 4
    (tmp_path / "yupan.toml").write_text("partitions = 8\n")
    assert settings_for_dev().partitions == 8
    monkeypatch.setenv("YUPAN_PARTITIONS", "12")
    assert settings_for_dev().partitions == 12


@pytest.mark.parametrize("broker", ["tansu", "kafka"])
def test_two_devs_do_not_share_a_directory(tmp_path: Path, broker: str) -> None:
    """Without our own lock Kafka would end with a stack trace, after seconds."""
    with (tmp_path / ".yupan.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with (
            pytest.raises(PartError, match=rf"^--data {tmp_path}: another `yupan dev` uses it; stop that, or name"),
            Stack(Settings(), broker, "chdb", 0, tmp_path),
        ):
            pass
    assert [path.name for path in tmp_path.iterdir()] == [".yupan.lock"]
