"""The PayPal backend's charges and look-ups: what is sent, and what becomes of each answer."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests

from snipcart_checkout.backends.base import Declined, NotFound, Paid, Pending, Redirect
from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.paypal import tokens
from snipcart_checkout.backends.paypal.api import PayPalOutcomeUnknown
from snipcart_checkout.backends.paypal.declines import CAPTURE_DECLINES
from snipcart_checkout.backends.paypal.orders import to_locale
from snipcart_checkout.testing import CheckoutSettings
from tests.support.paypal_account import CLIENT_ID, CLIENT_SECRET, PayPalAccount
from tests.support.paypal_charges import (
    RETURN_URL,
    account,
    approved,
    backend,
    charge,
    left,
    paid,
    returned,
)

__all__ = ["account"]


class TestCharge:
    def test_the_order_is_one_unit_of_the_whole_amount_under_our_reference(
        self, account: PayPalAccount
    ) -> None:
        asked = charge("12.30")
        result = backend().charge(asked)
        reference = str(asked.reference)
        assert result == Redirect(account.order["links"][1]["href"], account.order["id"])
        (_method, _path, body), headers = account.requests[-1], account.headers[-1]
        assert body == {
            "intent": "CAPTURE",
            "purchase_units": [
                {
                    "custom_id": reference,
                    "invoice_id": reference,
                    "amount": {"currency_code": "EUR", "value": "12.30"},
                }
            ],
            "payment_source": {
                "paypal": {
                    "experience_context": {
                        "locale": "en-US",
                        "shipping_preference": "NO_SHIPPING",
                        "user_action": "PAY_NOW",
                        "return_url": RETURN_URL,
                        "cancel_url": RETURN_URL,
                    }
                }
            },
        }
        assert headers["PayPal-Request-Id"] == reference
        assert headers["Prefer"] == "return=representation"

    @pytest.mark.parametrize(
        "amount, currency, value",
        [("12", "EUR", "12.00"), ("1500", "JPY", "1500"), ("990", "HUF", "990"), ("3E+2", "TWD", "300")],
    )
    def test_an_amount_has_the_decimals_that_paypal_wants(
        self, account: PayPalAccount, amount: str, currency: str, value: str
    ) -> None:
        backend().charge(charge(amount, currency))
        assert account.order["purchase_units"][0]["amount"] == {"currency_code": currency, "value": value}

    @pytest.mark.parametrize(
        "amount, currency, code",
        [
            ("990.50", "HUF", "amount_not_supported"),
            ("1.01", "TWD", "amount_not_supported"),
            ("1.234", "KWD", "currency_not_supported"),
            ("100", "INR", "currency_not_supported"),
        ],
    )
    def test_what_paypal_cannot_charge_exactly_is_declined_without_a_call(
        self, account: PayPalAccount, amount: str, currency: str, code: str
    ) -> None:
        assert backend().charge(charge(amount, currency)) == Declined(code)
        assert account.requests == []

    def test_the_page_has_the_shops_name_in_the_shoppers_language(self, account: PayPalAccount) -> None:
        backend(BRAND_NAME=" The Paper\nLantern " + "n" * 200).charge(charge(language="fr-ca"))
        context = account.requests[-1][2]["payment_source"]["paypal"]["experience_context"]
        assert (context["locale"], context["brand_name"][:18]) == ("fr-CA", "The Paper Lantern ")
        assert len(context["brand_name"]) == 127

    @pytest.mark.parametrize(
        "language, locale",
        [
            ("de", "de-DE"),
            ("fr-lu", "fr-FR"),
            ("pt-br", "pt-BR"),
            ("nb", "no-NO"),
            ("zh-hant", "zh-TW"),
            ("en-gb", "en-GB"),
            ("cy", ""),
            ("", ""),
        ],
    )
    def test_a_language_is_one_of_paypals_or_left_to_it(self, language: str, locale: str) -> None:
        assert to_locale(language) == locale

    @pytest.mark.parametrize("store, page", [("live", "www.paypal.com"), ("trial", "www.sandbox.paypal.com")])
    def test_the_store_decides_between_live_and_sandbox(
        self, checkout_settings: CheckoutSettings, store: str, page: str
    ) -> None:
        checkout_settings.store("trial", MODE="test")
        assert backend(store).redirect_origins == (f"https://{page}",)

    def test_a_repeat_leads_to_the_same_order(self, account: PayPalAccount) -> None:
        asked = charge()
        assert backend().charge(asked) == backend().charge(asked)
        assert len(account.orders) == 1

    def test_an_order_whose_answer_got_lost_is_not_made_twice(self, account: PayPalAccount) -> None:
        asked = charge()
        account.lose_answer()
        with pytest.raises(ProviderUnavailable) as raised:
            backend().charge(asked)
        assert CLIENT_SECRET not in repr(raised.value)
        assert backend().lookup(asked) == NotFound()
        assert isinstance(backend().charge(asked), Redirect)
        assert len(account.orders) == 1

    def test_a_shopper_who_opens_the_order_again_is_led_to_the_same_one(self, account: PayPalAccount) -> None:
        asked = left(account)
        assert backend().charge(asked) == Redirect(account.order["links"][1]["href"], account.order["id"])
        assert len(account.calls("POST")) == 1

    def test_a_shopper_who_approved_and_opens_the_order_again_has_paid(self, account: PayPalAccount) -> None:
        assert isinstance(backend().charge(approved(account)), Paid)

    def test_the_link_of_an_order_without_a_wallet_will_do(self, account: PayPalAccount) -> None:
        asked = left(account)
        account.order["links"][1]["rel"] = "approve"
        assert isinstance(backend().charge(asked), Redirect)

    def test_an_order_without_a_way_for_the_shopper_raises(self, account: PayPalAccount) -> None:
        asked = left(account)
        account.order["links"] = []
        with pytest.raises(PayPalOutcomeUnknown):
            backend().charge(asked)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
    def test_a_refused_order_is_declined(
        self, account: PayPalAccount, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        account.answer_next(
            status, {"name": "NOT_AUTHORIZED", "message": "Raw words", "debug_id": "f3a1"}, skip=1
        )
        assert backend().charge(charge()) == Declined("declined")
        assert f"PayPal answered {status} NOT_AUTHORIZED (debug id f3a1)" in caplog.text
        assert "Raw words" not in caplog.text

    @pytest.mark.parametrize(
        "issue, code",
        [
            ("INVALID_CURRENCY_CODE", "currency_not_supported"),
            ("DECIMAL_PRECISION", "amount_not_supported"),
            ("PAYEE_ACCOUNT_RESTRICTED", "declined"),
        ],
    )
    def test_a_refused_order_says_why(self, account: PayPalAccount, issue: str, code: str) -> None:
        account.answer_next(422, {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": issue}]}, skip=1)
        assert backend().charge(charge()) == Declined(code)

    def test_credentials_that_paypal_refuses_are_a_decline(self, account: PayPalAccount) -> None:
        assert backend(CLIENT_SECRET="E" * 80).charge(charge()) == Declined("declined")
        assert account.orders == {}

    @pytest.mark.parametrize("options", [{"CLIENT_ID": None}, {"CLIENT_SECRET": "your-client-secret"}])
    def test_without_credentials_nothing_is_sent(
        self, account: PayPalAccount, options: dict[str, Any]
    ) -> None:
        assert backend(**options).charge(charge()) == Declined("declined")
        assert account.requests == []


class TestUnclearAnswers:
    @pytest.mark.parametrize("status", [301, 302, 408, 409, 425, 429, 500, 502, 503])
    def test_an_answer_that_says_nothing_raises(self, account: PayPalAccount, status: int) -> None:
        asked = approved(account)
        account.answer_next(status, {"name": "INTERNAL_SERVER_ERROR"}, skip=1)
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(asked)
        assert isinstance(backend().lookup(asked), Paid)
        assert len(account.captured(asked.reference)) == 1

    @pytest.mark.parametrize(
        "body",
        [
            "<html>Not PayPal</html>",
            "[]",
            "null",
            "{}",
            '{"id": 1}',
            '{"id": "A", "status": "paid!"}',
            '{"id": "A", "status": "COMPLETED", "purchase_units": {}}',
            '{"id": "A", "id": "B"}',
            "[" * 9000,
        ],
    )
    @pytest.mark.parametrize("status", [200, 201])
    def test_an_answer_that_is_nonsense_raises(self, account: PayPalAccount, status: int, body: str) -> None:
        asked = left(account)
        account.answer_next(status, body)
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(asked)

    @pytest.mark.parametrize("status", [400, 403, 404, 422])
    def test_a_refusal_that_is_not_paypals_is_no_decline(self, account: PayPalAccount, status: int) -> None:
        account.answer_next(status, "<html>A proxy's page</html>", skip=1)
        with pytest.raises(PayPalOutcomeUnknown):
            backend().charge(charge())

    @pytest.mark.parametrize("name", ["custom_id", "id"])
    def test_the_order_of_another_charge_raises(self, account: PayPalAccount, name: str) -> None:
        asked = approved(account)
        holder = account.order if name == "id" else account.order["purchase_units"][0]
        holder[name] = "another"
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(asked)
        assert not account.calls("POST", "/capture")

    def test_a_new_order_of_another_charge_raises(self, account: PayPalAccount) -> None:
        left(account)
        account.answer_next(201, account.order)
        with pytest.raises(PayPalOutcomeUnknown):
            backend().charge(charge())

    def test_an_order_that_paypal_does_not_know_means_the_wrong_account(self, account: PayPalAccount) -> None:
        asked = left(account)
        account.orders.clear()
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(returned(asked))

    @pytest.mark.parametrize(
        "amount", [None, {}, {"value": "12.34"}, {"value": 12.34, "currency_code": "EUR"}]
    )
    def test_a_capture_without_an_amount_raises(self, account: PayPalAccount, amount: Any) -> None:
        asked, _transaction_id = paid(account)
        account.captures_of(asked.provider_reference)[0]["amount"] = amount
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(asked)

    def test_no_answer_at_all_raises(self, account: PayPalAccount) -> None:
        asked = left(account)
        account.answer_next(requests.ConnectTimeout("https://secret.example"))
        with pytest.raises(ProviderUnavailable) as raised:
            backend().lookup(asked)
        assert "secret" not in str(raised.value)


class TestLookup:
    def test_a_charge_without_an_order_is_not_found(self, account: PayPalAccount) -> None:
        assert backend().lookup(charge()) == NotFound()
        assert account.requests == []

    @pytest.mark.parametrize("status", ["CREATED", "PAYER_ACTION_REQUIRED", "SAVED"])
    def test_a_shopper_who_is_still_at_paypal_is_waited_for(
        self, account: PayPalAccount, status: str
    ) -> None:
        asked = left(account)
        account.order["status"] = status
        assert backend().lookup(asked) == Pending(asked.provider_reference, unfinished=True)
        assert not account.calls("PATCH")

    @pytest.mark.parametrize("status", ["CREATED", "PAYER_ACTION_REQUIRED"])
    def test_a_shopper_who_comes_back_without_approving_has_cancelled(
        self, account: PayPalAccount, status: str
    ) -> None:
        asked = left(account)
        account.order["status"] = status
        assert backend().lookup(returned(asked)) == Declined("cancelled")
        assert account.order["intent"] == "AUTHORIZE"

    def test_what_was_cancelled_is_never_captured_whatever_the_shopper_does(
        self, account: PayPalAccount
    ) -> None:
        asked = left(account)
        backend().lookup(returned(asked))
        account.shopper_approves(asked.provider_reference)
        for late in (asked, returned(asked)):
            assert backend().lookup(late) == Declined("cancelled")
        assert backend().charge(asked) == Declined("cancelled")
        assert not account.calls("POST", "/capture")

    def test_a_capture_that_is_under_way_when_the_order_is_ended_is_refused_by_paypal(
        self, account: PayPalAccount
    ) -> None:
        asked = approved(account)
        account.meanwhile(lambda: account.order.update(intent="AUTHORIZE"))
        assert backend().lookup(asked) == Declined("cancelled")
        assert account.captured(asked.reference) == []

    def test_a_shopper_who_approves_while_the_order_is_ended_has_not_paid(
        self, account: PayPalAccount
    ) -> None:
        asked = left(account)
        account.meanwhile(lambda: account.shopper_approves(asked.provider_reference))
        assert backend().lookup(returned(asked)) == Declined("cancelled")
        assert account.captured(asked.reference) == []

    def test_an_order_that_is_captured_while_it_is_to_be_ended_is_paid(self, account: PayPalAccount) -> None:
        asked = left(account)

        def pay() -> None:
            account.shopper_approves(asked.provider_reference)
            assert isinstance(backend().lookup(asked), Paid)

        account.meanwhile(pay)
        assert isinstance(backend().lookup(returned(asked)), Paid)
        assert len(account.captured(asked.reference)) == 1

    def test_an_order_that_paypal_does_not_let_be_ended_is_declined_with_a_line_in_the_log(
        self, account: PayPalAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        asked = left(account)
        account.patch_issue = "NOT_PATCHABLE"
        assert backend().lookup(returned(asked)) == Declined("cancelled")
        assert "does not let the order" in caplog.text

    def test_an_order_whose_end_is_unclear_raises(self, account: PayPalAccount) -> None:
        asked = left(account)
        account.answer_next(503, skip=1)
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(returned(asked))

    def test_an_order_that_nobody_finished_in_time_is_ended(self, account: PayPalAccount) -> None:
        asked = left(account)
        account.time_passes(asked.provider_reference, minutes=59)
        assert isinstance(backend().lookup(asked), Pending)
        account.time_passes(asked.provider_reference, minutes=61)
        assert backend(ORDER_MINUTES=90).lookup(asked) == Pending(asked.provider_reference, unfinished=True)
        assert backend().lookup(asked) == Declined("cancelled")

    def test_an_order_without_a_time_is_waited_for(self, account: PayPalAccount) -> None:
        asked = left(account)
        del account.order["create_time"]
        assert isinstance(backend().lookup(asked), Pending)

    def test_a_voided_order_is_cancelled(self, account: PayPalAccount) -> None:
        asked = left(account)
        account.order["status"] = "VOIDED"
        assert backend().lookup(asked) == Declined("cancelled")

    @pytest.mark.parametrize("status", ["COMPLETED", "CONFUSED"])
    def test_a_status_that_makes_no_sense_raises(self, account: PayPalAccount, status: str) -> None:
        asked = left(account)
        account.order["status"] = status
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(returned(asked))


class TestCapture:
    def test_an_approved_order_is_captured_under_our_reference(self, account: PayPalAccount) -> None:
        asked = approved(account, amount="990", currency="HUF")
        result = backend().lookup(returned(asked))
        (capture,) = account.captured(asked.reference)
        assert result == Paid(capture["id"], Decimal(990), "HUF")
        assert account.headers[-1]["PayPal-Request-Id"] == str(asked.reference)
        assert account.calls("POST", "/capture")[0][2] == {}

    def test_amount_and_currency_are_those_of_the_capture(self, account: PayPalAccount) -> None:
        asked, _transaction_id = paid(account)
        account.captures_of(asked.provider_reference)[0]["amount"] = {"value": "0.01", "currency_code": "USD"}
        result = backend().lookup(asked)
        assert isinstance(result, Paid)
        assert (result.amount, result.currency) == (Decimal("0.01"), "USD")

    def test_what_was_captured_is_not_captured_again(self, account: PayPalAccount) -> None:
        asked, transaction_id = paid(account)
        account.keys_are_forgotten()
        for _ in range(2):
            result = backend().lookup(returned(asked))
            assert isinstance(result, Paid)
            assert result.transaction_id == transaction_id
        assert len(account.calls("POST", "/capture")) == 1

    def test_a_capture_whose_answer_got_lost_is_found(self, account: PayPalAccount) -> None:
        asked = approved(account)
        account.lose_answer()
        with pytest.raises(ProviderUnavailable):
            backend().lookup(asked)
        account.keys_are_forgotten()
        assert isinstance(backend().lookup(asked), Paid)
        assert len(account.captured(asked.reference)) == 1

    def test_two_look_ups_at_once_capture_once(self, account: PayPalAccount) -> None:
        asked = approved(account)
        account.meanwhile(lambda: backend().lookup(asked))
        account.meanwhile(account.keys_are_forgotten)
        assert isinstance(backend().lookup(returned(asked)), Paid)
        assert len(account.captured(asked.reference)) == 1

    def test_a_short_answer_is_completed_by_asking(self, account: PayPalAccount) -> None:
        asked = approved(account)
        short = {"id": asked.provider_reference, "status": "COMPLETED"}
        account.meanwhile(lambda: backend().lookup(asked))
        account.answer_next(201, short, skip=3)
        assert isinstance(backend().lookup(asked), Paid)

    def test_a_pending_capture_is_pending_until_paypal_knows(self, account: PayPalAccount) -> None:
        asked = approved(account)
        account.capture_status = "PENDING"
        result = backend().lookup(returned(asked))
        (capture,) = account.captures_of(asked.provider_reference)
        assert result == Pending(capture["id"])
        account.capture_becomes(asked.provider_reference, "COMPLETED")
        assert backend().lookup(asked) == Paid(capture["id"], Decimal("12.34"), "EUR")

    @pytest.mark.parametrize("status", ["DECLINED", "FAILED"])
    def test_a_pending_capture_may_come_to_nothing(self, account: PayPalAccount, status: str) -> None:
        asked = approved(account)
        account.capture_status = "PENDING"
        backend().lookup(asked)
        account.capture_becomes(asked.provider_reference, status)
        assert backend().lookup(asked) == Declined("declined")

    def test_a_declined_capture_of_an_order_that_stays_open_ends_it(self, account: PayPalAccount) -> None:
        asked = approved(account)
        account.capture_status = "DECLINED"
        backend().lookup(asked)
        account.order["status"] = "APPROVED"
        assert backend().lookup(asked) == Declined("declined")
        assert account.order["intent"] == "AUTHORIZE"
        assert len(account.calls("POST", "/capture")) == 1

    @pytest.mark.parametrize("status", ["REFUNDED", "PARTIALLY_REFUNDED"])
    def test_what_was_refunded_since_was_paid(self, account: PayPalAccount, status: str) -> None:
        asked, _transaction_id = paid(account)
        account.capture_becomes(asked.provider_reference, status)
        assert isinstance(backend().lookup(asked), Paid)

    def test_an_order_of_unknown_intent_raises(self, account: PayPalAccount) -> None:
        asked = approved(account)
        account.order["intent"] = "SUBSCRIBE"
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(asked)
        assert not account.captured(asked.reference)

    def test_a_capture_of_unknown_status_raises(self, account: PayPalAccount) -> None:
        asked, _transaction_id = paid(account)
        account.capture_becomes(asked.provider_reference, "CONFUSED")
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(asked)

    @pytest.mark.parametrize("issue", sorted(CAPTURE_DECLINES))
    def test_a_payment_that_paypal_declines_is_declined_for_good(
        self, account: PayPalAccount, issue: str
    ) -> None:
        asked = approved(account)
        account.capture_issue = issue
        assert backend().lookup(returned(asked)) == Declined(CAPTURE_DECLINES[issue])
        account.capture_issue = ""
        assert isinstance(backend().lookup(returned(asked)), Declined)
        assert account.captured(asked.reference) == []

    def test_a_missing_permission_is_no_decline(self, account: PayPalAccount) -> None:
        asked = approved(account)
        account.permissions.remove("captures")
        with pytest.raises(PayPalOutcomeUnknown, match="PERMISSION_DENIED"):
            backend().lookup(returned(asked))
        account.permissions.add("captures")
        assert isinstance(backend().lookup(asked), Paid)

    @pytest.mark.parametrize(
        "issue", ["DUPLICATE_INVOICE_ID", "ORDER_COMPLETION_IN_PROGRESS", "SOMETHING_NEW"]
    )
    def test_a_refusal_that_is_not_about_the_payment_raises(self, account: PayPalAccount, issue: str) -> None:
        asked = approved(account)
        account.capture_issue = issue
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(returned(asked))

    def test_an_approval_that_was_taken_back_is_a_cancellation(self, account: PayPalAccount) -> None:
        asked = approved(account)
        account.meanwhile(lambda: account.order.update(status="PAYER_ACTION_REQUIRED"))
        assert backend().lookup(returned(asked)) == Declined("cancelled")


class TestAccessToken:
    def test_one_serves_many_calls(self, account: PayPalAccount) -> None:
        asked, _transaction_id = paid(account)
        backend().lookup(asked)
        asked_for = [path for _method, path, _body in account.requests if path == "/v1/oauth2/token"]
        assert len(asked_for) == 1

    def test_one_that_paypal_refuses_is_replaced(self, account: PayPalAccount) -> None:
        asked = approved(account)
        account.tokens_end()
        assert isinstance(backend().lookup(asked), Paid)

    def test_one_is_not_used_for_another_account(self, account: PayPalAccount) -> None:
        left(account)
        before = len(account.requests)
        backend(CLIENT_ID="B" * 80).charge(charge())
        assert account.requests[before][1] == "/v1/oauth2/token"

    def test_one_that_is_about_to_end_is_not_used(self, account: PayPalAccount) -> None:
        answer = {"access_token": "short", "token_type": "Bearer", "expires_in": 59}
        account.answer_next(200, answer)
        account.answer_next(500)
        with pytest.raises(PayPalOutcomeUnknown):
            backend().charge(charge())
        left(account)
        assert "Bearer short" not in account.headers[-1]["Authorization"]

    @pytest.mark.parametrize("token", [None, "", 7, "with\nline", "é"])
    def test_an_answer_without_one_raises(self, account: PayPalAccount, token: Any) -> None:
        account.answer_next(200, {"access_token": token, "expires_in": 100})
        with pytest.raises(PayPalOutcomeUnknown):
            backend().charge(charge())

    def test_a_refusal_right_after_a_new_one_is_not_repeated(self, account: PayPalAccount) -> None:
        asked = left(account)
        tokens.drop_all_tokens()
        account.answer_next(401, {"name": "AUTHENTICATION_FAILURE"}, skip=1)
        before = len(account.requests)
        with pytest.raises(PayPalOutcomeUnknown):
            backend().lookup(asked)
        assert len(account.requests) == before + 2


def test_no_secret_is_logged_or_shown(account: PayPalAccount, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked, _transaction_id = paid(account)
    account.answer_next(401, {"error": "invalid_client", "error_description": CLIENT_SECRET})
    account.answer_next(401, {"error": "invalid_client", "error_description": CLIENT_SECRET})
    with pytest.raises(PayPalOutcomeUnknown) as raised:
        backend().lookup(asked)
    seen = f"{raised.value!r}{backend()!r}{backend()._api!r}{vars(backend()).keys()}{caplog.text}"
    for secret in (CLIENT_ID, CLIENT_SECRET, "A21AA"):
        assert secret not in seen


def test_a_charge_is_the_same_when_it_is_repeated_without_its_session(account: PayPalAccount) -> None:
    asked = charge()
    first = backend().charge(asked)
    assert backend().charge(replace(asked, session=None)) == first
