"""chDB's directory: one owner, clear words when it cannot be used, served on loopback to the others."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys

import pytest

from schemas.errors import PartError, UsageError
from sinks.clickhouse import open_clickhouse
from sinks.migrate import migrate
from sinks.remote import RemoteServer, single_select
from sinks.tables import TABLES
from tests.sinks.test_clickhouse import contact


@pytest.fixture
def owned(chdb_directory):
    db = open_clickhouse(f"chdb://{chdb_directory}")
    migrate(db)
    yield db
    db.close()


@pytest.fixture
def served(owned):
    server = RemoteServer(owned)
    yield server
    server.close()


@pytest.fixture
def reader(served):
    db = open_clickhouse(served.dsn)
    yield db
    db.close()


def test_a_directory_in_use_names_its_owner(owned, chdb_directory):
    code = "\n".join(
        (
            "from sinks.clickhouse import open_clickhouse",
            f"try: open_clickhouse('chdb://{chdb_directory}')",
            "except Exception as error: print(type(error).__name__, error)",
        )
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert other.stdout.startswith("PartError")
    assert f"in use by process {os.getpid()}" in other.stdout
    assert len(other.stdout.splitlines()) == 1
    assert other.stderr == ""


def test_a_closed_directory_can_be_opened_again(chdb_directory):
    first = open_clickhouse(f"chdb://{chdb_directory}")
    migrate(first)
    first.insert("contacts", list(TABLES["contacts"]), [contact(1)])
    first.close()
    with pytest.raises(PartError, match="closed"):
        first.query("SELECT 1")
    second = open_clickhouse(f"chdb://{chdb_directory}")
    assert second.query("SELECT count() AS n FROM contacts") == [{"n": 1}]
    second.close()


def test_one_process_owns_one_directory(owned, tmp_path):
    with pytest.raises(PartError, match="owns another"):
        open_clickhouse(f"chdb://{tmp_path}/second")


def test_a_directory_that_is_a_file(tmp_path, chdb_directory):
    (tmp_path / "file").write_text("")
    with pytest.raises(PartError, match="YUPAN_CLICKHOUSE"):
        open_clickhouse(f"chdb://{tmp_path}/file")


def test_a_full_disk_loses_nothing_silently(chdb_directory):
    chdb_directory.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(chdb_directory)]
    if subprocess.run(small, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        db = open_clickhouse(f"chdb://{chdb_directory}")
        migrate(db)
        stored = 0

        def fill() -> None:
            nonlocal stored
            for start in range(0, 100_000, 1000):
                rows = [contact(n, text=os.urandom(200).hex()) for n in range(start, start + 1000)]
                db.insert("contacts", list(TABLES["contacts"]), rows)
                stored += 1000

        with pytest.raises(
            PartError, match=r"^the disk of chDB's directory \S+ is full: [^\n]*YUPAN_CLICKHOUSE[^\n]*$"
        ):
            fill()
        assert stored > 0
        assert db.query("SELECT count() AS n FROM contacts") == [{"n": stored}]
        db.close()
    finally:
        subprocess.run(["umount", str(chdb_directory)], check=True)


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE contacts",
        "SELECT 1; DROP TABLE contacts",
        "INSERT INTO contacts (msisdn) VALUES ('1')",
        "SELECT 1 INTO OUTFILE '{file}'",
        "SELECT '\\'' INTO OUTFILE '{file}' -- '",
        "SELECT ‘'’ INTO OUTFILE '{file}' -- '",
        "SELECT 1 /* */ INTO/**/OUTFILE '{file}'",
        "SELECT 1 FORMAT CSV",
        "SELECT 1 SETTINGS readonly = 0",
        "SET readonly = 0",
        "SELECT 'open",
    ],
)
def test_readers_send_one_select(reader, tmp_path, sql):
    with pytest.raises(UsageError):
        reader.query(sql.replace("{file}", str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()
    assert reader.query("SELECT count() AS n FROM contacts") == [{"n": 0}]


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM file('/etc/hostname', 'LineAsString')", "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')"],
)
def test_readers_reach_nothing_else(reader, sql):
    with pytest.raises(PartError, match="readonly"):
        reader.query(sql)


def test_a_quoted_word_is_only_a_word():
    sql = "SELECT 'INTO; OUTFILE -- \\' it''s' AS `format`"
    assert single_select(sql).startswith(sql)


def test_only_the_owner_migrates(reader):
    with pytest.raises(PartError, match="owns"):
        reader.execute("DROP TABLE contacts")
    assert {step.status for step in migrate(reader)} == {"present"}


def test_rows_are_taken_for_the_history_only(reader):
    with pytest.raises(UsageError, match="history"):
        reader.insert("migrations", ["name"], [["9999_forged"]])


def test_a_wrong_token_is_refused(served):
    port = served.dsn.rsplit(":", 1)[1]
    with pytest.raises(PartError, match="token"):
        open_clickhouse(f"chdb+http://{'x' * len(served.token)}@127.0.0.1:{port}")
    bare = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    bare.request("POST", "/query", b"SELECT 1")
    assert bare.getresponse().status == 401
    bare.close()


def test_the_server_listens_on_loopback_only(served):
    assert served._server.server_address[0] == "127.0.0.1"


def test_a_reader_outlives_a_restart_of_the_server(owned):
    first = RemoteServer(owned)
    reader = open_clickhouse(first.dsn)
    port = int(first.dsn.rsplit(":", 1)[1])
    first.close()
    reader._connection.close()
    with pytest.raises(PartError, match="yupan dev"):
        reader.query("SELECT 1")
    second = RemoteServer(owned, port)
    reader._headers = {"Authorization": f"Bearer {second.token}"}
    assert reader.query("SELECT 1 AS one") == [{"one": 1}]
    reader.close()
    second.close()


def test_a_taken_port_is_said(served, owned):
    port = int(served.dsn.rsplit(":", 1)[1])
    with pytest.raises(PartError, match=str(port)):
        RemoteServer(owned, port)
