"""The backends that come with the package, and how any backend is found and built."""

from __future__ import annotations

import time
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import (
    Charge,
    Declined,
    NotFound,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
    Refunded,
    RefundRequest,
)
from snipcart_checkout.backends.dummy import DummyBackend, DummyForm, DummyTimeout
from snipcart_checkout.backends.manual import ManualBackend
from snipcart_checkout.conf import Method, Store, get_store
from snipcart_checkout.snipcart.money import UnpayableAmount
from snipcart_checkout.testing import CheckoutSettings
from tests.support.backends import AcmeBackend

if TYPE_CHECKING:
    from pytest_django import Settings

REFERENCE = UUID("11111111-2222-4333-8444-555555555555")
SAMPLE_IBANS = ("FR7630006000011234567890189", "DE02120300000000202051", "GB82WEST12345698765432")
ACCOUNT = {"ACCOUNT_HOLDER": "Acme SARL", "IBAN": "FR27 3000 6000 0198 7654 3210 958", "BIC": "AGRIFRPP"}


def charge(**changes: Any) -> Charge:
    values: dict[str, Any] = {
        "reference": REFERENCE,
        "amount": Decimal("1234.50"),
        "currency": "EUR",
        "minor_units": 123450,
        "return_url": "https://pay.shop.example/return/",
        **changes,
    }
    return Charge(**values)


def refund() -> RefundRequest:
    return RefundRequest(
        reference=UUID("99999999-2222-4333-8444-555555555555"),
        charge=charge(),
        transaction_id=f"dummy-{REFERENCE}",
        amount=Decimal("1.00"),
        currency="EUR",
        minor_units=100,
    )


@pytest.fixture
def dummy(settings: Settings) -> DummyBackend:
    settings.DEBUG = True
    return DummyBackend(store="live", method="dummy", options={"DELAY": 0.05})


def manual(**options: object) -> ManualBackend:
    return ManualBackend(store="live", method="transfer", options=options)


def instructions(backend: ManualBackend, **changes: Any) -> str:
    result = backend.charge(charge(**changes))
    assert isinstance(result, Pending)
    return result.instructions


def ids(backend: PaymentBackend) -> list[str | None]:
    return [message.id for message in backend.check()]


def method(backend: str, **options: object) -> Method:
    return Method(id="acme", backend=backend, name="Acme", options=options)


class TestDummyBackend:
    def test_it_pays_when_the_shopper_says_so(self, dummy: DummyBackend) -> None:
        expected = Paid(f"dummy-{REFERENCE}", Decimal("1234.50"), "EUR")
        assert dummy.charge(charge(form={"outcome": "processed"})) == expected

    def test_a_charge_without_any_field_is_paid(self, dummy: DummyBackend) -> None:
        assert isinstance(dummy.charge(charge()), Paid)

    def test_a_form_posted_without_any_field_means_processed(self) -> None:
        form = DummyForm(data={})
        assert form.is_valid()
        assert form.cleaned_data["outcome"] == "processed"

    def test_the_form_as_the_page_shows_it_is_valid_when_posted(self) -> None:
        shown = {name: field.initial or "" for name, field in DummyForm.base_fields.items()}
        form = DummyForm(data=shown)
        assert form.is_valid()
        assert form.cleaned_data["outcome"] == "processed"

    def test_an_outcome_that_is_no_choice_is_a_form_error(self) -> None:
        assert "outcome" in DummyForm(data={"outcome": "free"}).errors

    def test_processing_is_pending_and_stays_so(self, dummy: DummyBackend) -> None:
        pending = charge(form={"outcome": "processing"})
        assert dummy.charge(pending) == dummy.lookup(pending) == Pending(f"dummy-{REFERENCE}")

    def test_failed_declines_with_the_shoppers_code_and_message(self, dummy: DummyBackend) -> None:
        form = {"outcome": "failed", "code": "expired", "message": "Too old"}
        assert dummy.charge(charge(form=form)) == Declined("expired", "Too old")

    def test_failed_without_a_code_has_one_all_the_same(self, dummy: DummyBackend) -> None:
        result = dummy.charge(charge(form={"outcome": "failed", "code": "", "message": ""}))
        assert result == Declined("card_declined")

    def test_unknown_raises_and_is_found_paid_afterwards(self, dummy: DummyBackend) -> None:
        lost = charge(form={"outcome": "unknown"})
        with pytest.raises(DummyTimeout):
            dummy.charge(lost)
        assert isinstance(dummy.lookup(lost), Paid)

    def test_redirect_leads_to_our_own_return_url_and_is_found_paid(self, dummy: DummyBackend) -> None:
        away = charge(form={"outcome": "redirect"})
        assert dummy.charge(away) == Redirect("https://pay.shop.example/return/", f"dummy-{REFERENCE}")
        assert isinstance(dummy.lookup(away), Paid)

    def test_a_redirect_that_is_no_longer_wanted_is_ended(self, dummy: DummyBackend) -> None:
        away = charge(form={"outcome": "redirect"})
        assert dummy.lookup(replace(away, is_void=True)) == Declined("cancelled")
        assert isinstance(dummy.lookup(replace(away, shopper_returned=True)), Paid)

    def test_slow_is_paid_after_the_delay(self, dummy: DummyBackend) -> None:
        started = time.monotonic()
        assert isinstance(dummy.charge(charge(form={"outcome": "slow"})), Paid)
        assert time.monotonic() - started >= 0.05

    def test_a_declined_charge_whose_form_is_forgotten_is_not_found_paid(self, dummy: DummyBackend) -> None:
        assert dummy.lookup(charge(form={})) == NotFound()

    def test_every_refund_is_made(self, dummy: DummyBackend) -> None:
        assert dummy.refund(refund()) == Refunded("dummy-99999999-2222-4333-8444-555555555555")

    def test_it_refuses_a_live_store_with_debug_off(self, settings: Settings) -> None:
        settings.DEBUG = False
        with pytest.raises(ImproperlyConfigured, match="DummyBackend takes no money"):
            DummyBackend(store="live", method="dummy", options={})

    def test_it_refuses_a_store_that_is_called_test_but_is_live(
        self, settings: Settings, checkout_settings: CheckoutSettings
    ) -> None:
        settings.DEBUG = False
        checkout_settings.store("test", MODE="live")
        with pytest.raises(ImproperlyConfigured):
            DummyBackend(store="test", method="dummy", options={})

    def test_it_refuses_a_store_that_is_not_configured(self, settings: Settings) -> None:
        settings.DEBUG = False
        with pytest.raises(ImproperlyConfigured):
            DummyBackend(store="trial", method="dummy", options={})

    def test_it_works_in_a_test_store_with_debug_off(
        self, settings: Settings, checkout_settings: CheckoutSettings
    ) -> None:
        settings.DEBUG = False
        checkout_settings.store("trial", MODE="test")
        backend = DummyBackend(store="trial", method="dummy", options={})
        assert isinstance(backend.charge(charge()), Paid)

    def test_its_check_passes_with_the_options_it_knows(self, dummy: DummyBackend) -> None:
        assert dummy.check() == []

    @pytest.mark.parametrize("delay", ["3", -1, 61, True, None, float("nan")])
    @pytest.mark.usefixtures("dummy")
    def test_its_check_refuses_a_delay_that_is_none(self, delay: object) -> None:
        backend = DummyBackend(store="live", method="dummy", options={"DELAY": delay})
        assert ids(backend) == ["snipcart_checkout.E215"]

    @pytest.mark.usefixtures("dummy")
    def test_its_check_names_the_option_that_was_meant(self) -> None:
        (message,) = DummyBackend(store="live", method="dummy", options={"delay": 1}).check()
        assert message.id == "snipcart_checkout.W211"
        assert "DELAY" in (message.hint or "")


class TestManualBackend:
    def test_it_waits_for_the_money(self) -> None:
        result = manual().charge(charge())
        assert isinstance(result, Pending)
        assert result.transaction_id == f"manual-{REFERENCE}"

    def test_the_instructions_hold_the_reference_beside_the_account(self) -> None:
        assert instructions(manual(**ACCOUNT)).splitlines() == [
            "Please transfer the amount to this account and quote the payment reference.",
            "Amount: 1,234.50 EUR",
            "Account holder: Acme SARL",
            "IBAN: FR27 3000 6000 0198 7654 3210 958",
            "BIC: AGRIFRPP",
            "Payment reference: 1111-1111",
        ]

    def test_the_instructions_do_without_any_option(self) -> None:
        assert instructions(manual()).splitlines() == [
            "Please quote the payment reference when you pay.",
            "Amount: 1,234.50 EUR",
            "Payment reference: 1111-1111",
        ]

    def test_the_amount_is_written_as_the_language_of_the_charge_writes_numbers(self) -> None:
        amount_line = instructions(manual(), language="de").splitlines()[1]
        assert "1.234,50\N{NO-BREAK SPACE}EUR" in amount_line.replace(" ", "\N{NO-BREAK SPACE}")

    def test_own_instructions_replace_the_opening(self) -> None:
        first, *_rest = instructions(manual(INSTRUCTIONS="Pay at the counter.")).splitlines()
        assert first == "Pay at the counter."

    def test_own_instructions_are_translated_into_the_language_of_the_charge(self) -> None:
        backend = manual(INSTRUCTIONS=gettext_lazy("Yes"))
        assert instructions(backend, language="fr").splitlines()[0] == "Oui"

    def test_it_promises_neither_refunds_nor_look_ups(self) -> None:
        backend = manual()
        assert (backend.supports_refund, backend.can_lookup, backend.repeat_is_safe) == (False, False, True)

    def test_the_details_are_data_too(self) -> None:
        assert manual(**ACCOUNT).payment_details(charge(language="fr")) == (
            ("Montant", "1\N{NARROW NO-BREAK SPACE}234,50 EUR"),
            ("Titulaire du compte", "Acme SARL"),
            ("IBAN", "FR27 3000 6000 0198 7654 3210 958"),
            ("BIC", "AGRIFRPP"),
            ("Référence du paiement", "1111-1111"),
        )

    def test_a_method_without_account_and_text_is_an_error(self) -> None:
        assert ids(manual()) == ["snipcart_checkout.E216"]
        assert ids(manual(IBAN=" ", EXPIRES_AFTER_DAYS=3)) == ["snipcart_checkout.E216"]
        assert ids(manual(INSTRUCTIONS="Pay at the counter.")) == []

    @pytest.mark.parametrize("iban", SAMPLE_IBANS)
    def test_an_account_of_the_documentation_is_an_error_in_a_live_store(
        self, checkout_settings: CheckoutSettings, iban: str
    ) -> None:
        checkout_settings.store("trial", MODE="test")
        assert ids(manual(IBAN=f"{iban[:4].lower()} {iban[4:]}")) == ["snipcart_checkout.E217"]
        assert ids(ManualBackend(store="trial", method="transfer", options={"IBAN": iban})) == []

    def test_an_example_is_good_enough_where_snipcart_is_a_stand_in_too(
        self, settings: Settings, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings(API_URL="http://127.0.0.1:8000/sandbox/api")
        iban = SAMPLE_IBANS[0]
        assert ids(manual(IBAN=iban)) == ["snipcart_checkout.E217"]
        settings.DEBUG = True
        assert ids(manual(IBAN=iban)) == []

    def test_its_check_passes_with_every_option(self) -> None:
        assert ids(manual(**ACCOUNT, BANK="Acme", INSTRUCTIONS=gettext_lazy("Yes"))) == []

    def test_its_check_names_the_option_that_was_meant(self) -> None:
        (message,) = manual(**ACCOUNT, ACOUNT_HOLDER="Acme").check()
        assert message.id == "snipcart_checkout.W211"
        assert "'ACCOUNT_HOLDER'" in (message.hint or "")

    def test_its_check_lists_the_options_where_none_is_near(self) -> None:
        (message,) = manual(**ACCOUNT, COLOUR="red").check()
        assert "ACCOUNT_HOLDER, BANK, BIC, EXPIRES_AFTER_DAYS, IBAN, INSTRUCTIONS" in (message.hint or "")

    def test_its_check_warns_of_an_option_that_is_no_text(self) -> None:
        assert ids(manual(BANK="Acme", BIC=7)) == ["snipcart_checkout.W212"]

    @pytest.mark.parametrize("iban", ["FR76 3000 6000 0112 3456 7890 198", "12345", "FR00", "ПР76"])
    def test_its_check_warns_of_a_mistyped_iban(self, iban: str) -> None:
        assert ids(manual(IBAN=iban)) == ["snipcart_checkout.W213"]

    @pytest.mark.parametrize("days", ["14", 0, -1, 1.5, True, 10**9])
    def test_a_wait_that_is_no_number_of_days_is_warned_of_and_never_ends(self, days: object) -> None:
        backend = manual(**ACCOUNT, EXPIRES_AFTER_DAYS=days)
        assert ids(backend) == ["snipcart_checkout.W214"]
        assert backend.expires_after is None

    def test_a_wait_may_end(self) -> None:
        assert manual(EXPIRES_AFTER_DAYS=14).expires_after == timedelta(days=14)
        assert manual().expires_after is None

    @pytest.mark.parametrize(
        "iban",
        ["DE41500105170123456789", "fr27 3000 6000 0198 7654 3210 958", "FR76 10107001011234567890129"],
    )
    def test_its_check_knows_a_good_iban(self, iban: str) -> None:
        assert ids(manual(IBAN=iban)) == []


class TestGetBackend:
    @pytest.fixture
    def store(self) -> Store:
        return get_store("live")

    def test_it_builds_the_backend_with_its_place_and_options(self, store: Store) -> None:
        backend = get_backend(store, method("tests.support.backends.AcmeBackend", COLOUR="red"))
        assert isinstance(backend, AcmeBackend)
        assert (backend.store, backend.method, backend.options) == ("live", "acme", {"COLOUR": "red"})

    def test_each_use_gets_a_new_one(self, store: Store) -> None:
        acme = method("tests.support.backends.AcmeBackend")
        assert get_backend(store, acme) is not get_backend(store, acme)

    @pytest.mark.parametrize(
        "path",
        [
            "tests.support.backends.Missing",
            "nowhere.at.all",
            "acme",
            "",
            "uuid.UUID",
            "tests.support.backends.Paid",
            "uuid.uuid4",
        ],
    )
    def test_what_is_no_backend_is_improperly_configured(self, store: Store, path: str) -> None:
        with pytest.raises(ImproperlyConfigured):
            get_backend(store, method(path))


class TestInterface:
    def test_values_are_frozen(self) -> None:
        with pytest.raises(FrozenInstanceError):
            charge().amount = Decimal(1)  # type: ignore[misc]

    def test_a_charge_is_printed_without_what_the_shopper_typed(self) -> None:
        assert "hunter2" not in repr(charge(form={"account": "hunter2"}))

    def test_what_a_backend_does_not_offer_raises(self) -> None:
        backend = AcmeBackend(store="live", method="acme", options={})
        with pytest.raises(TypeError, match="cannot look up"):
            backend.lookup(charge())
        with pytest.raises(TypeError, match="cannot refund"):
            backend.refund(refund())
        with pytest.raises(TypeError, match="no notifications"):
            backend.read_notification({}, b"{}")
        assert backend.check() == []

    def test_a_backend_that_cannot_charge_is_none(self) -> None:
        class Idle(PaymentBackend):
            pass

        with pytest.raises(TypeError):
            Idle(store="live", method="idle", options={})  # type: ignore[abstract]


class TinyBackend(AcmeBackend):
    """A provider that counts JPY with two decimals, and KWD with two of its three."""

    currency_decimals = {"JPY": 2, "KWD": 2}


class TestAmounts:
    def backend(self) -> TinyBackend:
        return TinyBackend(store="live", method="acme_card", options={})

    @pytest.mark.parametrize(
        "amount, currency, units, text",
        [
            ("12.34", "EUR", 1234, "12.34"),
            ("12.3", "EUR", 1230, "12.30"),
            ("1500", "KRW", 1500, "1500"),
            ("1500", "JPY", 150000, "1500.00"),
            ("1.230", "KWD", 123, "1.23"),
            ("1.234", "BHD", 1234, "1.234"),
        ],
    )
    def test_amounts_are_what_the_provider_counts(
        self, amount: str, currency: str, units: int, text: str
    ) -> None:
        assert self.backend().to_minor_units(Decimal(amount), currency) == units
        assert self.backend().from_minor_units(units, currency) == Decimal(amount)
        assert self.backend().to_major_units(Decimal(amount), currency) == text
        assert self.backend().from_major_units(text) == Decimal(amount)

    @pytest.mark.parametrize(
        "amount, currency",
        [("1.234", "KWD"), ("0.001", "EUR"), ("0", "EUR"), ("-1", "EUR"), ("NaN", "EUR"), ("1", "XXX")],
    )
    def test_what_the_provider_cannot_take_is_refused(self, amount: str, currency: str) -> None:
        with pytest.raises(UnpayableAmount):
            self.backend().to_minor_units(Decimal(amount), currency)
        with pytest.raises(UnpayableAmount):
            self.backend().to_major_units(Decimal(amount), currency)

    @pytest.mark.parametrize("units", [12.5, "12", True, None, -1, 10**13])
    def test_units_that_are_none_are_refused(self, units: Any) -> None:
        with pytest.raises(UnpayableAmount):
            self.backend().from_minor_units(units, "EUR")

    @pytest.mark.parametrize("text", [12, None, "", "-1", "1e3", "1,00", " 1", "1.", "NaN", "١"])
    def test_texts_that_are_no_amounts_are_refused(self, text: Any) -> None:
        with pytest.raises(UnpayableAmount):
            self.backend().from_major_units(text)


class TestDefaults:
    def test_a_backend_knows_the_half_that_it_works_in(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.store("trial", MODE="test")
        stores = ("trial", "live", "none")
        modes = [AcmeBackend(store=store, method="m", options={}).is_test for store in stores]
        assert modes == [True, False, False]

    def test_what_a_backend_does_not_claim_it_does_not_do(self) -> None:
        backend = AcmeBackend(store="live", method="acme_card", options={})
        for call in (backend.lookup_refund, backend.refund, backend.lookup):
            with pytest.raises(TypeError):
                call(refund())  # type: ignore[arg-type]
        with pytest.raises(NotImplementedError):
            backend.ping()
        assert (backend.pay_label, backend.description, backend.refund_repeat_is_safe) == (None, "", None)
