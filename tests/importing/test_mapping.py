"""Mapping files: what they say, and what is told about mistakes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import RecordError, UsageError
from schemas.events.list import EVENT as LIST
from streams.importing import mapping as mappings
from streams.importing.cells import synthetic
from streams.importing.mapping import read_mapping
from streams.importing.marked import MappingError
from streams.importing.program import Made, Program, Surroundings
from streams.importing.values import OPERATIONS

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
NOON = 1_795_320_000_000  # 2026-11-22 12:00 in Shanghai
DOC = Path(__file__).resolve().parents[2] / "docs" / "import.md"


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_mistake_is_told_with_its_line(path: Path) -> None:
    text = path.read_text()
    wanted = re.match(r"# (\d+): (.*)", text)
    assert wanted
    with pytest.raises(MappingError) as told:
        read_mapping(text, path.name)
    assert str(told.value).startswith(f"{path.name}:{wanted[1]}: {wanted[2]}")


def test_an_empty_file_is_told() -> None:
    with pytest.raises(MappingError, match=r"x\.yaml:1: the file is empty"):
        read_mapping("# nothing\n", "x.yaml")


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match="no mapping and no file `call-logs`; shipped are call-log, list, states, telco"
    ):
        mappings.load("call-logs")


def run(mapping: str, header: list[str], *rows: list[str], **options: str) -> list[Made]:
    program = Program(read_mapping(mapping, "test.yaml"), header, Surroundings("Asia/Shanghai", "86", NOON, options))
    return [made for n, row in enumerate(rows, 1) for made in program.events(n, row)] + program.at_end()


def value(expression: str, cell: str) -> Any:
    """What a value of a mapping makes of one cell, the column `x`."""
    mapping = f"""
topic: yupan.customer.v1
values: {{v: {expression}}}
events:
  - {{id: A, fields: {{msisdn: "8613800138000", facts: {{v: "{{v}}", k: k}}, occurred_at: "{{file_time}}"}}}}
"""
    return run(mapping, ["x"], [cell])[0].record["facts"].get("v")


@pytest.mark.parametrize(
    ("expression", "cell", "found"),
    [
        ("{text: x}", "  Wang ", "Wang"),
        ("{text: x}", "  ", None),
        ("{text: x, none: [NO_SERVER, '-']}", "-", None),
        ("{text: x, when: {x: [A, B]}}", "B", "B"),
        ("{text: x, when: {x: [A, B]}}", "C", None),
        ("{text: x, unless: [{x: A}, {x: B}]}", "B", None),
        ("{text: x, unless: [{x: A}, {x: B}]}", "C", "C"),
        ("'{x}-{row_number}'", "7", "7-1"),
        ("'{x}-{row_number}'", "", None),
        ("'100%s of {x}'", "a", "100%s of a"),
        ("plain", "", "plain"),
        ("7", "", 7),
        ("0:00:00", "", "0:00:00"),
        ("{number: x}", "0012", 12),
        ("{number: x}", "-3.50", -3.5),
        ("{number: x}", "1,234,567.8", 1234567.8),
        ("{number: x, times: 0.01}", "1999", 19.99),
        ("{number: x, times: 0.01}", "1900", 19),
        ("{boolean: x}", "YES", True),
        ("{boolean: x}", "否", False),
        ("{lookup: x, in: {Yes: true, No: false, 0: none}}", "Yes", True),
        ("{lookup: x, in: {Yes: true, No: false, 0: none}}", "0", "none"),
        ("{lookup: x, in: {A: 1}, else: 2}", "B", 2),
        ("{lookup: x, in: {A: 1}, else: null}", "B", None),
        ("{duration: x}", "17", 17_000),
        ("{duration: x}", "0.25", 250),
        ("{duration: x, unit: minutes}", "1.5", 90_000),
        ("{duration: x, unit: clock}", "1:02:03", 3_723_000),
        ("{time: x}", "2026-11-22 12:00:00", NOON),
        ("{time: x}", "2026-11-22T12:00", NOON),
        ("{time: x}", "2026-11-22T04:00:00Z", NOON),
        ("{time: x, zone: UTC}", "2026-11-22 04:00", NOON),
        ("{time: x, format: '%d.%m.%Y %H:%M'}", "22.11.2026 12:00", NOON),
        ("{time: x, format: epoch_s}", str(NOON // 1000), NOON),
        ("{time: x, near: file_time}", "2026-11-21 13:00", NOON + 3_600_000),
        ("{time: x, near: file_time}", "2026-11-22 11:00", NOON - 3_600_000),
        ("{months_before: x, of: file_time}", "9", 1_771_732_800_000),
        ("{msisdn: x}", "138-0013-8000", "8613800138000"),
        ("{customer: x}", "+86 138 0013 8000", "8613800138000"),
        ("{customer: x}", "7590-VHVEG", synthetic("7590-VHVEG")),
        ("{customer: x}", "0", None),
        ("{synthetic: x}", "8613800138000", synthetic("8613800138000")),
        ("{first: ['{x}', none]}", "", "none"),
        ("{value: 3, when: {x: '*'}}", "a", 3),
        ("{value: 3, when: {x: '*'}}", "", None),
    ],
)
def test_a_value(expression: str, cell: str, found: Any) -> None:
    made = value(expression, cell)
    assert made == found
    assert type(made) is type(found)


@pytest.mark.parametrize(
    ("expression", "cell", "reason"),
    [
        ("{number: x}", "12 yuan", "x: '12 yuan' is no number"),
        ("{number: x}", "1,5", "x: '1,5' is no number"),
        ("{boolean: x}", "perhaps", "x: 'perhaps' is neither yes nor no"),
        ("{lookup: x, in: {A: 1, B: 2}}", "C", "x: 'C' is not one of A, B"),
        ("{duration: x}", "-87", "x: a length of time is not negative"),
        ("{time: x}", "22.11.2026", "x: '22.11.2026' is no time like 2026-11-22 14:05:00"),
        ("{time: [x, x]}", "9:00", "x: '9:00' is no date like 2026-11-22"),
        ("{msisdn: x}", "13800138", "x: no number: 11 to 15 digits"),
        ("{months_before: x, of: file_time}", "99999", "x: 99999 months before is no date"),
    ],
)
def test_a_cell_that_is_none_of_it(expression: str, cell: str, reason: str) -> None:
    with pytest.raises(RecordError) as told:
        value(expression, cell)
    assert str(told.value).startswith(reason)


@pytest.mark.parametrize("number", ["8613800138000", "13800138000x", "13800138000"])
@pytest.mark.parametrize("operation", ["number: x, times: x1", "boolean: x", "lookup: x, in: {A: 1}", "time: x"])
def test_no_reason_shows_a_number(operation: str, number: str) -> None:
    with pytest.raises(RecordError) as told:
        value(f"{{{operation.replace(', times: x1', '')}}}", f"{number} y")
    assert number.rstrip("x") not in str(told.value)


BERLIN = """
topic: yupan.call.v1
values: {at: {time: [day, clock], zone: Europe/Berlin}}
events:
  - {id: E, fields: {call_id: x, phase: ENDED, occurred_at: "{at}"}}
"""


def test_days_on_which_the_clocks_change() -> None:
    moments = [["2026-03-29", "1:00"], ["2026-03-29", "4:00"], ["2026-03-30", "1:00"], ["2026-10-25", "4:00"]]
    found = [made.record["occurred_at"] for made in run(BERLIN, ["day", "clock"], *moments)]
    assert [f"{datetime.fromtimestamp(at / 1000, UTC):%m-%d %H:%M}" for at in found] == [
        "03-29 00:00",
        "03-29 02:00",
        "03-29 23:00",
        "10-25 03:00",
    ]


CALLS = """
topic: yupan.call.v1
identity: [id]
events:
  - {id: E, fields: {call_id: "{row_id}", phase: ENDED, staff: {text: staff}, occurred_at: "{file_time}"}}
"""


def test_rows_of_one_identity_that_differ_are_told_apart() -> None:
    rows = [["1", "A"], ["2", "A"], ["1", "B"], ["1", "A"], ["1", "C"]]
    made = run(CALLS, ["id", "staff"], *rows)
    found = [(m.record["call_id"], m.record["staff"]) for m in made]
    assert found == [("1", "A"), ("2", "A"), ("1~2", "B"), ("1~3", "C")]
    assert [m.id for m in run(CALLS, ["id", "staff"], *rows)] == [m.id for m in made]
    assert len({m.id for m in made}) == 4


def test_a_row_without_its_identity_is_refused() -> None:
    with pytest.raises(RecordError, match="the columns of the row's identity are empty"):
        run(CALLS, ["id", "staff"], [" ", "A"])


def test_a_missing_column_is_told_with_the_line_that_reads_it() -> None:
    with pytest.raises(UsageError, match=r"has no column `staff`, which test.yaml:5 reads; it has id, agent$"):
        run(CALLS, ["id", "agent"])


def test_a_header_that_is_data_is_doubted_and_its_numbers_are_masked() -> None:
    with pytest.raises(UsageError) as told:
        run(CALLS, ["13800138000", "active"])
    assert "it has 138****8000, active; is the line with the columns' names missing?" in str(told.value)
    assert "13800138000" not in str(told.value)


@pytest.mark.parametrize(("name", "option", "word"), [("states", "system", "hrl"), ("list", "list", "13800138000")])
def test_a_word_that_every_row_would_be_refused_for_is_told_once(name: str, option: str, word: str) -> None:
    with pytest.raises(UsageError, match=f"the option `{option}`: '(hrl|138.*8000)' is not") as told:
        shipped(name, ["msisdn", "attribute", "value"], **{option: word})
    assert "13800138000" not in str(told.value)


@pytest.mark.parametrize("cell", ["", "  "])
def test_an_empty_value_says_that_the_system_holds_nothing(cell: str) -> None:
    (made,) = shipped("states", ["msisdn", "attribute", "value"], ["13800138000", "status", cell], system="hlr")
    assert (made.record["attribute"], made.record["value"]) == ("status", None)


@pytest.mark.parametrize("attribute", ["charge", "credit", "gift"])
def test_an_amount_is_never_nothing(attribute: str) -> None:
    with pytest.raises(RecordError, match="value: is missing"):
        shipped("states", ["msisdn", "attribute", "value"], ["13800138000", attribute, ""], system="ocs")


def test_a_missing_option_is_told() -> None:
    header = ["msisdn"]
    around = Surroundings("Asia/Shanghai", "86", NOON, {})
    with pytest.raises(UsageError, match=r"^the mapping list needs the option `list` \(--list …\)$"):
        Program(mappings.load("list"), header, around)
    with pytest.raises(UsageError, match="the mapping call-log has no option `list`; it has none"):
        Program(mappings.load("call-log"), header, replace(around, options={"list": "campus"}))
    with pytest.raises(UsageError, match=r"has no option `138\*\*\*\*8000`"):
        Program(mappings.load("call-log"), header, replace(around, options={"13800138000": "campus"}))


def shipped(name: str, header: list[str], *rows: list[str], at: int = NOON, **options: str) -> list[Made]:
    program = Program(mappings.load(name), header, Surroundings("Asia/Shanghai", "86", at, options))
    return [made for n, row in enumerate(rows, 1) for made in program.events(n, row)] + program.at_end()


def test_how_a_watch_list_is_named_is_told_when_one_is_named_otherwise() -> None:
    told = (
        r"^the option `list`: 'watch:Frozen' is not one of .* or watch:NAME in small letters, digits, '-', '_' and '.'$"
    )
    with pytest.raises(UsageError, match=told):
        shipped("watch-list", ["msisdn"], ["13800138000"], list="watch:Frozen")
    with pytest.raises(UsageError, match=r"^the option `list`: 'friends' is not one of .* or watch:NAME$"):
        shipped("list", ["msisdn"], ["13800138000"], list="friends")


def test_a_list_is_added_then_replaced() -> None:
    options = {"list": "campus", "version": "2026-autumn", "replace": "yes"}
    made = shipped("list", ["msisdn", "name"], ["13800138000", "王秀英"], ["7590-VHVEG", ""], **options)
    assert [(m.record["action"], m.record["msisdn"], m.record["name"]) for m in made] == [
        ("ADD", "8613800138000", "王秀英"),
        ("ADD", synthetic("7590-VHVEG"), None),
        ("REPLACED", None, None),
    ]
    assert {m.record["version"] for m in made} == {"2026-autumn"}
    assert {m.record["occurred_at"] for m in made} == {NOON}
    assert LIST.key(made[-1].record) is None


def test_a_list_without_replace_only_adds() -> None:
    assert [m.record["action"] for m in shipped("list", ["msisdn"], ["13800138000"], list="rural")] == ["ADD"]


def test_another_version_or_time_of_a_list_is_other_events() -> None:
    base = shipped("list", ["msisdn"], ["13800138000"], list="campus", version="1")
    again = shipped("list", ["msisdn"], ["13800138000"], list="campus", version="1")
    newer = shipped("list", ["msisdn"], ["13800138000"], list="campus", version="2")
    later = shipped("list", ["msisdn"], ["13800138000"], list="campus", version="1", at=NOON + 1)
    assert base[0].id == again[0].id
    assert len({base[0].id, newer[0].id, later[0].id}) == 3


def test_nobody_cannot_be_on_a_list() -> None:
    with pytest.raises(RecordError, match="msisdn: ADD needs one"):
        shipped("list", ["msisdn"], ["0"], list="campus")


def test_a_watch_list_says_what_to_do() -> None:
    header = ["msisdn", "guidance_zh", "guidance_en", "valid_to"]
    made = shipped("watch-list", header, ["13800138000", "说明账单", "", "2026-12-01"], list="watch:bills")
    record = made[0].record
    assert record["guidance"] == {"zh": "说明账单"}
    assert record["wording"] is None
    assert record["valid_to"] == 1_796_054_400_000


def test_the_telco_customers_become_facts(shared_data: Path) -> None:
    from streams.importing.reader import Table

    with Table(shared_data / "telco-customers-a.csv.gz", "utf-8", ",") as table:
        rows = list(table)
        made = shipped("telco-customers", table.header, *(line.cells for line in rows))
    assert len({m.record["msisdn"] for m in made}) == len(made) == 4000
    facts = [m.record["facts"] for m in made]
    assert sum("left_at" in f for f in facts) == 1057
    assert sum("total_charges" not in f for f in facts) == 7
    assert facts[0]["monthly_fee"] == 29.85
    assert facts[0]["tariff"] == "Month-to-month"
    assert facts[0]["opened_at"] == 1_792_641_600_000
    assert facts[0]["online_security"] is False


@pytest.mark.parametrize("name", mappings.shipped())
def test_what_is_shipped_can_be_read(name: str) -> None:
    assert mappings.load(name).events


def test_the_document_explains_every_operation_and_key() -> None:
    text = DOC.read_text("utf-8")
    missing = [word for word in (*OPERATIONS, *mappings.TOP, *mappings.BUILT_IN) if f"`{word}" not in text]
    assert not missing
    assert not [name for name in mappings.shipped() if f"`{name}`" not in text]


def test_the_example_of_the_document_works() -> None:
    text = DOC.read_text("utf-8")
    example = re.search(r"```yaml\n(topic: .*?)```", text, re.DOTALL)
    table = re.search(r"    (number,paid.*)\n    (1380.*)\n", text)
    assert example
    assert table
    (made,) = run(example[1], table[1].split(","), table[2].split(","))
    assert (made.event.topic, made.record["value"], made.record["transaction"]) == ("yupan.state.v1", 50, "A-1")
    assert (made.record["msisdn"], made.record["occurred_at"]) == ("8613800138000", NOON)
