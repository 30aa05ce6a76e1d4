"""The Stripe backend against a Stripe account that answers as Stripe documents."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import requests
import responses
import stripe
from django.utils.translation import gettext_lazy

from snipcart_checkout.backends.base import (
    Charge,
    Declined,
    NotFound,
    Notification,
    Paid,
    Pending,
    Redirect,
    RefundDeclined,
    Refunded,
    RefundRequest,
)
from snipcart_checkout.backends.stripe import StripeBackend
from snipcart_checkout.backends.stripe.amounts import from_stripe, to_stripe
from snipcart_checkout.backends.stripe.api import StripeTrouble, TimedClient
from snipcart_checkout.exceptions import NotificationRefused
from snipcart_checkout.money import UnpayableAmount
from snipcart_checkout.services import get_payment_session
from snipcart_checkout.testing import StandIn
from snipcart_checkout.testing.faults import Wire
from snipcart_checkout.testing.server import Request, Server
from tests.stripe_account import LIVE_KEY, SIGNING_SECRET, TEST_KEY, StripeAccount, event

if TYPE_CHECKING:
    from collections.abc import Iterator

RETURN_URL = "https://pay.shop.example/checkout/payments/1/return/"
DAY = 24 * 3600


@pytest.fixture
def account() -> Iterator[StripeAccount]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield StripeAccount(mock)


def backend(**options: Any) -> StripeBackend:
    usual = {"SECRET_KEY": LIVE_KEY, "WEBHOOK_SECRETS": [SIGNING_SECRET]}
    return StripeBackend(store="live", method="card", options={**usual, **options})


def charge(amount: str = "12.34", currency: str = "EUR", **changes: Any) -> Charge:
    values: dict[str, Any] = {
        "reference": uuid4(),
        "amount": Decimal(amount),
        "currency": currency,
        "minor_units": 1234,
        "return_url": RETURN_URL,
        **changes,
    }
    return Charge(**values)


def left(account: StripeAccount, **changes: Any) -> Charge:
    """A charge whose shopper was sent to Stripe."""
    asked = charge(**changes)
    result = backend().charge(asked)
    assert isinstance(result, Redirect)
    return replace(asked, provider_reference=result.provider_reference)


def paid(account: StripeAccount, **changes: Any) -> tuple[Charge, str]:
    """A paid charge and its transaction id."""
    asked = left(account, **changes)
    account.shopper_pays(asked.provider_reference)
    result = backend().lookup(asked)
    assert isinstance(result, Paid)
    return asked, result.transaction_id


def refund_of(asked: Charge, transaction_id: str, amount: str | None = None, **changes: Any) -> RefundRequest:
    values: dict[str, Any] = {
        "reference": uuid4(),
        "charge": asked,
        "transaction_id": transaction_id,
        "amount": Decimal(amount) if amount else asked.amount,
        "currency": asked.currency,
        "minor_units": 1,
        **changes,
    }
    return RefundRequest(**values)


def sent(account: StripeAccount) -> dict[str, str]:
    """The parameters of the latest request."""
    return account.requests[-1][2]


def returned(asked: Charge) -> Charge:
    return replace(asked, shopper_returned=True)


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


class TestRefusalAndTrouble:
    @pytest.mark.parametrize(
        "status, error, code",
        [
            (400, {"type": "invalid_request_error", "code": "amount_too_small"}, "amount_too_small"),
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
            (429, {"type": "invalid_request_error", "code": "rate_limit"}),
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
        with pytest.raises(StripeTrouble):
            getattr(backend(), call)(what)
        assert len(account.requests) == before + 1

    def test_a_lost_answer_leaves_a_session_that_the_repeat_finds(self, account: StripeAccount) -> None:
        asked = charge()
        backend().charge(asked)
        account.answer_next(requests.ConnectionError("cut"))
        with pytest.raises(StripeTrouble):
            backend().charge(asked)
        assert isinstance(backend().charge(asked), Redirect)
        assert len(account.sessions) == 1

    def test_a_failure_that_stripe_repeats_by_heart_ends_the_reference(self, account: StripeAccount) -> None:
        asked = charge()
        account.fail_next()
        with pytest.raises(StripeTrouble):
            backend().charge(asked)
        assert backend().charge(asked) == Declined("declined")
        assert isinstance(backend().charge(charge()), Redirect)

    def test_a_refund_that_failed_half_way_is_found(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id)
        account.meanwhile(account.fail_next)
        with pytest.raises(StripeTrouble):
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
        with pytest.raises(StripeTrouble):
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
        with pytest.raises(StripeTrouble):
            backend().lookup(charge(provider_reference="cs_test_of_another_account"))

    def test_a_session_of_another_charge_raises(self, account: StripeAccount) -> None:
        asked = left(account)
        with pytest.raises(StripeTrouble, match="another charge"):
            backend().lookup(replace(asked, reference=uuid4()))

    @pytest.mark.parametrize("nonsense", [{"status": "confused"}, {"amount_total": None}, {"currency": None}])
    def test_a_session_that_makes_no_sense_raises(
        self, account: StripeAccount, nonsense: dict[str, Any]
    ) -> None:
        asked = left(account)
        account.shopper_pays(asked.provider_reference)
        account.session.update(nonsense, payment_status="unpaid" if "status" in nonsense else "paid")
        with pytest.raises(StripeTrouble):
            backend().lookup(asked)


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
    def test_one_that_stripe_has_taken_on_is_made(self, account: StripeAccount, status: str) -> None:
        asked, transaction_id = paid(account)
        request = refund_of(asked, transaction_id)
        first = backend().refund(request)
        for refund in account.refunds.values():
            refund["status"] = status
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
        with pytest.raises(StripeTrouble):
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

    def test_a_list_that_stripe_refuses_is_no_proof_that_nothing_was_refunded(
        self, account: StripeAccount
    ) -> None:
        asked, transaction_id = paid(account)
        account.answer_next(401, {"type": "invalid_request_error"})
        with pytest.raises(StripeTrouble):
            backend().refund(refund_of(asked, transaction_id))


class TestNotification:
    @pytest.mark.parametrize(
        "kind",
        [
            "checkout.session.completed",
            "checkout.session.async_payment_succeeded",
            "checkout.session.async_payment_failed",
            "checkout.session.expired",
        ],
    )
    def test_a_signed_event_names_the_charge(self, kind: str) -> None:
        reference = uuid4()
        assert backend().read_notification(*event(reference, kind)) == Notification(reference)

    def test_any_of_several_secrets_will_do_while_they_are_rotated(self) -> None:
        reference = uuid4()
        signed = event(reference)
        rotated = backend(WEBHOOK_SECRETS=["whsec_new0new0new0", SIGNING_SECRET])
        assert rotated.read_notification(*signed) == Notification(reference)

    def test_the_name_of_the_header_may_be_in_any_casing(self) -> None:
        reference = uuid4()
        headers, body = event(reference)
        lower = {name.lower(): value for name, value in headers.items()}
        assert backend().read_notification(lower, body) == Notification(reference)

    @pytest.mark.parametrize(
        "kind, reference",
        [
            ("payment_intent.payment_failed", uuid4()),
            ("checkout.session.completed", "order-7-of-another-shop"),
            ("checkout.session.completed", None),
        ],
    )
    def test_a_genuine_event_about_anything_else_names_nobody(self, kind: str, reference: object) -> None:
        assert backend().read_notification(*event(reference, kind)) == Notification(UUID(int=0))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"secret": "whsec_somebody_elses"},
            {"at": int(time.time()) - 301},
            {"data": "nonsense"},
            {"data": []},
        ],
    )
    def test_one_that_is_forged_old_or_nonsense_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(NotificationRefused):
            backend().read_notification(*event(uuid4(), **wrong))

    def test_the_signature_is_over_every_byte(self) -> None:
        headers, body = event(uuid4())
        with pytest.raises(NotificationRefused):
            backend().read_notification(headers, body + b" ")

    @pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b"null"])
    @pytest.mark.parametrize("header", ["", "t=1", "t=1,v1=", "v1=abc", "t=x,v1=abc", "nonsense"])
    def test_a_header_or_body_that_is_none_is_refused(self, header: str, body: bytes) -> None:
        with pytest.raises(NotificationRefused):
            backend().read_notification({"Stripe-Signature": header}, body)

    @pytest.mark.parametrize("secrets", [None, [], "whsec_a_text_is_no_list", [None], [""]])
    def test_without_a_secret_everything_is_refused(self, secrets: Any) -> None:
        with pytest.raises(NotificationRefused):
            backend(WEBHOOK_SECRETS=secrets).read_notification(*event(uuid4(), secret="whsec_"))


class TestCheck:
    def ids(self, store: str = "live", **options: Any) -> list[str]:
        usual = {"SECRET_KEY": LIVE_KEY, "WEBHOOK_SECRETS": [SIGNING_SECRET]}
        built = StripeBackend(store=store, method="card", options={**usual, **options})
        messages = built.check()
        printed = "".join(f"{message.msg}{message.hint}" for message in messages)
        values = [
            str(value) for value in {**usual, **options}.values() if isinstance(value, str) and len(value) > 7
        ]
        assert not [value for value in values if value in printed]
        return [(message.id or "").rpartition(".")[2] for message in messages]

    def test_good_options_pass(self) -> None:
        assert self.ids() == []
        assert (
            self.ids(PRODUCT_NAME="Order", SESSION_MINUTES=30, CHECKOUT_ORIGINS=["https://pay.shop.example"])
            == []
        )

    @pytest.mark.parametrize(
        "key", [None, "", "pk_live_51AbCdEfGhIjKl", "sk_live_...", "your-secret-key", "whsec_9f8e7d6c5b4a", 7]
    )
    def test_a_key_that_is_not_secret_or_restricted_is_an_error(self, key: Any) -> None:
        assert self.ids(SECRET_KEY=key) == ["E221"]

    @pytest.mark.parametrize("store, key", [("live", TEST_KEY), ("trial", LIVE_KEY)])
    def test_a_key_of_the_other_half_is_an_error(self, settings: Any, store: str, key: str) -> None:
        settings.SNIPCART_CHECKOUT = {"STORES": {"live": {"MODE": "live"}, "trial": {"MODE": "test"}}}
        assert self.ids(store, SECRET_KEY=key) == ["E222"]

    @pytest.mark.parametrize("store, key", [("live", LIVE_KEY), ("trial", TEST_KEY)])
    def test_a_key_of_the_stores_own_half_is_none(self, settings: Any, store: str, key: str) -> None:
        settings.SNIPCART_CHECKOUT = {"STORES": {"live": {"MODE": "live"}, "trial": {"MODE": "test"}}}
        assert self.ids(store, SECRET_KEY=key) == []

    @pytest.mark.parametrize("secrets", [None, [], ""])
    def test_missing_signing_secrets_are_a_warning(self, secrets: Any) -> None:
        assert self.ids(WEBHOOK_SECRETS=secrets) == ["W221"]

    @pytest.mark.parametrize("secrets", [SIGNING_SECRET, ["secret"], [SIGNING_SECRET, LIVE_KEY], [None], 7])
    def test_signing_secrets_that_are_none_are_an_error(self, secrets: Any) -> None:
        assert self.ids(WEBHOOK_SECRETS=secrets) == ["E223"]

    @pytest.mark.parametrize("minutes", [0, 4, 1441, "30", 30.0, True, None])
    def test_minutes_that_are_none_are_an_error(self, minutes: Any) -> None:
        assert self.ids(SESSION_MINUTES=minutes) == ["E224"]

    @pytest.mark.parametrize(
        "origins",
        ["https://a-text.example", ["http://pay.shop.example"], ["https://pay.shop.example/"], [7]],
    )
    def test_origins_that_are_none_are_an_error(self, origins: Any) -> None:
        assert self.ids(CHECKOUT_ORIGINS=origins) == ["E225"]

    def test_a_name_that_is_no_text_and_an_unknown_option_are_warnings(self) -> None:
        assert self.ids(PRODUCT_NAME=7, WEBHOOK_SECRET="whsec_") == ["W211", "W222"]

    def test_a_domain_of_ones_own_may_be_led_to(self) -> None:
        own = backend(CHECKOUT_ORIGINS=["https://pay.shop.example"])
        assert own.redirect_origins == ("https://checkout.stripe.com", "https://pay.shop.example")


class TestSecrets:
    def test_a_failure_holds_neither_the_key_nor_stripes_words(self, account: StripeAccount) -> None:
        account.answer_next(500, {"type": "api_error", "message": f"It was {LIVE_KEY}, ada@example.org"})
        with pytest.raises(StripeTrouble) as caught:
            backend().charge(charge())
        error = caught.value
        printed = "".join(traceback.format_exception(error))
        assert (error.__cause__, error.__context__) == (None, None)
        assert LIVE_KEY not in printed
        assert "ada@example.org" not in printed

    def test_nothing_of_our_calls_is_logged_but_the_refusal(
        self, account: StripeAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        asked, transaction_id = paid(account)
        backend().refund(refund_of(asked, transaction_id))
        account.answer_next(401, {"type": "invalid_request_error", "message": f"Invalid key: {LIVE_KEY}"})
        backend().charge(charge())
        assert [record.name for record in caplog.records if "stripe" in record.name] == []
        (line,) = [record.getMessage() for record in caplog.records if record.name == "snipcart_checkout"]
        assert "AuthenticationError 401" in line
        assert LIVE_KEY not in caplog.text

    def test_what_the_site_itself_asks_of_stripe_is_still_logged(
        self, account: StripeAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        left(account)
        logging.getLogger("stripe").info("the site's own call")
        assert "the site's own call" in caplog.text

    def test_the_backend_is_printed_without_its_key(self) -> None:
        assert LIVE_KEY not in repr(backend())
        assert LIVE_KEY not in repr(vars(backend()._api).keys())

    def test_the_library_is_not_configured_for_the_whole_process(self, account: StripeAccount) -> None:
        before = (stripe.api_key, stripe.default_http_client, stripe.max_network_retries, stripe.app_info)
        left(account)
        after = (stripe.api_key, stripe.default_http_client, stripe.max_network_retries, stripe.app_info)
        assert before == after
        assert stripe.api_key is None


class TestNetwork:
    def serve(self, answer: bytes, *, drip: bool = False) -> Server:
        def send(_request: Request, wire: Wire) -> bool:
            wire.drip(answer) if drip else wire.send(answer)
            return False

        return Server(send)

    def get(self, server: Server, **limits: float) -> tuple[str, int]:
        server.start()
        try:
            with TimedClient(**limits) as client:
                body, status, _headers = client.request("get", f"{server.url}/v1/x", {})
        finally:
            server.stop()
        return body, status

    def test_an_answer_that_drips_meets_the_total_limit(self) -> None:
        server = self.serve(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3000 + b"\r\n\r\n", drip=True)
        started = time.monotonic()
        with pytest.raises(stripe.APIConnectionError):
            self.get(server, read=5, total=0.5)
        assert time.monotonic() - started < 30  # the whole answer takes a minute

    def test_a_redirect_is_not_followed(self) -> None:
        server = self.serve(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        assert self.get(server) == ("", 302)

    def test_an_answer_without_end_is_refused(self) -> None:
        huge = 3 * 1024 * 1024
        server = self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % huge + b" " * huge)
        with pytest.raises(stripe.APIConnectionError, match="too large"):
            self.get(server)

    def test_the_environment_chooses_no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        assert self.get(self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) == ("{}", 200)

    def test_the_sites_proxy_is_used(self, settings: Any) -> None:
        proxy = self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")
        proxy.start()
        try:
            settings.SNIPCART_CHECKOUT = {"PROXY": proxy.url}
            with TimedClient() as client:
                body, _status, _headers = client.request("get", "http://api.stripe.example/v1/x", {})
        finally:
            proxy.stop()
        assert body == "proxy"


def test_a_missing_package_is_a_check_error_that_says_what_to_install() -> None:
    script = """
import sys
sys.modules["stripe"] = None
import django
from django.conf import settings
from tests import settings as own
values = {name: getattr(own, name) for name in dir(own) if name.isupper()}
method = {"BACKEND": "snipcart_checkout.backends.stripe.StripeBackend", "NAME": "Card"}
values["SNIPCART_CHECKOUT"]["STORES"]["live"]["METHODS"] = {"shop_card": method}
settings.configure(**values)
django.setup()
from django.core import checks
for message in checks.run_checks(tags=["snipcart_checkout"]):
    print(message.id, message.hint)
"""
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=root
    )
    assert 'snipcart_checkout.E211 Run: pip install "django-snipcart-checkout[stripe]"' in done.stdout, (
        done.stderr
    )
