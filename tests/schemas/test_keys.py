"""Which keys a record may carry (contracts, "Keys"), and the partition that follows."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.catalogue import EVENTS
from schemas.events.call import CallKeys
from schemas.partition import murmur2, partition_of

MSISDN, OTHER = "8613800138000", "8613800138001"


def record(topic: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    event = EVENTS[topic]
    return event.from_json({**event.examples[number], **changes})


@pytest.mark.parametrize(
    ("changes", "right", "wrong"),
    [
        ({"msisdn": MSISDN}, {MSISDN, "c-1"}, {OTHER, "c-2", "1380013800", "", None}),
        # the first phase may have had an MSISDN that this one lacks
        ({"msisdn": None}, {MSISDN, OTHER, "c-1"}, {"c-2", "1380013800", "", None}),
    ],
)
def test_a_call_has_the_key_of_its_first_phase(changes: Any, right: set[str], wrong: set[str | None]) -> None:
    event = EVENTS["yupan.call.v1"]
    call = record("yupan.call.v1", call_id="c-1", **changes)
    assert {key for key in right | wrong if event.has_right_key(call, key)} == right


def test_a_contact_is_keyed_by_what_it_has() -> None:
    event = EVENTS["yupan.contact.v1"]
    whole = record("yupan.contact.v1", msisdn=MSISDN, contact_id="x", channel="QQ", handle="h")
    assert event.key(whole) == MSISDN
    assert event.key({**whole, "msisdn": None}) == "QQ|h"
    assert event.key({**whole, "msisdn": None, "handle": None}) == "x"
    assert [key for key in (MSISDN, "QQ|h", "x", "h", OTHER, None) if event.has_right_key(whole, key)] == [
        MSISDN,
        "QQ|h",
        "x",
    ]


def test_replaced_has_no_key() -> None:
    event = EVENTS["yupan.list.v1"]
    replaced = record("yupan.list.v1", 1)
    assert replaced["action"] == "REPLACED"
    assert event.key(replaced) is None
    assert not event.has_right_key(replaced, "campus")
    assert not event.has_right_key(record("yupan.list.v1", 0), None)


def test_an_anomaly_is_keyed_by_its_subject() -> None:
    event = EVENTS["yupan.anomaly.v1"]
    assert event.key(record("yupan.anomaly.v1", 1)) == "cell:460-00-1-77"
    assert event.key(record("yupan.anomaly.v1", 1, cell=None)) == "region:nanchang"


def test_a_reminder_lies_on_the_partition_of_its_customer() -> None:
    event = EVENTS["yupan.reminder.v1"]
    reminder = record("yupan.reminder.v1", msisdn=MSISDN, reminder_id="r")
    assert event.key(reminder) == f"{MSISDN}|r"
    assert event.partition_key is not None
    assert event.partition_key(reminder) == MSISDN


def test_the_key_of_the_first_phase_is_kept() -> None:
    keys = CallKeys(most=2)
    anonymous = record("yupan.call.v1", call_id="a", msisdn=None)
    named = record("yupan.call.v1", call_id="b", msisdn=MSISDN)
    assert [keys.of(c) for c in (anonymous, named)] == ["a", MSISDN]
    assert keys.of({**anonymous, "msisdn": MSISDN}) == "a"
    assert keys.of({**named, "msisdn": None}) == MSISDN
    keys.of(record("yupan.call.v1", call_id="c", msisdn=None))
    assert keys.of({**anonymous, "msisdn": MSISDN}) == MSISDN, "the oldest of three is forgotten"


@pytest.mark.parametrize(
    ("key", "hashed"),
    # from the tests of Apache Kafka's own Utils.murmur2
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafkas(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed & 0xFFFFFFFF
    assert partition_of(key, 12) == (hashed & 0x7FFFFFFF) % 12
