"""The BTCPay backend's refunds: pull payments that the customer claims and the merchant sends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded, RefundRequest
from snipcart_checkout.backends.btcpay.api import BTCPayOutcomeUnknown
from snipcart_checkout.backends.http import ProviderUnavailable
from tests.support.btcpay_charges import backend, left, refund_of
from tests.support.btcpay_server import STORE_ID, BTCPayServer

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def refund(btcpay: BTCPayServer) -> RefundRequest:
    return paid_refund(btcpay)


def paid_refund(btcpay: BTCPayServer, amount: str = "12.34") -> RefundRequest:
    asked = left(language="de")
    btcpay.shopper_pays(asked.provider_reference)
    return refund_of(asked, amount)


class TestRefund:
    def test_it_offers_the_customer_the_amount_in_the_merchants_currency(
        self, btcpay: BTCPayServer, refund: RefundRequest
    ) -> None:
        assert backend().refund(refund) == Refunded(btcpay.pull_payment["id"], pending=True)
        (body,) = btcpay.posts("/refund")
        assert body.pop("description")
        assert body == {
            "name": f"Refund {refund.reference}",
            "refundVariant": "Custom",
            "customAmount": "12.34",
            "customCurrency": "EUR",
        }

    def test_parts_are_pull_payments_of_their_own(self, btcpay: BTCPayServer) -> None:
        part = paid_refund(btcpay, "4.50")
        for one in (part, replace(part, reference=uuid4())):
            assert isinstance(backend().refund(one), Refunded)
        assert [made["amount"] for made in btcpay.pull_payments.values()] == ["4.50", "4.50"]

    def test_a_repeat_finds_the_first_one(self, btcpay: BTCPayServer, refund: RefundRequest) -> None:
        btcpay.meanwhile(btcpay.lose_next_answer)
        with pytest.raises(ProviderUnavailable):
            backend().refund(refund)
        assert backend().refund(refund) == Refunded(btcpay.pull_payment["id"], pending=True)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
    def test_a_refusal_is_a_decline_with_a_reason_for_the_merchant(
        self, btcpay: BTCPayServer, refund: RefundRequest, status: int
    ) -> None:
        btcpay.answer_next(200, [])
        btcpay.answer_next(status, {"code": "invoice-not-found", "message": "Raw words."})
        result = backend().refund(refund)
        assert isinstance(result, RefundDeclined)
        assert f"{status} invoice-not-found" in result.message
        assert "Raw" not in result.message

    @pytest.mark.parametrize("status", [302, 408, 429, 500, 503])
    def test_any_other_answer_is_not_known(
        self, btcpay: BTCPayServer, refund: RefundRequest, status: int
    ) -> None:
        btcpay.answer_next(200, [])
        btcpay.answer_next(status, {})
        with pytest.raises(BTCPayOutcomeUnknown):
            backend().refund(refund)

    def test_none_is_made_while_it_is_not_known_what_there_is(
        self, btcpay: BTCPayServer, refund: RefundRequest
    ) -> None:
        btcpay.permissions.remove(f"btcpay.store.canviewpullpayments:{STORE_ID}")
        with pytest.raises(BTCPayOutcomeUnknown, match="canviewpullpayments"):
            backend().refund(refund)
        assert not btcpay.pull_payments

    def test_the_link_to_claim_the_money_is_not_logged(
        self, btcpay: BTCPayServer, refund: RefundRequest, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG", logger="snipcart_checkout")
        backend().refund(refund)
        assert btcpay.pull_payment["id"] not in caplog.text
        assert f"Refund {refund.reference}" in caplog.text

    @pytest.mark.parametrize("changes", [{"amount": "99"}, {"currency": "BTC"}, {"name": "Gift"}])
    def test_a_pull_payment_of_another_refund_is_not_known(
        self, btcpay: BTCPayServer, refund: RefundRequest, changes: dict[str, str]
    ) -> None:
        btcpay.meanwhile(lambda: btcpay.change_next_answer(**changes))
        with pytest.raises(BTCPayOutcomeUnknown):
            backend().refund(refund)


class TestLookup:
    def test_one_that_never_was_is_not_found(self, btcpay: BTCPayServer, refund: RefundRequest) -> None:
        assert backend().lookup_refund(refund) == NotFound()

    @pytest.mark.parametrize("state", ["AwaitingApproval", "AwaitingPayment", "InProgress", "Cancelled"])
    def test_it_is_pending_until_the_money_was_sent(
        self, btcpay: BTCPayServer, refund: RefundRequest, state: str
    ) -> None:
        backend().refund(refund)
        made = btcpay.pull_payment["id"]
        assert backend().lookup_refund(refund) == Refunded(made, pending=True)
        btcpay.customer_claims(made, "12.34", state)
        assert backend().lookup_refund(refund) == Refunded(made, pending=True)

    def test_it_is_made_once_all_of_it_was_sent(self, btcpay: BTCPayServer, refund: RefundRequest) -> None:
        backend().refund(refund)
        made = btcpay.pull_payment["id"]
        btcpay.customer_claims(made, "10", "Completed")
        assert backend().lookup_refund(refund) == Refunded(made, pending=True)
        btcpay.customer_claims(made, "2.34", "Completed")
        assert backend().lookup_refund(refund) == Refunded(made)

    def test_an_archived_one_is_for_a_person(self, btcpay: BTCPayServer, refund: RefundRequest) -> None:
        backend().refund(refund)
        btcpay.pull_payment["archived"] = True
        with pytest.raises(BTCPayOutcomeUnknown, match="archived"):
            backend().lookup_refund(refund)

    def test_two_of_one_refund_are_for_a_person(self, btcpay: BTCPayServer, refund: RefundRequest) -> None:
        for _ in range(2):
            btcpay.answer_next(200, [])
            backend().refund(refund)
        with pytest.raises(BTCPayOutcomeUnknown, match="two pull payments"):
            backend().lookup_refund(refund)

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda btcpay: btcpay.customer_claims(btcpay.pull_payment["id"], "12.34", "Promised"),
            lambda btcpay: btcpay.customer_claims(btcpay.pull_payment["id"], "all", "Completed"),
            lambda btcpay: btcpay.change_next_answer(amount="99"),
        ],
    )
    def test_what_is_not_as_documented_is_not_known(
        self, btcpay: BTCPayServer, refund: RefundRequest, spoil: Callable[[BTCPayServer], None]
    ) -> None:
        backend().refund(refund)
        spoil(btcpay)
        with pytest.raises(BTCPayOutcomeUnknown):
            backend().lookup_refund(refund)
