"""The Lyra backend's charges and look-ups against a shop that answers as Lyra documents."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import requests

from snipcart_checkout.backends.base import Declined, NotFound, Paid, Pending, Redirect
from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.lyra.api import LyraOutcomeUnknown
from snipcart_checkout.backends.lyra.outcomes import PAID, RUNNING, STATUSES, UNPAID
from snipcart_checkout.services import get_payment_session
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.lyra_account import LIVE_PASSWORD, PAGE, TEST_PASSWORD, LyraAccount
from tests.support.lyra_charges import (
    NOTIFICATION_URL,
    RETURN_URL,
    backend,
    charge,
    left,
    paid,
    returned,
)

CREATE = "Charge/CreatePaymentOrder"
GET = "Charge/PaymentOrder/Get"
CANCEL = "Charge/PaymentOrder/Cancel"
ORDER = "Order/Get"


class TestCharge:
    def test_the_shopper_goes_on_at_the_platforms_own_page(self, lyra: LyraAccount) -> None:
        asked = charge()
        result = backend().charge(asked)
        (order,) = lyra.orders.values()
        assert result == Redirect(order["paymentURL"], order["paymentOrderId"])
        assert order["paymentURL"].startswith(f"{PAGE}/t/")

    def test_the_request_says_what_is_to_be_paid_and_where_the_shopper_comes_back(
        self, lyra: LyraAccount
    ) -> None:
        asked = charge(language="fr")
        backend().charge(asked)
        (params,) = lyra.asked(CREATE)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", params.pop("expirationDate"))
        assert params == {
            "amount": 1234,
            "currency": "EUR",
            "orderId": str(asked.reference),
            "channelOptions": {"channelType": "URL"},
            "locale": "fr_FR",
            "returnUrl": RETURN_URL,
            "ipnTargetUrl": NOTIFICATION_URL,
        }

    @pytest.mark.parametrize("minutes", [5, 60, 1440])
    def test_the_payment_order_ends_after_the_session_minutes(self, lyra: LyraAccount, minutes: int) -> None:
        backend(SESSION_MINUTES=minutes).charge(charge())
        ends = datetime.fromisoformat(lyra.asked(CREATE)[0]["expirationDate"])
        wanted = datetime.now(UTC) + timedelta(minutes=minutes)
        assert abs(ends - wanted) < timedelta(seconds=30)

    @pytest.mark.parametrize(
        "amount, currency, units",
        [("12.34", "EUR", 1234), ("1500", "JPY", 1500), ("1.234", "KWD", 1234), ("20.5", "CNY", 205)],
    )
    def test_amounts_are_counted_as_lyra_counts(
        self, lyra: LyraAccount, amount: str, currency: str, units: int
    ) -> None:
        asked = left(amount=amount, currency=currency)
        assert lyra.asked(CREATE)[0]["amount"] == units
        lyra.shopper_pays(asked.reference)
        result = backend().lookup(asked)
        assert isinstance(result, Paid)
        assert (result.amount, result.currency) == (Decimal(amount), currency)

    @pytest.mark.parametrize("amount, currency", [("20.55", "CNY"), ("1", "BHD"), ("10000000000.00", "EUR")])
    def test_what_lyra_cannot_take_is_declined_before_anything_is_sent(
        self, lyra: LyraAccount, amount: str, currency: str
    ) -> None:
        assert backend().charge(charge(amount, currency)) == Declined("amount_not_supported")
        assert lyra.requests == []

    @pytest.mark.parametrize(
        "language, locale",
        [
            ("fr", "fr_FR"),
            ("fr-ca", "fr_FR"),
            ("de", "de_DE"),
            ("en", "en_GB"),
            ("en-us", "en_US"),
            ("pt", "pt_PT"),
            ("pt-br", "pt_BR"),
            ("pt-BR", "pt_BR"),
            ("zh-hans", "zh_CN"),
            ("ar", None),
        ],
    )
    def test_the_page_speaks_the_carts_language_or_the_shops_own(
        self, lyra: LyraAccount, language: str, locale: str | None
    ) -> None:
        assert isinstance(backend().charge(charge(language=language)), Redirect)
        assert lyra.asked(CREATE)[0].get("locale") == locale

    def test_a_language_that_the_platform_lacks_is_left_out(self, lyra: LyraAccount) -> None:
        lyra.locales = frozenset({"fr_FR"})
        assert isinstance(backend().charge(charge(language="ja")), Redirect)
        assert [params.get("locale") for params in lyra.asked(CREATE)] == ["ja_JP", None]
        assert len(lyra.orders) == 1

    def test_the_carts_email_address_is_filled_in(self, lyra: LyraAccount, snipcart: StandIn) -> None:
        session = get_payment_session(snipcart.session(email="zoe@example.org").public_token, store="live")
        backend().charge(charge(session=session))
        assert lyra.asked(CREATE)[0]["customer"] == {"email": "zoe@example.org"}

    @pytest.mark.parametrize("email", ["", "nonsense", f"{'a' * 60}@{'b' * 60}.{'c' * 60}.example"])
    def test_one_that_lyra_would_refuse_is_left_out(
        self, lyra: LyraAccount, snipcart: StandIn, email: str
    ) -> None:
        session = get_payment_session(snipcart.session(email=email).public_token, store="live")
        assert isinstance(backend().charge(charge(session=session)), Redirect)
        assert "customer" not in lyra.asked(CREATE)[0]

    @pytest.mark.parametrize(
        "url", ["", "http://127.0.0.1:8000/n/", f"https://pay.shop.example/{'n' * 250}/"]
    )
    def test_a_notification_address_that_lyra_cannot_reach_is_left_out(
        self, lyra: LyraAccount, url: str
    ) -> None:
        assert isinstance(backend().charge(charge(notification_url=url)), Redirect)
        assert "ipnTargetUrl" not in lyra.asked(CREATE)[0]

    @pytest.mark.parametrize(
        "code, ours",
        [
            ("INT_009", "amount_not_supported"),
            ("INT_010", "currency_not_supported"),
            ("INT_905", "declined"),
            ("INT_999", "declined"),
            ("PSP_100", "declined"),
            ("PSP_106", "declined"),
            ("PSP_109", "declined"),
            ("PSP_610", "currency_not_supported"),
            ("PSP_659", "amount_not_supported"),
            ("PSP_1035", "currency_not_supported"),
        ],
    )
    def test_an_error_that_proves_that_nothing_was_made_is_a_decline(
        self, lyra: LyraAccount, code: str, ours: str
    ) -> None:
        lyra.fail_next(code)
        assert backend().charge(charge()) == Declined(ours)

    @pytest.mark.parametrize(
        "code", ["PSP_513", "PSP_999", "PSP_9999", "PSP_995", "ACQ_999", "XYZ_001", "", "INT_1", "<b>INT_001"]
    )
    def test_any_other_error_is_not_known(self, lyra: LyraAccount, code: str) -> None:
        lyra.fail_next(code)
        with pytest.raises(LyraOutcomeUnknown) as caught:
            backend().charge(charge())
        assert "Raw words" not in str(caught.value)
        assert "<b>" not in str(caught.value)

    @pytest.mark.parametrize(
        "options",
        [
            {"PLATFORM": "nonsense"},
            {"PLATFORM": None, "SHOP_ID": "69876357"},
            {"SHOP_ID": "12345678"},
            {"PASSWORD": "prodpassword_..."},
            {"PASSWORD": TEST_PASSWORD},
        ],
    )
    def test_nothing_is_sent_with_unusable_options(self, lyra: LyraAccount, options: dict[str, Any]) -> None:
        assert backend(**options).charge(charge()) == Declined("declined")
        assert lyra.requests == []

    @pytest.mark.parametrize(
        "page", ["https://paiement.systempay.fr.evil.example", "http://paiement.systempay.fr", ""]
    )
    def test_a_page_anywhere_else_is_shown_to_nobody(self, lyra: LyraAccount, page: str) -> None:
        lyra.page = page
        assert backend().charge(charge()) == Declined("declined")

    def test_a_platform_without_a_name_here_is_reached_at_its_own_address(self, lyra: LyraAccount) -> None:
        lyra.page = "https://secure.payzen.lat"
        built = backend(PLATFORM=None, API_URL="https://api.systempay.fr/", PAGE_ORIGINS=[lyra.page])
        assert isinstance(built.charge(charge()), Redirect)

    def test_a_payment_order_of_another_charge_is_shown_to_nobody(self, lyra: LyraAccount) -> None:
        lyra.change_next(lambda found: {**found, "answer": {**found["answer"], "orderId": "another"}})
        with pytest.raises(LyraOutcomeUnknown):
            backend().charge(charge())

    def test_a_charge_taken_up_again_leads_to_the_same_payment_order(self, lyra: LyraAccount) -> None:
        asked = left()
        result = backend().charge(asked)
        assert isinstance(result, Redirect)
        assert result.provider_reference == asked.provider_reference
        assert len(lyra.orders) == 1

    def test_one_whose_page_lyra_does_not_name_any_more_is_pending(self, lyra: LyraAccount) -> None:
        asked = left()
        lyra.orders[asked.provider_reference]["paymentURL"] = None
        assert backend().charge(asked) == Pending(asked.provider_reference, unfinished=True)

    def test_one_that_was_paid_meanwhile_is_paid(self, lyra: LyraAccount) -> None:
        asked = left()
        lyra.shopper_pays(asked.reference)
        assert isinstance(backend().charge(asked), Paid)

    def test_one_whose_time_is_over_is_declined(self, lyra: LyraAccount) -> None:
        asked = left()
        lyra.order_ends(asked.reference)
        assert backend().charge(asked) == Declined("cancelled")


class TestLookup:
    def test_a_charge_whose_payment_order_was_never_stored_is_not_found(self, lyra: LyraAccount) -> None:
        assert backend().lookup(charge()) == NotFound()

    def test_also_when_the_answer_to_its_creation_was_lost(self, lyra: LyraAccount) -> None:
        asked = charge()
        lyra.lose_next_answer(CREATE)
        with pytest.raises(ProviderUnavailable):
            backend().charge(asked)
        assert len(lyra.orders) == 1
        assert backend().lookup(asked) == NotFound()

    def test_a_payment_under_the_reference_is_found_all_the_same(self, lyra: LyraAccount) -> None:
        asked = left()
        uuid = lyra.shopper_pays(asked.reference)
        assert backend().lookup(replace(asked, provider_reference="")) == Paid(uuid, Decimal("12.34"), "EUR")

    def test_one_whose_stored_reference_names_a_transaction_is_found_by_ours(self, lyra: LyraAccount) -> None:
        asked = left()
        uuid = lyra.shopper_pays_slowly(asked.reference)
        assert backend().lookup(replace(asked, provider_reference="")) == Pending(uuid)
        lyra.becomes(uuid, "PAID", "CAPTURED")
        assert isinstance(backend().lookup(replace(asked, provider_reference=uuid)), Paid)

    def test_a_payment_is_what_lyra_says_that_it_is(self, lyra: LyraAccount) -> None:
        asked = left()
        uuid = lyra.shopper_pays(asked.reference)
        lyra.transactions[uuid].update(amount=999, currency="USD")
        assert backend().lookup(asked) == Paid(uuid, Decimal("9.99"), "USD")

    def test_an_open_payment_order_is_pending_and_stays_open(self, lyra: LyraAccount) -> None:
        asked = left()
        assert backend().lookup(asked) == Pending(asked.provider_reference, unfinished=True)
        assert lyra.asked(CANCEL) == []

    def test_a_shopper_who_comes_back_unpaid_ends_it(self, lyra: LyraAccount) -> None:
        asked = left()
        assert backend().lookup(returned(asked)) == Declined("cancelled")
        assert lyra.orders[asked.provider_reference]["paymentOrderStatus"] == "CANCELLED"

    def test_so_does_a_look_up_of_a_charge_that_nobody_wants_any_more(self, lyra: LyraAccount) -> None:
        asked = left()
        assert backend().lookup(replace(asked, is_void=True)) == Declined("cancelled")
        assert lyra.orders[asked.provider_reference]["paymentOrderStatus"] == "CANCELLED"

    def test_what_was_paid_for_it_is_confirmed_all_the_same(self, lyra: LyraAccount) -> None:
        asked = left()
        lyra.shopper_pays(asked.reference)
        assert isinstance(backend().lookup(replace(asked, is_void=True)), Paid)

    def test_a_payment_in_the_moment_of_the_cancellation_is_found(self, lyra: LyraAccount) -> None:
        asked = left()
        lyra.meanwhile(CANCEL, lambda: lyra.shopper_pays(asked.reference))
        assert isinstance(backend().lookup(returned(asked)), Paid)

    def test_also_one_that_lands_in_spite_of_it(self, lyra: LyraAccount) -> None:
        asked = left()

        def pays_after_the_cancellation() -> None:
            order = lyra.orders[asked.provider_reference]
            order["paymentOrderStatus"] = "RUNNING"
            lyra.shopper_pays(asked.reference)
            order["paymentOrderStatus"] = "CANCELLED"

        lyra.meanwhile(ORDER, lambda: lyra.meanwhile(ORDER, pays_after_the_cancellation))
        assert isinstance(backend().lookup(returned(asked)), Paid)

    def test_a_payment_order_that_cannot_be_ended_raises(self, lyra: LyraAccount) -> None:
        asked = left()
        lyra.fail_next("PSP_001", service=CANCEL)
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup(returned(asked))

    def test_one_whose_end_is_not_known_raises(self, lyra: LyraAccount) -> None:
        asked = left()
        lyra.lose_next_answer(CANCEL)
        with pytest.raises(ProviderUnavailable):
            backend().lookup(returned(asked))
        assert backend().lookup(returned(asked)) == Declined("cancelled")

    def test_an_old_one_is_ended_without_the_shopper(self, lyra: LyraAccount) -> None:
        asked = left()
        lyra.ages(asked.reference, 58)
        assert isinstance(backend().lookup(asked), Pending)
        lyra.ages(asked.reference, 5)
        assert backend().lookup(asked) == Declined("cancelled")

    def test_a_refused_card_may_be_followed_by_another(self, lyra: LyraAccount) -> None:
        asked = left()
        lyra.card_is_refused(asked.reference)
        assert backend().lookup(asked) == Pending(asked.provider_reference, unfinished=True)
        uuid = lyra.shopper_pays(asked.reference)
        assert backend().lookup(asked) == Paid(uuid, Decimal("12.34"), "EUR")

    @pytest.mark.parametrize(
        "code, detailed, ours",
        [
            ("ACQ_001", "51", "insufficient_funds"),
            ("ACQ_001", "54", "expired"),
            ("ACQ_001", "33", "expired"),
            ("ACQ_001", "14", "invalid_number"),
            ("ACQ_001", "05", "card_declined"),
            ("ACQ_001", "43", "card_declined"),
            ("ACQ_001", "59", "card_declined"),
            ("ACQ_001", None, "card_declined"),
            ("AUTH_149", None, "declined"),
            ("PSP_508", None, "expired"),
            ("PSP_530", None, "invalid_number"),
            ("PSP_536", None, "declined"),
            (None, None, "declined"),
        ],
    )
    @pytest.mark.parametrize("final", [True, False])
    def test_the_reason_of_the_last_attempt_is_in_our_words(
        self, lyra: LyraAccount, code: str | None, detailed: str | None, ours: str, final: bool
    ) -> None:
        asked = left()
        lyra.card_is_refused(asked.reference, "ACQ_001", "51")
        lyra.card_is_refused(asked.reference, code, detailed, final=final)
        assert backend().lookup(returned(asked)) == Declined(ours)

    @pytest.mark.parametrize("status", ["EXPIRED", "CANCELLED", "CANCELED", "REFUSED"])
    def test_a_payment_order_that_ended_without_an_attempt_is_declined(
        self, lyra: LyraAccount, status: str
    ) -> None:
        asked = left()
        lyra.order_ends(asked.reference, status)
        assert backend().lookup(asked) == Declined("cancelled")

    @pytest.mark.parametrize("status", ["PAID", "CONFUSED", "<script>"])
    def test_one_that_makes_no_sense_raises(self, lyra: LyraAccount, status: str) -> None:
        asked = left()
        lyra.order_ends(asked.reference, status)
        with pytest.raises(LyraOutcomeUnknown) as caught:
            backend().lookup(asked)
        assert "<" not in str(caught.value)

    @pytest.mark.parametrize("detailed", [name for name, status in STATUSES.items() if status == PAID])
    def test_what_is_authorised_or_captured_is_paid(self, lyra: LyraAccount, detailed: str) -> None:
        asked = left()
        uuid = lyra.shopper_pays(asked.reference, detailed)
        assert backend().lookup(returned(asked)) == Paid(uuid, Decimal("12.34"), "EUR")

    @pytest.mark.parametrize(
        "detailed", [name for name, status in STATUSES.items() if status == RUNNING and name != "INITIAL"]
    )
    def test_what_is_on_its_way_is_pending(self, lyra: LyraAccount, detailed: str) -> None:
        asked = left()
        uuid = lyra.shopper_pays_slowly(asked.reference, detailed)
        assert backend().lookup(returned(asked)) == Pending(uuid)

    def test_what_no_acquirer_has_answered_places_no_order(self, lyra: LyraAccount) -> None:
        asked = left()
        lyra.shopper_pays_slowly(asked.reference, "INITIAL")
        assert isinstance(backend().lookup(asked), Pending)
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup(returned(asked))

    @pytest.mark.parametrize("detailed", [name for name, status in STATUSES.items() if status == UNPAID])
    def test_what_came_to_nothing_later_is_declined(self, lyra: LyraAccount, detailed: str) -> None:
        asked = left()
        uuid = lyra.shopper_pays_slowly(asked.reference)
        lyra.orders[asked.provider_reference]["paymentOrderStatus"] = "REFUSED"
        lyra.becomes(uuid, "UNPAID", detailed)
        assert isinstance(backend().lookup(asked), Declined)

    @pytest.mark.parametrize(
        "status, detailed",
        [
            ("PAID", "ACCEPTED"),
            ("PAID", "PARTIALLY_AUTHORISED"),
            ("UNPAID", "CAPTURE_FAILED"),
            ("PAID", "NEWEST"),
            ("UNPAID", "CAPTURED"),
            ("PAID", "REFUSED"),
            ("RUNNING", "AUTHORISED"),
            ("", ""),
        ],
    )
    def test_a_status_that_is_unknown_or_contradicts_itself_raises(
        self, lyra: LyraAccount, status: str, detailed: str
    ) -> None:
        asked = left()
        uuid = lyra.shopper_pays(asked.reference)
        lyra.becomes(uuid, status, detailed)
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup(asked)

    def test_a_transaction_that_only_verifies_a_card_is_no_payment(self, lyra: LyraAccount) -> None:
        asked = left()
        uuid = lyra.shopper_pays(asked.reference)
        lyra.transactions[uuid].update(operationType="VERIFICATION", detailedStatus="ACCEPTED")
        lyra.orders[asked.provider_reference]["paymentOrderStatus"] = "RUNNING"
        assert backend().lookup(asked) == Pending(asked.provider_reference, unfinished=True)

    def test_of_two_payments_the_first_counts_and_the_log_says_so(
        self, lyra: LyraAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        asked = left()
        first = lyra.shopper_pays(asked.reference)
        lyra.orders[asked.provider_reference]["paymentOrderStatus"] = "RUNNING"
        lyra.shopper_pays(asked.reference)
        result = backend().lookup(asked)
        assert isinstance(result, Paid)
        assert result.transaction_id == first
        assert "paid twice" in caplog.text

    @pytest.mark.parametrize(
        "wrong",
        [
            {"amount": None},
            {"amount": "1234"},
            {"amount": -1},
            {"currency": ""},
            {"currency": "XYZ"},
            {"uuid": ""},
        ],
    )
    def test_a_payment_without_id_or_amount_raises(self, lyra: LyraAccount, wrong: dict[str, Any]) -> None:
        asked = left()
        uuid = lyra.shopper_pays(asked.reference)
        lyra.transactions[uuid].update(wrong)
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup(asked)

    def test_a_payment_order_that_lyra_does_not_know_raises(self, lyra: LyraAccount) -> None:
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup(charge(provider_reference="d63e7f507a6f4dfa86cb40a833ecfd85"))

    def test_a_payment_order_of_another_charge_raises(self, lyra: LyraAccount) -> None:
        asked = left()
        with pytest.raises(LyraOutcomeUnknown, match="another charge"):
            backend().lookup(replace(asked, reference=uuid4()))

    def test_another_payment_order_than_was_asked_for_raises(self, lyra: LyraAccount) -> None:
        asked, other = left(), left()
        answer = dict(lyra.orders[other.provider_reference], orderId=str(asked.reference))
        lyra.change_next(lambda envelope: {**envelope, "answer": answer}, service=GET)
        with pytest.raises(LyraOutcomeUnknown, match="another payment order"):
            backend().lookup(asked)

    def test_transactions_of_another_order_raise(self, lyra: LyraAccount) -> None:
        asked, (other, _) = left(), paid(lyra)
        answer = {"orderId": str(asked.reference), "transactions": lyra.of_order(other.reference)}
        lyra.change_next(lambda envelope: {**envelope, "status": "SUCCESS", "answer": answer}, service=ORDER)
        with pytest.raises(LyraOutcomeUnknown, match="another order"):
            backend().lookup(asked)

    @pytest.mark.parametrize("service", [GET, ORDER])
    @pytest.mark.parametrize("code", ["INT_905", "PSP_015", "PSP_100", "PSP_999", "PSP_1010"])
    def test_a_refused_look_up_is_no_outcome(self, lyra: LyraAccount, code: str, service: str) -> None:
        asked = left()
        lyra.fail_next(code, service=service)
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup(asked)


class TestModes:
    def test_a_test_store_pays_with_its_own_password(
        self, lyra: LyraAccount, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings.store(MODE="test")
        assert isinstance(backend(PASSWORD=TEST_PASSWORD).charge(charge()), Redirect)
        assert backend(PASSWORD=LIVE_PASSWORD).charge(charge()) == Declined("declined")

    @pytest.mark.parametrize("mode", ["TEST", None, "production"])
    def test_an_answer_of_the_other_mode_is_not_believed(self, lyra: LyraAccount, mode: str | None) -> None:
        asked = left()
        lyra.shopper_pays(asked.reference)
        lyra.change_next(lambda envelope: {**envelope, "mode": mode})
        with pytest.raises(LyraOutcomeUnknown, match="mode"):
            backend().lookup(asked)

    def test_nor_is_an_error_of_the_other_mode(self, lyra: LyraAccount) -> None:
        lyra.change_next(
            lambda envelope: {
                **envelope,
                "status": "ERROR",
                "mode": "TEST",
                "answer": {"errorCode": "INT_001"},
            }
        )
        with pytest.raises(LyraOutcomeUnknown):
            backend().charge(charge())

    def test_a_wrong_password_is_refused_also_where_no_mode_is_named(self, lyra: LyraAccount) -> None:
        lyra.modes = {}
        assert backend().charge(charge()) == Declined("declined")

    def test_so_it_is_with_the_status_401(self, lyra: LyraAccount) -> None:
        answer = {"status": "ERROR", "mode": None, "answer": {"errorCode": "INT_905"}}
        lyra.answer_next(401, answer)
        assert backend().charge(charge()) == Declined("declined")


HOSTILE: list[tuple[int, str]] = [
    (200, ""),
    (200, "<html>Maintenance</html>"),
    (200, "[]"),
    (200, "null"),
    (200, "{}"),
    (200, '{"status": "SUCCESS"}'),
    (200, '{"status": "SUCCESS", "mode": "PRODUCTION", "answer": null}'),
    (200, '{"status": "SUCCESS", "mode": "PRODUCTION", "answer": []}'),
    (200, '{"status": "SUCCESS", "mode": "PRODUCTION", "answer": {}}'),
    (200, '{"status": "SUCCESS", "status": "ERROR", "mode": "PRODUCTION", "answer": {}}'),
    (200, '{"status": "ERROR", "mode": "PRODUCTION", "answer": "INT_001"}'),
    (200, '{"status": ["SUCCESS"], "mode": "PRODUCTION", "answer": {}}'),
    (200, '{"status": "success", "mode": "PRODUCTION", "answer": {}}'),
    (200, '{"status": "SUCCESS", "mode": ["PRODUCTION"], "answer": {}}'),
    (200, '{"status": "ERROR", "mode": {"a": 1}, "answer": {"errorCode": "INT_001"}}'),
    (200, "[" * 100_000),
    (200, '{"status": "SUCCESS", "mode": "PRODUCTION", "answer": {"transactions": 1}}'),
    (200, " " * 3_000_000),
    (302, ""),
    (401, "no"),
    (403, '{"status": "ERROR", "answer": {"errorCode": "INT_001"}}'),
    (429, ""),
    (500, '{"status": "ERROR", "answer": {"errorCode": "INT_001"}}'),
    (503, "<html>"),
]


class TestHostileAnswers:
    @pytest.mark.parametrize("status, body", HOSTILE)
    def test_a_charge_is_not_known(self, lyra: LyraAccount, status: int, body: str) -> None:
        lyra.answer_next(status, body)
        with pytest.raises((LyraOutcomeUnknown, ProviderUnavailable)):
            backend().charge(charge())

    @pytest.mark.parametrize("service", [GET, ORDER])
    @pytest.mark.parametrize("status, body", HOSTILE)
    def test_a_look_up_is_not_known(self, lyra: LyraAccount, service: str, status: int, body: str) -> None:
        asked, _ = paid(lyra)
        lyra.answer_next(status, body, service=service)
        with pytest.raises((LyraOutcomeUnknown, ProviderUnavailable)):
            backend().lookup(asked)

    @pytest.mark.parametrize(
        "entry", [None, 1, "paid", [], {}, {"operationType": "DEBIT", "status": "PAID"}, {"uuid": {"a": 1}}]
    )
    def test_transactions_that_are_none_are_not_believed(self, lyra: LyraAccount, entry: object) -> None:
        asked = left()
        lyra.order_ends(asked.reference, "PAID")
        answer = {"orderId": str(asked.reference), "transactions": [entry]}
        lyra.change_next(lambda envelope: {**envelope, "status": "SUCCESS", "answer": answer}, service=ORDER)
        with pytest.raises(LyraOutcomeUnknown):
            backend().lookup(asked)

    @pytest.mark.parametrize(
        "url", ["", None, 7, "javascript:alert(1)", f"{PAGE}@evil.example/t/1", "//evil.example"]
    )
    def test_a_way_on_that_leads_elsewhere_is_followed_by_nobody(
        self, lyra: LyraAccount, url: object
    ) -> None:
        def change(envelope: dict[str, Any]) -> dict[str, Any]:
            return {**envelope, "answer": {**envelope["answer"], "paymentURL": url}}

        lyra.change_next(change)
        assert backend().charge(charge()) == Declined("declined")

    @pytest.mark.parametrize("error", [requests.ConnectionError("x"), requests.Timeout("x"), OSError("x")])
    def test_a_broken_connection_is_not_known(self, lyra: LyraAccount, error: Exception) -> None:
        lyra.answer_next(error)
        with pytest.raises(ProviderUnavailable):
            backend().charge(charge())

    def test_an_address_that_cannot_be_called_is_not_known(self, lyra: LyraAccount) -> None:
        with pytest.raises(LyraOutcomeUnknown, match="InvalidURL") as caught:
            backend(API_URL="https://*.systempay.fr").charge(charge())
        assert caught.value.__context__ is None


class TestSecrets:
    def test_no_exception_holds_the_password(self, lyra: LyraAccount) -> None:
        problems: list[tuple[int | Exception, str]] = [
            (OSError(LIVE_PASSWORD), ""),
            (500, LIVE_PASSWORD),
            (200, json.dumps({"status": LIVE_PASSWORD})),
        ]
        for status, body in problems:
            lyra.answer_next(status, body)
            with pytest.raises(Exception) as caught:  # noqa: PT011
                backend().charge(charge())
            chain = [caught.value, caught.value.__cause__, caught.value.__context__]
            assert not [error for error in chain if LIVE_PASSWORD in repr(error)]

    def test_no_log_line_holds_it_or_the_order(
        self, lyra: LyraAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("DEBUG"):
            asked = left()
            lyra.fail_next("INT_905")
            backend().charge(charge())
            backend().lookup(returned(asked))
        assert not [word for word in (LIVE_PASSWORD, "Raw words", "Basic ") if word in caplog.text]

    def test_no_representation_holds_it(self) -> None:
        built = backend()
        assert LIVE_PASSWORD not in f"{built!r} {built} {built._api()!r} {vars(built._api()).keys()}"
