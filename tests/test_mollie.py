"""A charge at Mollie: what is asked for, and what its answers mean."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.utils.translation import gettext_lazy

from snipcart_checkout.backends.base import Declined, NotFound, Paid, Pending, Redirect
from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.mollie.api import MollieOutcomeUnknown
from snipcart_checkout.backends.mollie.payments import to_locale
from tests.support.mollie_account import LIVE_KEY, TEST_KEY, MollieAccount, error
from tests.support.mollie_charges import (
    NOTIFICATION_URL,
    RETURN_URL,
    account,
    backend,
    calls,
    charge,
    left,
    paid,
    returned,
    sent,
)

__all__ = ["account"]


# What is asked for ------------------------------------------------------------------------------------------


def test_a_payment_holds_the_amount_the_reference_and_the_ways_back(account: MollieAccount) -> None:
    asked = charge("12.30", "EUR")
    backend().charge(asked)
    digits = asked.reference.hex[:8].upper()
    assert sent(account) == {
        "amount": {"currency": "EUR", "value": "12.30"},
        "description": f"Your order {digits[:4]}-{digits[4:]}",
        "redirectUrl": RETURN_URL,
        "cancelUrl": RETURN_URL,
        "webhookUrl": NOTIFICATION_URL,
        "locale": "en_US",
        "metadata": {"reference": str(asked.reference)},
    }
    assert account.headers[-1]["Idempotency-Key"] == str(asked.reference)
    assert account.headers[-1]["Authorization"] == f"Bearer {LIVE_KEY}"


def test_a_new_payment_sends_the_shopper_to_its_page(account: MollieAccount) -> None:
    result = backend().charge(charge())
    assert result == Redirect(account.payment["_links"]["checkout"]["href"], account.payment["id"])
    assert calls(account) == ["POST /payments"]


@pytest.mark.parametrize(
    "amount, currency, value",
    [("12.3", "EUR", "12.30"), ("1500", "JPY", "1500"), ("500", "ISK", "500"), ("0.01", "HUF", "0.01")],
)
def test_an_amount_has_exactly_the_decimals_of_its_currency(
    account: MollieAccount, amount: str, currency: str, value: str
) -> None:
    assert isinstance(backend().charge(charge(amount, currency)), Redirect)
    assert sent(account)["amount"] == {"currency": currency, "value": value}


def test_an_amount_that_its_currency_cannot_hold_is_declined_before_anything_is_sent(
    account: MollieAccount,
) -> None:
    asked = replace(charge(), amount=Decimal("12.345"))
    assert backend().charge(asked) == Declined("amount_not_supported")
    assert calls(account) == []


@pytest.mark.parametrize(
    "amount, currency, code",
    [("1.234", "KWD", "currency_not_supported"), ("1000000.01", "EUR", "amount_not_supported")],
)
def test_an_amount_that_mollie_does_not_take_is_declined(
    account: MollieAccount, amount: str, currency: str, code: str
) -> None:
    assert backend().charge(charge(amount, currency)) == Declined(code)
    assert account.payments == {}


@pytest.mark.parametrize(
    "language, locale",
    [
        ("nl", "nl_NL"),
        ("nl-be", "nl_BE"),
        ("de-at", "de_AT"),
        ("de-li", "de_DE"),
        ("en", "en_US"),
        ("en-gb", "en_GB"),
        ("fr-ca", "fr_FR"),
        ("pt-br", "pt_PT"),
        ("nn", "nb_NO"),
        ("sk", "sk_SK"),
        ("ja", ""),
        ("zh-hant", ""),
    ],
)
def test_the_page_has_the_language_of_the_charge_where_mollie_has_it(language: str, locale: str) -> None:
    assert to_locale(language) == locale


def test_without_a_language_of_mollie_the_browser_is_asked(account: MollieAccount) -> None:
    backend().charge(charge(language="ja"))
    assert "locale" not in sent(account)


@pytest.mark.parametrize(
    "methods, method",
    [
        (["ideal"], "ideal"),
        (["creditcard"], "creditcard"),
        (["paypal"], ["paypal"]),
        (["bancontact", "kbc"], ["bancontact", "kbc"]),
    ],
)
def test_ways_to_pay_are_named_so_that_the_link_leads_to_mollie(
    account: MollieAccount, methods: list[str], method: Any
) -> None:
    assert isinstance(backend(METHODS=methods).charge(charge()), Redirect)
    assert sent(account)["method"] == method


def test_without_methods_the_shopper_chooses_at_mollie(account: MollieAccount) -> None:
    backend(METHODS=[]).charge(charge())
    assert "method" not in sent(account)


def test_the_description_is_the_merchants_with_the_payment_reference(account: MollieAccount) -> None:
    asked = charge(language="fr")
    backend(PAYMENT_DESCRIPTION=gettext_lazy("Yes")).charge(asked)
    assert sent(account)["description"].startswith("Oui ")
    backend(PAYMENT_DESCRIPTION="x" * 300).charge(charge())
    assert len(sent(account)["description"]) == 140


def test_an_address_that_mollie_cannot_reach_is_not_named(account: MollieAccount) -> None:
    asked = charge(notification_url="http://127.0.0.1:8000/pay/live/notifications/card/")
    assert isinstance(backend().charge(asked), Redirect)
    assert "webhookUrl" not in sent(account)


@pytest.mark.parametrize("key", ["", "pk_live_1", TEST_KEY, "live_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM"])
def test_a_key_that_is_not_the_stores_charges_nothing(account: MollieAccount, key: str) -> None:
    assert backend(API_KEY=key).charge(charge()) == Declined("declined")
    assert calls(account) == []


# Repeats and lost answers -----------------------------------------------------------------------------------


def test_a_repeat_is_the_same_payment_as_it_now_is(account: MollieAccount) -> None:
    asked = charge()
    first = backend().charge(asked)
    account.payment_ends(account.payment["id"], "expired")
    assert isinstance(first, Redirect)
    assert backend().charge(asked) == Declined("cancelled")
    assert len(account.payments) == 1


def test_a_charge_whose_answer_was_lost_is_not_known_and_its_repeat_finds_the_payment(
    account: MollieAccount,
) -> None:
    asked = charge()
    account.lose_next(requests.ConnectionError())
    with pytest.raises(ProviderUnavailable):
        backend().charge(asked)
    assert backend().lookup(asked) == NotFound()
    result = backend().charge(asked)
    assert isinstance(result, Redirect)
    assert result.provider_reference == account.payment["id"]


def test_a_repeat_after_an_hour_is_a_new_payment_and_nobody_has_the_link_of_the_old_one(
    account: MollieAccount,
) -> None:
    asked = charge()
    account.lose_next(requests.ConnectionError())
    with pytest.raises(ProviderUnavailable):
        backend().charge(asked)
    account.time_passes(minutes=61)
    result = backend().charge(asked)
    assert isinstance(result, Redirect)
    assert len(account.of_reference(asked.reference)) == 2


def test_a_shopper_who_takes_the_order_up_again_is_led_to_the_same_page(account: MollieAccount) -> None:
    asked = left()
    result = backend().charge(asked)
    assert result == Redirect(account.payment["_links"]["checkout"]["href"], account.payment["id"])
    assert calls(account) == ["POST /payments", f"GET /payments/{account.payment['id']}"]


def test_a_failure_that_mollie_repeats_for_an_hour_is_a_decline(account: MollieAccount) -> None:
    asked = charge()
    account.fail_next()
    with pytest.raises(MollieOutcomeUnknown):
        backend().charge(asked)
    assert backend().charge(asked) == Declined("declined")


def test_a_repeat_with_other_options_is_a_decline(account: MollieAccount) -> None:
    asked = charge()
    account.lose_next(requests.ConnectionError())
    with pytest.raises(ProviderUnavailable):
        backend().charge(asked)
    assert backend(METHODS=["ideal"]).charge(asked) == Declined("declined")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 415, 422])
def test_what_mollie_refuses_to_create_is_declined(account: MollieAccount, status: int) -> None:
    account.answer_next(status, "No.")
    assert backend().charge(charge()) == Declined("declined")


@pytest.mark.parametrize("status", [301, 302, 307, 408, 409, 425, 429, 500, 502, 503, 504])
def test_what_says_nothing_of_the_payment_is_not_known(account: MollieAccount, status: int) -> None:
    account.answer_next(status, "Later.")
    with pytest.raises(MollieOutcomeUnknown):
        backend().charge(charge())


def test_a_page_that_is_not_mollies_is_not_shown(account: MollieAccount) -> None:
    account.page = "https://www.mollie.example"
    assert backend().charge(charge()) == Declined("declined")


def test_a_further_origin_of_mollies_page_can_be_named(account: MollieAccount) -> None:
    account.page = "https://pay.shop.example"
    assert isinstance(backend(CHECKOUT_ORIGINS=["https://pay.shop.example"]).charge(charge()), Redirect)


# What came of it --------------------------------------------------------------------------------------------


def test_what_was_never_created_is_not_found() -> None:
    assert backend().lookup(charge()) == NotFound()


def test_what_is_paid_is_paid_in_mollies_words(account: MollieAccount) -> None:
    asked = left(amount="12.34")
    account.shopper_pays(asked.provider_reference)
    account.payment["amount"] = {"currency": "USD", "value": "12.35"}
    assert backend().lookup(asked) == Paid(account.payment["id"], Decimal("12.35"), "USD")


@pytest.mark.parametrize("status", ["pending", "authorized"])
def test_what_is_on_its_way_is_pending(account: MollieAccount, status: str) -> None:
    asked = left()
    account.shopper_starts(asked.provider_reference, status)
    assert backend().lookup(returned(asked)) == Pending(account.payment["id"])


@pytest.mark.parametrize(
    "status, code", [("canceled", "cancelled"), ("expired", "cancelled"), ("failed", "declined")]
)
def test_what_has_ended_unpaid_is_declined(account: MollieAccount, status: str, code: str) -> None:
    asked = left()
    account.payment_ends(asked.provider_reference, status)
    assert backend().lookup(asked) == Declined(code)


@pytest.mark.parametrize(
    "reason, code",
    [
        ("authentication_abandoned", "cancelled"),
        ("authentication_failed", "card_declined"),
        ("card_declined", "card_declined"),
        ("card_expired", "expired"),
        ("insufficient_funds", "insufficient_funds"),
        ("invalid_card_number", "invalid_number"),
        ("invalid_card_type", "card_not_supported"),
        ("invalid_cvv", "invalid_cvv"),
        ("possible_fraud", "card_declined"),
        ("something_new", "declined"),
    ],
)
def test_a_card_that_failed_says_why_in_our_words(account: MollieAccount, reason: str, code: str) -> None:
    asked = left()
    account.payment_ends(asked.provider_reference, "failed", failureReason=reason)
    assert backend().lookup(asked) == Declined(code)


def test_a_status_that_mollie_does_not_document_is_not_known(account: MollieAccount) -> None:
    asked = left()
    account.payment["status"] = "chargedback"
    with pytest.raises(MollieOutcomeUnknown):
        backend().lookup(asked)


def test_an_open_payment_is_pending_as_long_as_the_shopper_may_be_at_it(account: MollieAccount) -> None:
    asked = left()
    account.payment["isCancelable"] = True
    assert backend().lookup(asked) == Pending(account.payment["id"], unfinished=True)
    assert account.payment["status"] == "open"


def test_an_open_payment_of_a_shopper_who_came_back_is_canceled(account: MollieAccount) -> None:
    asked = left()
    account.payment["isCancelable"] = True
    assert backend().lookup(returned(asked)) == Declined("cancelled")
    assert account.payment["status"] == "canceled"


def test_an_open_payment_that_mollie_cannot_cancel_is_not_known(account: MollieAccount) -> None:
    asked = left()
    with pytest.raises(MollieOutcomeUnknown, match="cannot cancel"):
        backend().lookup(returned(asked))
    assert "DELETE" not in str(calls(account))


def test_a_payment_that_is_paid_while_it_is_canceled_is_paid(account: MollieAccount) -> None:
    asked = left()
    account.payment["isCancelable"] = True
    account.meanwhile(lambda: account.shopper_pays(asked.provider_reference))
    assert isinstance(backend().lookup(returned(asked)), Paid)


def test_a_payment_that_mollie_neither_cancels_nor_ends_is_not_known(account: MollieAccount) -> None:
    asked = left()
    account.payment["isCancelable"] = True
    account.meanwhile(lambda: account.payment.update(isCancelable=False))
    with pytest.raises(MollieOutcomeUnknown, match="neither"):
        backend().lookup(returned(asked))


def test_a_transfer_that_was_arranged_is_pending_with_its_instructions(account: MollieAccount) -> None:
    asked = left()
    account.shopper_chooses_transfer(asked.provider_reference)
    result = backend().lookup(returned(asked))
    assert isinstance(result, Pending)
    assert result.instructions.splitlines() == [
        "Bank: Stichting Mollie Payments",
        "IBAN: NL53ABNA0627535577",
        "BIC: ABNANL2A",
        "Payment reference: RF12-3456-7890-1234",
    ]
    assert account.payment["status"] == "open"
    account.shopper_pays(asked.provider_reference, "banktransfer")
    assert isinstance(backend().lookup(asked), Paid)


def test_a_payment_at_a_cash_machine_is_pending_with_its_instructions(account: MollieAccount) -> None:
    asked = left()
    account.shopper_chooses_multibanco(asked.provider_reference)
    result = backend().lookup(returned(asked))
    assert isinstance(result, Pending)
    assert result.instructions.splitlines() == ["Entity: 11249", "Payment reference: 123456789"]


def test_a_transfer_by_its_own_method_is_waited_for(account: MollieAccount) -> None:
    asked = charge()
    result = backend(METHODS=["banktransfer"]).charge(asked)
    assert isinstance(result, Redirect)
    asked = replace(asked, provider_reference=result.provider_reference)
    assert isinstance(backend().lookup(returned(asked)), Pending)


def test_a_payment_of_another_charge_is_not_taken_for_this_one(account: MollieAccount) -> None:
    other, _transaction = paid(account)
    asked = replace(charge(), provider_reference=other.provider_reference)
    with pytest.raises(MollieOutcomeUnknown, match="another charge"):
        backend().lookup(asked)


def test_a_payment_that_mollie_does_not_know_is_not_known(account: MollieAccount) -> None:
    asked = replace(charge(), provider_reference="tr_unknown")
    with pytest.raises(MollieOutcomeUnknown, match="404"):
        backend().lookup(asked)


def test_metadata_that_comes_back_as_text_is_read(account: MollieAccount) -> None:
    asked = left()
    account.shopper_pays(asked.provider_reference)
    account.payment["metadata"] = f'{{"reference": "{asked.reference}"}}'
    assert isinstance(backend().lookup(asked), Paid)


def test_an_error_has_the_shape_of_mollies_specification() -> None:
    status, _headers, body = error(422, "No.", "amount")
    assert status == 422
    assert '"field": "amount"' in body
