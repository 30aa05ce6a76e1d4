"""The contract that ``snipcart_checkout.testing`` offers, over our backends and over a stranger's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from snipcart_checkout.backends.base import Charge, ChargeResult, Paid, PaymentBackend
from snipcart_checkout.backends.dummy import DummyBackend
from snipcart_checkout.backends.manual import ManualBackend
from snipcart_checkout.testing.backends import BackendContract
from tests.backends import AcmeBackend, Provider, ScriptedBackend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_django import Settings


class TestDummyBackend(BackendContract):
    paying_form = {"outcome": "processed"}
    declined_form = {"outcome": "failed", "code": "insufficient_funds"}

    @pytest.fixture(autouse=True)
    def _debug(self, settings: Settings) -> None:
        settings.DEBUG = True

    def make_backend(self) -> PaymentBackend:
        return DummyBackend(store="live", method="dummy", options={"DELAY": 0})


class TestDummyBackendThatRedirects(TestDummyBackend):
    paying_form = {"outcome": "redirect"}

    def pay(self, charge: Charge) -> None:
        """Being sent back is all there is to it."""


class TestDummyBackendThatStaysPending(TestDummyBackend):
    paying_form = {"outcome": "processing"}


class TestManualBackend(BackendContract):
    def make_backend(self) -> PaymentBackend:
        return ManualBackend(
            store="live", method="transfer", options={"IBAN": "DE02 1203 0000 0000 2020 51", "BANK": "Acme"}
        )


class TestAcmeBackend(BackendContract):
    def make_backend(self) -> PaymentBackend:
        return AcmeBackend(store="live", method="acme_card", options={})


class TestScriptedBackend(BackendContract):
    script: Mapping[str, Any] = {}

    @pytest.fixture(autouse=True)
    def _provider(self, tmp_path: Path) -> None:
        self.provider = Provider(tmp_path)
        self.provider.script(**self.script)

    def make_backend(self) -> PaymentBackend:
        return ScriptedBackend(
            store="live", method="scripted", options={"DIRECTORY": str(self.provider.directory)}
        )

    def captures(self, reference: UUID) -> int:
        return sum(record["reference"] == str(reference) for record in self.provider.captures)

    def refunds(self, reference: UUID) -> int:
        return sum(record["reference"] == str(reference) for record in self.provider.refunds)

    def pay(self, charge: Charge) -> None:
        self.provider.complete(charge.reference)

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        return self.provider.notification(reference)


class TestScriptedBackendThatRedirects(TestScriptedBackend):
    script = {"charge": "redirect"}


class TestScriptedBackendThatStaysPending(TestScriptedBackend):
    script = {"charge": "pending"}


class ForgetfulBackend(ScriptedBackend):
    """Breaks its promise: every repetition is another capture with another id."""

    def charge(self, charge: Charge) -> ChargeResult:
        self.provider.capture(charge, once=False)
        return Paid(f"tr-{len(self.provider.captures)}", charge.amount, charge.currency)


class GreedyBackend(AcmeBackend):
    """Takes more than was asked."""

    def charge(self, charge: Charge) -> ChargeResult:
        return Paid("tr-1", charge.amount + 1, charge.currency)


class TalkativeBackend(AcmeBackend):
    """Prints its key, and claims what it cannot do."""

    supports_refund = True
    redirect_origins = ("http://provider.example/pay",)

    def check(self) -> list[Any]:
        from django.core.checks import Warning as CheckWarning

        return [CheckWarning(f"the key {self.options['SECRET_KEY']} looks odd")]


@pytest.mark.parametrize(
    "backend_class, broken",
    [
        (ForgetfulBackend, "test_a_charge_repeated_with_its_reference_happens_once"),
        (GreedyBackend, "test_what_is_paid_is_what_was_asked"),
        (GreedyBackend, "test_two_charges_are_two_transactions"),
        (TalkativeBackend, "test_checks_print_no_secret"),
        (TalkativeBackend, "test_every_capability_is_implemented"),
        (TalkativeBackend, "test_capabilities_do_not_contradict_each_other"),
        (TalkativeBackend, "test_redirect_origins_are_origins_over_https"),
    ],
)
def test_a_broken_promise_fails_the_contract(
    backend_class: type[PaymentBackend], broken: str, tmp_path: Path
) -> None:
    class Contract(BackendContract):
        def make_backend(self) -> PaymentBackend:
            options = {"DIRECTORY": str(tmp_path), "SECRET_KEY": "sk_live_123"}
            return backend_class(store="live", method="broken", options=options)

    with pytest.raises(AssertionError):
        getattr(Contract(), broken)()
