"""Payments by Mollie from the shopper's click to what Snipcart is told."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import responses
from django.test import Client

from snipcart_checkout.models import Payment
from snipcart_checkout.services import settle
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession, ask_for_refund
from tests.support.mollie_account import LIVE_KEY, MollieAccount
from tests.support.shoppers import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = "/checkout/live/methods/shop_card/"


@pytest.fixture
def account(checkout_settings: CheckoutSettings, snipcart: StandIn, db: None) -> Iterator[MollieAccount]:
    """A Mollie account behind the store's only method."""
    checkout_settings.remove("STORES.live.METHODS.acme_card")
    checkout_settings.method(
        "shop_card",
        BACKEND="snipcart_checkout.backends.mollie.MollieBackend",
        NAME="Card",
        OPTIONS={"API_KEY": LIVE_KEY},
    )
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield MollieAccount(mock)


def leave(client: Client, session: StandInSession) -> Payment:
    """The shopper presses the button and is sent to Mollie."""
    page = client.get(PAGE, {"publicToken": session.public_token})
    answer = client.post(PAGE, fields_of(page))
    assert answer.status_code == 303
    payment: Payment = Payment.objects.latest("created_at")
    assert payment.redirect_url.startswith("https://www.mollie.com/checkout/")
    return payment


def come_back(client: Client, payment: Payment) -> str:
    """The shopper follows Mollie's link; returns what the page then says."""
    answer = client.get(f"/checkout/payments/{payment.reference}/return/", follow=True)
    payment.refresh_from_db()
    return answer.content.decode()


def notify(client: Client, payment: Payment) -> int:
    path = "/checkout/live/notifications/shop_card/"
    body = urlencode({"id": payment.provider_reference})
    answer = client.post(path, body, content_type="application/x-www-form-urlencoded")
    payment.refresh_from_db()
    return answer.status_code


pytestmark = pytest.mark.django_db


def test_a_shopper_who_pays_and_comes_back_has_paid(
    client: Client, snipcart: StandIn, account: MollieAccount
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    account.shopper_pays(payment.provider_reference)
    come_back(client, payment)
    assert payment.state == "paid"
    assert [told["state"] for told in session.confirmations] == ["processed"]
    assert session.confirmations[0]["transactionId"] == account.payment["id"]


def test_a_shopper_who_pays_and_never_comes_back_has_paid(
    client: Client, snipcart: StandIn, account: MollieAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    account.shopper_pays(payment.provider_reference)
    assert notify(client, payment) == 204
    assert (payment.state, session.state) == ("paid", "processed")


def test_a_made_up_notification_changes_nothing(
    client: Client, snipcart: StandIn, account: MollieAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    path = "/checkout/live/notifications/shop_card/"
    form = "application/x-www-form-urlencoded"
    assert client.post(path, "id=tr_forged", content_type=form).status_code == 400
    assert (payment.state, session.confirmations) == ("pending", [])


def test_whoever_knows_the_id_of_an_open_payment_cannot_have_the_order_placed(
    client: Client, snipcart: StandIn, account: MollieAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    assert notify(client, payment) == 204
    assert (payment.state, session.confirmations) == ("pending", [])


def test_a_shopper_who_cancels_at_mollie_may_choose_again(
    client: Client, snipcart: StandIn, account: MollieAccount
) -> None:
    session = snipcart.session()
    first = leave(client, session)
    account.payment_ends(first.provider_reference, "canceled")
    assert "The payment was cancelled" in come_back(client, first)
    assert (first.state, session.confirmations) == ("declined", [])
    second = leave(client, session)
    assert second.reference != first.reference
    assert len(account.payments) == 2


def test_a_shopper_who_closed_mollies_page_is_led_to_the_same_payment(
    client: Client, snipcart: StandIn, account: MollieAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    settle()
    page = client.get(PAGE, {"publicToken": session.public_token}, follow=True)
    assert account.payment["_links"]["checkout"]["href"] in page.content.decode()
    assert Payment.objects.get() == payment


def test_no_order_is_placed_for_a_shopper_whose_bank_has_not_answered(
    client: Client, snipcart: StandIn, account: MollieAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    page = come_back(client, payment)
    assert account.payment["_links"]["checkout"]["href"] not in page
    assert (payment.state, session.confirmations) == ("pending", [])
    account.shopper_pays(payment.provider_reference, "ideal")
    Payment.objects.update(polled_at=None)
    assert notify(client, payment) == 204
    assert (payment.state, session.state) == ("paid", "processed")


def test_a_transfer_is_confirmed_twice_and_shows_the_account(
    client: Client, snipcart: StandIn, account: MollieAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    account.shopper_chooses_transfer(payment.provider_reference)
    assert "NL53ABNA0627535577" in come_back(client, payment)
    assert session.state == "processing"
    account.shopper_pays(payment.provider_reference, "banktransfer")
    Payment.objects.update(polled_at=None)
    assert notify(client, payment) == 204
    assert [told["state"] for told in session.confirmations] == ["processing", "processed"]


def test_another_amount_than_was_asked_goes_to_review(
    client: Client, snipcart: StandIn, account: MollieAccount
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    account.payment["amount"]["value"] = "0.01"
    account.shopper_pays(payment.provider_reference)
    come_back(client, payment)
    assert (payment.state, session.confirmations) == ("review", [])


def test_a_refund_from_the_dashboard_is_made_at_mollie(
    client: Client, snipcart: StandIn, account: MollieAccount
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    account.shopper_pays(payment.provider_reference)
    come_back(client, payment)
    answer = ask_for_refund(session, "2.30")
    (refund,) = account.refunds.values()
    assert answer.json() == {"refundId": refund["metadata"]["reference"]}
    assert refund["amount"] == {"currency": "EUR", "value": "2.30"}
