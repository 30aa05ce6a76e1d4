"""Payments with PayPal from the shopper's click to what Snipcart is told; and the backend contract."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import responses
from django.test import Client
from django.utils import timezone

from snipcart_checkout.backends.base import Charge, Redirect, RefundRequest
from snipcart_checkout.backends.paypal import PayPalBackend, tokens
from snipcart_checkout.models import Payment
from snipcart_checkout.services import settle
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession, ask_for_refund
from snipcart_checkout.testing.backends import BackendContract
from tests.support.paypal_account import PayPalAccount, event
from tests.support.paypal_charges import OPTIONS
from tests.support.shoppers import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = "/checkout/live/methods/shop_wallet/"


class TestPayPalBackend(BackendContract):
    backend_class = PayPalBackend
    options = OPTIONS
    paying_gives = Redirect
    amounts = (("12.34", "EUR"), ("1500", "JPY"), ("990", "HUF"), ("300", "TWD"))

    @pytest.fixture(autouse=True)
    def _account(self) -> Iterator[None]:
        tokens.drop_all_tokens()
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            self.account = PayPalAccount(mock)
            yield

    def pay(self, charge: Charge) -> None:
        self.account.shopper_approves(charge.provider_reference)

    def give_up(self, charge: Charge) -> None:
        """PayPal's cancel link leaves the order as it is."""

    def captures(self, reference: UUID) -> int:
        return len(self.account.captured(reference))

    def refunds(self, reference: UUID) -> int:
        return sum(refund["custom_id"] == str(reference) for refund in self.account.refunds())

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        return event(reference)

    def refund_notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        return event(reference, "PAYMENT.REFUND.FAILED")

    def dispute_notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        return event(reference, "CUSTOMER.DISPUTE.CREATED")

    def expire(self, charge: Charge) -> None:
        self.account.orders[charge.provider_reference]["status"] = "VOIDED"

    def fail_refund(self, refund: RefundRequest) -> None:
        self.account.refunds_become("FAILED")


@pytest.fixture
def account(checkout_settings: CheckoutSettings, snipcart: StandIn, db: None) -> Iterator[PayPalAccount]:
    """A PayPal account behind the store's only method."""
    checkout_settings.remove("STORES.live.METHODS.acme_card")
    checkout_settings.method(
        "shop_wallet",
        BACKEND="snipcart_checkout.backends.paypal.PayPalBackend",
        NAME="PayPal",
        OPTIONS=OPTIONS,
    )
    tokens.drop_all_tokens()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield PayPalAccount(mock)


def leave(client: Client, session: StandInSession) -> Payment:
    """The shopper presses the button and is sent to PayPal."""
    page = client.get(PAGE, {"publicToken": session.public_token})
    answer = client.post(PAGE, fields_of(page))
    assert answer.status_code == 303
    payment: Payment = Payment.objects.latest("created_at")
    assert payment.redirect_url.startswith("https://www.paypal.com/checkoutnow?token=")
    return payment


def come_back(client: Client, payment: Payment) -> str:
    """The shopper follows PayPal's link; returns what the page then says."""
    answer = client.get(
        f"/checkout/payments/{payment.reference}/return/",
        {"token": payment.provider_reference, "PayerID": "QYR5Z8XDVJNXQ"},
        follow=True,
    )
    payment.refresh_from_db()
    return answer.content.decode()


def a_moment_passes() -> None:
    """Strangers can have a payment looked up only once in two seconds."""
    Payment.objects.update(polled_at=timezone.now() - timedelta(seconds=5))


def notify(client: Client, payment: Payment, kind: str = "CHECKOUT.ORDER.APPROVED") -> int:
    headers, body = event(payment.reference, kind)
    path = "/checkout/live/notifications/shop_wallet/"
    answer = client.post(path, body, content_type="application/json", headers=headers)
    payment.refresh_from_db()
    return answer.status_code


pytestmark = pytest.mark.django_db


def test_a_shopper_who_approves_and_comes_back_has_paid(
    client: Client, snipcart: StandIn, account: PayPalAccount
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    account.shopper_approves(payment.provider_reference)
    come_back(client, payment)
    assert payment.state == "paid"
    (capture,) = account.captured(payment.reference)
    assert [told["state"] for told in session.confirmations] == ["processed"]
    assert session.confirmations[0]["transactionId"] == capture["id"]


def test_a_shopper_who_approves_and_never_comes_back_has_paid(
    client: Client, snipcart: StandIn, account: PayPalAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    account.shopper_approves(payment.provider_reference)
    assert notify(client, payment) == 204
    assert (payment.state, session.state) == ("paid", "processed")


def test_a_forged_event_changes_nothing(client: Client, snipcart: StandIn, account: PayPalAccount) -> None:
    payment = leave(client, snipcart.session())
    account.shopper_approves(payment.provider_reference)
    headers, body = event(payment.reference, webhook_id="4JH86294D6297924G")
    path = "/checkout/live/notifications/shop_wallet/"
    answer = client.post(path, body, content_type="application/json", headers=headers)
    assert answer.status_code == 400
    assert account.captured(payment.reference) == []


def test_a_shopper_who_cancels_may_choose_again(
    client: Client, snipcart: StandIn, account: PayPalAccount
) -> None:
    session = snipcart.session()
    first = leave(client, session)
    assert "The payment was cancelled" in come_back(client, first)
    assert (first.state, session.confirmations) == ("declined", [])
    second = leave(client, session)
    account.shopper_approves(second.provider_reference)
    come_back(client, second)
    assert second.state == "paid"


def test_a_shopper_who_cancels_and_approves_in_another_tab_pays_nothing(
    client: Client, snipcart: StandIn, account: PayPalAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    come_back(client, payment)
    account.shopper_approves(payment.provider_reference)
    a_moment_passes()
    come_back(client, payment)
    a_moment_passes()
    assert notify(client, payment) == 204
    assert len(account.calls("GET")) >= 3
    assert (payment.state, session.confirmations) == ("declined", [])
    assert account.captured(payment.reference) == []


def test_a_shopper_who_closed_paypals_page_is_led_to_the_same_order(
    client: Client, snipcart: StandIn, account: PayPalAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    settle()
    page = client.get(PAGE, {"publicToken": session.public_token}, follow=True)
    assert account.order["links"][1]["href"] in page.content.decode()
    assert account.order["intent"] == "CAPTURE"
    assert Payment.objects.get() == payment


def test_a_pending_capture_is_confirmed_twice(
    client: Client, snipcart: StandIn, account: PayPalAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    account.capture_status = "PENDING"
    account.shopper_approves(payment.provider_reference)
    come_back(client, payment)
    assert session.state == "processing"
    account.capture_becomes(payment.provider_reference, "COMPLETED")
    a_moment_passes()
    notify(client, payment, "PAYMENT.CAPTURE.COMPLETED")
    assert payment.state == "paid"
    assert [told["state"] for told in session.confirmations] == ["processing", "processed"]


def test_a_pending_capture_that_is_denied_is_confirmed_as_failed(
    client: Client, snipcart: StandIn, account: PayPalAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    account.capture_status = "PENDING"
    account.shopper_approves(payment.provider_reference)
    come_back(client, payment)
    account.capture_becomes(payment.provider_reference, "DECLINED")
    a_moment_passes()
    notify(client, payment, "PAYMENT.CAPTURE.DENIED")
    assert [told["state"] for told in session.confirmations] == ["processing", "failed"]


def test_another_amount_than_was_asked_goes_to_review(
    client: Client, snipcart: StandIn, account: PayPalAccount
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    account.order["purchase_units"][0]["amount"]["value"] = "0.01"
    account.shopper_approves(payment.provider_reference)
    come_back(client, payment)
    assert (payment.state, session.confirmations) == ("review", [])


def test_a_refund_from_the_dashboard_is_made_at_paypal(
    client: Client, snipcart: StandIn, account: PayPalAccount
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    account.shopper_approves(payment.provider_reference)
    come_back(client, payment)
    answer = ask_for_refund(session, "2.30")
    (refund,) = account.refunds()
    assert answer.json() == {"refundId": refund["custom_id"]}
    assert refund["amount"]["value"] == "2.30"
