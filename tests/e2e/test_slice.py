"""The whole way, over the wire: an event becomes state, anomaly, reminder, tag, pop and history (#48, #53, #7, #59)."""

from __future__ import annotations

from typing import Any

from schemas.partition import partition_of
from tests.e2e.conftest import DEADLINE_MS
from tests.e2e.kit import Live, Seen, contact, msisdn, now_ms, state, wait_for, with_key

ANOMALY, REMINDER, POP, TAGGED = (
    "yupan.anomaly.v1",
    "yupan.reminder.v1",
    "yupan.screen-pop.v1",
    "yupan.tagged-call.v1",
)


def phase(number: str | None, call_id: str, name: str, **more: Any) -> dict[str, Any]:
    return {"call_id": call_id, "msisdn": number, "phase": name, "occurred_at": now_ms(), **more}


def of(seen: list[Seen], number: str) -> list[dict[str, Any]]:
    return [s.record for s in seen if s.record.get("msisdn") == number]


def test_a_drift_is_opened_told_and_resolved(stack: Live) -> None:
    number = msisdn()
    anomalies, reminders = stack.mark(ANOMALY), stack.mark(REMINDER)
    stack.publish("yupan.state.v1", state(number, "crm", "status", "active"))
    opened = of(stack.read(ANOMALY, anomalies, with_key(number)), number)
    assert [a["status"] for a in opened] == ["OPEN"]
    assert opened[0]["check"] == "activation"
    assert opened[0]["evidence"] == {"crm.status": "active", "hlr.status": "never seen"}
    shown = stack.customer(number, lambda c: c["anomalies"] and c["reminders"])
    assert shown["states"]["crm"]["status"]["value"] == "active"
    assert shown["reminders"][0]["wording"]["zh"]
    stack.publish("yupan.state.v1", state(number, "hlr", "status", "active"))
    both = stack.read(ANOMALY, anomalies, lambda found: len(of(found, number)) >= 2)
    assert [a["status"] for a in of(both, number)] == ["OPEN", "RESOLVED"]
    told = stack.read(REMINDER, reminders, lambda found: any(s.value is None for s in found))
    mine = [s for s in told if (s.key or b"").startswith(number.encode())]
    assert [s.value is None for s in mine] == [False, True]
    assert "RESOLVED" in mine[1].headers["yupan.withdrawn"]
    gone = stack.customer(number, lambda c: not c["anomalies"] and not c["reminders"])
    assert gone["states"]["hlr"]["status"]["value"] == "active"


def test_the_report_tells_what_was_found_before_the_customer_came(stack: Live) -> None:
    before, region = stack.mark(ANOMALY), f"region-{now_ms()}"
    early, late = msisdn(), msisdn()
    stack.publish("yupan.contact.v1", contact(early, f"{region}-1"))
    for number in (early, late):
        stack.publish("yupan.state.v1", state(number, "crm", "status", "active", region=region))
    found = stack.read(ANOMALY, before, lambda seen: of(seen, early) and of(seen, late))
    (opened,) = of(found, late)
    called = now_ms()
    stack.publish("yupan.call.v1", {**phase(late, region, "IVR_ENTERED"), "occurred_at": called})
    stack.publish("yupan.state.v1", state(late, "hlr", "status", "active", called + 1))

    def report() -> Any:
        answer = stack.yupan("report", "audits", "--by", "region", "--json")
        assert answer.code == 0, answer.err
        row = next((row for row in answer.lines()[0] if row["group"] == region), None)
        return row if row and row["resolved"] and row["contact_after"] and row["contact_before"] else None

    row = wait_for(report, what="the report", every=1)
    assert (row["opened"], row["open"], row["of_customers"], row["found_first_share"]) == (2, 1, 2, 0.5)
    assert row["lead_p50_s"] == round((called - opened["opened_at"]) / 1000, 3)
    assert row["resolve_p90_s"] == round((called + 1 - opened["opened_at"]) / 1000, 3)


def test_what_agrees_in_time_opens_nothing(stack: Live) -> None:
    number = msisdn()
    before = stack.mark(ANOMALY)
    at = now_ms()
    stack.publish("yupan.state.v1", state(number, "crm", "status", "active", at))
    stack.publish("yupan.state.v1", state(number, "hlr", "status", "active", at + DEADLINE_MS - 500))
    other = msisdn()  # whose drift shows that deadlines of that time have fired
    stack.publish("yupan.state.v1", state(other, "crm", "status", "active"))
    assert of(stack.read(ANOMALY, before, with_key(other)), number) == []


def test_a_call_carries_its_segment_and_pops_with_what_is_known(stack: Live) -> None:
    number, call = msisdn(), f"call-{now_ms()}"
    pops, tagged = stack.mark(POP), stack.mark(TAGGED)
    opened = now_ms() - 86_400_000
    stack.publish(
        "yupan.customer.v1",
        {"msisdn": number, "facts": {"brand": "神州行", "opened_at": opened, "q4_arpu": 20.0}, "occurred_at": opened},
    )
    rural = {"list": "rural", "action": "ADD", "msisdn": number, "name": "王建国", "station": "黄坪站"}
    stack.publish("yupan.list.v1", {**rural, "occurred_at": now_ms()})
    stack.publish("yupan.contact.v1", contact(number, f"{call}-wx", "订单到哪了"))
    stack.publish("yupan.state.v1", state(number, "crm", "status", "suspended"))
    stack.customer(number, lambda c: c["reminders"] and c["timeline"] and c["facts"])
    stack.settle()
    stack.publish("yupan.call.v1", phase(number, call, "IVR_ENTERED", brand="神州行"), key=number)
    stack.publish("yupan.call.v1", phase(None, call, "OFFERED", seat="S1", staff="1001"), key=number)
    pop = of(stack.read(POP, pops, lambda found: of(found, number)), number)[0]
    assert pop["segment"] == "NEW"  # before RURAL in the ranking
    assert pop["receipt"]["losers"] == ["RURAL"]
    assert pop["reminders"]
    assert pop["contacts"][0]["channel"] == "WECHAT"
    # the identity is lost in mid-call; the call keeps the tag of its beginning (#7)
    stack.publish("yupan.customer.v1", {"msisdn": number, "facts": {"left_at": now_ms()}, "occurred_at": now_ms()})
    stack.settle()
    stack.publish("yupan.call.v1", phase(None, call, "ENDED", talk_ms=5000), key=number)
    tags = stack.read(TAGGED, tagged, lambda found: len(of(found, number)) >= 3)
    assert [t["segment"] for t in of(tags, number)] == ["NEW"] * 3
    timeline = stack.customer(number, lambda c: len(c["timeline"]) >= 2)["timeline"]
    assert [(e["channel"], e["kind"]) for e in timeline] == [("HOTLINE", "CALL"), ("WECHAT", "MESSAGE")]


def test_what_is_keyed_otherwise_finds_its_customer(stack: Live) -> None:
    """The switch keys by call, the WeChat gateway by account: neither lies where the customer's state is."""
    number = msisdn(partition=0)
    names = (f"by-id-{now_ms()}-{n}" for n in range(99))
    call = next(name for name in names if partition_of(name.encode(), stack.settings.partitions) != 0)
    pops, tagged = stack.mark(POP), stack.mark(TAGGED)
    facts = {"msisdn": number, "facts": {"opened_at": now_ms() - 1000}, "occurred_at": now_ms() - 1000}
    stack.publish("yupan.customer.v1", facts)
    stack.publish("yupan.contact.v1", contact(number, f"{call}-wx", "订单到哪了", handle=call), key=f"WECHAT|{call}")
    stack.settle()
    stack.publish("yupan.call.v1", phase(number, call, "IVR_ENTERED"), key=call)
    stack.publish("yupan.call.v1", phase(None, call, "OFFERED", seat="S9"), key=call)
    pop = of(stack.read(POP, pops, lambda found: of(found, number)), number)[0]
    assert (pop["segment"], [c["contact_id"] for c in pop["contacts"]]) == ("NEW", [f"{call}-wx"])
    found = stack.read(TAGGED, tagged, lambda seen: len(of(seen, number)) >= 2)
    assert [(s.partition, s.record["segment"]) for s in found if s.record["call_id"] == call] == [(0, "NEW")] * 2
    timeline = stack.customer(number, lambda c: len(c["timeline"]) >= 2)["timeline"]
    assert [(e["channel"], e["kind"]) for e in timeline] == [("HOTLINE", "CALL"), ("WECHAT", "MESSAGE")]


def test_a_rural_contact_is_greeted_by_name(stack: Live) -> None:
    number, call = msisdn(), f"rural-{now_ms()}"
    pops = stack.mark(POP)
    rural = {"list": "rural", "action": "ADD", "msisdn": number, "name": "李梅", "station": "石溪站"}
    stack.publish("yupan.list.v1", {**rural, "occurred_at": now_ms() - 1000})
    stack.settle()
    stack.publish("yupan.call.v1", phase(number, call, "ANSWERED", seat="S2"))
    pop = of(stack.read(POP, pops, lambda found: of(found, number)), number)[0]
    assert pop["segment"] == "RURAL"
    assert pop["greeting"]["zh"] == "尊敬的李梅站长,你好,有什么可以帮到您。"


def test_a_replaced_list_ends_the_segment_on_every_partition(stack: Live) -> None:
    members = [msisdn(partition) for partition in range(stack.settings.partitions)]
    at = now_ms()  # other tests replace this list, too: the newest counts
    for number in members:
        entry = {"list": "campus", "action": "ADD", "msisdn": number, "version": "a", "occurred_at": at}
        stack.publish("yupan.list.v1", entry)
    stack.publish("yupan.list.v1", {"list": "campus", "action": "REPLACED", "version": "a", "occurred_at": at + 1})
    stack.settle()
    tagged = stack.mark(TAGGED)
    for number in members:
        stack.publish("yupan.call.v1", phase(number, f"a-{number}", "IVR_ENTERED"))
    stack.publish("yupan.list.v1", {"list": "campus", "action": "REPLACED", "version": "b", "occurred_at": now_ms()})
    stack.settle()
    for number in members:
        stack.publish("yupan.call.v1", phase(number, f"b-{number}", "IVR_ENTERED"))
    wanted = {f"{half}-{number}": seg for number in members for half, seg in (("a", "CAMPUS"), ("b", None))}
    found = stack.read(TAGGED, tagged, lambda seen: wanted.keys() <= {s.record["call_id"] for s in seen})
    assert {s.record["call_id"]: s.record["segment"] for s in found if s.record["call_id"] in wanted} == wanted


def test_an_old_call_is_stored_and_pops_nowhere(stack: Live) -> None:
    number, call = msisdn(), f"old-{now_ms()}"
    pops = stack.mark(POP)
    old = {**phase(number, call, "OFFERED", seat="S3"), "occurred_at": now_ms() - 3_600_000}
    stack.publish("yupan.call.v1", old)
    stack.customer(number, lambda c: c["timeline"])
    assert of(stack.read(POP, pops), number) == []
    assert wait_for(lambda: stack.metric("decide", "yupan_too_old_to_act_total", what="pop") >= 1)
