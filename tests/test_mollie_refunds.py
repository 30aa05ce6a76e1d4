"""Refunds at Mollie."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest
import requests

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded
from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.mollie.api import MollieOutcomeUnknown
from tests.support.mollie_account import MollieAccount
from tests.support.mollie_charges import account, backend, calls, paid, refund_of, sent

__all__ = ["account"]


def code_of(result: object) -> str:
    assert isinstance(result, RefundDeclined)
    assert result.message
    return result.code


def test_a_refund_is_made_under_our_reference(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    refund = refund_of(asked, transaction_id, "5.00")
    result = backend().refund(refund)
    (made,) = account.refunds.values()
    assert result == Refunded(made["id"], pending=True)
    assert sent(account) == {
        "amount": {"currency": "EUR", "value": "5.00"},
        "description": account.payment["description"],
        "metadata": {"reference": str(refund.reference)},
    }
    assert account.headers[-1]["Idempotency-Key"] == str(refund.reference)


@pytest.mark.parametrize(
    "status, pending",
    [("queued", True), ("pending", True), ("processing", True), ("refunded", False)],
)
def test_a_refund_that_mollie_has_taken_on_is_made(
    account: MollieAccount, status: str, pending: bool
) -> None:
    asked, transaction_id = paid(account)
    refund = refund_of(asked, transaction_id)
    backend().refund(refund)
    (made,) = account.refunds.values()
    account.refund_becomes(made["id"], status)
    expected = Refunded(made["id"], pending=pending)
    assert backend().lookup_refund(refund) == expected
    assert backend().refund(refund) == expected
    assert len(account.refunds) == 1


def test_a_refund_that_failed_later_is_declined(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    refund = refund_of(asked, transaction_id)
    backend().refund(refund)
    (made,) = account.refunds.values()
    account.refund_becomes(made["id"], "failed")
    assert code_of(backend().lookup_refund(refund)) == "failed"
    assert code_of(backend().refund(refund)) == "failed"
    assert len(account.refunds) == 1


def test_a_refund_that_is_listed_as_canceled_is_declined(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    refund = refund_of(asked, transaction_id)
    backend().refund(refund)
    next(iter(account.refunds.values()))["status"] = "canceled"
    assert code_of(backend().lookup_refund(refund)) == "canceled"


def test_a_refund_that_mollie_does_not_list_any_more_is_not_found(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    refund = refund_of(asked, transaction_id)
    assert backend().lookup_refund(refund) == NotFound()
    backend().refund(refund)
    account.refund_becomes(next(iter(account.refunds)), "canceled")
    assert backend().lookup_refund(refund) == NotFound()


def test_a_refund_of_unknown_status_is_not_known(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    refund = refund_of(asked, transaction_id)
    backend().refund(refund)
    next(iter(account.refunds.values()))["status"] = "lost"
    with pytest.raises(MollieOutcomeUnknown):
        backend().lookup_refund(refund)


@pytest.mark.parametrize("minutes", [1, 61, 60 * 72])
def test_a_refund_whose_answer_was_lost_is_made_once_however_late_it_is_repeated(
    account: MollieAccount, minutes: int
) -> None:
    asked, transaction_id = paid(account)
    refund = refund_of(asked, transaction_id, "5.00")
    account.meanwhile(lambda: account.lose_next(requests.ConnectionError()))
    with pytest.raises(ProviderUnavailable):
        backend().refund(refund)
    account.time_passes(minutes=minutes)
    assert isinstance(backend().refund(refund), Refunded)
    assert len(account.refunds) == 1


def test_a_refund_is_found_on_a_later_page_of_the_list(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    refunds = [refund_of(asked, transaction_id, f"1.0{number}") for number in range(5)]
    account.page_size = 2
    for refund in refunds:
        assert isinstance(backend().refund(refund), Refunded)
    made = len(account.refunds)
    for refund in refunds:
        assert isinstance(backend().lookup_refund(refund), Refunded)
    assert len(account.refunds) == made == 5


def test_the_same_amount_again_within_an_hour_is_declined_with_the_reason(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    backend().refund(refund_of(asked, transaction_id, "5.00"))
    again = refund_of(asked, transaction_id, "5.00")
    assert code_of(backend().refund(again)) == "duplicate_refund"
    assert len(account.refunds) == 1
    account.time_passes(minutes=61)
    assert isinstance(backend().refund(refund_of(asked, transaction_id, "5.00")), Refunded)


def test_a_duplicate_that_is_this_very_refund_is_made(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    refund = refund_of(asked, transaction_id, "5.00")
    late = replace(refund)

    def other_process() -> None:
        backend().refund(late)
        account.answer_next(409, "A duplicate refund has been detected")

    account.meanwhile(other_process)
    assert isinstance(backend().refund(refund), Refunded)
    assert len(account.refunds) == 1


def test_another_conflict_is_not_known(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    account.meanwhile(lambda: account.answer_next(409, "A request with this key is being processed"))
    with pytest.raises(MollieOutcomeUnknown):
        backend().refund(refund_of(asked, transaction_id))


def test_more_than_is_left_is_declined(account: MollieAccount) -> None:
    asked, transaction_id = paid(account, amount="12.34")
    backend().refund(refund_of(asked, transaction_id, "10.00"))
    assert code_of(backend().refund(refund_of(asked, transaction_id, "2.35"))) == "amount"


def test_a_payment_that_cannot_be_refunded_is_declined(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    account.payment["status"] = "expired"
    assert code_of(backend().refund(refund_of(asked, transaction_id))) == "refused_422"


def test_an_amount_that_the_currency_cannot_hold_is_declined(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    refund = replace(refund_of(asked, transaction_id), amount=Decimal("1.234"))
    before = len(account.requests)
    assert code_of(backend().refund(refund)) == "amount_not_supported"
    assert len(account.requests) == before


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_list_that_mollie_refuses_says_nothing_of_the_refund(account: MollieAccount, status: int) -> None:
    asked, transaction_id = paid(account)
    refund = refund_of(asked, transaction_id)
    for ask in (backend().refund, backend().lookup_refund):
        account.answer_next(status, "No.")
        with pytest.raises(MollieOutcomeUnknown):
            ask(refund)
    assert account.refunds == {}


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_refund_is_declined_with_the_reason(account: MollieAccount, status: int) -> None:
    asked, transaction_id = paid(account)
    account.meanwhile(lambda: account.answer_next(status, "No."))
    assert code_of(backend().refund(refund_of(asked, transaction_id))) == f"refused_{status}"


@pytest.mark.parametrize("status", [302, 408, 429, 500, 503])
def test_what_says_nothing_of_a_refund_is_not_known(account: MollieAccount, status: int) -> None:
    asked, transaction_id = paid(account)
    account.meanwhile(lambda: account.answer_next(status, "Later."))
    with pytest.raises(MollieOutcomeUnknown):
        backend().refund(refund_of(asked, transaction_id))


def test_a_refund_of_what_is_no_payment_of_mollie_calls_nothing(account: MollieAccount) -> None:
    asked, _transaction_id = paid(account)
    before = calls(account)
    with pytest.raises(MollieOutcomeUnknown):
        backend().refund(refund_of(asked, str(uuid4())))
    assert calls(account) == before
