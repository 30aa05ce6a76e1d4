"""Backends that break one promise each: the contract finds every one of them, and says so in a sentence.

What is broken is mixed into a backend that keeps every promise: the one that ``snipcart_startbackend`` writes, or one
that takes the money at once.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID, uuid4, uuid5

import pytest
import requests
from django import forms
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from snipcart_checkout.backends.base import (
    Charge,
    ChargeResult,
    Declined,
    LookupResult,
    NotFound,
    Notification,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
    RefundDeclined,
    Refunded,
    RefundRequest,
)
from snipcart_checkout.testing.backends import BackendContract
from tests.support.written_backend import acme

__all__ = ["acme"]

logger = logging.getLogger("snipcart_checkout.tests")


class AccountForm(forms.Form):
    account = forms.CharField(required=False)


class CardForm(forms.Form):
    card_number = forms.CharField(required=False)


class BirthdayForm(forms.Form):
    birthday = forms.DateField()


class OddForm(forms.Form):
    def clean(self) -> dict[str, Any]:
        return {"account": object()}


class InstantBackend(PaymentBackend):
    """Takes the money at once, or declines where the shopper types ``empty``."""

    form_class: type[forms.Form] = AccountForm
    can_lookup = True
    repeat_is_safe = True
    taken: ClassVar[list[UUID]] = []

    def charge(self, charge: Charge) -> ChargeResult:
        if charge.form.get("account") == "empty":
            return Declined("insufficient_funds")
        if charge.reference not in self.taken:
            self.taken.append(charge.reference)
        return self.paid(charge)

    def lookup(self, charge: Charge) -> LookupResult:
        return self.paid(charge) if charge.reference in self.taken else NotFound()

    def paid(self, charge: Charge) -> Paid:
        return Paid(f"tr-{charge.reference}", charge.amount, charge.currency)


class InstantContract(BackendContract):
    declined_form: ClassVar[Mapping[str, Any]] = {"account": "empty"}

    def captures(self, reference: UUID) -> int:
        return InstantBackend.taken.count(reference)


class TestInstantBackend(InstantContract):
    backend_class = InstantBackend


if TYPE_CHECKING:

    class Mutant(PaymentBackend):
        """What is broken, as far as it uses what the written backend has."""

        api_url: str

        def charge(self, charge: Charge) -> Any: ...
        def lookup(self, charge: Charge) -> Any: ...
        def refund(self, refund: RefundRequest) -> Any: ...
        def lookup_refund(self, refund: RefundRequest) -> Any: ...
        def _call(self, method: str, path: str, **named: Any) -> Any: ...
        def _to_outcome(self, found: Mapping[str, Any]) -> Any: ...

    class InstantMutant(InstantBackend): ...
else:
    Mutant = InstantMutant = object


def take_money(backend: Any, reference: UUID | str) -> None:
    """Take the money of a charge once more, as no other call does."""
    key, body = uuid4(), {"reference": str(reference), "amount": 1, "currency": "EUR", "return_url": "/"}
    _status, made = backend._call("POST", "/payments", key=key, body=body)
    backend.http.post(made["page_url"], data={"choice": "pay"})


# What a class says of itself --------------------------------------------------------------------------------------


class HasALabelThatIsNoText(Mutant):
    pay_label = 3  # type: ignore[assignment]


class WritesCurrenciesSmall(Mutant):
    currency_decimals = {"eur": 2}


class ExpiresAlthoughItCanLookUp(Mutant):
    expires_after = timedelta(days=1)


class RefundsPartsAlone(InstantMutant):
    supports_partial_refund = True


class OnlySaysThatItRefunds(InstantMutant):
    supports_refund = True


class SendsShoppersOverHttp(Mutant):
    @property
    def redirect_origins(self) -> tuple[str, ...]:
        return ("http://acme.example",)

    @redirect_origins.setter
    def redirect_origins(self, _origins: object) -> None: ...


class AsksForTheCard(InstantMutant):
    form_class = CardForm


class AsksForMore(InstantMutant):
    form_class = BirthdayForm


class RefusesWhatWorks(Mutant):
    def check(self) -> list[CheckMessage]:
        return [Error("The key looks odd.", id="acme.E002")]


class StumblesOverOptions(Mutant):
    def check(self) -> list[CheckMessage]:
        return [] if self.options["SECRET_KEY"].startswith("acme") else [Error("Odd.", id="acme.E002")]


class MissesNothing(Mutant):
    def check(self) -> list[CheckMessage]:
        return []


class AsksInItsCheck(Mutant):
    def check(self) -> list[CheckMessage]:
        self._call("GET", "/account")
        return super().check()


class PrintsItsKeyInTheCheck(Mutant):
    def check(self) -> list[CheckMessage]:
        return [checks.Warning(f"The key {self.options.get('SECRET_KEY')} looks odd.", id="acme.W001")]


class PrintsItsKey(Mutant):
    def __repr__(self) -> str:
        return f"Acme({self.options})"


class ComplainsOfGoodKeys(Mutant):
    def ping(self) -> None:
        raise ImproperlyConfigured("Acme does not accept the key.")


class IsContentWithAnyKey(Mutant):
    def ping(self) -> None:
        self.http.get(f"{self.api_url}/account")


# Charges ----------------------------------------------------------------------------------------------------------


class GivesSomethingElse(Mutant):
    def charge(self, charge: Charge) -> Any:
        super().charge(charge)
        return Pending("pay-1")


class TakesMore(InstantMutant):
    def paid(self, charge: Charge) -> Paid:
        return Paid("tr-1", charge.amount + 1, charge.currency)


class NamesNoTransaction(InstantMutant):
    def paid(self, charge: Charge) -> Paid:
        return Paid("", charge.amount, charge.currency)


class GivesEveryChargeOneId(Mutant):
    def charge(self, charge: Charge) -> Any:
        return replace(super().charge(charge), provider_reference="pay-1")


class LeadsElsewhere(Mutant):
    def charge(self, charge: Charge) -> Any:
        return replace(super().charge(charge), url="https://elsewhere.example/pay")


class DeclinesAtLength(InstantMutant):
    def charge(self, charge: Charge) -> ChargeResult:
        found = super().charge(charge)
        return Declined("x" * 150) if isinstance(found, Declined) else found


class TakesTheMoneyFirst(InstantMutant):
    def charge(self, charge: Charge) -> ChargeResult:
        self.taken.append(charge.reference)
        return super().charge(charge)


class ForgetsTheKey(Mutant):
    def _call(self, method: str, path: str, **named: Any) -> Any:
        return super()._call(method, path, **{**named, "key": named.get("key") and uuid4()})


class NeedsTheOrder(Mutant):
    def charge(self, charge: Charge) -> Any:
        return super().charge(charge) if charge.session else Declined("declined")


class HasAnotherKeyWithoutTheOrder(Mutant):
    def charge(self, charge: Charge) -> Any:
        return super().charge(charge if charge.session else replace(charge, reference=uuid4()))


class SpeaksTwoLanguages(Mutant):
    def charge(self, charge: Charge) -> Any:
        return super().charge(charge) if charge.language in {"en", "fr"} else Declined("declined")


class ChangesItsOptions(Mutant):
    def charge(self, charge: Charge) -> Any:
        self.options["SEEN"] = True  # type: ignore[index]
        return super().charge(charge)


class KeepsWhatCannotBeStored(InstantMutant):
    form_class = OddForm


class AsksForDetails(Mutant):
    def payment_details(self, charge: Charge) -> Any:
        return [("Account", str(self._call("GET", "/account")))]


class ShowsNumbers(Mutant):
    def payment_details(self, charge: Charge) -> Any:
        return [("Account", 12)]


class AsksForTheCode(Mutant):
    def payment_code(self, charge: Charge) -> str:
        return str(self._call("GET", "/account"))


class ChargesThePaidAgain(Mutant):
    def charge(self, charge: Charge) -> Any:
        if charge.provider_reference:
            take_money(self, charge.reference)
        return super().charge(charge)


# Look-ups ---------------------------------------------------------------------------------------------------------


class FindsWhatNeverWas(Mutant):
    def lookup(self, charge: Charge) -> Any:
        return super().lookup(charge) if charge.provider_reference else Pending("pay-1")


class FindsAnotherTransaction(InstantMutant):
    def lookup(self, charge: Charge) -> LookupResult:
        return Paid("tr-1", charge.amount, charge.currency)


class WaitsForTheDeclined(InstantMutant):
    def lookup(self, charge: Charge) -> LookupResult:
        found = super().lookup(charge)
        return Pending("tr-1") if isinstance(found, NotFound) else found


class TakesMoneyWhenLookedUp(Mutant):
    def lookup(self, charge: Charge) -> Any:
        take_money(self, charge.reference)
        return super().lookup(charge)


class PlacesAnOrderForWhoIsStillPaying(Mutant):
    def _to_outcome(self, found: Mapping[str, Any]) -> Any:
        outcome = super()._to_outcome(found)
        return replace(outcome, unfinished=False) if isinstance(outcome, Pending) else outcome


class NeverFindsItPaid(Mutant):
    def _to_outcome(self, found: Mapping[str, Any]) -> Any:
        return Pending(found["id"], unfinished=True)


class EchoesTheCharge(Mutant):
    def lookup(self, charge: Charge) -> Any:
        found = super().lookup(charge)
        is_paid = isinstance(found, Paid)
        return replace(found, amount=charge.amount, currency=charge.currency) if is_paid else found


class TrustsEveryAnswer(Mutant):
    def _expect_own(self, found: object, charge: Charge) -> None: ...


class TakesANewStatusForPending(Mutant):
    def _to_outcome(self, found: Mapping[str, Any]) -> Any:
        known = found["status"] in {"open", "paid", "cancelled"}
        return super()._to_outcome(found) if known else Pending(found["id"])


class WaitsForWhoCameBack(Mutant):
    def lookup(self, charge: Charge) -> Any:
        return super().lookup(replace(charge, shopper_returned=False))


class ForgetsToEndWhatItDeclines(Mutant):
    def lookup(self, charge: Charge) -> Any:
        found = super().lookup(replace(charge, shopper_returned=False, is_void=False))
        is_left = charge.shopper_returned or charge.is_void
        return Declined("cancelled") if is_left and isinstance(found, Pending) else found


class IgnoresThatItIsVoid(Mutant):
    def lookup(self, charge: Charge) -> Any:
        return super().lookup(replace(charge, is_void=False))


class TakesMoneyForTheVoid(Mutant):
    def lookup(self, charge: Charge) -> Any:
        if charge.is_void:
            take_money(self, charge.reference)
        return super().lookup(charge)


class HidesMoneyOfTheVoid(Mutant):
    def lookup(self, charge: Charge) -> Any:
        found = super().lookup(charge)
        return Declined("cancelled") if charge.is_void else found


class WaitsForTheExpired(Mutant):
    def _to_outcome(self, found: Mapping[str, Any]) -> Any:
        is_over = found["status"] == "expired"
        return Pending(found["id"], unfinished=True) if is_over else super()._to_outcome(found)


# Refunds ----------------------------------------------------------------------------------------------------------


class RefundsWithoutAClaim(InstantMutant):
    def refund(self, refund: RefundRequest) -> Refunded:
        return Refunded("re-1")


class NeverRefunds(Mutant):
    def refund(self, refund: RefundRequest) -> Any:
        return RefundDeclined("refused")


class TakesEqualPartsForOne(Mutant):
    def refund(self, refund: RefundRequest) -> Any:
        same = uuid5(refund.charge.reference, str(refund.amount))
        return super().refund(replace(refund, reference=same))


class NeverFindsARefund(Mutant):
    def lookup_refund(self, refund: RefundRequest) -> Any:
        return NotFound()


class FindsAnyRefund(Mutant):
    def lookup_refund(self, refund: RefundRequest) -> Any:
        return Refunded("re-1")


class TakesANewStatusForRefunded(Mutant):
    def _to_refund_outcome(self, found: Mapping[str, Any], refund: RefundRequest) -> Any:
        return Refunded(found["id"])


class CallsTheUnknownRefunded(Mutant):
    def refund(self, refund: RefundRequest) -> Any:
        try:
            return super().refund(refund)
        except Exception:
            return Refunded("maybe")


class CallsTheUnknownRefundNotFound(Mutant):
    def lookup_refund(self, refund: RefundRequest) -> Any:
        try:
            return super().lookup_refund(refund)
        except Exception:
            return NotFound()


# Notifications ----------------------------------------------------------------------------------------------------


class BelievesEveryMessage(Mutant):
    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        return Notification(uuid4())


class LooksAtNoSignature(Mutant):
    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        return Notification(UUID(re.findall(rb"[0-9a-f-]{36}", body)[0].decode()))


class WantsAPlainDictionary(Mutant):
    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        if not isinstance(headers, dict):
            raise TypeError
        return super().read_notification(headers, body)


class TakesMoneyForAMessage(Mutant):
    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        found = super().read_notification(headers, body)
        take_money(self, found.reference)
        return found


class KnowsNoDispute(Mutant):
    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        return replace(super().read_notification(headers, body), dispute=False)


# What may go wrong on the way -------------------------------------------------------------------------------------


class CallsTheUnknownDeclined(Mutant):
    def charge(self, charge: Charge) -> Any:
        try:
            return super().charge(charge)
        except Exception:
            return Declined("declined")


class CallsTheUnknownPaid(Mutant):
    def charge(self, charge: Charge) -> Any:
        try:
            return super().charge(charge)
        except Exception:
            return Pending("pay-1")


class TakesSilenceForPending(Mutant):
    def lookup(self, charge: Charge) -> Any:
        try:
            return super().lookup(charge)
        except Exception:
            return Pending("pay-1")


class WaitsForEver(Mutant):
    @property
    def http(self) -> requests.Session:  # type: ignore[override]
        return requests.Session()


class RaisesTheAnswer(Mutant):
    def _call(self, method: str, path: str, **named: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.options['SECRET_KEY']}"}
        answer = self.http.get(f"{self.api_url}/account", headers=headers)
        if not answer.ok:
            raise ValueError(answer.text)
        return super()._call(method, path, **named)


class LogsTheShopper(Mutant):
    def charge(self, charge: Charge) -> Any:
        logger.info("%s pays", charge.session and charge.session.invoice.email)
        return super().charge(charge)


class ShowsRawWords(Mutant):
    def charge(self, charge: Charge) -> Any:
        answer = self.http.post(f"{self.api_url}/payments")
        if answer.status_code == 422:
            return Declined("declined", answer.json()["message"])
        return super().charge(charge)


BROKEN: tuple[tuple[type, str, str], ...] = (
    (AsksForDetails, "test_what_a_shopper_needs_to_pay_are_texts_and_ask_nobody", "called the provider"),
    (AsksForMore, "test_the_form_accepts_what_a_shopper_types", "form refuses what a shopper types"),
    (AsksForTheCard, "test_the_form_asks_no_card_number", "card data belong on"),
    (AsksForTheCode, "test_the_code_to_pay_with_is_a_text_and_asks_nobody", "called the provider"),
    (AsksInItsCheck, "test_a_check_asks_nobody", "check.. called the provider"),
    (BelievesEveryMessage, "test_a_forged_notification_is_refused", "its body was changed on the way"),
    (BelievesEveryMessage, "test_a_genuine_notification_about_a_refund_names_the_refund", "was read as"),
    (BelievesEveryMessage, "test_a_genuine_notification_names_the_charge", "was read as"),
    (BelievesEveryMessage, "test_a_notification_that_cannot_be_verified_is_refused", "could have sent it"),
    (
        CallsTheUnknownDeclined,
        "test_a_charge_whose_answer_is_lost_is_unknown_and_happens_once",
        "The answer to call 1 of charge was lost",
    ),
    (
        CallsTheUnknownDeclined,
        "test_a_provider_that_cannot_be_reached_leaves_the_outcome_unknown",
        "be reached",
    ),
    (
        CallsTheUnknownDeclined,
        "test_an_answer_to_charge_that_means_nothing_leaves_the_outcome_unknown",
        "answered call 1 of charge with an HTML page, so nobody knows",
    ),
    (CallsTheUnknownPaid, "test_a_key_that_the_provider_refuses_charges_nothing", "nothing can be paid"),
    (
        CallsTheUnknownRefundNotFound,
        "test_a_key_that_the_provider_refuses_leaves_a_refund_unknown",
        "with status 401",
    ),
    (
        CallsTheUnknownRefundNotFound,
        "test_an_answer_to_lookup_refund_that_means_nothing_leaves_the_outcome_unknown",
        "answered call 1 of lookup_refund with status 500",
    ),
    (
        CallsTheUnknownRefunded,
        "test_a_key_that_the_provider_refuses_refunds_nothing",
        "with status 401, so nothing was refunded",
    ),
    (
        CallsTheUnknownRefunded,
        "test_a_refund_whose_answer_is_lost_is_unknown_and_happens_once",
        "The answer to call 1 of refund was lost",
    ),
    (
        CallsTheUnknownRefunded,
        "test_an_answer_to_refund_that_means_nothing_leaves_the_outcome_unknown",
        "answered call 1 of refund with an empty object",
    ),
    (ChangesItsOptions, "test_charging_leaves_the_options_as_they_are", "changes the options"),
    (
        ChargesThePaidAgain,
        "test_a_paid_charge_that_is_charged_again_is_not_paid_twice",
        "took the money again",
    ),
    (ComplainsOfGoodKeys, "test_credentials_that_work_are_pinged_without_a_complaint", "ping.. complains of"),
    (DeclinesAtLength, "test_a_decline_has_a_code", "more than 100 characters"),
    (EchoesTheCharge, "test_the_amount_that_was_paid_is_the_providers_word", "take the amount from its"),
    (EchoesTheCharge, "test_the_currency_that_was_paid_is_the_providers_word", "take the currency from its"),
    (
        ExpiresAlthoughItCanLookUp,
        "test_only_what_cannot_be_looked_up_expires",
        "expires_after and can_lookup",
    ),
    (FindsAnotherTransaction, "test_a_look_up_agrees_with_the_charge", "charge gave"),
    (FindsAnyRefund, "test_a_refund_that_fails_later_is_declined_when_looked_up", "took a refund back"),
    (
        FindsAnyRefund,
        "test_a_refund_that_never_was_is_not_found_and_not_made",
        "Nobody asked for this refund",
    ),
    (
        FindsAnyRefund,
        "test_another_refund_of_the_same_charge_is_not_taken_for_it",
        "Another refund of the same",
    ),
    (FindsWhatNeverWas, "test_a_charge_that_never_was_is_not_paid", "Nobody began this charge"),
    (ForgetsTheKey, "test_a_charge_repeated_with_its_reference_happens_once", "claims repeat_is_safe"),
    (ForgetsTheKey, "test_a_refund_repeated_with_its_reference_happens_once", "claimed to be safe"),
    (
        ForgetsToEndWhatItDeclines,
        "test_a_void_charge_cannot_be_paid_any_more",
        "the shopper paid in another tab",
    ),
    (
        ForgetsToEndWhatItDeclines,
        "test_what_was_declined_for_who_came_back_cannot_be_paid_any_more",
        "the shopper paid in another tab",
    ),
    (GivesEveryChargeOneId, "test_two_charges_are_two_transactions", "are one transaction"),
    (GivesSomethingElse, "test_a_charge_gives_what_it_is_said_to_give", "not Redirect as paying_gives says"),
    (
        HasAnotherKeyWithoutTheOrder,
        "test_a_charge_taken_up_again_without_the_shopper_happens_once",
        "when it was taken up again",
    ),
    (HasALabelThatIsNoText, "test_what_it_says_of_itself_can_be_shown", "pay_label is 3"),
    (HidesMoneyOfTheVoid, "test_a_void_charge_takes_no_money_and_hides_none", "or nobody gives it back"),
    (IgnoresThatItIsVoid, "test_a_void_charge_that_nobody_has_paid_is_ended", "with is_void end it"),
    (IsContentWithAnyKey, "test_a_key_that_the_provider_refuses_fails_the_ping", "is content although"),
    (KeepsWhatCannotBeStored, "test_what_a_shopper_types_can_be_stored", "do not fit into JSON"),
    (LeadsElsewhere, "test_a_redirect_leads_where_it_may_and_can_be_looked_up", "not among redirect_origins"),
    (
        LogsTheShopper,
        "test_nothing_of_the_shopper_gets_into_logs_or_exceptions",
        "the shopper's e-mail stand",
    ),
    (
        LooksAtNoSignature,
        "test_a_genuine_notification_that_is_made_to_name_another_charge_is_not_believed",
        "made to name another charge",
    ),
    (
        MissesNothing,
        "test_options_that_are_missing_or_wrong_are_named_by_the_check",
        "Without any option check",
    ),
    (NamesNoTransaction, "test_a_transaction_has_an_id", "transaction_id is empty"),
    (NeedsTheOrder, "test_a_charge_can_be_made_with_the_order_and_without", "without a session gave"),
    (NeverFindsARefund, "test_a_refund_that_was_made_is_looked_up_as_made", "was looked up as NotFound"),
    (NeverFindsItPaid, "test_what_is_paid_at_the_provider_is_found_paid", "The shopper has paid, and"),
    (NeverRefunds, "test_a_paid_charge_can_be_refunded", "gave RefundDeclined"),
    (OnlySaysThatItRefunds, "test_every_capability_is_implemented", "has no refund.. of its own"),
    (
        PlacesAnOrderForWhoIsStillPaying,
        "test_what_nobody_has_paid_is_not_paid",
        "not unfinished places the order",
    ),
    (PrintsItsKey, "test_the_backend_is_printed_without_its_secrets", "holds the value of a secret"),
    (PrintsItsKeyInTheCheck, "test_checks_print_no_secret", "holds the value of a secret"),
    (RaisesTheAnswer, "test_no_secret_gets_into_logs_or_exceptions", "secret option"),
    (RefundsPartsAlone, "test_capabilities_do_not_contradict_each_other", "without supports_refund"),
    (
        RefundsWithoutAClaim,
        "test_a_backend_that_cannot_refund_does_not_say_it_did",
        "not claim supports_refund",
    ),
    (RefusesWhatWorks, "test_options_that_work_pass_the_check", "complains of the options of this test"),
    (SendsShoppersOverHttp, "test_redirect_origins_are_origins_over_https", "so no shopper is sent there"),
    (
        ShowsNumbers,
        "test_what_a_shopper_needs_to_pay_are_texts_and_ask_nobody",
        "which are no labels and values",
    ),
    (ShowsRawWords, "test_a_shopper_does_not_read_the_providers_raw_words", "are not for shoppers"),
    (SpeaksTwoLanguages, "test_a_charge_can_be_made_in_every_language_of_a_cart", "A charge in the language"),
    (
        StumblesOverOptions,
        "test_options_that_are_missing_or_wrong_are_named_by_the_check",
        "and does not crash",
    ),
    (
        TakesANewStatusForPending,
        "test_a_status_that_is_not_documented_leaves_the_outcome_unknown",
        "documents",
    ),
    (TakesANewStatusForRefunded, "test_a_status_that_is_not_documented_leaves_a_refund_unknown", "documents"),
    (TakesEqualPartsForOne, "test_two_equal_partial_refunds_are_two", "made 0 refunds for one reference"),
    (
        TakesMoneyForAMessage,
        "test_a_replayed_notification_names_the_same_charge_and_takes_no_money",
        "Reading a notification took money",
    ),
    (TakesMoneyForTheVoid, "test_a_void_charge_takes_no_money_and_hides_none", "capture nothing"),
    (TakesMoneyWhenLookedUp, "test_looking_up_takes_no_money", "Looking a charge up took its money"),
    (TakesMore, "test_what_is_paid_is_what_was_asked", "was asked for, and the backend says"),
    (
        TakesSilenceForPending,
        "test_a_key_that_the_provider_refuses_leaves_a_look_up_unknown",
        "with status 403",
    ),
    (
        TakesSilenceForPending,
        "test_an_answer_to_lookup_that_means_nothing_leaves_the_outcome_unknown",
        "answered call 1 of lookup with three megabytes",
    ),
    (TakesTheMoneyFirst, "test_a_decline_takes_no_money", "declined, and the provider took"),
    (
        TrustsEveryAnswer,
        "test_the_answers_about_another_charge_are_not_taken_for_this_ones",
        "another charge",
    ),
    (WaitsForEver, "test_a_provider_that_hangs_does_not_hold_the_shopper", r"through self\.http"),
    (WaitsForTheDeclined, "test_a_decline_is_still_one_when_looked_up", "was looked up as"),
    (WaitsForTheExpired, "test_a_charge_whose_time_has_run_out_is_declined", "time to pay has run out"),
    (WaitsForWhoCameBack, "test_who_comes_back_without_paying_has_placed_no_order", "places the order"),
    (WantsAPlainDictionary, "test_headers_are_read_as_django_hands_them_over", "was read as TypeError"),
    (WritesCurrenciesSmall, "test_decimals_of_currencies_are_counted_by_upper_case_code", "write EUR"),
    (KnowsNoDispute, "test_a_chargeback_is_a_dispute", "was read as"),
)
_ARGUMENTS: dict[str, Any] = {"body": b"{}", "drip": False}
_OF_INSTANT = {
    mutant
    for mutant, test, _sentence in BROKEN
    if test
    in {
        "test_a_backend_that_cannot_refund_does_not_say_it_did",
        "test_a_decline_has_a_code",
        "test_a_decline_is_still_one_when_looked_up",
        "test_a_decline_takes_no_money",
        "test_a_look_up_agrees_with_the_charge",
        "test_a_transaction_has_an_id",
        "test_capabilities_do_not_contradict_each_other",
        "test_every_capability_is_implemented",
        "test_the_form_accepts_what_a_shopper_types",
        "test_the_form_asks_no_card_number",
        "test_what_a_shopper_types_can_be_stored",
        "test_what_is_paid_is_what_was_asked",
    }
}


@pytest.mark.parametrize(
    "mutant, test, sentence", BROKEN, ids=[f"{mutant.__name__}-{test}" for mutant, test, _sentence in BROKEN]
)
def test_a_broken_promise_is_named_in_a_sentence(
    acme: tuple[ModuleType, ModuleType],
    caplog: pytest.LogCaptureFixture,
    mutant: type,
    test: str,
    sentence: str,
) -> None:
    with contract_over(acme, mutant) as contract:
        method = getattr(contract, test)
        given = {**_ARGUMENTS, "caplog": caplog}
        arguments = {name: given[name] for name in inspect.signature(method).parameters}
        with pytest.raises((AssertionError, pytest.fail.Exception), match=sentence):
            method(**arguments)


def test_every_test_of_the_contract_is_failed_by_somebody() -> None:
    promised = {name for name in dir(BackendContract) if name.startswith("test_")}
    assert promised == {test for _mutant, test, _sentence in BROKEN}


@contextmanager
def contract_over(acme: tuple[ModuleType, ModuleType], mutant: type) -> Iterator[BackendContract]:
    """Yield the contract over a backend with something broken in it."""
    if mutant in _OF_INSTANT:
        InstantBackend.taken.clear()
        broken: Any = type(mutant.__name__, (mutant, InstantBackend), {})
        yield type("Contract", (InstantContract,), {"backend_class": broken})()
        return
    written, stand_in = acme
    provider = stand_in.AcmeStandIn()
    provider.server.start()

    class Contract(BackendContract):
        backend_class = type(mutant.__name__, (mutant, written.AcmeBackend), {})
        options: ClassVar[Mapping[str, Any]] = {
            "SECRET_KEY": stand_in.SECRET_KEY,
            "SIGNING_SECRET": stand_in.SIGNING_SECRET,
            "API_URL": provider.server.url,
        }
        paying_gives = Redirect

        def pay(self, charge: Charge) -> None:
            provider.pay(charge.provider_reference)

        def give_up(self, charge: Charge) -> None:
            """Nothing happens at the provider."""

        def expire(self, charge: Charge) -> None:
            provider.expire(charge.provider_reference)

        def captures(self, reference: UUID) -> int:
            return int(provider.captures.count(str(reference)))

        def refunds(self, reference: UUID) -> int:
            return sum(refund["reference"] == str(reference) for refund in provider.refunds.values())

        def fail_refund(self, refund: RefundRequest) -> None:
            provider.refunds[str(refund.reference)]["status"] = "failed"

        def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
            signed: tuple[Mapping[str, str], bytes] = provider.sign(reference)
            return signed

        def dispute_notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
            signed: tuple[Mapping[str, str], bytes] = provider.sign(reference, "chargeback")
            return signed

        refund_notification = notification

    try:
        yield Contract()
    finally:
        provider.server.stop()
