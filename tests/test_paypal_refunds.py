"""The PayPal backend's refunds."""

from __future__ import annotations

import pytest

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded
from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.paypal.api import PayPalOutcomeUnknown
from tests.support.paypal_account import PayPalAccount
from tests.support.paypal_charges import account, approved, backend, paid, refund_of

__all__ = ["account"]


class TestRefund:
    def test_it_names_the_capture_the_amount_and_our_reference(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account, amount="990", currency="HUF")
        request = refund_of(asked, transaction_id, "200")
        result = backend().refund(request)
        (made,) = account.refunds()
        assert result == Refunded(made["id"])
        assert account.requests[-1] == (
            "POST",
            f"/v2/payments/captures/{transaction_id}/refund",
            {"amount": {"currency_code": "HUF", "value": "200"}, "custom_id": str(request.reference)},
        )
        assert account.headers[-1]["PayPal-Request-Id"] == str(request.reference)

    def test_several_equal_parts_are_several_refunds(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account)
        for _ in range(2):
            assert isinstance(backend().refund(refund_of(asked, transaction_id, "6.17")), Refunded)
        assert len(account.refunds()) == 2

    @pytest.mark.parametrize("amount", ["12.34", "1.00"])
    def test_a_repeat_months_later_is_the_same_refund(self, account: PayPalAccount, amount: str) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id, amount)
        first = backend().refund(request)
        account.keys_are_forgotten()
        assert backend().refund(request) == first
        assert len(account.refunds()) == 1

    def test_one_whose_answer_got_lost_is_found(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id)
        account.lose_answer()
        with pytest.raises(ProviderUnavailable):
            backend().refund(request)
        (made,) = account.refunds()
        assert backend().lookup_refund(request) == Refunded(made["id"])
        assert backend().refund(request) == Refunded(made["id"])

    def test_one_that_paypal_does_not_list_is_still_made_once(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id, "1.00")
        first = backend().refund(request)
        account.answer_next(200, {**account.order, "purchase_units": [{"custom_id": str(asked.reference)}]})
        assert backend().refund(request) == first
        assert len(account.refunds()) == 1

    def test_a_pending_one_is_made_until_paypal_says_otherwise(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id)
        account.refund_status = "PENDING"
        result = backend().refund(request)
        (made,) = account.refunds()
        assert result == Refunded(made["id"], pending=True)
        assert backend().lookup_refund(request) == result
        account.refunds_become("COMPLETED")
        assert backend().lookup_refund(request) == Refunded(made["id"])

    @pytest.mark.parametrize("status, code", [("FAILED", "failed"), ("CANCELLED", "cancelled")])
    def test_a_pending_one_may_come_to_nothing(self, account: PayPalAccount, status: str, code: str) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id)
        account.refund_status = "PENDING"
        backend().refund(request)
        account.refunds_become(status)
        assert backend().lookup_refund(request) == RefundDeclined(code)

    @pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
    def test_one_that_fails_at_once_is_declined(self, account: PayPalAccount, status: str) -> None:
        asked, transaction_id = paid(account)
        account.refund_status = status
        assert isinstance(backend().refund(refund_of(asked, transaction_id)), RefundDeclined)

    def test_one_of_unknown_status_raises(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account)
        account.refund_status = "CONFUSED"
        with pytest.raises(PayPalOutcomeUnknown):
            backend().refund(refund_of(asked, transaction_id))

    @pytest.mark.parametrize(
        "amount, code, word",
        [("12.34", "capture_fully_refunded", "website"), ("0.01", "capture_fully_refunded", "website")],
    )
    def test_what_paypal_has_refunded_already_is_declined_with_the_reason(
        self, account: PayPalAccount, amount: str, code: str, word: str
    ) -> None:
        asked, transaction_id = paid(account)
        backend().refund(refund_of(asked, transaction_id))
        result = backend().refund(refund_of(asked, transaction_id, amount))
        assert isinstance(result, RefundDeclined)
        assert (result.code, word in result.message) == (code, True)
        assert "Raw" not in result.message

    def test_more_than_is_left_is_declined(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account)
        result = backend().refund(refund_of(asked, transaction_id, "12.35"))
        assert isinstance(result, RefundDeclined)
        assert result.code == "refund_amount_exceeded"

    @pytest.mark.parametrize("issue", ["TRANSACTION_DISPUTED", "REFUND_TIME_LIMIT_EXCEEDED", "SOMETHING_NEW"])
    def test_a_refusal_is_declined_with_its_code(self, account: PayPalAccount, issue: str) -> None:
        asked, transaction_id = paid(account)
        account.refund_issue = issue
        result = backend().refund(refund_of(asked, transaction_id))
        assert isinstance(result, RefundDeclined)
        assert result.code == issue.lower()

    def test_a_missing_permission_is_said(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account)
        account.permissions.remove("refunds")
        result = backend().refund(refund_of(asked, transaction_id))
        assert isinstance(result, RefundDeclined)
        assert "not allowed" in result.message

    def test_one_of_a_payment_that_has_not_arrived_is_declined(self, account: PayPalAccount) -> None:
        asked = approved(account)
        account.capture_status = "PENDING"
        backend().lookup(asked)
        (capture,) = account.captures_of(asked.provider_reference)
        result = backend().refund(refund_of(asked, capture["id"]))
        assert isinstance(result, RefundDeclined)
        assert result.code == "pending_capture"

    def test_an_amount_that_paypal_cannot_count_is_declined_without_asking_it(
        self, account: PayPalAccount
    ) -> None:
        asked, transaction_id = paid(account, amount="990", currency="HUF")
        before = len(account.requests)
        assert isinstance(backend().refund(refund_of(asked, transaction_id, "0.50")), RefundDeclined)
        assert len(account.requests) == before

    @pytest.mark.parametrize("status", [301, 408, 409, 429, 500, 503])
    def test_an_answer_that_says_nothing_raises(self, account: PayPalAccount, status: int) -> None:
        asked, transaction_id = paid(account)
        account.answer_next(status, {"name": "PREVIOUS_REQUEST_IN_PROGRESS"}, skip=1)
        with pytest.raises(PayPalOutcomeUnknown):
            backend().refund(refund_of(asked, transaction_id))

    @pytest.mark.parametrize("status", [401, 403, 404, 500])
    def test_an_order_that_cannot_be_asked_is_no_proof_that_nothing_was_refunded(
        self, account: PayPalAccount, status: int
    ) -> None:
        asked, transaction_id = paid(account)
        account.answer_next(status, {"name": "RESOURCE_NOT_FOUND"})
        account.answer_next(status, {"name": "RESOURCE_NOT_FOUND"})
        request = refund_of(asked, transaction_id)
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup_refund(request)
        assert account.refunds() == []


class TestLookupRefund:
    def test_one_that_was_never_made_is_not_found(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account)
        assert backend().lookup_refund(refund_of(asked, transaction_id)) == NotFound()

    def test_one_made_in_paypals_own_website_is_nobodys(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account)
        backend().refund(refund_of(asked, transaction_id, "1.00"))
        del account.refunds()[0]["custom_id"]
        assert backend().lookup_refund(refund_of(asked, transaction_id, "1.00")) == NotFound()
