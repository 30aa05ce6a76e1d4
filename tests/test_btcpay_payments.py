"""Payments by BTCPay Server from the shopper's click to what Snipcart is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from snipcart_checkout.models import Payment
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession, ask_for_refund
from tests.support.btcpay_charges import OPTIONS
from tests.support.shoppers import fields_of

if TYPE_CHECKING:
    from tests.support.btcpay_server import BTCPayServer

PAGE = "/checkout/live/methods/shop_bitcoin/"
NOTIFICATIONS = "/checkout/live/notifications/shop_bitcoin/"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _store(checkout_settings: CheckoutSettings, snipcart: StandIn) -> None:
    """BTCPay Server is the store's only method."""
    checkout_settings.remove("STORES.live.METHODS.acme_card")
    checkout_settings.method(
        "shop_bitcoin",
        BACKEND="snipcart_checkout.backends.btcpay.BTCPayBackend",
        NAME="Bitcoin",
        OPTIONS=OPTIONS,
    )


def leave(client: Client, session: StandInSession) -> Payment:
    """The shopper presses the button and is sent to BTCPay Server."""
    page = client.get(PAGE, {"publicToken": session.public_token})
    answer = client.post(PAGE, fields_of(page))
    assert answer.status_code == 303
    payment: Payment = Payment.objects.latest("created_at")
    assert payment.redirect_url.startswith("https://btcpay.shop.example/i/")
    return payment


def come_back(client: Client, payment: Payment) -> None:
    client.get(f"/checkout/payments/{payment.reference}/return/", follow=True)
    payment.refresh_from_db()


def notify(client: Client, btcpay: BTCPayServer, payment: Payment, event: str) -> int:
    """BTCPay Server reports an event, later than a moment after the last look-up."""
    Payment.objects.filter(pk=payment.pk).update(polled_at=None)
    headers, body = btcpay.event(event, invoiceId="x1", metadata={"orderId": str(payment.reference)})
    answer = client.post(NOTIFICATIONS, body, content_type="application/json", headers=headers)
    payment.refresh_from_db()
    return answer.status_code


def outcomes(session: StandInSession) -> list[str]:
    return [told["state"] for told in session.confirmations]


def test_a_payment_is_processing_until_it_is_confirmed(
    client: Client, snipcart: StandIn, btcpay: BTCPayServer
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    btcpay.shopper_pays(payment.provider_reference, confirmed=False)
    come_back(client, payment)
    assert (payment.state, outcomes(session)) == ("pending", ["processing"])
    btcpay.payments_confirm(payment.provider_reference)
    assert notify(client, btcpay, payment, "InvoiceSettled") == 204
    assert (payment.state, outcomes(session)) == ("paid", ["processing", "processed"])


def test_a_shopper_who_comes_back_without_paying_can_choose_anew(
    client: Client, snipcart: StandIn, btcpay: BTCPayServer
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    come_back(client, payment)
    assert (payment.state, payment.decline_code, outcomes(session)) == ("declined", "cancelled", [])
    assert leave(client, session).pk != payment.pk


def test_money_that_is_sent_after_the_shopper_came_back_still_pays(
    client: Client, snipcart: StandIn, btcpay: BTCPayServer
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    come_back(client, payment)
    btcpay.shopper_pays(payment.provider_reference)
    assert notify(client, btcpay, payment, "InvoicePaymentSettled") == 204
    assert (payment.state, outcomes(session)) == ("paid", ["processed"])


@pytest.mark.parametrize("amount, units", [("5", 500), ("20", 2000)])
def test_another_amount_is_stored_and_left_to_a_person(
    client: Client, snipcart: StandIn, btcpay: BTCPayServer, amount: str, units: int
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    btcpay.shopper_pays(payment.provider_reference, amount)
    btcpay.time_runs_out(payment.provider_reference)
    notify(client, btcpay, payment, "InvoiceExpired")
    assert (payment.state, payment.review_reason) == ("review", "amount_differs")
    assert (payment.captured_minor_units, payment.captured_currency) == (units, "EUR")
    assert outcomes(session) == []


def test_a_refund_is_pending_until_the_customer_got_it(
    client: Client, snipcart: StandIn, btcpay: BTCPayServer
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    btcpay.shopper_pays(payment.provider_reference)
    come_back(client, payment)
    answer = ask_for_refund(session, "5.00")
    assert answer.status_code == 200
    refund = payment.refunds.get()
    assert (refund.state, refund.is_provisional) == ("refunded", True)
    btcpay.customer_claims(btcpay.pull_payment["id"], "5.00", "Completed")
    headers, body = btcpay.event("PayoutUpdated", payoutId="p1", pullPaymentId=btcpay.pull_payment["id"])
    assert (
        client.post(NOTIFICATIONS, body, content_type="application/json", headers=headers).status_code == 204
    )
    refund.refresh_from_db()
    assert (refund.state, refund.is_provisional) == ("refunded", False)


def test_a_forged_event_changes_nothing(client: Client, snipcart: StandIn, btcpay: BTCPayServer) -> None:
    payment = leave(client, snipcart.session(amount="12.30"))
    btcpay.shopper_pays(payment.provider_reference)
    _headers, body = btcpay.event("InvoiceSettled", metadata={"orderId": str(payment.reference)})
    forged = {"BTCPay-Sig": "sha256=" + "0" * 64}
    answer = client.post(NOTIFICATIONS, body, content_type="application/json", headers=forged)
    payment.refresh_from_db()
    assert (answer.status_code, payment.state) == (400, "pending")
