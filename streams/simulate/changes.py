"""What changes in the systems from day to day, each change followed by its counterparts in time (#48)."""

from __future__ import annotations

from streams.simulate import drift
from streams.simulate.stage import CUSTOMER, Stage, Story
from streams.simulate.subscribers import Subscriber

NETWORK_PRODUCTS = ("volte", "roaming", "caller_id", "data", "5g")
"""Products that the network serves too (check `subscription.network`)."""
_OTHER_PRODUCTS = ("video-vip", "music", "family-sharing", "cloud-disk")
_AMOUNTS = (30.0, 50.0, 50.0, 100.0, 100.0, 200.0, 300.0)
_GIFTS = (5.0, 10.0, 20.0, 30.0)
_GENERATIONS = ("3g", "4g", "5g")


def status(stage: Stage, at: int) -> None:
    """A number is stopped, half stopped or closed, or comes back; most of the stopped pay and come back soon."""
    person = stage.population.pick_idle(at)
    if person is None or person.status == "absent":
        return
    if person.status != "active":
        resume(person)(stage, at)
        return
    word = stage.rng.choices(("suspended", "half_suspended", "closed"), (60, 37, 3))[0]
    network = at + stage.propagation("activation")
    if not stage.fits(network):
        return
    drift.change(stage, person, at, network, word)
    if word == "closed":
        stage.plan(at, CUSTOMER, "crm", msisdn=person.msisdn, facts={"left_at": at})
    elif stage.rng.random() < 0.75:
        stage.later(network + stage.span(15, 240), resume(person))


def resume(person: Subscriber) -> Story:
    """The story of a stopped number that is paid for and comes back."""

    def story(stage: Stage, at: int) -> None:
        paid = at + stage.propagation("charging.recharge")
        active = paid + 200
        network = active + stage.propagation("activation")
        stopped = person.status in ("suspended", "half_suspended") and person.busy_until <= at
        if stopped and stage.fits(network):
            _pay(stage, person, at, paid)
            drift.change(stage, person, active, network, "active")

    return story


def recharge(stage: Stage, at: int) -> None:
    """A payment, credited a little later; sometimes with a gift."""
    person = stage.population.pick()
    credited = at + stage.propagation("charging.recharge")
    given = at + stage.propagation("gift")
    if not stage.fits(max(credited, given)):
        return
    number = _pay(stage, person, at, credited)
    if stage.rng.random() < 0.25:
        gift = stage.rng.choice(_GIFTS)
        promise = stage.state(person, at, "crm", "gift", gift, transaction=f"G{number}")
        stage.state(person, given, "ocs", "gift", gift, transaction=f"G{number}", follows=promise)


def _pay(stage: Stage, person: Subscriber, at: float, credited: float) -> str:
    amount, number = stage.rng.choice(_AMOUNTS), stage.number()
    payment = stage.state(person, at, "order", "payment", amount, transaction=f"P{number}")
    stage.state(person, credited, "ocs", "credit", amount, transaction=f"P{number}", follows=payment)
    balance = round(stage.rng.uniform(2, 150) + amount, 2)
    stage.state(person, credited + 50, "ocs", "balance", balance)
    return number


def charge(stage: Stage, at: int) -> None:
    """The CRM makes a charge due and the account system takes it."""
    person = stage.population.pick()
    taken = at + stage.propagation("charging")
    if not stage.fits(taken):
        return
    number, amount = stage.number(), round(stage.rng.choice((person.fee, 5.0, 10.0, 19.9)), 2)
    details = {"product": person.tariff}
    due = stage.state(person, at, "crm", "charge", amount, transaction=f"C{number}", details=details)
    stage.state(person, taken, "ocs", "charge", amount, transaction=f"C{number}", details=details, follows=due)


def subscription(stage: Stage, at: int) -> None:
    """A product is ordered or cancelled: the value-added platform follows, and for some products the network."""
    person = stage.population.pick_idle(at)
    platform = at + stage.propagation("subscription")
    network = at + stage.propagation("subscription.network")
    if person is None or not stage.fits(max(platform, network)):
        return
    product = stage.rng.choice(NETWORK_PRODUCTS + _OTHER_PRODUCTS)
    wanted = product not in person.products
    (person.products.add if wanted else person.products.discard)(product)
    trigger = stage.state(person, at, "crm", f"subscription.{product}", wanted)
    stage.state(person, platform, "vas", f"subscription.{product}", wanted, follows=trigger)
    if product in NETWORK_PRODUCTS:
        stage.state(person, network, "hlr", f"service.{product}", wanted, follows=trigger)
    person.busy_until = int(max(platform, network)) + 1


def network_type(stage: Stage, at: int) -> None:
    """A customer signs for another network generation; signing platform and network follow."""
    person = stage.population.pick_idle(at)
    signed = at + stage.propagation("sacp-signing")
    network = at + stage.propagation("sacp-signing")
    if person is None or not stage.fits(max(signed, network)):
        return
    before = person.network
    person.network = stage.rng.choice([g for g in _GENERATIONS if g != before])
    trigger = stage.state(person, at, "crm", "network_type", person.network, previous=before)
    stage.state(person, signed, "sacp", "network_type", person.network, previous=before, follows=trigger)
    stage.state(person, network, "hlr", "network_type", person.network, previous=before, follows=trigger)
    person.busy_until = int(max(signed, network)) + 1


def password(stage: Stage, at: int) -> None:
    """A customer changes the service password, at last."""
    person = stage.population.pick()
    stage.state(person, at, "crm", "service_password", "changed", previous="initial")
