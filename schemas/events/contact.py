"""`yupan.contact.v1`: a customer met us on any channel (#46, #59, #60)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from schemas.event_type import EventType, Record
from schemas.fields import Id, Int, Millis, Msisdn, Prose, enum, open_set

CHANNELS = ("WECHAT", "QQ", "WEIBO", "WEB", "APP", "MALL", "HOTLINE", "SMS", "EMAIL", "STORE")
KINDS = (
    "MESSAGE",
    "ORDER",
    "ORDER_PROGRESS",
    "COMPLAINT",
    "SURVEY_ANSWER",
    "SELF_SERVICE",
    "CALL_NOTE",
    "TRANSCRIPT",
)


class Contact(TypedDict):
    """One message, order, complaint or note on one channel."""

    contact_id: Id
    msisdn: Msisdn | None
    channel: Annotated[str, open_set(*CHANNELS)]
    direction: Annotated[str, enum("Direction", "IN", "OUT")]
    kind: Annotated[str, open_set(*KINDS)]
    subject: Prose | None
    text: Prose | None
    status: str | None
    order_id: str | None
    staff: str | None
    handle: str | None
    audience: int | None
    score: Int | None
    details: dict[str, str]
    occurred_at: Millis


def contact_key(contact: Record) -> str:
    """The MSISDN, else the account on that channel, else the contact's id."""
    return str(contact["msisdn"] or _account(contact) or contact["contact_id"])


def contact_keys(contact: Record) -> frozenset[str]:
    """All that a producer may have keyed the contact by."""
    return frozenset(filter(None, (contact["msisdn"], _account(contact), contact["contact_id"])))


def _account(contact: Record) -> str | None:
    return f"{contact['channel']}|{contact['handle']}" if contact["handle"] else None


EVENT = EventType(
    record=Contact,
    topic="yupan.contact.v1",
    key=contact_key,
    keys=contact_keys,
    default_source=lambda r: str(r["channel"]),
    examples=(
        {
            "contact_id": "wx-1",
            "msisdn": "8613800138000",
            "channel": "WECHAT",
            "direction": "IN",
            "kind": "MESSAGE",
            "text": "我的流量怎么没了?",
            "handle": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
            "occurred_at": "2026-11-22T12:00:00+08:00",
        },
        {
            "contact_id": "wb-9",
            "channel": "WEIBO",
            "direction": "IN",
            "kind": "COMPLAINT",
            "handle": "river",
            "audience": 120000,
            "occurred_at": 1795320000000,
        },
        {
            "contact_id": "order-77-3",
            "channel": "MALL",
            "direction": "OUT",
            "kind": "ORDER_PROGRESS",
            "subject": "SIM card",
            "status": "SHIPPED",
            "order_id": "77",
            "score": 5,
            "details": {"carrier": "post"},
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("missing_field", {"contact_id": ...}),
        ("bad_value", {"channel": "FAX"}),
        ("bad_value", {"direction": "SIDEWAYS"}),
        ("bad_value", {"kind": "GOSSIP"}),
        ("bad_msisdn", {"msisdn": "86-138"}),
        ("bad_type", {"audience": "many"}),
        ("bad_time", {"occurred_at": 0}),
    ),
)
