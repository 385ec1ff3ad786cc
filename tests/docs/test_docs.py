"""The documentation says what the code does: nothing is missing, no link is broken, every command shown exists."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import yaml

from agents.cases import differences
from agents.rules import read_file
from docs import generate
from schemas.catalogue import EVENTS
from schemas.errors import DEAD_LETTER_REASONS, PartError, UsageError, YupanError
from schemas.metrics import METRICS
from schemas.topics import TOPICS
from streams.cli import cli, run
from streams.settings import Settings
from tests.faults.results import totals

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
HEAVY = ("confluent_kafka", "faust", "chdb", "rich", "clickhouse_driver", "prometheus_client", "fastavro", "yaml")
BLOCK = re.compile(r"^```(\w*)\n((?:.*\n)*?)```$|((?:^ {4}.*\n)+)", re.MULTILINE)
SHOWN = re.compile(r"(?:^|[|$;&`] ?|\s)(?:\.venv/bin/)?yupan (?=[a-z-])(.*)")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@cache
def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def rows_under(heading: str) -> dict[str, str]:
    """The table of the reference below a heading: first cell (without backticks) to the whole row."""
    section = re.split(r"^## ", text_of(generate.REFERENCE), flags=re.MULTILINE)
    [found] = [part for part in section if part.startswith(f"{heading}\n")]
    rows = re.findall(r"^\| `?([^`|]+?)`? \|.*$", found, re.MULTILINE)
    return {name.strip(): name for name in rows if name.strip(" -")}


# --- nothing is missing


@pytest.mark.parametrize("page", generate.PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_the_code_and_the_results(page: Path) -> None:
    text = text_of(page)
    assert generate.fill(page, text) == text, "run: .venv/bin/python docs/generate.py"


def test_a_stale_table_is_seen() -> None:
    stale = {
        generate.REFERENCE: (
            "`--until TIME`", "YUPAN_COMMIT_MS", "`yupan.seat.v1` |", "yupan_late_total", "| `activation` |"
        ),
        generate.RELIABILITY: ("| `kill_broker` |", "| all |"),
    }  # fmt: skip
    for page, names in stale.items():
        text = text_of(page)
        for name in names:
            assert name in text
            assert generate.fill(page, text.replace(name, "gone")) == text


def test_the_table_of_faults_adds_the_recorded_runs_up() -> None:
    lines = [
        {"fault": "a", "seed": 4, "events": 10, "lost": 0, "doubled": 1, "pause_s": 2.5},
        {"fault": "b", "seed": 5, "events": 20, "lost": 3, "doubled": 0, "pause_s": 0.5},
        {"fault": "a", "seed": 6, "events": 30, "lost": 0, "doubled": 0, "pause_s": 1.5},
    ]
    assert totals(lines)["a"] == {
        "runs": 2, "events": 40, "lost": 0, "doubled": 1, "longest_pause_s": 2.5, "seeds": [4, 6]
    }  # fmt: skip
    assert totals(lines, by="") == {
        "all": {"runs": 3, "events": 60, "lost": 3, "doubled": 1, "longest_pause_s": 2.5, "seeds": [4, 5, 6]}
    }


def test_the_keys_shown_are_the_keys() -> None:
    for topic, event in EVENTS.items():
        named = re.fullmatch(r"`(\w+)`", generate.KEYS[topic])
        for example in event.examples if named else ():
            record = event.from_json(example)
            assert event.key(record) == record[named[1]], topic  # type: ignore[index]


def test_every_dead_letter_reason_has_its_row() -> None:
    assert list(rows_under("Dead letters"))[1:] == list(DEAD_LETTER_REASONS)


def test_every_exit_code_has_its_row() -> None:
    codes = {0, 1, 130, *(error.exit_code for error in (UsageError, PartError, YupanError))}
    assert {int(code) for code in rows_under("Exit codes") if code.isdigit()} == codes


def test_every_alert_has_its_row() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert set(re.findall(r"^\| `(Yupan\w+)` \|", text_of(ROOT / "docs/operations.md"), re.MULTILINE)) == alerts


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_names_every_command(name: str) -> None:
    named = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| `.*? \|", text_of(ROOT / name), re.MULTILINE))))
    assert named == set(cli.list_commands(click.Context(cli)))


# --- nothing is named that is not there


@pages
def test_what_is_named_exists(page: Path) -> None:
    text = text_of(page)
    settings = {f"YUPAN_{name.upper()}" for name, _, _ in Settings().described()} | {"YUPAN_CONFIG", "YUPAN_CACHE"}
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("", "_bucket", "_sum", "_count")}
    metrics = {metric.name + suffix for metric in METRICS for suffix in suffixes[metric.kind]}
    assert set(re.findall(r"\bYUPAN_[A-Z_]+\b", text)) <= settings
    assert set(re.findall(r"\byupan_[a-z_]+\b", text)) <= metrics
    assert set(re.findall(r"\byupan\.[a-z.-]+\.v\d\b", text)) <= set(TOPICS)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pages
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def test_the_way_of_an_event_names_what_there_is() -> None:
    text = text_of(ROOT / "docs/ARCHITECTURE.md")
    way = re.findall(r"^\d+\. (.*)$", text.split("## The way of one event")[1].split("\n## ")[0], re.MULTILINE)
    assert len(way) == 10
    for line in way:
        path = ""
        for word in re.findall(r"`([^`]+)`", line):
            path = word if word.endswith(".py") else path
            if word != path:
                found: object = importlib.import_module(path.removesuffix(".py").replace("/", "."))
                for name in word.split("."):
                    found = getattr(found, name)


# --- every command shown exists


def shown_in(text: str) -> Iterator[str]:
    """The words behind `yupan` in code blocks and in code within lines."""
    for _, fenced, indented in BLOCK.findall(text):
        for line in (fenced or indented).replace("\\\n", " ").splitlines():
            if not line.lstrip().startswith(("#", "yupan:")):
                yield from (match[1] for match in SHOWN.finditer(line))
    for code in re.findall(r"(?<!`)`yupan ([a-z-][^`\n]*)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        yield code.replace("\\|", "|")


def complaint(words: str) -> str | None:
    """What is wrong with a command line of ours, or None."""
    line = re.split(r" [#│─►]|, | && | > | \| |\s{3,}|…|\. |[;)]|  |→", words)[0]
    command: click.Command = cli
    context = click.Context(cli, info_name="yupan")
    rest = [word for word in shlex.split(line.strip().rstrip(",.:")) if word]
    while isinstance(command, click.Group) and rest:
        if re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", rest[0]):  # list|show|test
            unknown = set(rest[0].split("|")) - set(command.list_commands(context))
            return f"{line}: no {unknown}" if unknown else None
        found = command.get_command(context, rest.pop(0))
        if found is None:
            return f"{line}: no such command"
        command = found
    try:
        given, _, _ = command.make_parser(click.Context(command, parent=context)).parse_args(rest)
    except click.UsageError as error:
        return f"{line}: {error.format_message()}"
    for option in command.params:
        choices = option.type.choices if isinstance(option.type, click.Choice) else ()
        value = given.get(option.name or "")
        if value is not None and choices and value not in choices:
            return f"{line}: {option.name} is one of {', '.join(map(str, choices))}"
    return None


@pages
def test_commands_shown_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return  # what was true once stays written
    found = [said for words in shown_in(text_of(page)) if (said := complaint(words))]
    assert not found


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("checks replay events.jsonl --json # all", True),
        ("checks list|show", True),
        ("checks list|paint", False),
        ("checks paint", False),
        ("customers 1", False),
        ("customer 1 --colour", False),
        ("worker --role decide", True),
        ("worker --role decided", False),
    ],
)
def test_a_wrong_command_is_seen(words: str, right: bool) -> None:
    assert (complaint(words) is None) is right


def test_command_lines_are_found() -> None:
    text = text_of(ROOT / "README.md")
    lines = list(shown_in(text))
    assert any(line.startswith("publish yupan.state.v1") for line in lines)
    assert any(line.startswith("dev --ready-file") for line in lines)


# --- examples work


def test_the_check_shown_is_read_and_its_cases_hold(tmp_path: Path) -> None:
    blocks = [block for kind, block, _ in BLOCK.findall(text_of(ROOT / "docs/checks.md")) if kind == "yaml"]
    assert blocks
    for block in blocks:
        (tmp_path / "shown.yaml").write_text(block, "utf-8")
        assert differences(read_file(tmp_path / "shown.yaml")) == []


@pytest.mark.parametrize(
    ("page", "check", "events", "told", "options"),
    [
        ("checks.md", r"```yaml\n(id: activation\.smsc\n.*?)```", r"```json\n(.*?)```", r"events\.jsonl\n(.*?)```", []),
        ("tutorial.md", r"<<'YAML'\n(.*?)YAML\n", r"<<'JSON'\n(.*?)JSON\n", r"```text\n(.*?)```", ["charging.account"]),
    ],
)
def test_the_replay_shown_is_what_is_printed(
    page: str,
    check: str,
    events: str,
    told: str,
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = text_of(ROOT / "docs" / page)
    [file] = re.findall(check, text, re.DOTALL)
    begins = {"checks.md": "\n## Replaying events\n", "tutorial.md": "\n## 3. See it decide"}
    section = text.split(begins[page])[1].split("\n## ")[0]
    [lines], [shown] = (re.findall(pattern, section, re.DOTALL) for pattern in (events, told))
    (tmp_path / "shown.yaml").write_text(file, "utf-8")
    (tmp_path / "events.jsonl").write_text(lines, "utf-8")
    monkeypatch.setenv("YUPAN_CHECKS", str(tmp_path))
    monkeypatch.setenv("YUPAN_LANGUAGE", "en")
    assert run(["checks", "replay", str(tmp_path / "events.jsonl"), *(f"--check={name}" for name in options)]) == 0
    assert capsys.readouterr().out == shown


@pages
def test_json_shown_is_json(page: Path) -> None:
    for kind, block, _ in BLOCK.findall(text_of(page)):
        if kind == "json":
            try:
                json.loads(block)
            except json.JSONDecodeError:
                for line in block.splitlines():  # JSON lines
                    json.loads(line)


# --- help


@pytest.mark.parametrize(("name", "command"), list(generate.leaves()), ids=str)
def test_every_command_explains_itself(name: str, command: click.Command) -> None:
    assert "Example" in command.get_help(click.Context(command, info_name=name))
    shown = [words for line in (command.epilog or "").splitlines() for words in SHOWN.findall(line)]
    assert any(words.startswith(name.removeprefix("yupan ")) for words in shown)
    assert [said for words in shown if (said := complaint(words))] == []
    silent = [option.opts for option in command.params if isinstance(option, click.Option) and not option.help]
    assert not silent


def test_groups_have_examples() -> None:
    for name in cli.list_commands(click.Context(cli)):
        found = cli.get_command(click.Context(cli), name)
        assert found is not None
        assert "Example" in found.get_help(click.Context(found, info_name=f"yupan {name}")), name


def test_help_loads_nothing_heavy() -> None:
    script = f"""
import sys
from streams.cli import run
commands = {[name.split()[1:] for name, _ in generate.leaves()]!r}
codes = [run([*words, "--help"]) for words in ([], *([w[0]] for w in commands), *commands)]
heavy = [name for name in {HEAVY!r} if name in sys.modules]
sys.stderr.write(repr((set(codes), heavy)))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "({0}, [])"
    assert done.stdout.count("Usage: yupan") > 30
