"""Payments by Stripe from the shopper's click to what Snipcart is told; and the backend contract."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import responses
from django.test import Client

from snipcart_checkout.backends.base import Charge, Redirect, RefundRequest
from snipcart_checkout.backends.stripe import StripeBackend
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.services import settle
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession, ask_for_refund
from snipcart_checkout.testing.backends import BackendContract
from tests.support.shoppers import fields_of
from tests.support.stripe_account import (
    LIVE_KEY,
    SIGNING_SECRET,
    StripeAccount,
    dispute_event,
    event,
    refund_event,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OPTIONS = {"SECRET_KEY": LIVE_KEY, "WEBHOOK_SECRETS": [SIGNING_SECRET]}
PAGE = "/checkout/live/methods/shop_card/"


class TestStripeBackend(BackendContract):
    backend_class = StripeBackend
    options = OPTIONS
    paying_gives = Redirect
    amounts = (("12.34", "EUR"), ("1500", "JPY"), ("1.230", "KWD"), ("500", "ISK"), ("20", "MGA"))

    @pytest.fixture(autouse=True)
    def _account(self) -> Iterator[None]:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            self.account = StripeAccount(mock)
            yield

    def pay(self, charge: Charge) -> None:
        self.account.shopper_pays(charge.provider_reference)

    def give_up(self, charge: Charge) -> None:
        """Stripe's back arrow leaves the session as it is."""

    def expire(self, charge: Charge) -> None:
        self.account.session_ends(charge.provider_reference)

    def captures(self, reference: UUID) -> int:
        sessions = self.account.of_reference(reference)
        return sum(session["payment_status"] == "paid" for session in sessions)

    def refunds(self, reference: UUID) -> int:
        made = self.account.refunds.values()
        return sum(refund["metadata"]["reference"] == str(reference) for refund in made)

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        return event(reference)

    def refund_notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        return refund_event(reference)

    def dispute_notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        result = self.make_backend().charge(replace(self._charge(), reference=reference))
        assert isinstance(result, Redirect)
        self.account.shopper_pays(result.provider_reference)
        return dispute_event(payment_intent=self.account.session["payment_intent"])

    def fail_refund(self, refund: RefundRequest) -> None:
        self.account.refund_fails(refund.reference)


@pytest.fixture
def account(checkout_settings: CheckoutSettings, snipcart: StandIn, db: None) -> Iterator[StripeAccount]:
    """A Stripe account behind the store's only method."""
    checkout_settings.remove("STORES.live.METHODS.acme_card")
    checkout_settings.method(
        "shop_card", BACKEND="snipcart_checkout.backends.stripe.StripeBackend", NAME="Card", OPTIONS=OPTIONS
    )
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield StripeAccount(mock)


def leave(client: Client, session: StandInSession) -> Payment:
    """The shopper presses the button and is sent to Stripe."""
    page = client.get(PAGE, {"publicToken": session.public_token})
    answer = client.post(PAGE, fields_of(page))
    assert answer.status_code == 303
    payment: Payment = Payment.objects.latest("created_at")
    assert payment.redirect_url.startswith("https://checkout.stripe.com/c/pay/cs_test_")
    return payment


def come_back(client: Client, payment: Payment) -> str:
    """The shopper follows Stripe's link; returns what the page then says."""
    answer = client.get(f"/checkout/payments/{payment.reference}/return/", follow=True)
    payment.refresh_from_db()
    return answer.content.decode()


def notify(client: Client, payment: Payment, kind: str = "checkout.session.completed") -> int:
    return post_event(client, payment, event(payment.reference, kind))


def post_event(client: Client, payment: Payment, signed: tuple[dict[str, str], bytes]) -> int:
    """Stripe sends an event, some time after the payment was last looked up."""
    Payment.objects.filter(pk=payment.pk).update(polled_at=None)
    headers, body = signed
    path = "/checkout/live/notifications/shop_card/"
    answer = client.post(path, body, content_type="application/json", headers=headers)
    payment.refresh_from_db()
    return answer.status_code


pytestmark = pytest.mark.django_db


def test_a_shopper_who_pays_and_comes_back_has_paid(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    account.shopper_pays(payment.provider_reference)
    come_back(client, payment)
    assert payment.state == "paid"
    assert [told["state"] for told in session.confirmations] == ["processed"]
    assert session.confirmations[0]["transactionId"] == account.session["payment_intent"]


def test_a_shopper_who_pays_and_never_comes_back_has_paid(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    account.shopper_pays(payment.provider_reference)
    assert notify(client, payment) == 204
    assert (payment.state, session.state) == ("paid", "processed")


def test_a_shopper_who_goes_back_unpaid_may_choose_again(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    session = snipcart.session()
    first = leave(client, session)
    assert "The payment was cancelled" in come_back(client, first)
    assert (first.state, session.confirmations) == ("declined", [])
    second = leave(client, session)
    states = {session["client_reference_id"]: session["status"] for session in account.sessions.values()}
    assert states == {str(first.reference): "expired", str(second.reference): "open"}


def test_a_shopper_who_closed_stripes_page_is_led_to_the_same_session(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    settle()
    page = client.get(PAGE, {"publicToken": session.public_token}, follow=True)
    assert account.session["url"] in page.content.decode()
    assert account.session["status"] == "open"
    assert Payment.objects.get() == payment


def test_a_card_that_is_declined_at_stripe_leaves_snipcart_in_peace(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    account.card_is_declined(
        payment.provider_reference, code="card_declined", decline_code="insufficient_funds"
    )
    assert notify(client, payment, "payment_intent.payment_failed") == 204
    assert (payment.state, session.confirmations) == ("pending", [])


def test_a_debit_is_confirmed_twice(client: Client, snipcart: StandIn, account: StripeAccount) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    account.shopper_pays_slowly(payment.provider_reference)
    come_back(client, payment)
    assert (payment.state, session.state) == ("pending", "processing")
    account.bank_answers(payment.provider_reference, paid=True)
    notify(client, payment, "checkout.session.async_payment_succeeded")
    assert [told["state"] for told in session.confirmations] == ["processing", "processed"]


def test_a_debit_that_comes_back_is_confirmed_as_failed(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    session = snipcart.session()
    payment = leave(client, session)
    account.shopper_pays_slowly(payment.provider_reference)
    come_back(client, payment)
    account.bank_answers(payment.provider_reference, paid=False, code="insufficient_funds")
    notify(client, payment, "checkout.session.async_payment_failed")
    assert [told["state"] for told in session.confirmations] == ["processing", "failed"]
    assert session.confirmations[-1]["error"]["code"] == "insufficient_funds"


def test_another_amount_than_was_asked_goes_to_review(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    account.session["amount_total"] = 1
    account.shopper_pays(payment.provider_reference)
    come_back(client, payment)
    assert (payment.state, session.confirmations) == ("review", [])


def test_a_refund_from_the_dashboard_is_made_at_stripe(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    account.shopper_pays(payment.provider_reference)
    come_back(client, payment)
    answer = ask_for_refund(session, "2.30")
    (refund,) = account.refunds.values()
    assert answer.json() == {"refundId": refund["metadata"]["reference"]}
    assert refund["amount"] == 230


def test_a_refund_that_fails_later_gives_its_amount_back(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    session = snipcart.session(amount="12.30")
    payment = leave(client, session)
    account.shopper_pays(payment.provider_reference)
    come_back(client, payment)
    ask_for_refund(session, "2.30")
    refund = Refund.objects.get()
    account.refund_fails(refund.pk)
    assert post_event(client, payment, refund_event(refund.pk, "refund.failed")) == 204
    refund.refresh_from_db()
    assert (refund.state, payment.refunded_minor_units) == ("declined", 0)


def test_a_dispute_is_written_into_the_history(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    payment = leave(client, snipcart.session())
    account.shopper_pays(payment.provider_reference)
    come_back(client, payment)
    signed = dispute_event(payment_intent=account.session["payment_intent"], charge="ch_1")
    assert post_event(client, payment, signed) == 204
    assert payment.state == "paid"
    assert payment.events.filter(name="disputed").count() == 1


def test_an_order_that_stripe_was_too_busy_for_can_be_paid_at_once(
    client: Client, snipcart: StandIn, account: StripeAccount
) -> None:
    session = snipcart.session()
    account.answer_next(429, {"type": "invalid_request_error", "code": "rate_limit"})
    page = client.get(PAGE, {"publicToken": session.public_token})
    busy = client.post(PAGE, fields_of(page))
    assert busy.status_code == 402
    assert "Please try again in a minute" in busy.content.decode()
    assert leave(client, session).state == "pending"
