"""One suite for the three kinds of ClickHouse: what one does, all do."""

from __future__ import annotations

import os
import random
import signal
import threading

import pytest

from schemas.errors import PartError, UsageError, YupanError
from sinks.clickhouse import open_clickhouse
from sinks.statements import NotMigratedError, RefusedError, fault
from sinks.tables import TABLES, cells
from tests.sinks.conftest import Event

COLUMNS = list(TABLES["contacts"])


def contact(number: int, **fields):
    known = {"msisdn": "8613800138000", "contact_id": f"c{number}", "occurred_at": 1_785_000_000_000 + number}
    rest = {"arrival_partition": 0, "arrival_offset": number, "arrived_at": 1, "row_version": 1, "ce_id": str(number)}
    return cells("contacts", known | rest | fields)


def test_says_its_version(db):
    assert db.version >= (18, 16)


def test_gives_back_what_it_took(db):
    nasty = "客户说:'没信号' \\ \"x\"\t\n{msisdn} ; DROP TABLE contacts --\0 %(x)s 😀"
    db.insert("contacts", COLUMNS, [contact(1, text=nasty, score=None, audience=2**62), contact(2, score=-3)])
    rows = db.query("SELECT text, score, audience FROM contacts ORDER BY contact_id")
    assert rows == [
        {"text": nasty, "score": None, "audience": 2**62},
        {"text": "", "score": -3, "audience": None},
    ]
    found = db.query(
        "SELECT count() AS n FROM contacts WHERE text = {text} AND contact_id IN {ids}",
        {"text": nasty, "ids": ("c1", "c2")},
    )
    assert found == [{"n": 1}]


def test_no_rows_are_an_empty_list(db):
    assert db.query("SELECT text FROM contacts") == []


def test_parameters_are_literals_whatever_they_hold(db):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(30):
        text = "".join(dice.choice("'\\\"`{}%;\n\r\t\0-/*#$ab中") for _ in range(dice.randrange(20)))
        assert db.query("SELECT {text} AS text, {n} AS n", {"text": text, "n": -7}) == [{"text": text, "n": -7}]


@pytest.mark.parametrize("bad", [{"score": "abc"}, {"text": "\ud800"}], ids=["type", "surrogate"])
def test_refuses_a_row_that_does_not_fit_and_stays_usable(db, bad):
    with pytest.raises(RefusedError) as refused:
        db.insert("contacts", COLUMNS, [contact(1), contact(2, **bad) if "text" in bad else _with(contact(2), bad)])
    assert "abc" not in str(refused.value)
    db.insert("contacts", COLUMNS, [contact(3)])
    assert db.query("SELECT contact_id FROM contacts FINAL WHERE contact_id = 'c3'") == [{"contact_id": "c3"}]


def _with(row, fields):
    for name, value in fields.items():
        row[COLUMNS.index(name)] = value
    return row


def test_a_missing_table_names_the_remedy(empty_db):
    with pytest.raises(NotMigratedError, match="yupan migrate"):
        empty_db.query("SELECT * FROM contacts")
    with pytest.raises(NotMigratedError, match="yupan migrate"):
        empty_db.insert("contacts", COLUMNS, [contact(1)])


def test_our_own_mistakes_are_no_part_error(db):
    with pytest.raises(YupanError) as wrong:
        db.query("SELECT nonsense FROM contacts WHERE msisdn = {msisdn}", {"msisdn": "8613800138000"})
    assert not isinstance(wrong.value, PartError)
    assert "8613800138000" not in str(wrong.value)


def test_an_insert_takes_plain_names_only(db):
    with pytest.raises(UsageError):
        db.insert("contacts (x) SELECT 1 --", ["a"], [[1]])
    with pytest.raises(UsageError):
        db.insert("contacts", ["a`) SELECT 1 --"], [[1]])


def test_threads_share_it(db):
    wrong: list[object] = []

    def work(worker: int) -> None:
        for number in range(5):
            db.insert("contacts", COLUMNS, [contact(worker * 100 + number)])
            rows = db.query("SELECT {worker} AS worker, count() AS n FROM contacts", {"worker": worker})
            wrong.extend(row for row in rows if row["worker"] != worker)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert db.query("SELECT count() AS n FROM contacts FINAL") == [{"n": 20}]


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "kafka://x",
        "clickhouse://",
        "clickhouse://h:70000/db",
        "chdb://",
        "chdb:///",
        "chdb+http://127.0.0.1:1",
        "chdb+http://t@127.0.0.1",
    ],
)
def test_a_wrong_address_is_wrong_use(dsn):
    with pytest.raises(UsageError, match="YUPAN_CLICKHOUSE"):
        open_clickhouse(dsn)


@pytest.mark.parametrize(
    "dsn", ["clickhouse://someone:secret@127.0.0.1:{port}/yupan", "chdb+http://secret@127.0.0.1:{port}"]
)
def test_nobody_there_names_setting_and_remedy_but_no_secret(dsn, free_port):
    with pytest.raises(PartError, match="start it, or correct YUPAN_CLICKHOUSE") as away:
        open_clickhouse(dsn.format(port=free_port))
    assert "secret" not in str(away.value)
    assert "\n" not in str(away.value)


def test_a_wrong_password_names_setting(clickhouse_server):
    with pytest.raises(PartError, match="YUPAN_CLICKHOUSE"):
        open_clickhouse(f"clickhouse://nobody:wrong@127.0.0.1:{clickhouse_server.port}/yupan")


def test_a_database_that_is_not_there_is_created_on_demand(clickhouse_server, prefix):
    base = clickhouse_server.dsn.rsplit("/", 1)[0]
    db = open_clickhouse(f"{base}/{prefix}fresh")
    with pytest.raises(NotMigratedError):
        db.query("SELECT 1")
    db.create_database()
    assert db.query("SELECT 1 AS one") == [{"one": 1}]
    db.close()


def test_a_server_that_comes_back_is_used_again(start_part, tmp_path):
    from streams.parts.clickhouse_server import ClickHouseServer

    server = start_part(ClickHouseServer(tmp_path))
    db = open_clickhouse(server.dsn)
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with pytest.raises(PartError, match="cannot be reached"):
        db.query("SELECT 1")
    server.start()
    assert db.query("SELECT 1 AS one") == [{"one": 1}]
    db.close()


def test_errors_never_show_an_msisdn():
    text = "DB::Exception: Cannot parse 8613800138000 or 13800138000 of '8613800138000'. Stack trace: 0. x"
    for code in (6, 16, 27, 62, 252, 999):
        shown = str(fault(code, text, "ClickHouse"))
        assert "138001380" not in shown
        assert "Stack trace" not in shown


def test_the_event_shape_is_the_agents_one():
    from agents.event import Event as Real

    real = Real(topic="t", record={}, id="1", source="s", occurred_at=1)
    assert all(hasattr(real, name) for name in Event.__dataclass_fields__)
