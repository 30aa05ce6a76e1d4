"""The Stripe backend's refunds."""

from __future__ import annotations

import pytest

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded
from snipcart_checkout.backends.stripe.api import StripeOutcomeUnknown
from tests.support.stripe_account import StripeAccount
from tests.support.stripe_charges import backend, paid, refund_of


class TestRefund:
    def test_it_names_the_payment_the_amount_and_our_reference(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account, amount="500", currency="ISK")
        request = refund_of(asked, transaction_id, "200")
        result = backend().refund(request)
        (made,) = account.refunds.values()
        assert result == Refunded(made["id"])
        assert (made["payment_intent"], made["amount"]) == (transaction_id, 20000)
        assert made["metadata"] == {"reference": str(request.reference)}
        assert account.headers[-1]["Idempotency-Key"] == str(request.reference)

    def test_several_equal_parts_are_several_refunds(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        for _ in range(2):
            assert isinstance(backend().refund(refund_of(asked, transaction_id, "6.17")), Refunded)
        assert len(account.refunds) == 2

    def test_a_repeat_days_later_is_the_same_refund(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id, "1.00")
        first = backend().refund(request)
        account.keys_are_forgotten()
        assert backend().refund(request) == first
        assert len(account.refunds) == 1

    def test_a_repeat_finds_its_refund_among_many(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id, "1.00")
        others = {
            f"re_{number}": {"id": f"re_{number}", "object": "refund", "payment_intent": transaction_id}
            | {"amount": 1, "status": "succeeded", "metadata": {}}
            for number in range(150)
        }
        first = backend().refund(request)
        account.refunds = {**others, **account.refunds}
        account.keys_are_forgotten()
        assert backend().refund(request) == first

    @pytest.mark.parametrize("status", ["pending", "requires_action"])
    def test_one_that_a_bank_has_still_to_carry_out_is_pending(
        self, account: StripeAccount, status: str
    ) -> None:
        asked, transaction_id = paid(account)
        account.refund_status = status
        request = refund_of(asked, transaction_id)
        first = backend().refund(request)
        assert first == Refunded(next(iter(account.refunds)), pending=True)
        assert backend().refund(request) == first

    @pytest.mark.parametrize("status", ["failed", "canceled"])
    def test_one_that_came_to_nothing_is_declined(self, account: StripeAccount, status: str) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id)
        backend().refund(request)
        for refund in account.refunds.values():
            refund.update(status=status, failure_reason="insufficient_funds")
        result = backend().refund(request)
        assert isinstance(result, RefundDeclined)
        assert (result.code, "balance" in result.message) == ("insufficient_funds", True)

    def test_one_of_unknown_status_raises(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id)
        backend().refund(request)
        for refund in account.refunds.values():
            refund["status"] = "confused"
        with pytest.raises(StripeOutcomeUnknown):
            backend().refund(request)

    def test_what_stripe_has_refunded_already_is_declined_with_the_reason(
        self, account: StripeAccount
    ) -> None:
        asked, transaction_id = paid(account)
        backend().refund(refund_of(asked, transaction_id))
        result = backend().refund(refund_of(asked, transaction_id))
        assert isinstance(result, RefundDeclined)
        assert result.code == "charge_already_refunded"
        assert "dashboard" in result.message
        assert "ch_1" not in result.message

    def test_more_than_is_left_is_declined(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        assert backend().refund(refund_of(asked, transaction_id, "12.35")) == RefundDeclined("refused")

    def test_an_amount_that_stripe_cannot_count_is_declined_without_asking_it(
        self, account: StripeAccount
    ) -> None:
        asked, transaction_id = paid(account, amount="1.230", currency="KWD")
        before = len(account.requests)
        result = backend().refund(refund_of(asked, transaction_id, "0.234"))
        assert isinstance(result, RefundDeclined)
        assert len(account.requests) == before

    @pytest.mark.parametrize("status, sentence", [(401, "SECRET_KEY"), (403, "SECRET_KEY"), (404, "")])
    def test_a_search_that_stripe_refuses_for_good_is_declined_and_nothing_is_sent(
        self, account: StripeAccount, status: int, sentence: str
    ) -> None:
        asked, transaction_id = paid(account)
        account.answer_next(status, {"type": "invalid_request_error"})
        result = backend().refund(refund_of(asked, transaction_id))
        assert isinstance(result, RefundDeclined)
        assert (result.code, sentence in result.message) == ("refused", True)
        assert account.refunds == {}


class TestLookupRefund:
    def test_one_that_was_made_is_found(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id, "1.00")
        made = backend().refund(request)
        account.keys_are_forgotten()
        assert backend().lookup_refund(request) == made

    def test_one_that_was_never_made_is_not(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        assert backend().lookup_refund(refund_of(asked, transaction_id)) == NotFound()
        assert account.refunds == {}

    def test_one_that_fails_days_later_is_declined_then(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id)
        assert isinstance(backend().refund(request), Refunded)
        account.refund_fails(request.reference)
        assert backend().lookup_refund(request) == RefundDeclined("lost_or_stolen_card")

    def test_a_search_that_stripe_refuses_is_no_proof_that_there_was_none(
        self, account: StripeAccount
    ) -> None:
        asked, transaction_id = paid(account)
        account.answer_next(401, {"type": "invalid_request_error"})
        with pytest.raises(StripeOutcomeUnknown):
            backend().lookup_refund(refund_of(asked, transaction_id))
