"""A shopper who is at the provider, and whose order may change meanwhile: nobody is sent on to pay for another one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from snipcart_checkout import services
from snipcart_checkout.models import Payment
from snipcart_checkout.testing import StandIn, StandInSession
from tests.support.backends import Provider
from tests.support.ledger import full_disk, pay, provider
from tests.support.ledger_invariants import let_time_pass
from tests.support.shopper import Shopper, address_of, words_of
from tests.support.undelivered import full_cap

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

_State = Payment.State


@pytest.fixture
def shopper() -> Shopper:
    return Shopper()


@pytest.fixture
def session(snipcart: StandIn) -> StandInSession:
    return snipcart.session()


@pytest.fixture
def payment(shopper: Shopper, session: StandInSession, provider: Provider) -> Payment:
    """The shopper has pressed the button, and has not been led to the provider yet."""
    provider.script(charge="redirect")
    assert shopper.pay(session).status_code == 303
    provider.script()
    return Payment.objects.get()


def is_forwarded(page: Any) -> bool:
    return "provider.example" in page.headers.get("Refresh", "") + page.content.decode()


def test_who_pays_is_led_to_the_provider(shopper: Shopper, payment: Payment) -> None:
    assert is_forwarded(shopper.look(payment))
    assert is_forwarded(Shopper().look(payment)) is False  # it was compared a moment ago


@pytest.mark.parametrize("seen_before", [False, True])
def test_nobody_is_forwarded_to_pay_for_an_order_that_changed(
    shopper: Shopper, snipcart: StandIn, session: StandInSession, payment: Payment, seen_before: bool
) -> None:
    if seen_before:
        shopper.look(payment)
    snipcart.change(session, amount="1001.00")

    for browser in (shopper, Shopper()):
        assert not is_forwarded(browser.look(payment))


def test_the_payment_of_an_order_that_changed_is_ended_at_the_provider_at_once(
    snipcart: StandIn, session: StandInSession, payment: Payment, provider: Provider
) -> None:
    snipcart.change(session, amount="1001.00")
    provider.script(lookup="declined")

    Shopper().look(payment)

    payment.refresh_from_db()
    assert (payment.state, payment.live_key) == (_State.DECLINED, None)


def test_the_provider_is_told_that_the_payment_of_an_order_that_changed_is_no_longer_wanted(
    snipcart: StandIn, session: StandInSession, payment: Payment, provider: Provider
) -> None:
    provider.script(ends=True)
    snipcart.change(session, amount="1001.00")

    Shopper().look(payment)

    payment.refresh_from_db()
    assert payment.state == _State.DECLINED


def test_the_new_order_is_shown_in_the_place_of_the_one_that_is_open(
    shopper: Shopper, snipcart: StandIn, session: StandInSession, payment: Payment, provider: Provider
) -> None:
    shopper.look(payment)
    snipcart.change(session, amount="1001.00")
    provider.script(lookup="declined")

    page = shopper.open(session)

    assert page.status_code == 200
    assert "1,001.00" in words_of(page)
    assert shopper.press(page).status_code == 303
    assert Payment.objects.get(state=_State.PAID).minor_units == 100_100


def test_an_outdated_payment_that_the_provider_cannot_end_now_stays_the_only_one(
    shopper: Shopper, snipcart: StandIn, session: StandInSession, payment: Payment, provider: Provider
) -> None:
    snipcart.change(session, amount="1001.00")
    provider.script(lookup="raise")

    answer = shopper.open(session)

    assert (answer.status_code, answer.headers["Location"]) == (303, address_of(payment))
    assert not is_forwarded(shopper.look(payment))


def test_the_order_is_compared_once_in_two_seconds_however_often_strangers_look(
    snipcart: StandIn, payment: Payment
) -> None:
    asked = len(snipcart.calls_to("payment-session"))

    for _ in range(5):
        Shopper().look(payment)

    assert len(snipcart.calls_to("payment-session")) == asked + 1
    Payment.objects.update(compared_at=None)
    assert is_forwarded(Shopper().look(payment))


def test_looking_does_not_keep_the_provider_from_being_asked(
    shopper: Shopper, snipcart: StandIn, payment: Payment, provider: Provider
) -> None:
    shopper.look(payment)
    provider.complete(payment.reference)

    shopper.come_back(payment)

    assert [sent["state"] for sent in snipcart.confirmations] == ["processed"]


def test_an_order_that_cannot_be_read_forwards_only_who_agreed_to_it_a_moment_ago(
    shopper: Shopper, payment: Payment
) -> None:
    with full_cap():
        assert not is_forwarded(Shopper().look(payment))
        Payment.objects.update(compared_at=None)
        assert is_forwarded(shopper.look(payment))
        Payment.objects.update(compared_at=None)
        assert not is_forwarded(shopper.look(payment))  # back from the provider
        assert payment.state == _State.PENDING


def test_who_waited_is_not_forwarded_where_the_order_cannot_be_read(
    shopper: Shopper, payment: Payment
) -> None:
    let_time_pass(timedelta(seconds=31))

    with full_cap():
        page = shopper.look(payment)

    assert not is_forwarded(page)
    assert "Check again" in words_of(page)


@pytest.mark.parametrize("ahead", ["HEAD", "prefetch"])
def test_who_looks_ahead_changes_nothing_and_is_not_forwarded(
    snipcart: StandIn, payment: Payment, provider: Provider, ahead: str
) -> None:
    before, asked = Payment.objects.values().get(), len(snipcart.calls)
    if ahead == "HEAD":
        page = Client().head(address_of(payment))
    else:
        page = Client().get(address_of(payment), headers={"Sec-Purpose": ahead})

    assert not is_forwarded(page)
    assert (Payment.objects.values().get(), len(snipcart.calls)) == (before, asked)
    assert provider.calls == [f"charge {payment.reference}"]


def test_a_payment_of_an_order_that_changed_is_not_forwarded_to_although_that_cannot_be_stored(
    shopper: Shopper,
    snipcart: StandIn,
    session: StandInSession,
    payment: Payment,
    caplog: pytest.LogCaptureFixture,
) -> None:
    snipcart.change(session, amount="1001.00")

    table, column = map(connection.ops.quote_name, ("snipcart_checkout_payment", "redirect_ended"))
    with full_disk(f"UPDATE {table} SET {column}"):
        page = shopper.look(payment)

    assert (page.status_code, is_forwarded(page)) == (200, False)
    assert f"payment {payment.reference}: its outcome was not stored: OperationalError" in caplog.text


def test_an_outdated_payment_that_cannot_be_ended_now_does_not_fail_the_page_of_the_new_order(
    snipcart: StandIn, session: StandInSession, payment: Payment, caplog: pytest.LogCaptureFixture
) -> None:
    snipcart.change(session, amount="1001.00")
    changed = services.get_payment_session(session.public_token, "live")

    with full_disk("UPDATE"):
        services.end_outdated_redirect(payment, changed)

    assert f"payment {payment.reference}: its outcome was not stored: OperationalError" in caplog.text


@pytest.mark.parametrize("charge", ["redirect", "pending"])
def test_what_is_ended_once_is_not_said_to_have_been_open_again(
    snipcart: StandIn,
    session: StandInSession,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    charge: str,
) -> None:
    provider.script(charge=charge)
    payment = pay(snipcart, session=session)
    snipcart.change(session, amount="1001.00")
    changed = services.get_payment_session(session.public_token, "live")

    with caplog.at_level("INFO"):
        for _ in range(2):
            services.end_outdated_redirect(payment, changed)

    said = caplog.text.count(f"payment {payment.reference}: the order was changed while it was open")
    assert said == (charge == "redirect")


def test_a_redirect_is_open_until_its_shopper_is_back_or_its_order_is_another(
    shopper: Shopper, snipcart: StandIn, session: StandInSession, payment: Payment, provider: Provider
) -> None:
    provider.script(charge="pending", lookup="raise")
    transfer = pay(snipcart)
    returned, outdated = Payment.objects.get(pk=payment.pk), Payment.objects.get(pk=payment.pk)
    snipcart.change(session, amount="1001.00")

    assert services.has_open_redirect(payment)
    assert not services.has_open_redirect(transfer)
    assert services.check_redirect(outdated) is False
    assert not services.has_open_redirect(outdated)
    Payment.objects.update(redirect_ended=False)
    services.handle_return(returned)
    assert not services.has_open_redirect(returned)


def test_who_ends_an_outdated_payment_that_another_process_has_ended_asks_nobody(
    snipcart: StandIn, session: StandInSession, payment: Payment, provider: Provider
) -> None:
    payments = [Payment.objects.get(pk=payment.pk) for _ in range(2)]
    snipcart.change(session, amount="1001.00")
    changed = services.get_payment_session(session.public_token, "live")

    for one in payments:
        services.end_outdated_redirect(one, changed)

    assert provider.calls.count(f"lookup {payment.reference}") == 1


def test_a_page_that_shows_an_open_redirect_looks_nothing_up(
    shopper: Shopper, payment: Payment, provider: Provider
) -> None:
    let_time_pass(timedelta(minutes=1))
    payment.refresh_from_db()

    shopper.look(payment)
    services.refresh_payment(payment)

    assert provider.calls == [f"charge {payment.reference}"]


def test_a_token_that_died_meanwhile_ends_the_payment(
    snipcart: StandIn, session: StandInSession, payment: Payment, provider: Provider
) -> None:
    snipcart.expire(session)
    provider.script(lookup="declined")

    assert not is_forwarded(Shopper().look(payment))

    payment.refresh_from_db()
    assert payment.state == _State.DECLINED


def test_an_order_that_is_the_same_does_not_end_its_payment(
    shopper: Shopper, session: StandInSession, payment: Payment, provider: Provider, snipcart: StandIn
) -> None:
    answer = shopper.open(session)

    assert (answer.status_code, answer.headers["Location"]) == (303, address_of(payment))
    assert provider.calls == [f"charge {payment.reference}"]
    assert pay(snipcart, session=session).pk == payment.pk
    assert services.has_open_redirect(payment)
