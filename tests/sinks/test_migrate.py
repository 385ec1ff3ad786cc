"""Migrations: once each, in order, skipped with a reason below the version that they need."""

from __future__ import annotations

import threading

import pytest

from sinks import migrate as module
from sinks.clickhouse import open_clickhouse
from sinks.migrate import migrate, migrations
from sinks.tables import FLAG, INT, TABLES


def test_applies_once_and_says_what_it_did(empty_db, owner):
    db = owner
    planned = migrate(db, dry_run=True)
    assert planned[0] == ("0001_history", "pending", "")
    assert module.applied(db) == set()
    done = migrate(db)
    assert done[0] == ("0001_history", "applied", "")
    assert [step.name for step in done] == [each.name for each in migrations()]
    again = migrate(db)
    assert {step.status for step in again} <= {"present", "skipped"}
    assert again[0].status == "present"


def test_an_old_server_skips_with_a_reason(empty_db, owner):
    db = owner
    for step, migration in zip(migrate(db), migrations(), strict=True):
        old = db.version < migration.needs
        assert step.status == ("skipped" if old else "applied")
        assert ("needs ClickHouse" in step.reason) == old


def test_tables_are_what_the_code_says(db):
    kinds = {INT: {"Nullable(Int64)", "Int64", "UInt64"}, FLAG: {"UInt8"}}
    for table, columns in TABLES.items():
        found = db.query(
            "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table}",
            {"table": table},
        )
        types = {row["name"]: row["type"] for row in found}
        assert set(types) == {*columns, "inserted_at"}
        for name, kind in columns.items():
            assert types[name] in kinds.get(kind, {"String"})


def test_at_the_same_time(clickhouse_server, prefix):
    base = clickhouse_server.dsn.rsplit("/", 1)[0]
    failed: list[BaseException] = []

    def work() -> None:
        db = open_clickhouse(f"{base}/{prefix}race")
        try:
            migrate(db)
        except BaseException as error:
            failed.append(error)
        finally:
            db.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    db = open_clickhouse(f"{base}/{prefix}race")
    assert migrate(db)[0].status == "present"
    db.close()


def test_a_migration_is_one_statement_after_the_other():
    parsed = module._parse("9", "-- needs: 20.3\n-- why\nCREATE x;\n\nALTER y\n-- z\nADD q;\n")
    assert parsed.needs == (20, 3)
    assert [" ".join(statement.split()) for statement in parsed.statements] == [
        "CREATE x",
        "ALTER y ADD q;".rstrip(";"),
    ]


@pytest.mark.parametrize("migration", migrations(), ids=lambda each: each.name)
def test_names_are_numbered(migration):
    assert migration.name[:4].isdigit()
    assert migration.statements
