"""`yupan.internal.contact.v1`: a contact that is keyed by an account or by its id, brought to whom it names."""

from __future__ import annotations

from schemas.event_type import EventType
from schemas.events.contact import Contact
from schemas.events.internal_call import check_named


class InternalContact(Contact):
    """A `yupan.contact.v1` with its `ce_id` and `ce_source`, its texts cut, keyed by its MSISDN."""


EVENT = EventType(
    record=InternalContact,
    topic="yupan.internal.contact.v1",
    flow="internal",
    key=lambda r: r["msisdn"],
    rule=check_named,
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
            "contact_id": "order-77-3",
            "msisdn": "8613800138000",
            "channel": "MALL",
            "direction": "OUT",
            "kind": "ORDER_PROGRESS",
            "occurred_at": 1795320000000,
        },
    ),
    bad=(
        ("bad_msisdn", {"msisdn": None}),
        ("missing_field", {"contact_id": ...}),
        ("bad_value", {"channel": "FAX"}),
    ),
)
