"""What the ledger keeps of a person: nothing of the order, and what a backend asked for only while it is needed."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import serializers

from snipcart_checkout import services
from snipcart_checkout.conf import get_settings
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.testing import StandIn, StandInSession
from tests.backends import Provider
from tests.ledger import provider

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

PERSON = ("ada@example.org", "Ada", "Byron", "rue des", "75005", "Paris")


def pay(session: StandInSession, **form: str) -> Payment:
    """Pay a session with a method whose form asked for something."""
    store = get_settings().stores["live"]
    return services.pay(
        services.Order(
            store=store,
            method=store.methods["acme_card"],
            session=services.get_payment_session(session.public_token, "live"),
            public_token=session.public_token,
            form=form,
        )
    )


def ledger() -> str:
    """Everything that is stored."""
    rows = [row for model in (Payment, Confirmation, Refund, Event) for row in model.objects.all()]
    return str(serializers.serialize("json", rows, ensure_ascii=False))


@pytest.mark.parametrize("charge", ["paid", "pending", "redirect", "declined", "nonsense"])
def test_nothing_of_the_orders_person_is_stored(provider: Provider, snipcart: StandIn, charge: str) -> None:
    provider.script(charge=charge)
    pay(snipcart.session())
    for word in PERSON:
        assert word not in ledger()


@pytest.mark.parametrize(
    "knobs",
    [{"charge": "paid"}, {"charge": "declined"}, {"amount": "99.00"}],
    ids=["paid", "declined", "review"],
)
def test_form_and_token_are_forgotten_with_the_outcome(
    provider: Provider, snipcart: StandIn, knobs: dict[str, Any]
) -> None:
    provider.script(**knobs)
    session = snipcart.session()

    pay(session, phone="+33 1 23 45 67 89")

    assert "+33 1 23" not in ledger()
    assert session.public_token not in ledger()


def test_form_and_token_are_kept_while_the_answer_is_awaited_and_no_longer(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="redirect")
    session = snipcart.session()
    payment = pay(session, phone="+33 1 23 45 67 89")
    assert "+33 1 23" in ledger()
    assert session.public_token in ledger()

    provider.complete(payment.pk)
    services.settle()

    assert "+33 1 23" not in ledger()
    assert session.public_token not in ledger()


def test_form_and_token_of_an_abandoned_payment_are_forgotten(provider: Provider, snipcart: StandIn) -> None:
    provider.script(before="raise")
    session = snipcart.session()
    payment = pay(session, phone="+33 1 23 45 67 89")

    services.settle()

    payment.refresh_from_db()
    assert payment.state == Payment.State.ABANDONED
    assert "+33 1 23" not in ledger()
    assert session.public_token not in ledger()


def test_the_token_of_an_accepted_payment_is_forgotten(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    session = snipcart.session()
    pay(session)
    assert session.public_token not in ledger()


def test_no_refund_link_is_stored(provider: Provider, snipcart: StandIn) -> None:
    session = snipcart.session()
    pay(session)
    told = session.confirmations[-1]["links"]["refunds"]
    assert told.rstrip("/").rpartition("/")[2] not in ledger()
