"""Sites whose own receivers of ``pre_save`` and ``post_save`` fail, or what they do after a commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models.signals import post_save, pre_save

from snipcart_checkout import services
from snipcart_checkout.models import Event, Payment, Refund
from snipcart_checkout.testing import StandIn
from tests.support.backends import Provider
from tests.support.ledger import history, pay, provider, tried_again_at_once
from tests.support.shopper import Shopper, words_of

__all__ = ["provider"]

pytestmark = pytest.mark.django_db(transaction=True)

ERRORS = (ValueError, IntegrityError, OperationalError)


@pytest.fixture
def connect() -> Iterator[Callable[..., None]]:
    """Connect a receiver until the test ends."""
    connected: list[tuple[Any, Any, Any]] = []

    def add(signal: Any, sender: Any, receiver: Any) -> None:
        signal.connect(receiver, sender=sender, weak=False)
        connected.append((signal, sender, receiver))

    with tried_again_at_once():
        yield add
    for signal, sender, receiver in connected:
        signal.disconnect(receiver, sender=sender)


def fail_with(error: type[Exception]) -> Callable[..., None]:
    def fail(**_: object) -> None:
        raise error("a secret-of-the-site")

    return fail


def fail_after_commit_with(error: type[Exception]) -> Callable[..., None]:
    def receive(**_: object) -> None:
        transaction.on_commit(fail_with(error))

    return receive


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(
    "signal, sender", [(pre_save, Payment), (post_save, Payment), (pre_save, Event), (post_save, Event)]
)
def test_a_receiver_that_refuses_the_claim_ends_in_a_page_that_says_that_nothing_was_charged(
    snipcart: StandIn,
    provider: Provider,
    connect: Callable[..., None],
    signal: Any,
    sender: Any,
    error: type[Exception],
    caplog: pytest.LogCaptureFixture,
) -> None:
    connect(signal, sender, fail_with(error))
    shopper = Shopper()

    answer = shopper.pay(snipcart.session())

    assert answer.status_code == 503
    assert "No money was taken." in words_of(answer)
    assert provider.calls == []
    assert not Payment.objects.exists()
    assert "secret-of-the-site" not in caplog.text


def test_a_receiver_that_refuses_the_claim_is_named_in_the_log(
    snipcart: StandIn, provider: Provider, connect: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    connect(post_save, Payment, fail_with(ValueError))

    Shopper().pay(snipcart.session())

    assert "a payment was not begun: ValueError at " in caplog.text
    assert "test_receivers.py:" in caplog.text


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("sender", [Payment, Event])
def test_what_a_site_does_after_a_commit_may_fail_and_the_payment_goes_on(
    snipcart: StandIn,
    provider: Provider,
    connect: Callable[..., None],
    sender: Any,
    error: type[Exception],
) -> None:
    connect(post_save, sender, fail_after_commit_with(error))

    answer = Shopper().pay(snipcart.session())

    payment = Payment.objects.get()
    assert answer.status_code == 303
    assert provider.calls == [f"charge {payment.reference}"]
    assert payment.state == Payment.State.PAID
    assert history(payment) == ["charging", "paid", "confirmation_delivered"]
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


@pytest.mark.parametrize("error", ERRORS)
def test_what_a_site_does_after_a_commit_may_fail_and_the_refund_is_made_once(
    snipcart: StandIn, provider: Provider, connect: Callable[..., None], error: type[Exception]
) -> None:
    payment = pay(snipcart)
    connect(post_save, Refund, fail_after_commit_with(error))
    connect(post_save, Event, fail_after_commit_with(error))

    refund = services.refund_by_staff(payment, 500, by="ada")

    assert (Refund.objects.get(), refund.state) == (refund, Refund.State.REFUNDED)
    assert len(provider.refunds) == 1


def test_what_a_site_does_after_a_commit_is_logged_where_it_fails(
    snipcart: StandIn, provider: Provider, connect: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    connect(post_save, Payment, fail_after_commit_with(ValueError))

    pay(snipcart)

    assert "code of this site that runs after a commit failed: ValueError" in caplog.text
    assert "secret-of-the-site" not in caplog.text


def test_a_connection_that_the_driver_calls_closed_is_a_ledger_that_cannot_be_reached(
    snipcart: StandIn, provider: Provider
) -> None:
    shopper = Shopper()
    page = shopper.open(snipcart.session())

    def refuse(*_: object) -> None:
        raise InterfaceError(0, "")

    with connection.execute_wrapper(refuse):
        answer = shopper.press(page)

    assert answer.status_code == 503
    assert "No money was taken." in words_of(answer)
    assert provider.calls == []
