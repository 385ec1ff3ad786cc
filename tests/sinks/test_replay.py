"""Replaying dead letters on real brokers: what is written back, what is marked, what is left out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer

from schemas import headers as wire
from schemas.dead_letter import DEAD_LETTER, dead_letter, mark, revived
from schemas.errors import PartError, RecordError
from schemas.partition import partition_of
from schemas.topics import LEDGER
from sinks import replay as writing
from sinks.admin import Admin
from sinks.dead_letters import DeadLetter, DeadLetters, Standing
from sinks.replay import Replayer
from streams.cli import run
from streams.parts.kafka import Kafka
from streams.parts.tansu import Tansu
from tests.sinks.brokers import Reader

PARTITIONS = 4
TICKET, SEAT, ANOMALY = "yupan.ticket.v1", "yupan.seat.v1", "yupan.anomaly.v1"
DECIDE = "yupan-decide"
NOW = 1795320000000


class Raw(NamedTuple):
    """A record that could not be used."""

    to: str
    own_key: bytes | None
    own_value: bytes | None = b"\x00value"
    own_headers: tuple[tuple[str, bytes | None], ...] = ()
    at: tuple[int, int] = (2, 17)

    def topic(self) -> str:
        return self.to

    def partition(self) -> int:
        return self.at[0]

    def offset(self) -> int:
        return self.at[1]

    def key(self) -> bytes | None:
        return self.own_key

    def value(self) -> bytes | None:
        return self.own_value

    def headers(self) -> Any:
        return list(self.own_headers)


class Broker(NamedTuple):
    """A broker with our topics, and the delivery that it can do."""

    bootstrap: str
    delivery: str
    reader: Reader

    def bury(self, *raws: Raw, reason: str = "bad_value") -> list[str]:
        """Dead-letter records as a worker does; returns the letters' places, in order."""
        places: dict[int, str] = {}
        producer = Producer({"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random"})
        for number, raw in enumerate(raws):
            value, key, headers = dead_letter(raw, RecordError(reason, "so"), DECIDE, NOW)

            def written(_: Any, m: Any, number: int = number) -> None:
                places[number] = f"{m.partition()}:{m.offset()}"

            producer.produce(DEAD_LETTER, value, key, headers=headers, on_delivery=written)  # type: ignore[arg-type]
        assert producer.flush(30) == 0
        return [places[number] for number in range(len(raws))]

    def wait_for(self, topic: str, count: int) -> list[Any]:
        """News of a topic, once there are so many: a transaction shows a moment after its commit was told."""
        found: list[Any] = []
        until = time.monotonic() + 30
        while len(found) < count:
            assert time.monotonic() < until, f"{topic}: only {len(found)} of {count}"
            found += self.reader.news(topic)
        return found

    def standing(self) -> dict[str, str]:
        """What became of each letter."""
        with DeadLetters(self.bootstrap) as letters:
            found = list(letters.read())
            return {letter.place: letters.standing.of(letter) for letter in found}


@pytest.fixture(scope="module", params=["kafka", "tansu"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Both brokers: with transactions, and without."""
    part: Kafka | Tansu = request.getfixturevalue(request.param)
    Admin(part.bootstrap).apply(PARTITIONS)
    reader = Reader(part.bootstrap, PARTITIONS)
    yield Broker(part.bootstrap, "exactly_once" if request.param == "kafka" else "at_least_once", reader)
    reader.close()


@pytest.fixture
def yupan(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command line, set to the broker: exit code, stdout, stderr."""
    monkeypatch.setenv("YUPAN_KAFKA", broker.bootstrap)
    monkeypatch.setenv("YUPAN_DELIVERY", broker.delivery)

    def command(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(["dead-letters", *words])
        return (code, *capfd.readouterr())

    return command


def test_letters_go_back_as_they_came_and_once(broker: Broker, yupan: Callable[..., tuple[int, str, str]]) -> None:
    broker.reader.news(TICKET, DEAD_LETTER)
    key = b"8613800138000"
    raws = [
        Raw(TICKET, key, b"\x00\xff", (("ce_id", b"1"), ("blob", b"\xff"), ("ce_id", b"2"))),
        Raw(TICKET, None, None, at=(3, 1)),
        Raw(TICKET, b"", b"", ((wire.REROUTED, b"1"),)),
    ]
    places = broker.bury(*raws)
    code, out, err = yupan("replay", "--topic", TICKET, "--json")
    assert (code, json.loads(out)["replayed"], json.loads(out)["skipped"]) == (0, 3, 0), err
    came = {wire.read(m.headers())[wire.REPLAYED]: m for m in broker.wait_for(TICKET, 3)}
    for place, raw in zip(places, raws, strict=True):
        m = came[place]
        assert (m.key(), m.value()) == (raw.own_key, raw.own_value)
        assert [h for h in m.headers() if not h[0].startswith((wire.ERROR, wire.REPLAYED))] == list(raw.own_headers)
        assert wire.read(m.headers())["yupan.error.attempt"] == "1"
    homes = [partition_of(key, PARTITIONS), 3, partition_of(b"", PARTITIONS)]
    assert [came[place].partition() for place in places] == homes
    assert {broker.standing()[place] for place in places} == {"replayed"}

    code, out, err = yupan("replay", "--topic", TICKET, "--json")
    assert (code, json.loads(out)["replayed"], json.loads(out)["skipped"]) == (0, 0, 3)
    assert "3  skipped: replayed before, not yet decided" in err
    assert broker.reader.news(TICKET) == []
    marks = [m for m in broker.wait_for(DEAD_LETTER, 6) if "yupan.replayed.to" in wire.read(m.headers())]
    assert sorted(m.key().decode() for m in marks) == sorted(places)


def test_what_fails_again_is_the_newer_letters_matter(
    broker: Broker, yupan: Callable[..., tuple[int, str, str]]
) -> None:
    [place] = broker.bury(Raw(SEAT, b"s-1"))
    assert yupan("replay", place)[0] == 0
    [back] = [m for m in broker.wait_for(SEAT, 1) if wire.read(m.headers()).get(wire.REPLAYED) == place]
    [newer] = broker.bury(Raw(SEAT, b"s-1", own_headers=tuple(back.headers())))
    assert (broker.standing()[place], broker.standing()[newer]) == ("failed", "waiting")
    rows = {row["place"]: row for row in map(json.loads, yupan("list", "--topic", SEAT, "--json")[1].splitlines())}
    assert (rows[place]["status"], rows[newer]["status"], rows[newer]["attempt"]) == ("failed", "waiting", "2")
    _, out, err = yupan("replay", "--topic", SEAT, "--json")
    assert (json.loads(out)["replayed"], json.loads(out)["skipped"]) == (1, 1)
    assert "replayed before, failed again" in err
    assert broker.standing()[newer] == "replayed"


def test_what_cannot_be_replayed_is_named_and_the_rest_goes(
    broker: Broker, yupan: Callable[..., tuple[int, str, str]]
) -> None:
    reason = "bad_type"
    good, cut, output, _ = broker.bury(
        Raw(TICKET, b"t"), Raw(TICKET, b"t", b"x" * 900_001), Raw(ANOMALY, b"a"), Raw(LEDGER, b"c"), reason=reason
    )
    before = broker.standing()
    code, out, err = yupan("replay", "--reason", reason, "--dry-run", "--json")
    document = json.loads(out)
    assert (code, document["replayed"], document["skipped"], document["would_replay"]) == (1, 0, 3, 1)
    assert broker.standing() == before
    code, out, err = yupan("replay", "--reason", reason, "--json")
    assert (code, json.loads(out)["replayed"], json.loads(out)["skipped"]) == (1, 1, 3)
    assert f"truncated: the rest of the record is lost ({cut})" in err
    assert f"an output of ours: its readers would take it for new ({output})" in err
    assert "a deadline: it has no record" in err
    standing = broker.standing()
    assert (standing[good], standing[cut]) == ("replayed", "waiting")


def test_by_time(broker: Broker, yupan: Callable[..., tuple[int, str, str]]) -> None:
    [place] = broker.bury(Raw(TICKET, b"t"), reason="wrong_key")
    for words in (("--to", "2026-01-01"), ("--from", "2126-01-01")):
        assert json.loads(yupan("replay", "--reason", "wrong_key", *words, "--json")[1])["replayed"] == 0
    times = ("--from", "2026-01-01", "--to", "2126-01-01")
    assert json.loads(yupan("replay", "--reason", "wrong_key", *times, "--json")[1])["replayed"] == 1
    assert broker.standing()[place] == "replayed"
    code, _, err = yupan("replay", "--from", "2026-01-02", "--to", "2026-01-01")
    assert (code, err) == (2, "yupan: --to is not after --from: nothing lies between them\n")


def test_a_place_without_letter_ends_with_2(broker: Broker, yupan: Callable[..., tuple[int, str, str]]) -> None:
    broker.reader.news(DEAD_LETTER)
    [place] = broker.bury(Raw(TICKET, b"t"))
    assert yupan("replay", place)[0] == 0
    with DeadLetters(broker.bootstrap) as letters:
        list(letters.read())
        partition = int(place.split(":")[0])
        marks = [m for m in broker.wait_for(DEAD_LETTER, 2) if m.key() == place.encode()]
        assert letters.at(partition, marks[0].offset()) is None
    for wrong in (f"{partition}:{marks[0].offset()}", "0:99999999", "99:0", "here"):
        code, out, err = yupan("replay", wrong)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert "yupan dead-letters list" in err


def test_a_later_replay_ends_an_earlier_one_which_leaves_nothing(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So two people who replay at once write nothing twice."""
    if broker.delivery != "exactly_once":
        pytest.skip("only transactions can")
    monkeypatch.setattr(writing, "AT_ONCE", 2)
    places = broker.bury(*(Raw(TICKET, b"twice") for _ in range(4)))
    broker.reader.news(TICKET)
    with DeadLetters(broker.bootstrap) as one, Replayer(broker.bootstrap) as first:
        letters = [letter for letter in one.read() if letter.place in places]

        def overtaken(done: int) -> None:
            with Replayer(broker.bootstrap):
                pass

        with pytest.raises(PartError, match="another `yupan dead-letters replay` has begun"):
            first.replay(letters, overtaken)
    standing = broker.standing()
    assert [standing[place] for place in places] == ["replayed", "replayed", "waiting", "waiting"]


# --- what became of a letter, without a broker


def letter(place: str, **more: Any) -> DeadLetter:
    partition, offset = map(int, place.split(":"))
    headers = more.pop("headers", {})
    error = {"type": "bad_value", "stage": DECIDE, "topic": TICKET} | more
    return DeadLetter(partition, offset, 0, error, headers, b"k", b"v", [])


def marked(place: str, offset: int) -> DeadLetter:
    return DeadLetter(0, 9, 0, {}, wire.read(mark(place, TICKET, 2, offset).headers), None, None, [])


@pytest.mark.parametrize(
    ("committed", "stage", "whole", "status"),
    [
        (56, DECIDE, True, "succeeded"),
        (55, DECIDE, True, "replayed"),
        (56, "yupan-history", True, "replayed"),
        (56, DECIDE, False, "replayed"),
    ],
)
def test_a_letter_has_succeeded_when_its_group_is_past_it(committed: int, stage: str, whole: bool, status: str) -> None:
    standing = Standing({DECIDE: {(TICKET, 2): committed}})
    standing.note(marked("3:17", 55))
    standing.whole = whole
    assert standing.of(letter("3:17", stage=stage)) == status
    assert standing.of(letter("3:18", stage=stage)) == "waiting"


def test_a_newer_letter_says_more_than_the_group() -> None:
    standing = Standing({DECIDE: {(TICKET, 2): 56}})
    standing.note(marked("3:17", 55))
    standing.note(letter("3:18", headers=wire.read(revived([("ce_id", b"1")], "3:17"))))
    assert (standing.of(letter("3:17")), standing.of(letter("3:18"))) == ("failed", "waiting")
