"""The contract that ``snipcart_checkout.testing`` offers, over our backends and over a stranger's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from snipcart_checkout.backends.base import Charge, PaymentBackend, Pending, Redirect
from snipcart_checkout.backends.dummy import DummyBackend
from snipcart_checkout.backends.manual import ManualBackend
from snipcart_checkout.testing.backends import BackendContract
from tests.support.backends import AcmeBackend, Provider, ScriptedBackend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_django import Settings


class TestDummyBackend(BackendContract):
    backend_class = DummyBackend
    options = {"DELAY": 0}
    paying_form = {"outcome": "processed"}
    declined_form = {"outcome": "failed", "code": "insufficient_funds"}

    @pytest.fixture(autouse=True)
    def _debug(self, settings: Settings) -> None:
        settings.DEBUG = True


class TestDummyBackendThatRedirects(TestDummyBackend):
    paying_form = {"outcome": "redirect"}
    paying_gives = Redirect

    def pay(self, charge: Charge) -> None:
        """Being sent back is all there is to it."""


class TestDummyBackendThatStaysPending(TestDummyBackend):
    paying_form = {"outcome": "processing"}
    paying_gives = Pending


class TestManualBackend(BackendContract):
    backend_class = ManualBackend
    options = {"IBAN": "DE41 5001 0517 0123 4567 89", "BANK": "Acme"}
    paying_gives = Pending


class TestAcmeBackend(BackendContract):
    backend_class = AcmeBackend


class TestScriptedBackend(BackendContract):
    backend_class = ScriptedBackend
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
    paying_gives = Redirect
    # It ends nothing: tests of the app need charges that stay as they are.
    test_a_void_charge_that_nobody_has_paid_is_ended = None  # type: ignore[assignment]


class TestScriptedBackendThatStaysPending(TestScriptedBackend):
    script = {"charge": "pending"}
    paying_gives = Pending
    test_a_void_charge_that_nobody_has_paid_is_ended = None  # type: ignore[assignment]


def collected_from(case: type[BackendContract]) -> set[str]:
    """The names of the tests that pytest collects."""
    return {name for name in dir(case) if name.startswith("test_") and getattr(case, name) is not None}


class TestWhatApplies:
    def test_a_backend_that_can_do_nothing_else_is_tested_for_charging_alone(self) -> None:
        about_more = {"refund", "looked_up_as", "look_up", "notification_names", "redirect_leads", "decline"}
        assert "test_what_is_paid_is_what_was_asked" in collected_from(TestAcmeBackend)
        assert not {
            name
            for name in collected_from(TestAcmeBackend)
            - {"test_a_backend_that_cannot_refund_does_not_say_it_did"}
            if any(word in name for word in about_more)
        }

    def test_a_backend_that_can_refund_is_not_asked_to_refuse(self) -> None:
        assert "test_a_backend_that_cannot_refund_does_not_say_it_did" not in collected_from(
            TestScriptedBackend
        )

    def test_a_subclass_gets_back_what_its_parent_did_without(self) -> None:
        assert "test_a_redirect_leads_where_it_may_and_can_be_looked_up" not in collected_from(
            TestScriptedBackend
        )
        assert "test_a_redirect_leads_where_it_may_and_can_be_looked_up" in collected_from(
            TestScriptedBackendThatRedirects
        )

    def test_a_test_of_ones_own_stays_in_place_of_ours(self) -> None:
        class Contract(TestAcmeBackend):
            test_two_charges_are_two_transactions = None  # type: ignore[assignment]

            def test_a_paid_charge_can_be_refunded(self) -> None:
                raise NotImplementedError

        assert "test_a_paid_charge_can_be_refunded" in collected_from(Contract)
        assert "test_two_charges_are_two_transactions" not in collected_from(Contract)

    def test_a_class_that_is_not_named_is_tested_for_everything_it_may_claim(self) -> None:
        class Contract(BackendContract):
            def make_backend(self) -> PaymentBackend:
                return AcmeBackend(store="live", method="acme_card", options={})

        assert "test_two_equal_partial_refunds_are_two" in collected_from(Contract)

    def test_a_contract_without_a_class_says_what_to_name(self) -> None:
        class Contract(BackendContract):
            pass

        with pytest.raises(NotImplementedError, match="backend_class of Contract"):
            Contract().test_options_that_work_pass_the_check()
