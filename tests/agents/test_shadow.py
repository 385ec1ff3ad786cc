"""Shadow: what is decided there is counted and kept, nobody hears of it, and a change of the mode surprises nobody."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents import shell
from agents.cases import differences
from agents.rules import SHIPPED, load_checks, read_file
from streams import cli
from tests.agents.desk_world import Counted, shipped
from tests.agents.worlds import ANNA, NOON, World, check, checks_of

REPAIRED = load_checks(repairs={"activation": "on"}).by_id["activation"].repair
FROZEN = "watch:stopped"
TOLD = ("anomaly", "evidence", "reminder", "alert", "repair")


def activation(mode: str = "on", **more: Any) -> Any:
    """It would be repaired automatically."""
    return check("activation", mode=mode, **{"repair": REPAIRED, **more})


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """What all shells made in this test count."""
    made = Counted()
    monkeypatch.setattr(shell, "NoCounts", lambda: made)
    return made


def opened(world: World, minute: float = 11) -> None:
    """With an anomaly open since minute 10."""
    world.state(0, "crm.status", "active", region="nanchang")
    world.until(minute)


# --- in shadow


def test_what_is_decided_in_shadow_nobody_is_told(counted: Counted) -> None:
    world = World(activation("shadow"))
    opened(world, 60)
    world.state(61, "hlr.status", "barred")
    world.state(70, "hlr.status", "active")
    world.until(600)
    assert world.silent == [(10, "OPEN"), (61, "evidence"), (70, "RESOLVED")]
    assert set(world.kinds) == {"shadow"}
    found = {key: n for key, n in counted.counts.items() if "activation" in key}
    shadowed = "yupan_shadowed"
    assert found == {(shadowed, "activation", "OPEN"): 1, (shadowed, "activation", "RESOLVED"): 1}


def test_on_it_is_told_in_every_way() -> None:
    """The same events with the mode `on`: else the test above would show nothing."""
    world = World(activation())
    opened(world, 60)
    world.state(61, "hlr.status", "barred")
    world.state(70, "hlr.status", "active")
    world.until(600)
    assert set(world.kinds) == set(TOLD)


def test_a_line_of_the_replay_has_another_kind_and_no_status() -> None:
    loud, silent = World(activation()), World(activation("shadow"))
    for world in (loud, silent):
        opened(world)
    (line,), anomaly = silent.lines, loud.of("anomaly")[0]
    assert "status" not in line
    same = ("at", "check", "msisdn", "anomaly_id", "evidence", "reason")
    assert {name: line[name] for name in same} == {name: anomaly[name] for name in same}
    assert line["would"] == "OPEN"


def test_the_same_checks_beside_it_speak() -> None:
    world = World(activation("shadow"), check("calls"))
    opened(world)
    for minute in range(12, 15):
        world.fail(minute)
    assert {line["check"] for line in world.of("anomaly")} == {"calls"}


def test_of_a_cell_in_shadow_nobody_is_told() -> None:
    rate = check("network-connect-rate", mode="shadow")
    world = World(rate)
    world.cell(0.1, 0, 60)
    world.cell(10.1, 60, 0)
    world.until(30)
    assert world.silent == [(2, "OPEN"), (12, "RESOLVED")]
    assert set(world.kinds) == {"shadow"}
    assert (world.lines[0]["cell"], world.lines[0]["msisdn"]) == ("c-1", None)
    assert not [key for key in world.replay.worlds[0].records if key.startswith("~open/")]


@pytest.mark.parametrize("kind", ["ACKNOWLEDGE", "WITHDRAW", "REPAIR"])
def test_what_nobody_was_told_of_nobody_can_order_about(kind: str, counted: Counted) -> None:
    world = World(activation("shadow"))
    opened(world)
    world.order(12, kind, world.lines[0]["anomaly_id"])
    assert counted.counts["yupan_commands", kind, "unknown"] == 1
    assert world.silent == [(10, "OPEN")]


def test_what_was_decided_on_a_record_that_cannot_be_used_is_not_told_later() -> None:
    world = World(activation("shadow"))
    opened(world)
    before = list(world.lines)
    with pytest.raises(Exception, match="msisdn"):
        world.state(12, "hlr.status", "active", msisdn="13800138000")
    world.state(13, "crm.tariff", "x")
    assert world.lines == before


def test_off_it_decides_nothing() -> None:
    world = World(activation("off"), check("calls"))
    opened(world, 600)
    assert world.lines == []
    checks = checks_of(activation("off"), check("calls"))
    assert (set(checks.by_id), set(checks.files)) == ({"calls"}, {"activation", "calls"})
    assert checks.watching("crm.status") == ()


# --- from one mode to another


def test_from_shadow_to_on_the_old_one_stays_silent_and_the_next_speaks() -> None:
    world = World(activation("shadow"))
    opened(world)
    world.load(activation("on"))
    world.until(60)
    world.state(61, "hlr.status", "barred")
    world.order(62, "WITHDRAW", world.lines[0]["anomaly_id"])
    world.state(70, "hlr.status", "active")
    assert world.silent == [(10, "OPEN"), (61, "evidence"), (70, "RESOLVED")]
    assert set(world.kinds) == {"shadow"}
    world.state(75, "hlr.status", "barred")
    world.until(100)
    assert world.told[0] == (85, "OPEN", "deadline_passed")
    told = world.of("anomaly")[0]
    assert told["anomaly_id"] != world.lines[0]["anomaly_id"]  # nobody was told of that one
    world.state(101, "hlr.status", "active")
    assert world.told[-1][:2] == (101, "RESOLVED")


def test_what_waits_in_shadow_and_opens_later_speaks() -> None:
    world = World(activation("shadow"))
    world.state(0, "crm.status", "active")
    world.load(activation("on"))
    world.until(11)
    assert world.told[0] == (10, "OPEN", "deadline_passed")
    assert world.silent == []


def test_from_on_to_shadow_what_was_announced_ends_aloud() -> None:
    world = World(activation("on", repair=None))
    opened(world)
    world.load(activation("shadow", repair=None))
    world.state(20, "hlr.status", "barred")
    world.order(25, "ACKNOWLEDGE", world.of("anomaly")[0]["anomaly_id"])
    world.state(30, "hlr.status", "active")
    world.until(60)
    assert [status for _, status, _ in world.told] == ["OPEN", "ACKNOWLEDGED", "RESOLVED"]
    assert [line.get("withdrawn") for line in world.of("reminder")][-1] == "RESOLVED: agrees_again"
    told = {line["incident_id"]: line["told"] for line in world.of("alert")}
    assert list(told.values()) == ["RESOLVED", "RESOLVED"]  # the evidence had told another cause
    assert world.silent == []
    before = list(world.lines)
    world.state(61, "hlr.status", "barred")
    world.until(100)
    assert world.silent == [(71, "OPEN")]
    assert world.lines[: len(before)] == before
    assert world.of("shadow")[0]["anomaly_id"] != world.of("anomaly")[0]["anomaly_id"]


def test_from_on_to_shadow_no_repair_is_sent_any_more() -> None:
    loud, silent = World(activation()), World(activation())
    for world in (loud, silent):
        for number in range(61):  # 60 a minute: the last one's slot is a minute away
            world.state(0, "crm.status", "active", msisdn=f"86138{number:08}")
        world.until(10.2)
        assert 0 < world.kinds["repair"] < 61
    sent = silent.kinds["repair"]
    silent.load(activation("shadow"))
    for world in (loud, silent):
        world.until(12)
    assert (loud.kinds["repair"], silent.kinds["repair"]) == (61, sent)


def test_a_cell_from_shadow_to_on_and_back() -> None:
    rate, shadow = check("network-connect-rate"), check("network-connect-rate", mode="shadow")
    world = World(shadow)
    world.cell(0.1, 0, 60)
    world.until(3)
    world.load(rate)
    world.cell(10.1, 60, 0)
    world.until(19)
    assert world.silent == [(2, "OPEN"), (12, "RESOLVED")]
    world.cell(20.1, 0, 60)
    world.until(23)
    world.load(shadow)
    world.cell(30.1, 60, 0)
    world.until(39)
    assert [(at, status) for at, status, _ in world.told] == [(22, "OPEN"), (32, "RESOLVED")]
    assert world.of("anomaly")[0]["anomaly_id"] != world.of("shadow")[0]["anomaly_id"]
    world.cell(40.1, 0, 60)
    world.until(50)
    assert world.silent[2:] == [(42, "OPEN")]


def test_off_keeps_what_is_open_until_it_is_on_again() -> None:
    world = World(activation("on", repair=None))
    opened(world)
    world.load(activation("off", repair=None))
    world.state(20, "hlr.status", "active")
    assert len(world.told) == 1
    world.load(activation("on", repair=None))
    world.state(30, "hlr.status", "barred")
    world.state(31, "hlr.status", "active")
    assert [(at, status) for at, status, _ in world.told] == [(10, "OPEN"), (31, "RESOLVED")]


def test_whatever_the_mode_does_meanwhile_each_anomaly_is_told_from_beginning_to_end_or_not_at_all() -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    modes = [activation("on"), activation("shadow")]
    world, at = World(modes[0]), 0.0
    for _ in range(1_500):
        at += chance.randrange(8)
        if chance.random() < 0.2:
            world.load(chance.choice(modes))
        name = chance.choice(("crm.status", "hlr.status"))
        value = chance.choice(("active", "suspended") if name[0] == "c" else ("active", "barred"))
        world.state(at, name, value, msisdn=f"86138{chance.randrange(4):08}")
    world.load(modes[0])
    for number in range(4):
        world.state(at + 100, "crm.status", "odd", msisdn=f"86138{number:08}")  # not applicable: all ends
    world.until(at + 400)
    story: dict[str, list[str]] = {}
    for line in world.of("anomaly"):
        story.setdefault(line["anomaly_id"], []).append(line["status"])
    silent = {line["anomaly_id"] for line in world.of("shadow")}
    assert story, seed
    assert silent, seed
    assert not silent & story.keys(), seed
    assert all(said[0] == "OPEN" and said[-1] in ("RESOLVED", "WITHDRAWN") for said in story.values()), seed
    standing: set[str] = set()
    for line in world.of("reminder"):
        (standing.discard if "withdrawn" in line else standing.add)(line["reminder_id"])
    assert not standing, seed
    firing = {line["incident_id"]: line["told"] for line in world.of("alert")}
    assert "FIRING" not in firing.values(), seed


# --- watch lists


def stopped(mode: str = "on") -> Any:
    return replace(shipped().watches[FROZEN], mode=mode)


def test_a_watch_list_in_shadow_reminds_nobody(counted: Counted) -> None:
    world = World(stopped("shadow"))
    world.state(0, "crm.status", "suspended")
    world.state(10, "crm.status", "active")
    assert world.silent == [(0, "opened"), (10, "withdrawn")]
    assert set(world.kinds) == {"shadow"}
    assert not [key for key in world.replay.worlds[0].records if key.startswith("reminders/")]
    assert counted.counts["yupan_shadowed", FROZEN, "opened"] == 1


def test_a_reminder_of_shadow_stays_silent_and_one_that_stands_ends_aloud() -> None:
    world = World(stopped("shadow"))
    world.state(0, "crm.status", "suspended")
    world.load(stopped("on"))
    world.state(10, "crm.status", "active")
    assert world.silent == [(0, "opened"), (10, "withdrawn")]
    world.state(20, "crm.status", "suspended")
    world.load(stopped("shadow"))
    world.state(30, "crm.status", "active")
    assert [("withdrawn" in line) for line in world.of("reminder")] == [False, True]
    world.state(40, "crm.status", "suspended")
    assert world.silent[2:] == [(40, "opened")]


def test_of_a_watch_list_that_is_off_entries_say_nothing_either() -> None:
    entry = {"list": FROZEN, "action": "ADD", "msisdn": ANNA}
    for mode, said in (("on", Counter(reminder=1)), ("shadow", Counter(shadow=1)), ("off", Counter())):
        world = World(stopped(mode))
        world.feed("yupan.list.v1", 0, **entry)
        assert world.kinds == said, mode


# --- the file and the commands


def own(directory: Path, mode: str, name: str = "activation") -> Path:
    """Our check with a mode, as an operator's file."""
    file = directory / f"{name}.yaml"
    file.write_text(f"mode: {mode}\n{(SHIPPED / f'{name}.yaml').read_text('utf-8')}", "utf-8")
    return file


@pytest.mark.parametrize("mode", ["on", "shadow", "off"])
@pytest.mark.parametrize("name", ["activation", "watch.stopped"])
def test_a_file_says_its_mode_and_its_cases_hold_in_each(tmp_path: Path, mode: str, name: str) -> None:
    read = read_file(own(tmp_path, mode, name))
    assert read.mode == mode
    assert read.cases
    assert differences(read) == []


def test_shipped_checks_without_a_mode_are_on() -> None:
    assert read_file(SHIPPED / "activation.yaml").mode == "on"


@pytest.fixture
def operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YUPAN_CHECKS", str(tmp_path))
    return tmp_path


def test_the_list_shows_the_mode(operators: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own(operators, "off")
    own(operators, "shadow", "calls")
    assert cli.run(["checks", "list", "--json"]) == 0
    modes = {row["id"]: row["mode"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (modes["activation"], modes["calls"], modes["gift"]) == ("off", "shadow", "on")
    assert cli.run(["checks", "list"]) == 0
    assert " shadow " in next(x for x in capsys.readouterr().out.splitlines() if x.startswith("calls "))
    assert cli.run(["checks", "show", "activation", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mode"] == "off"


def test_replay_shows_what_shadow_decides_and_off_when_it_is_asked_for(
    operators: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.jsonl"
    told = {"msisdn": ANNA, "system": "crm", "attribute": "status", "value": "active", "occurred_at": NOON}
    events.write_text(json.dumps({"topic": "yupan.state.v1", "record": told}) + "\n", "utf-8")
    until = ["--until", str(NOON + 3_600_000)]

    def replayed(*options: str) -> list[str]:
        assert cli.run(["checks", "replay", str(events), *until, *options]) == 0
        return capsys.readouterr().out.splitlines()

    own(operators, "shadow")
    (line,) = map(json.loads, replayed("--json"))
    assert (line["kind"], line["would"], "status" in line) == ("shadow", "OPEN", False)
    assert "shadow    activation would tell OPEN (deadline_passed): crm.status active" in replayed()[0]
    own(operators, "off")
    assert replayed("--json") == []
    (line,) = map(json.loads, replayed("--check", "activation", "--json"))
    assert (line["kind"], line["would"]) == ("shadow", "OPEN")
