"""Calls to Mollie: what hostile answers lead to, and that no secret gets out."""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import replace
from typing import Any

import pytest
import requests

from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.mollie.api import MollieApi, MollieOutcomeUnknown
from tests.support.mollie_account import LIVE_KEY, MollieAccount
from tests.support.mollie_charges import account, backend, charge, left, paid, refund_of

__all__ = ["account"]


def payment_body(reference: object, **changes: Any) -> str:
    values = {
        "resource": "payment",
        "id": "tr_1",
        "status": "open",
        "amount": {"currency": "EUR", "value": "12.34"},
        "metadata": {"reference": str(reference)},
        "_links": {"checkout": {"href": "https://www.mollie.com/checkout/select-method/1"}},
        **changes,
    }
    return json.dumps(values)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>Busy</html>",
        "null",
        "[]",
        "{}",
        '"paid"',
        "[" * 100_000,
        '{"resource": "refund", "id": "re_1"}',
        '{"resource": "payment", "id": "tr_1"}',
    ],
)
def test_an_answer_that_is_no_payment_is_not_known(account: MollieAccount, body: str) -> None:
    account.answer_next(201, body=body)
    with pytest.raises(MollieOutcomeUnknown):
        backend().charge(charge())
    asked = left()
    account.answer_next(200, body=body)
    with pytest.raises(MollieOutcomeUnknown):
        backend().lookup(asked)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../profiles/me"},
        {"id": "tr_"},
        {"id": 1},
        {"amount": {"currency": "EUR", "value": 12.34}},
        {"amount": {"currency": "EUR", "value": "NaN"}},
        {"amount": {"currency": "EUR", "value": "12.35"}},
        {"amount": {"currency": "USD", "value": "12.34"}},
        {"amount": "12.34"},
        {"metadata": None},
        {"metadata": {"reference": ["x"]}},
        {"metadata": "{"},
        {"status": "new"},
        {"status": None},
        {"_links": None},
        {"_links": {"checkout": "https://www.mollie.com/"}},
    ],
)
def test_a_new_payment_that_is_not_the_one_asked_for_is_not_known(
    account: MollieAccount, changes: dict[str, Any]
) -> None:
    asked = charge()
    account.answer_next(201, body=payment_body(asked.reference, **changes))
    with pytest.raises(MollieOutcomeUnknown):
        backend().charge(asked)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
@pytest.mark.parametrize("body", ["<html>Blocked</html>", "{}", '{"status": 500}', '{"status": "422"}'])
def test_a_refusal_that_is_not_mollies_own_is_not_known(
    account: MollieAccount, status: int, body: str
) -> None:
    account.answer_next(status, body=body)
    with pytest.raises(MollieOutcomeUnknown):
        backend().charge(charge())


@pytest.mark.parametrize("status", [202, 206, 302])
def test_an_answer_of_a_status_that_mollie_does_not_give_is_not_known(
    account: MollieAccount, status: int
) -> None:
    asked = charge()
    account.answer_next(status, body=payment_body(asked.reference))
    with pytest.raises(MollieOutcomeUnknown):
        backend().charge(asked)


def test_an_answer_that_is_too_large_is_not_known(account: MollieAccount) -> None:
    account.answer_next(201, body='{"resource": "payment", "x": "' + "x" * 3_000_000 + '"}')
    with pytest.raises(ProviderUnavailable):
        backend().charge(charge())


def test_a_stored_id_that_is_not_mollies_calls_nothing(account: MollieAccount) -> None:
    for named in ("tr_1/../../profiles/me", "re_1", "tr_1?testmode=true"):
        with pytest.raises(MollieOutcomeUnknown):
            backend().lookup(replace(charge(), provider_reference=named))
    assert account.requests == []


def test_a_list_that_leads_elsewhere_is_not_followed_there(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    page = {
        "_embedded": {"refunds": []},
        "_links": {"next": {"href": "https://evil.example/v2?from=re_1&limit=1"}},
    }
    account.answer_next(200, body=json.dumps(page))
    account.answer_next(200, body=json.dumps({"_embedded": {"refunds": []}, "_links": {"next": None}}))
    backend().refund(refund_of(asked, transaction_id))
    assert account.requests[-2][2] == {"limit": "250", "from": "re_1"}


@pytest.mark.parametrize("href", ["https://api.mollie.com/v2?from=../x", "https://[", "x"])
def test_a_list_that_cannot_be_followed_is_not_known(account: MollieAccount, href: str) -> None:
    asked, transaction_id = paid(account)
    page = {"_embedded": {"refunds": []}, "_links": {"next": {"href": href}}}
    account.answer_next(200, body=json.dumps(page))
    with pytest.raises(MollieOutcomeUnknown):
        backend().refund(refund_of(asked, transaction_id))
    assert account.refunds == {}


def test_a_list_without_an_end_is_not_known(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    page = {"_embedded": {"refunds": []}, "_links": {"next": {"href": "?from=re_1"}}}
    for _ in range(20):
        account.answer_next(200, body=json.dumps(page))
    with pytest.raises(MollieOutcomeUnknown, match="more refunds"):
        backend().refund(refund_of(asked, transaction_id))
    assert account.refunds == {}


def test_no_secret_is_in_an_exception_a_log_or_a_repr(
    account: MollieAccount, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = left()
    told = [repr(backend()), repr(MollieApi(requests.Session(), LIVE_KEY))]
    for problem in (requests.ConnectionError(LIVE_KEY), 401, 500, 302):
        account.answer_next(problem, f"the key {LIVE_KEY} is wrong")
        try:
            backend().lookup(asked)
        except Exception as error:
            told += traceback.format_exception(error)
    account.answer_next(422, f"the key {LIVE_KEY} is wrong")
    backend().charge(charge())
    told += [record.getMessage() for record in caplog.records]
    assert len(told) > 6
    assert not [text for text in told if LIVE_KEY in text or LIVE_KEY[5:] in text]


def test_a_key_that_no_header_can_hold_is_in_no_exception(account: MollieAccount) -> None:
    asked, transaction_id = paid(account)
    with pytest.raises(MollieOutcomeUnknown) as caught:
        backend(API_KEY=f"{LIVE_KEY}\n").refund(refund_of(asked, transaction_id))
    told = "".join(traceback.format_exception(caught.value))
    assert LIVE_KEY not in told
    assert "InvalidHeader" in told
