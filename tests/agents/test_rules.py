from __future__ import annotations

from os import mkfifo
from pathlib import Path

import pytest

from agents.cases import differences
from agents.rules import SHIPPED, load_checks, read_file
from schemas.errors import UsageError

BROKEN = sorted((Path(__file__).parent / "broken_checks").glob("*.yaml"))
FILES = sorted(SHIPPED.glob("*.yaml"))


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_a_broken_check_is_refused_with_file_line_and_reason(file: Path) -> None:
    expected = file.read_text("utf-8").splitlines()[0].removeprefix("# ")
    with pytest.raises(UsageError) as raised:
        read_file(file)
    assert str(raised.value) == f"{file}:{expected}"


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes("id: activation\ntitle: { zh: 激活, en: Activation }\n".encode("gb18030"))
    with pytest.raises(UsageError, match=rf"^{file}:2: is not UTF-8; save it as UTF-8$"):
        read_file(file)


def test_a_file_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"id: activation\nsystems: {'[' * 5_000}{']' * 5_000}\n", "utf-8")
    with pytest.raises(UsageError, match=rf"^{file}:1: is nested too deeply$"):
        read_file(file)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (
            "within: 10 min",
            "within：10 min",
            "13: within: stands before a full-width colon (：); write `within:` with the colon of ASCII, and a space",
        ),
        ("id: activation", "id：activation", "2: id: stands before"),
        ("kind: agree", "kind：agree", "6: kind: stands before"),
        ("alert:\n", "alert：\n", "34: alert: stands before"),
        ("cases:\n", "cases：\n", "46: cases: stands before"),
        ("events:\n", "events：\n", "48: events: stands before"),
        ("- name: ", "- name：", "47: cases[1]: name stands before"),
        ("  zh: 激活\n  en: Activation", "  zh：激活\n  en：Activation", "4: title: zh stands before"),
        ("  zh: 激活\n", "  zh：激活\n", "4: zh: stands before"),
        ("at: 0 s,", "at：0 s,", "49: cases[1].events[1]: at stands before"),
    ],
)
def test_a_full_width_colon_is_told_where_it_stands(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    """What YAML says of it is about another line, or nothing."""
    with pytest.raises(UsageError) as raised:
        read_file(own(tmp_path, "mine", old, new))
    assert str(raised.value).startswith(f"{tmp_path}/mine.yaml:{wanted}")


def test_a_full_width_colon_in_a_text_is_no_mistake(tmp_path: Path) -> None:
    read_file(own(tmp_path, "mine", "  zh: 激活\n", "  zh: >-\n    激活\n    note：见说明\n"))
    broken = own(tmp_path, "mine", "  zh: 激活\n", "  zh: >-\n    note：见说明\n  en: [\n")
    with pytest.raises(UsageError, match=r":8: not YAML: "):
        read_file(broken)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_check_or_watch_list_has_at_least_six_cases_and_all_hold(file: Path) -> None:
    check = read_file(file)
    assert check.id.replace(":", ".") == file.stem
    assert len(check.cases) >= 6
    assert not differences(check)


@pytest.mark.parametrize("mode", ["dry_run", "on"])
def test_cases_hold_however_checks_are_repaired(mode: str) -> None:
    """Else nobody who has repairs could run `yupan checks test` before SIGHUP."""
    able = [one.id for one in load_checks().by_id.values() if one.repair is not None]
    found = load_checks(repairs=dict.fromkeys(able, mode)).by_id
    assert able
    assert [line for name in able for line in differences(found[name])] == []


def test_a_changed_rule_makes_its_cases_fail_with_a_readable_difference(tmp_path: Path) -> None:
    text = (SHIPPED / "activation.yaml").read_text("utf-8").replace("within: 10 min", "within: 8 min", 1)
    (tmp_path / "activation.yaml").write_text(text, "utf-8")
    found = differences(read_file(tmp_path / "activation.yaml"))
    assert any("exactly at the deadline is in time" in line for line in found)
    assert all(line.startswith(f"{tmp_path / 'activation.yaml'}:") for line in found)
    late = next(line for line in found if "never follows" in line)
    assert "expected OPEN at 2026-01-01T00:10:00.000Z" in late
    assert "got      OPEN at 2026-01-01T00:08:00.000Z" in late


def own(directory: Path, name: str, old: str = "", new: str = "") -> Path:
    """A copy of `activation` in an operator's directory."""
    directory.mkdir(exist_ok=True)
    file = directory / f"{name}.yaml"
    file.write_text((SHIPPED / "activation.yaml").read_text("utf-8").replace(old, new, 1), "utf-8")
    return file


def test_an_operators_check_is_added(tmp_path: Path) -> None:
    own(tmp_path, "mine", "id: activation", "id: activation.mine")
    checks = load_checks([tmp_path])
    assert {"activation", "activation.mine"} <= set(checks.by_id)
    assert {watch.check.id for watch in checks.watching("hlr.status")} == {"activation", "activation.mine"}
    assert checks.watching("smsc.status") == ()


def test_files_in_yaml_and_in_yml_are_read_and_no_others(tmp_path: Path) -> None:
    for name in ("mine.yml", "YOURS.YAML", "notes.yaml.bak", "below/theirs.yaml"):
        path = tmp_path / name
        own(path.parent, path.stem, "id: activation", f"id: activation.{path.stem.partition('.')[0].lower()}")
        path.with_name(f"{path.stem}.yaml").rename(path)
    own_ids = {one.id for one in load_checks([tmp_path]).files.values() if one.file.is_relative_to(tmp_path)}
    assert own_ids == {"activation.mine", "activation.yours"}


def test_what_is_hidden_or_no_file_is_left_out(tmp_path: Path) -> None:
    file = own(tmp_path, "mine", "id: activation", "id: activation.mine")
    (tmp_path / "below.yaml").mkdir()
    (tmp_path / ".#mine.yaml").symlink_to("somebody@somewhere.123")  # Emacs: who is editing it
    (tmp_path / "._mine.yaml").write_bytes(b"\x00\x05\x16\x07")  # macOS: attributes of the file
    mkfifo(tmp_path / "pipe.yaml")
    linked = tmp_path / "linked.yaml"
    linked.symlink_to(own(tmp_path / "elsewhere", "linked", "id: activation", "id: activation.linked"))
    own_files = [one.file for one in load_checks([tmp_path]).files.values() if one.file.is_relative_to(tmp_path)]
    assert own_files == [linked, file]


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").symlink_to(tmp_path / "gone.yaml")
    with pytest.raises(UsageError, match=r"mine\.yaml:1: cannot be read \(No such file or directory\)$"):
        load_checks([tmp_path])


def test_a_directory_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{tmp_path}/gone: cannot be read \(No such file or directory\)$"):
        load_checks([tmp_path / "gone"])


def test_an_operators_check_with_our_id_takes_its_place(tmp_path: Path) -> None:
    own(tmp_path, "slower", "within: 10 min", "within: 1 h")
    assert load_checks([tmp_path]).by_id["activation"].rule.within == 3_600_000


def test_the_same_id_twice_is_refused(tmp_path: Path) -> None:
    own(tmp_path / "a", "one")
    own(tmp_path / "a", "two")
    with pytest.raises(UsageError, match=r"two\.yaml:1: id: 'activation' is also in .*one\.yaml"):
        load_checks([tmp_path / "a"])
    own(tmp_path / "b", "one")
    own(tmp_path / "c", "one")
    with pytest.raises(UsageError, match="is also in"):
        load_checks([tmp_path / "b", tmp_path / "c"])


def test_a_deadline_can_be_overridden_by_a_setting() -> None:
    assert load_checks(deadlines={"activation": 5_000}).by_id["activation"].rule.within == 5_000


def test_a_window_of_a_rate_cannot_be_made_too_short_by_a_setting() -> None:
    with pytest.raises(UsageError, match=r"network-connect-rate\.yaml:\d+: within: a window is at least 5 s, also by"):
        load_checks(deadlines={"network-connect-rate": 4_999})


def test_a_deadline_for_no_check_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^YUPAN_DEADLINES: calls=2 d is longer than forget, 1 d \(.*/calls.yaml:9\): "
    ):
        load_checks(deadlines={"calls": 48 * 3_600_000})
    with pytest.raises(UsageError, match=r"YUPAN_DEADLINES: no check 'activaton'; there are activation"):
        load_checks(deadlines={"activaton": 5_000})


def test_a_check_of_each_product_knows_its_products(tmp_path: Path) -> None:
    text = (SHIPPED / "activation.yaml").read_text("utf-8").replace("{wanted.hlr.status}", "{product}")
    head, _, rest = text.partition("systems: ")
    _, _, rest = rest.partition("within: ")
    rule = "systems: [crm.subscription.PRODUCT, hlr.service.PRODUCT]\nproducts: [volte, data]\nwithin: "
    for system in ("crm.status", "hlr.status"):
        rest = rest.replace(f"{{{system}}}", "{product}")
    file = tmp_path / "network.yaml"
    file.write_text(head + rule + rest, "utf-8")
    rule_read = read_file(file).rule
    assert rule_read.subject("crm.subscription.volte") == "volte"
    assert rule_read.subject("hlr.service.data") == "data"
    assert rule_read.subject("crm.subscription.video") is None
    assert rule_read.subject("vas.subscription.volte") is None
