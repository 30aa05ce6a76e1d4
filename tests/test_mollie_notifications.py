"""Mollie's notifications: an id, which is believed only once Mollie has said whose it is."""

from __future__ import annotations

from uuid import UUID

import pytest
import requests

from snipcart_checkout.backends.base import Notification
from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.mollie.api import MollieOutcomeUnknown
from snipcart_checkout.exceptions import NotificationRefused
from tests.support.mollie_account import MollieAccount, message
from tests.support.mollie_charges import account, backend, calls, left, paid, refund_of

__all__ = ["account"]

NOBODY = UUID(int=0)


def read(payment_id: str) -> Notification:
    return backend().read_notification(*message(payment_id))


def test_a_notification_names_the_charge_of_its_payment(account: MollieAccount) -> None:
    asked, _transaction_id = paid(account)
    assert read(asked.provider_reference) == Notification(asked.reference)
    assert account.requests[-1][2] == {"embed": "refunds"}


@pytest.mark.parametrize("status", ["pending", "authorized", "paid", "canceled", "expired", "failed"])
def test_a_notification_is_handled_in_every_status_that_it_is_sent_for(
    account: MollieAccount, status: str
) -> None:
    asked = left()
    account.payment["status"] = status
    assert read(asked.provider_reference) == Notification(asked.reference)


def test_a_notification_about_an_open_payment_is_not_mollies(account: MollieAccount) -> None:
    asked = left()
    assert read(asked.provider_reference) == Notification(NOBODY)
    account.shopper_chooses_transfer(asked.provider_reference)
    assert read(asked.provider_reference) == Notification(NOBODY)


def test_a_replayed_notification_says_the_same_again(account: MollieAccount) -> None:
    asked, _transaction_id = paid(account)
    assert read(asked.provider_reference) == read(asked.provider_reference) == Notification(asked.reference)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff",
        b"id",
        b"id=",
        b"id=tr_",
        b"id=re_12345",
        b"id=tr_12345 ",
        b"id=tr_12345/../../profiles/me",
        b"id=tr_1&id=tr_2",
        b"id=tr_" + b"x" * 300,
        b"id=tr_1" + b"&x=1" * 9,
        b'{"id": "tr_12345"}',
        b'{"resource": "event", "id": "event_1"}',
    ],
)
def test_what_names_no_payment_is_refused_without_a_call(account: MollieAccount, body: bytes) -> None:
    with pytest.raises(NotificationRefused):
        backend().read_notification({}, body)
    assert account.requests == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_payment_that_mollie_does_not_show_is_refused(account: MollieAccount, status: int) -> None:
    account.answer_next(status, "No.")
    with pytest.raises(NotificationRefused, match=str(status)):
        read("tr_forged")


def test_an_id_that_was_made_up_is_refused(account: MollieAccount) -> None:
    left()
    with pytest.raises(NotificationRefused):
        read("tr_forged")


def test_while_mollie_does_not_answer_nothing_is_believed(account: MollieAccount) -> None:
    asked = left()
    account.answer_next(503, "Later.")
    with pytest.raises(MollieOutcomeUnknown):
        read(asked.provider_reference)
    account.answer_next(requests.ConnectionError())
    with pytest.raises(ProviderUnavailable):
        read(asked.provider_reference)


@pytest.mark.parametrize("metadata", [None, "order 5", 5, ["x"], {"order": 5}, {"reference": "5"}])
def test_a_payment_of_other_software_is_nobodys(account: MollieAccount, metadata: object) -> None:
    asked, _transaction_id = paid(account)
    account.payment["metadata"] = metadata
    assert read(asked.provider_reference) == Notification(NOBODY)


def test_news_of_a_refund_name_the_refund(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    first, second = refund_of(asked, transaction_id, "5.00"), refund_of(asked, transaction_id, "6.00")
    backend().refund(first)
    assert read(asked.provider_reference) == Notification(first.reference)
    account.time_passes(minutes=5)
    backend().refund(second)
    assert read(asked.provider_reference) == Notification(second.reference)
    account.refund_becomes(account.refunds_of_reference(first.reference)[0]["id"], "failed")
    assert read(asked.provider_reference) == Notification(first.reference)


def test_a_refund_from_mollies_dashboard_is_not_named(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    backend().refund(refund_of(asked, transaction_id))
    next(iter(account.refunds.values()))["metadata"] = None
    assert read(asked.provider_reference) == Notification(asked.reference)


def test_a_chargeback_is_a_dispute_of_the_charge(account: MollieAccount) -> None:
    asked, _transaction_id = paid(account)
    account.bank_disputes(asked.provider_reference)
    assert read(asked.provider_reference) == Notification(asked.reference, dispute=True)
    account.payment["amountChargedBack"]["value"] = "0.00"
    assert read(asked.provider_reference) == Notification(asked.reference)


def test_a_notification_costs_one_call(account: MollieAccount) -> None:
    asked = left()
    read(asked.provider_reference)
    assert calls(account)[1:] == [f"GET /payments/{asked.provider_reference}"]
