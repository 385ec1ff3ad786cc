"""Bad input over the wire: each bad record becomes a dead letter with its reason, and its neighbours are decided."""

from __future__ import annotations

from tests.e2e.kit import Live, contact, msisdn, with_key

CONTACT = "yupan.contact.v1"


def test_a_contact_becomes_history(stack: Live) -> None:
    number = msisdn()
    stack.publish(CONTACT, contact(number, "c1", "hello"))
    assert stack.customer(number, until=lambda c: c["timeline"])["timeline"][0]["text"] == "hello"
    assert stack.read(CONTACT, until=with_key(number))
    stack.settle()
