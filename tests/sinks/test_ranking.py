"""The ranking of the segments is a setting, and all that name a segment keep to it."""

from __future__ import annotations

import json
import time

import pytest

from agents.memory import Delivered, MemoryBatch, World
from agents.rules import load_checks
from agents.shell import NoCounts
from schemas.codec import codecs
from sinks.clickhouse import open_clickhouse
from sinks.history import HistoryWriter
from sinks.migrate import migrate
from sinks.remote import RemoteServer
from streams import topology
from streams.settings import Settings
from tests.e2e.kit import yupan
from tests.sinks.conftest import Event

ME = "8613800138000"
CODECS = codecs()


def facts(now):
    return {"msisdn": ME, "facts": {"opened_at": now - 2000, "q4_arpu": 400.0}, "occurred_at": now - 1000}


def told_by_worker(settings, now):
    """The segment with which a worker of these settings tags a call of the customer."""
    world, process = World(), {}
    world.clock = now
    for binding in topology.decide(settings, CODECS, load_checks(()), NoCounts()):
        process |= dict.fromkeys(binding.topics, binding.process)
    call = {"call_id": "c-1", "msisdn": ME, "phase": "IVR_ENTERED", "occurred_at": now}
    for topic, data in (("yupan.customer.v1", facts(now)), ("yupan.call.v1", call)):
        value = CODECS[topic].encode(CODECS[topic].event.from_json(data))
        with MemoryBatch(world, topic, [Delivered(topic, value, ME.encode(), [], 0, now)]) as batch:
            process[topic](batch)
    (tagged,) = [o for o in world.outputs if o.topic == "yupan.tagged-call.v1"]
    return CODECS[tagged.topic].decode(tagged.value)["segment"]


@pytest.fixture
def history(chdb_directory):
    """The address of a history, and what writes to it."""
    owner = open_clickhouse(f"chdb://{chdb_directory}")
    migrate(owner)
    server = RemoteServer(owner)
    yield server.dsn, HistoryWriter(owner)
    server.close()
    owner.close()


@pytest.mark.parametrize("ranking", ["MID_HIGH,NEW", "NEW,MID_HIGH", "CAMPUS"])
def test_a_worker_and_the_customers_page_rank_alike(history, ranking):
    dsn, writer = history
    now = round(time.time() * 1000)
    environ = {"YUPAN_SEGMENTS": ranking, "YUPAN_CLICKHOUSE": dsn, "YUPAN_PARTITIONS": "1"}
    writer.add(Event("yupan.customer.v1", facts(now), id="f-1"))
    assert writer.flush() == []
    first = {"MID_HIGH": "MID_HIGH", "NEW": "NEW"}.get(ranking.split(",")[0])
    assert told_by_worker(Settings.load(environ), now) == first
    shown = yupan("customer", ME, "--json", environ=environ)
    assert json.loads(shown.out)["segment"] == first, shown.err
