"""The Stripe backend's charges and look-ups against an account that answers as Stripe documents."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.utils.translation import gettext_lazy

from snipcart_checkout.backends.base import (
    Declined,
    NotFound,
    Paid,
    Pending,
    Redirect,
    Refunded,
)
from snipcart_checkout.backends.stripe.amounts import from_stripe, to_stripe
from snipcart_checkout.backends.stripe.api import StripeOutcomeUnknown
from snipcart_checkout.services import get_payment_session
from snipcart_checkout.snipcart.money import UnpayableAmount
from snipcart_checkout.testing import StandIn
from tests.support.stripe_account import TEST_KEY, StripeAccount
from tests.support.stripe_charges import (
    DAY,
    RETURN_URL,
    backend,
    charge,
    left,
    paid,
    refund_of,
    returned,
    sent,
)


class TestAmounts:
    @pytest.mark.parametrize(
        "amount, currency, units",
        [
            ("12.34", "EUR", 1234),
            ("0.01", "USD", 1),
            ("1500", "JPY", 1500),
            ("1500", "KRW", 1500),
            ("1500", "XAF", 1500),
            ("1.230", "KWD", 1230),
            ("1.23", "BHD", 1230),
            ("500", "ISK", 50000),
            ("500", "UGX", 50000),
            ("500", "MGA", 500),
            ("99.50", "HUF", 9950),
            ("99.50", "TWD", 9950),
        ],
    )
    def test_they_are_counted_as_stripe_counts(self, amount: str, currency: str, units: int) -> None:
        assert to_stripe(Decimal(amount), currency) == units
        assert from_stripe(units, currency) == Decimal(amount)

    @pytest.mark.parametrize(
        "amount, currency",
        [
            ("1.234", "KWD"),
            ("0.20", "MGA"),
            ("1.005", "EUR"),
            ("1.5", "JPY"),
            ("0", "EUR"),
            ("1.0000", "CLF"),
        ],
    )
    def test_what_stripe_cannot_charge_exactly_is_refused(self, amount: str, currency: str) -> None:
        with pytest.raises(UnpayableAmount):
            to_stripe(Decimal(amount), currency)


class TestCharge:
    def test_the_shopper_goes_on_at_stripes_own_page(self, account: StripeAccount) -> None:
        asked = charge()
        result = backend().charge(asked)
        assert result == Redirect(account.session["url"], account.session["id"])
        assert backend().redirect_origins == ("https://checkout.stripe.com",)

    def test_one_line_holds_the_whole_amount(self, account: StripeAccount) -> None:
        left(account, amount="500", currency="ISK")
        lines = {name: value for name, value in sent(account).items() if name.startswith("line_items")}
        assert lines == {
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": "isk",
            "line_items[0][price_data][unit_amount]": "50000",
            "line_items[0][price_data][product_data][name]": "Your order",
        }

    def test_nothing_at_stripe_may_change_the_total(self, account: StripeAccount) -> None:
        left(account)
        assert sent(account)["adaptive_pricing[enabled]"] == "false"
        assert not [
            name for name in sent(account) if "discount" in name or "promotion" in name or "tax" in name
        ]

    def test_session_and_payment_carry_our_reference(self, account: StripeAccount) -> None:
        asked = left(account)
        carriers = ("client_reference_id", "metadata[reference]", "payment_intent_data[metadata][reference]")
        assert {sent(account)[carrier] for carrier in carriers} == {str(asked.reference)}
        assert account.headers[-1]["Idempotency-Key"] == str(asked.reference)

    def test_success_and_cancelling_lead_back_to_us(self, account: StripeAccount) -> None:
        left(account)
        assert sent(account)["success_url"] == sent(account)["cancel_url"] == RETURN_URL

    @pytest.mark.parametrize(
        "language, locale",
        [
            ("en", "en"),
            ("fr", "fr"),
            ("nb", "nb"),
            ("pt", "pt"),
            ("pt-br", "pt-BR"),
            ("zh-hans", "zh"),
            ("zh-hant", "zh-TW"),
            ("ar", "auto"),
            ("he", "auto"),
        ],
    )
    def test_the_page_speaks_the_carts_language_where_stripe_does(
        self, account: StripeAccount, language: str, locale: str
    ) -> None:
        left(account, language=language)
        assert sent(account)["locale"] == locale

    def test_the_purchase_is_named_in_the_carts_language(self, account: StripeAccount) -> None:
        left(account, language="fr")
        assert sent(account)["line_items[0][price_data][product_data][name]"] == "Votre commande"

    def test_the_purchase_may_have_a_name_of_its_own(self, account: StripeAccount) -> None:
        backend(PRODUCT_NAME=gettext_lazy("Yes")).charge(charge(language="fr"))
        assert sent(account)["line_items[0][price_data][product_data][name]"] == "Oui"

    def test_the_carts_address_is_filled_in(self, account: StripeAccount, snipcart: StandIn) -> None:
        session = get_payment_session(snipcart.session(email="ada@example.org").public_token, "live")
        left(account, session=session)
        assert sent(account)["customer_email"] == "ada@example.org"

    def test_an_address_that_stripe_would_refuse_is_left_out(
        self, account: StripeAccount, snipcart: StandIn
    ) -> None:
        session = get_payment_session(snipcart.session(email="ada at home").public_token, "live")
        left(account, session=session)
        assert "customer_email" not in sent(account)

    def test_an_address_that_stripe_refuses_all_the_same_is_left_out(
        self, account: StripeAccount, snipcart: StandIn
    ) -> None:
        account.refused_email = "ada@example.invalid"
        session = get_payment_session(snipcart.session(email="ada@example.invalid").public_token, "live")
        asked = left(account, session=session)
        assert backend().charge(replace(asked, provider_reference="")) == Redirect(
            account.session["url"], asked.provider_reference
        )
        keys = {headers.get("Idempotency-Key") for headers in account.headers} - {None}
        assert keys == {str(asked.reference), f"{asked.reference}-without-email"}
        assert account.session["customer_email"] is None

    @pytest.mark.parametrize("amount, currency", [("1.234", "KWD"), ("0.20", "MGA")])
    def test_what_stripe_cannot_charge_is_declined_without_asking_it(
        self, account: StripeAccount, amount: str, currency: str
    ) -> None:
        assert backend().charge(charge(amount, currency)) == Declined("amount_not_supported")
        assert account.requests == []

    @pytest.mark.parametrize("key", [None, "", "pk_live_51AbCdEfGhIjKl", TEST_KEY])
    def test_nothing_is_charged_with_a_key_that_is_none_or_of_the_other_half(
        self, account: StripeAccount, key: str | None
    ) -> None:
        assert backend(SECRET_KEY=key).charge(charge()) == Declined("declined")
        assert account.requests == []

    def test_a_page_at_a_domain_that_is_not_named_is_not_led_to(
        self, account: StripeAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        account.page = "https://pay.shop.example"
        assert backend().charge(charge()) == Declined("declined")
        assert "https://pay.shop.example, which CHECKOUT_ORIGINS lacks" in caplog.text
        own = backend(CHECKOUT_ORIGINS=["https://pay.shop.example"])
        assert isinstance(own.charge(charge()), Redirect)


class TestRepeatedCharge:
    def test_it_leads_to_the_same_session(self, account: StripeAccount) -> None:
        asked = charge()
        assert backend().charge(asked) == backend().charge(asked)
        assert len(account.sessions) == 1

    def test_it_tells_what_has_come_of_the_session_since(self, account: StripeAccount) -> None:
        asked = charge()
        backend().charge(asked)
        account.shopper_pays(account.session["id"])
        assert isinstance(backend().charge(asked), Paid)

    def test_a_session_that_has_ended_is_not_handed_out_again(self, account: StripeAccount) -> None:
        asked = charge()
        backend().charge(asked)
        account.session_ends(account.session["id"])
        assert backend().charge(asked) == Declined("cancelled")

    def test_a_day_later_only_the_new_session_can_be_paid(self, account: StripeAccount) -> None:
        asked = charge()
        backend().charge(asked)
        assert account.session["expires_at"] <= account.session["created"] + DAY
        account.session_ends(account.session["id"])
        account.keys_are_forgotten()
        assert isinstance(backend().charge(asked), Redirect)
        states = [session["status"] for session in account.of_reference(asked.reference)]
        assert states == ["expired", "open"]

    def test_no_second_session_is_made_for_other_words(self, account: StripeAccount) -> None:
        asked = charge(language="en")
        backend().charge(asked)
        assert isinstance(backend().charge(replace(asked, language="fr")), Declined)
        assert len(account.sessions) == 1

    def test_a_stored_session_is_asked_and_none_is_made(self, account: StripeAccount) -> None:
        asked = left(account)
        account.keys_are_forgotten()
        assert backend().charge(asked) == Redirect(account.session["url"], asked.provider_reference)
        assert len(account.sessions) == 1


class TestRefusedAndUnknown:
    @pytest.mark.parametrize(
        "status, error, code",
        [
            (400, {"type": "invalid_request_error", "code": "amount_too_small"}, "amount_not_supported"),
            (400, {"type": "invalid_request_error", "code": "amount_too_large"}, "amount_not_supported"),
            (
                400,
                {"type": "invalid_request_error", "param": "line_items[0][price_data][currency]"},
                "currency_not_supported",
            ),
            (400, {"type": "invalid_request_error", "code": "No such <thing>"}, "declined"),
            (401, {"type": "invalid_request_error"}, "declined"),
            (403, {"type": "invalid_request_error"}, "declined"),
        ],
    )
    def test_a_session_that_stripe_refuses_is_declined(
        self, account: StripeAccount, status: int, error: dict[str, Any], code: str
    ) -> None:
        account.answer_next(status, error)
        assert backend().charge(charge()) == Declined(code)

    @pytest.mark.parametrize(
        "answer",
        [
            (409, {"type": "invalid_request_error", "code": "idempotency_key_in_use"}),
            (500, {"type": "api_error"}),
            (503, {"type": "api_error"}),
            (302, {}),
            (requests.ConnectionError("cut"),),
            (requests.Timeout("slow"),),
            (200, None, "<h1>Maintenance</h1>"),
            (200, None, "{}"),
        ],
    )
    @pytest.mark.parametrize("call", ["charge", "lookup", "refund"])
    def test_whatever_is_unclear_raises_and_is_not_tried_again(
        self, account: StripeAccount, answer: tuple[Any, ...], call: str
    ) -> None:
        asked, transaction_id = paid(account)
        what = {"charge": charge(), "lookup": asked, "refund": refund_of(asked, transaction_id)}[call]
        before = len(account.requests)
        account.answer_next(*answer)
        with pytest.raises(StripeOutcomeUnknown):
            getattr(backend(), call)(what)
        assert len(account.requests) == before + 1

    @pytest.mark.parametrize("call", ["lookup", "refund", "lookup_refund"])
    def test_too_many_calls_say_nothing_of_what_was_done_before(
        self, account: StripeAccount, call: str
    ) -> None:
        asked, transaction_id = paid(account)
        account.answer_next(429, {"type": "invalid_request_error", "code": "rate_limit"})
        with pytest.raises(StripeOutcomeUnknown):
            getattr(backend(), call)(asked if call == "lookup" else refund_of(asked, transaction_id))

    def test_too_many_calls_make_no_session_and_the_order_can_be_paid_at_once(
        self, account: StripeAccount
    ) -> None:
        account.answer_next(429, {"type": "invalid_request_error", "code": "rate_limit"})
        result = backend().charge(charge(language="en"))
        assert isinstance(result, Declined)
        assert (result.code, "try again in a minute" in result.message) == ("provider_busy", True)
        assert isinstance(backend().charge(charge()), Redirect)

    def test_a_lost_answer_leaves_a_session_that_the_repeat_finds(self, account: StripeAccount) -> None:
        asked = charge()
        backend().charge(asked)
        account.answer_next(requests.ConnectionError("cut"))
        with pytest.raises(StripeOutcomeUnknown):
            backend().charge(asked)
        assert isinstance(backend().charge(asked), Redirect)
        assert len(account.sessions) == 1

    def test_a_failure_that_stripe_repeats_by_heart_ends_the_reference(self, account: StripeAccount) -> None:
        asked = charge()
        account.fail_next()
        with pytest.raises(StripeOutcomeUnknown):
            backend().charge(asked)
        assert backend().charge(asked) == Declined("declined")
        assert isinstance(backend().charge(charge()), Redirect)

    def test_a_refund_that_failed_half_way_is_found(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id)
        account.meanwhile(account.fail_next)
        with pytest.raises(StripeOutcomeUnknown):
            backend().refund(request)
        assert isinstance(backend().refund(request), Refunded)
        assert len(account.refunds) == 1


class TestLookup:
    def test_a_charge_whose_session_was_never_stored_is_not_found(self, account: StripeAccount) -> None:
        asked = charge()
        backend().charge(asked)
        assert backend().lookup(asked) == NotFound()

    def test_paid_is_what_stripe_says_was_paid(self, account: StripeAccount) -> None:
        asked = left(account, amount="500", currency="ISK")
        account.shopper_pays(asked.provider_reference)
        account.session["amount_total"] = 49900
        account.session["currency"] = "usd"
        intent = account.session["payment_intent"]
        assert backend().lookup(asked) == Paid(intent, Decimal("499.00"), "USD")

    def test_what_needed_no_payment_is_paid_with_nothing(self, account: StripeAccount) -> None:
        asked = left(account)
        account.session.update(status="complete", payment_status="no_payment_required", amount_total=0)
        assert backend().lookup(asked) == Paid(asked.provider_reference, Decimal("0.00"), "EUR")

    @pytest.mark.parametrize(
        "changes",
        [
            {"status": "complete", "payment_status": "no_payment_required"},
            {"status": "complete", "payment_status": "partially_paid"},
            {"status": "expired", "payment_status": "partially_paid"},
            {"status": "expired", "payment_status": ""},
        ],
    )
    def test_a_payment_status_that_says_nothing_of_the_money_is_unknown(
        self, account: StripeAccount, changes: dict[str, str]
    ) -> None:
        asked = left(account)
        account.session.update(changes)
        with pytest.raises(StripeOutcomeUnknown):
            backend().lookup(asked)

    @pytest.mark.parametrize("status", ["requires_approval", ""])
    def test_a_payment_intent_of_unknown_status_is_unknown(self, account: StripeAccount, status: str) -> None:
        asked = left(account)
        account.shopper_pays_slowly(asked.provider_reference, status)
        with pytest.raises(StripeOutcomeUnknown):
            backend().lookup(asked)

    def test_an_expired_session_whose_money_is_on_its_way_is_not_declined(
        self, account: StripeAccount
    ) -> None:
        asked = left(account)
        account.shopper_pays_slowly(asked.provider_reference)
        account.session_ends(asked.provider_reference)
        with pytest.raises(StripeOutcomeUnknown):
            backend().lookup(asked)

    def test_a_session_that_nobody_has_paid_is_unfinished(self, account: StripeAccount) -> None:
        asked = left(account)
        assert backend().lookup(asked) == Pending(asked.provider_reference, unfinished=True)

    @pytest.mark.parametrize("status", ["processing", "requires_action"])
    def test_a_slow_way_to_pay_is_pending(self, account: StripeAccount, status: str) -> None:
        asked = left(account)
        account.shopper_pays_slowly(asked.provider_reference, status)
        pending = Pending(account.session["payment_intent"])
        assert backend().lookup(asked) == backend().lookup(returned(asked)) == pending

    def test_a_slow_payment_that_arrives_is_paid(self, account: StripeAccount) -> None:
        asked = left(account)
        account.shopper_pays_slowly(asked.provider_reference)
        account.bank_answers(asked.provider_reference, paid=True)
        assert isinstance(backend().lookup(asked), Paid)

    @pytest.mark.parametrize(
        "stripes, ours",
        [("insufficient_funds", "insufficient_funds"), ("debit_not_authorized", "declined")],
    )
    def test_a_slow_payment_that_comes_back_is_declined(
        self, account: StripeAccount, stripes: str, ours: str
    ) -> None:
        asked = left(account)
        account.shopper_pays_slowly(asked.provider_reference)
        account.bank_answers(asked.provider_reference, paid=False, code=stripes)
        assert backend().lookup(asked) == Declined(ours)

    def test_an_ended_session_is_cancelled(self, account: StripeAccount) -> None:
        asked = left(account)
        account.session_ends(asked.provider_reference)
        assert backend().lookup(asked) == Declined("cancelled")

    def test_an_open_session_is_left_alone_while_the_shopper_is_away(self, account: StripeAccount) -> None:
        asked = left(account)
        assert isinstance(backend().lookup(asked), Pending)
        assert account.session["status"] == "open"

    def test_an_open_session_ends_when_the_shopper_comes_back(self, account: StripeAccount) -> None:
        asked = left(account)
        assert backend().lookup(returned(asked)) == Declined("cancelled")
        assert account.session["status"] == "expired"

    def test_a_session_that_nobody_wants_any_more_is_ended(self, account: StripeAccount) -> None:
        asked = left(account)

        assert backend().lookup(replace(asked, is_void=True)) == Declined("cancelled")
        assert backend().lookup(asked) == Declined("cancelled")

    def test_an_attempt_under_way_is_not_ended_when_the_shopper_comes_back(
        self, account: StripeAccount
    ) -> None:
        asked = left(account)
        account.shopper_pays_slowly(asked.provider_reference)
        account.session["status"] = "open"
        assert isinstance(backend().lookup(returned(asked)), Pending)
        assert account.session["status"] == "open"

    def test_paying_at_the_moment_of_coming_back_is_paid(self, account: StripeAccount) -> None:
        asked = left(account)
        account.meanwhile(lambda: account.shopper_pays(asked.provider_reference))
        assert isinstance(backend().lookup(returned(asked)), Paid)

    def test_a_session_that_can_neither_be_ended_nor_is_paid_raises(self, account: StripeAccount) -> None:
        asked = left(account)
        account.meanwhile(lambda: account.answer_next(400, {"type": "invalid_request_error"}))
        with pytest.raises(StripeOutcomeUnknown):
            backend().lookup(returned(asked))

    def test_an_old_session_ends_without_the_shopper(self, account: StripeAccount) -> None:
        asked = left(account)
        account.session["created"] -= 59 * 60
        assert isinstance(backend().lookup(asked), Pending)
        account.session["created"] -= 2 * 60
        assert backend().lookup(asked) == Declined("cancelled")

    def test_how_long_a_session_may_stay_open_can_be_set(self, account: StripeAccount) -> None:
        asked = left(account)
        account.session["created"] -= 11 * 60
        assert backend(SESSION_MINUTES=10).lookup(asked) == Declined("cancelled")

    @pytest.mark.parametrize(
        "stripes, ours",
        [
            ({"code": "card_declined", "decline_code": "insufficient_funds"}, "insufficient_funds"),
            ({"code": "card_declined", "decline_code": "card_not_supported"}, "card_not_supported"),
            ({"code": "card_declined", "decline_code": "currency_not_supported"}, "currency_not_supported"),
            ({"code": "card_declined", "decline_code": "stolen_card"}, "card_declined"),
            ({"code": "card_declined", "decline_code": "fraudulent"}, "card_declined"),
            ({"code": "card_declined"}, "card_declined"),
            ({"code": "expired_card"}, "expired"),
            ({"code": "incorrect_cvc"}, "invalid_cvv"),
            ({"code": "invalid_expiry_month"}, "invalid_month"),
            ({"code": "invalid_expiry_year"}, "invalid_year"),
            ({"code": "incorrect_number"}, "invalid_number"),
            ({"code": "incorrect_zip"}, "invalid_address"),
        ],
    )
    def test_the_reason_of_the_last_attempt_is_in_our_words(
        self, account: StripeAccount, stripes: dict[str, str], ours: str
    ) -> None:
        asked = left(account)
        account.card_is_declined(asked.provider_reference, **stripes)
        assert backend().lookup(returned(asked)) == Declined(ours)

    def test_a_stored_session_that_stripe_does_not_know_raises(self, account: StripeAccount) -> None:
        with pytest.raises(StripeOutcomeUnknown):
            backend().lookup(charge(provider_reference="cs_test_of_another_account"))

    def test_a_session_of_another_charge_raises(self, account: StripeAccount) -> None:
        asked = left(account)
        with pytest.raises(StripeOutcomeUnknown, match="another charge"):
            backend().lookup(replace(asked, reference=uuid4()))

    @pytest.mark.parametrize("nonsense", [{"status": "confused"}, {"amount_total": None}, {"currency": None}])
    def test_a_session_that_makes_no_sense_raises(
        self, account: StripeAccount, nonsense: dict[str, Any]
    ) -> None:
        asked = left(account)
        account.shopper_pays(asked.provider_reference)
        account.session.update(nonsense, payment_status="unpaid" if "status" in nonsense else "paid")
        with pytest.raises(StripeOutcomeUnknown):
            backend().lookup(asked)
