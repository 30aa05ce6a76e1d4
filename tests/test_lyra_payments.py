"""Payments by Lyra from the shopper's click to what Snipcart is told; and the backend contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import responses
from django.test import Client

from snipcart_checkout.backends.base import Charge, Redirect
from snipcart_checkout.backends.lyra import LyraBackend
from snipcart_checkout.models import Payment
from snipcart_checkout.services import settle
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession, ask_for_refund
from snipcart_checkout.testing.backends import BackendContract
from tests.support.lyra_account import FORM, PAGE, TEST_PASSWORD, LyraAccount, notification
from tests.support.lyra_charges import OPTIONS
from tests.support.shoppers import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OUR_PAGE = "/checkout/live/methods/shop_card/"
NOTIFICATIONS = "/checkout/live/notifications/shop_card/"


class LyraContract(BackendContract):
    """The contract, whose refunds depend on whether the money was captured already."""

    captured = False

    @pytest.fixture(autouse=True)
    def _account(self) -> Iterator[None]:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            self.account = LyraAccount(mock)
            yield

    def pay(self, charge: Charge) -> None:
        uuid = self.account.shopper_pays(charge.reference)
        if self.captured:
            self.account.is_captured(uuid)

    def give_up(self, charge: Charge) -> None:
        """Lyra's way back leaves the payment order as it is."""

    def expire(self, charge: Charge) -> None:
        self.account.order_ends(charge.reference)

    def captures(self, reference: UUID) -> int:
        return sum(entry["status"] == "PAID" for entry in self.account.of_order(reference))

    def refunds(self, reference: UUID) -> int:
        services = ("Transaction/CancelOrRefund", "Transaction/Update")
        asked = [params for service in services for params in self.account.asked(service)]
        return sum(params["comment"] == str(reference) for params in asked)

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        return FORM, notification(reference)


class TestLyraBackend(LyraContract):
    backend_class = LyraBackend
    options = OPTIONS
    paying_gives = Redirect
    amounts = (("12.34", "EUR"), ("1500", "JPY"), ("1.234", "KWD"), ("20.5", "CNY"))


class TestLyraBackendAfterTheCapture(LyraContract):
    backend_class = LyraBackend
    options = OPTIONS
    paying_gives = Redirect
    captured = True


@pytest.fixture
def shop(checkout_settings: CheckoutSettings, snipcart: StandIn, db: None) -> Iterator[LyraAccount]:
    """A shop of Lyra's behind the store's only method."""
    checkout_settings.remove("STORES.live.METHODS.acme_card")
    checkout_settings.method(
        "shop_card", BACKEND="snipcart_checkout.backends.lyra.LyraBackend", NAME="Card", OPTIONS=OPTIONS
    )
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield LyraAccount(mock)


def leave(client: Client, session: StandInSession) -> Payment:
    """The shopper presses the button and is sent to Lyra."""
    page = client.get(OUR_PAGE, {"publicToken": session.public_token})
    answer = client.post(OUR_PAGE, fields_of(page))
    assert answer.status_code == 303
    payment: Payment = Payment.objects.latest("created_at")
    assert payment.redirect_url.startswith(f"{PAGE}/t/")
    return payment


def come_back(client: Client, payment: Payment) -> str:
    """The shopper follows the link of Lyra's page; returns what ours then says."""
    answer = client.get(f"/checkout/payments/{payment.reference}/return/", follow=True)
    payment.refresh_from_db()
    return answer.content.decode()


def notify(client: Client, payment: Payment, **wrong: Any) -> int:
    # Look-ups that strangers can bring about are at most one in two seconds.
    Payment.objects.filter(pk=payment.pk).update(polled_at=None)
    body = notification(payment.reference, **wrong)
    answer = client.post(NOTIFICATIONS, body, content_type=FORM["Content-Type"])
    payment.refresh_from_db()
    return answer.status_code


def states_of(session: StandInSession) -> list[str]:
    return [confirmation["state"] for confirmation in session.confirmations]


class TestPayments:
    def test_a_shopper_who_pays_and_comes_back_has_paid(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        session = snipcart.session(amount="12.30")
        payment = leave(client, session)
        uuid = shop.shopper_pays(payment.reference)
        come_back(client, payment)
        assert (payment.state, states_of(session)) == ("paid", ["processed"])
        assert session.confirmations[0]["transactionId"] == uuid

    def test_lyra_is_told_where_to_send_shopper_and_notification(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        payment = leave(client, snipcart.session())
        (params,) = shop.asked("Charge/CreatePaymentOrder")
        assert params["returnUrl"].endswith(f"/payments/{payment.reference}/return/")
        assert params["ipnTargetUrl"].endswith("/live/notifications/shop_card/")

    def test_a_shopper_who_pays_and_never_comes_back_has_paid(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        session = snipcart.session()
        payment = leave(client, session)
        shop.shopper_pays(payment.reference)
        assert notify(client, payment) == 204
        assert (payment.state, session.state) == ("paid", "processed")

    def test_a_notification_that_says_paid_is_not_enough(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        session = snipcart.session()
        payment = leave(client, session)
        shop.order_ends(payment.reference)
        assert notify(client, payment) == 204
        assert (payment.state, session.confirmations) == ("declined", [])

    @pytest.mark.parametrize("status", ["UNPAID", "ABANDONED"])
    def test_one_about_a_refused_card_leaves_the_shopper_in_peace(
        self, client: Client, snipcart: StandIn, shop: LyraAccount, status: str
    ) -> None:
        session = snipcart.session()
        payment = leave(client, session)
        shop.card_is_refused(payment.reference)
        assert notify(client, payment, status=status) == 204
        assert (payment.state, session.confirmations) == ("pending", [])
        shop.shopper_pays(payment.reference)
        assert notify(client, payment) == 204
        assert (payment.state, session.state) == ("paid", "processed")

    def test_a_forged_one_is_refused_and_nothing_is_asked(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        payment = leave(client, snipcart.session())
        before = len(shop.requests)
        assert notify(client, payment, key=TEST_PASSWORD) == 400
        assert notify(client, payment, mode="TEST") == 400
        assert len(shop.requests) == before

    def test_one_that_is_sent_again_changes_nothing(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        session = snipcart.session()
        payment = leave(client, session)
        shop.shopper_pays(payment.reference)
        assert [notify(client, payment) for _ in range(3)] == [204, 204, 204]
        assert states_of(session) == ["processed"]

    def test_one_of_an_unknown_order_is_handled_and_forgotten(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        body = notification("CMD-7")
        assert client.post(NOTIFICATIONS, body, content_type=FORM["Content-Type"]).status_code == 204

    def test_a_shopper_who_goes_back_unpaid_may_choose_again(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        session = snipcart.session()
        first = leave(client, session)
        assert "The payment was cancelled" in come_back(client, first)
        assert (first.state, session.confirmations) == ("declined", [])
        second = leave(client, session)
        states = {order["orderId"]: order["paymentOrderStatus"] for order in shop.orders.values()}
        assert states == {str(first.reference): "CANCELLED", str(second.reference): "RUNNING"}

    def test_a_shopper_who_closed_the_page_is_led_to_the_same_payment_order(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        session = snipcart.session()
        payment = leave(client, session)
        settle()
        page = client.get(OUR_PAGE, {"publicToken": session.public_token}, follow=True)
        assert payment.redirect_url in page.content.decode()
        assert Payment.objects.get() == payment
        assert len(shop.orders) == 1

    def test_what_lyra_does_not_take_on_can_be_paid_another_way(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        session = snipcart.session()
        shop.fail_next("PSP_610")
        page = client.get(OUR_PAGE, {"publicToken": session.public_token})
        client.post(OUR_PAGE, fields_of(page))
        assert (Payment.objects.get().state, session.confirmations) == ("declined", [])
        assert leave(client, session).state == "pending"

    def test_a_slow_payment_is_confirmed_twice(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        session = snipcart.session()
        payment = leave(client, session)
        uuid = shop.shopper_pays_slowly(payment.reference)
        come_back(client, payment)
        assert (payment.state, session.state) == ("pending", "processing")
        shop.is_captured(uuid)
        assert notify(client, payment) == 204
        assert states_of(session) == ["processing", "processed"]

    def test_another_amount_than_was_asked_goes_to_review(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        session = snipcart.session(amount="12.30")
        payment = leave(client, session)
        uuid = shop.shopper_pays(payment.reference)
        shop.transactions[uuid]["amount"] = 1
        come_back(client, payment)
        assert (payment.state, session.confirmations) == ("review", [])

    @pytest.mark.parametrize("is_captured", [True, False])
    def test_a_part_that_is_refunded_from_the_dashboard_is_refunded_at_lyra(
        self, client: Client, snipcart: StandIn, shop: LyraAccount, is_captured: bool
    ) -> None:
        session = snipcart.session(amount="12.30")
        payment = leave(client, session)
        uuid = shop.shopper_pays(payment.reference)
        come_back(client, payment)
        if is_captured:
            shop.is_captured(uuid)
        answer = ask_for_refund(session, "2.30")
        (asked,) = shop.asked("Transaction/CancelOrRefund" if is_captured else "Transaction/Update")
        assert answer.json() == {"refundId": asked["comment"]}
        left = shop.transactions[uuid]["amount"] - sum(
            entry["amount"] for entry in shop.of_order(payment.reference, "CREDIT")
        )
        assert left == 1000

    def test_a_refund_whose_answer_was_lost_is_not_made_twice(
        self, client: Client, snipcart: StandIn, shop: LyraAccount
    ) -> None:
        session = snipcart.session(amount="12.30")
        payment = leave(client, session)
        shop.is_captured(shop.shopper_pays(payment.reference))
        come_back(client, payment)
        shop.lose_next_answer("Transaction/CancelOrRefund")
        assert ask_for_refund(session, "12.30").status_code == 502
        settle()
        assert len(shop.of_order(payment.reference, "CREDIT")) == 1
