"""Numbered SQL migrations: each applied once, in order; one whose server is too old is skipped and says so."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import NamedTuple

from schemas.errors import PartError
from sinks.clickhouse import ClickHouse
from sinks.statements import NotMigratedError

_LOG = """
CREATE TABLE IF NOT EXISTS migrations (`name` String, `applied_at` DateTime DEFAULT now())
ENGINE = ReplacingMergeTree() ORDER BY `name`
"""
_NEEDS = re.compile(r"^-- needs: ([\d.]+)$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*$", re.MULTILINE)


class Step(NamedTuple):
    """What became of one migration."""

    name: str
    status: str
    """`applied` (now), `present` (before), `pending` (would be, in a dry run) or `skipped`."""
    reason: str = ""


class Migration(NamedTuple):
    """One file of `migrations/`."""

    name: str
    needs: tuple[int, ...]
    """The oldest version of the engine that knows its statements."""
    statements: tuple[str, ...]


def migrations() -> list[Migration]:
    """All migrations in the order of their numbers."""
    found = [each for each in files("sinks").joinpath("migrations").iterdir() if each.name.endswith(".sql")]
    return [_parse(each.name.removesuffix(".sql"), each.read_text()) for each in sorted(found, key=lambda f: f.name)]


def migrate(db: ClickHouse, dry_run: bool = False) -> list[Step]:
    """Bring the tables up to date, or say what would be done. Safe to repeat, also at the same time.

    Raises `PartError` when ClickHouse cannot be used, or when this connection must not change tables
    (chDB served by `yupan dev`) and something is left to do.
    """
    present = applied(db)
    steps = [_plan(each, present, db.version) for each in migrations()]
    pending = {step.name for step in steps if step.status == "pending"}
    if dry_run or not pending:
        return steps
    db.create_database()
    db.execute(_LOG)
    for each in migrations():
        if each.name in pending:
            _apply(db, each)
    return [step._replace(status="applied") if step.name in pending else step for step in steps]


def require_tables(db: ClickHouse) -> None:
    """Raise `PartError` when the tables are not up to date."""
    pending = [step.name for step in migrate(db, dry_run=True) if step.status == "pending"]
    if pending:
        raise PartError(f"ClickHouse (YUPAN_CLICKHOUSE) lacks {', '.join(pending)}; run `yupan migrate`")


def applied(db: ClickHouse) -> set[str]:
    """The names of the migrations that ran; none where there is no database yet."""
    try:
        return {row["name"] for row in db.query("SELECT name FROM migrations FINAL")}
    except NotMigratedError:
        return set()


def _plan(migration: Migration, present: set[str], version: tuple[int, ...]) -> Step:
    if migration.name in present:
        return Step(migration.name, "present")
    if version < migration.needs:
        reason = f"needs ClickHouse {_dotted(migration.needs)}, this is {_dotted(version)}"
        return Step(migration.name, "skipped", reason)
    return Step(migration.name, "pending")


def _apply(db: ClickHouse, migration: Migration) -> None:
    for statement in migration.statements:
        db.execute(statement)
    db.insert("migrations", ["name"], [[migration.name]])


def _parse(name: str, text: str) -> Migration:
    needs = _NEEDS.search(text)
    version = tuple(int(part) for part in needs[1].split(".")) if needs else (0,)
    statements = (part.strip() for part in _COMMENT.sub("", text).split(";\n"))
    return Migration(name, version, tuple(part for part in statements if part))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
