"""CSV files as they come: packed, marked, in other encodings, damaged."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from schemas.errors import UsageError
from streams.importing.reader import Line, Table


def read(path: Path, data: bytes, encoding: str = "utf-8", delimiter: str = ",") -> tuple[list[str], list[Line]]:
    path.write_bytes(data)
    with Table(path, encoding, delimiter) as table:
        lines = list(table)
        assert table.position() == table.size
        return table.header, lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.csv"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["bare", "marked"])
def test_plain_and_packed_with_and_without_a_mark(path: Path, pack, mark: bytes) -> None:
    header, lines = read(path, pack(mark + '"a", b \r\n"x,1",王\r\n\r\n"two\nlines",\r\n'.encode()))
    assert header == ["a", "b"]
    assert [(line.number, line.line, line.cells) for line in lines] == [
        (1, 2, ["x,1", "王"]),
        (2, 5, ["two\nlines", ""]),
    ]
    assert not any(line.error for line in lines)


def test_another_encoding_and_delimiter(path: Path) -> None:
    header, lines = read(path, "号码;姓名\n1;王秀英\n".encode("gbk"), "gb18030", ";")
    assert header == ["号码", "姓名"]
    assert lines[0].cells == ["1", "王秀英"]


def test_rows_that_cannot_be_read_leave_the_others(path: Path) -> None:
    data = "a,b\n1,2\n3\n4,王\n5,6,7\n8,".encode() + "王".encode("gbk") + b"\n9,9\n" + b"x" * 140_000 + b",1\n10,10\n"
    _, lines = read(path, data)
    assert [(line.number, str(line.error) if line.error else None) for line in lines] == [
        (1, None),
        (2, "has 1 cells, the header 2"),
        (3, None),
        (4, "has 3 cells, the header 2"),
        (5, "is not utf-8; say what it is with --encoding, such as gb18030"),
        (6, None),
        (7, "no CSV: field larger than field limit (131072)"),
        (8, None),
    ]


def test_a_quotation_mark_that_is_not_closed_hides_no_row(path: Path) -> None:
    _, lines = read(path, b'a,b\n1,2\n3,"4\n5,6\n7,8\n')
    assert [(line.number, line.cells) for line in lines if not line.error] == [(1, ["1", "2"])]
    assert "the row begins on line 3: is a quotation mark not closed?" in str(lines[-1].error)


def test_a_damaged_gzip_file_gives_what_came_before(path: Path) -> None:
    rows = "".join(f"{n},{n * n}\n" for n in range(20_000))
    path.write_bytes(gzip.compress(("a,b\n" + rows).encode())[:-3000])
    with Table(path, "utf-8", ",") as table:
        *good, last = list(table)
    assert len(good) > 1000
    assert not any(line.error for line in good[:-1])
    assert "the gzip file is damaged from here on" in str(last.error)


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        (b"", "utf-8", "the file is empty; its first line names the columns"),
        (b"a,b,a\n", "utf-8", "the header has 'a' more than once$"),
        (b"13800138000,13800138000\n", "utf-8", r"the header has '138\*\*\*\*8000' more than once; is the line with"),
        ("号码\n".encode("gbk"), "utf-8", "not utf-8; say what it is with --encoding"),
        (b"a\n", "klingon", "there is no 'klingon'"),
        (b"a\n", "utf-16", "utf-16 cannot be read line by line"),
        (b"\x1f\x8bbroken", "utf-8", "cannot be read"),
    ],
)
def test_a_file_that_is_none(path: Path, data: bytes, encoding: str, reason: str) -> None:
    path.write_bytes(data)
    with pytest.raises(UsageError, match=reason):
        Table(path, encoding, ",")
