"""The Mollie backend against the contract of every backend."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
import responses

from snipcart_checkout.backends.base import Charge, Redirect, Refunded, RefundRequest
from snipcart_checkout.backends.mollie import MollieBackend
from snipcart_checkout.testing.backends import BackendContract
from tests.support.mollie_account import LIVE_KEY, MollieAccount, message
from tests.support.mollie_charges import NOTIFICATION_URL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class TestMollieBackend(BackendContract):
    backend_class = MollieBackend
    options = {"API_KEY": LIVE_KEY}
    paying_gives = Redirect
    amounts = (("12.34", "EUR"), ("1500", "JPY"), ("500", "ISK"), ("0.50", "HUF"))

    @pytest.fixture(autouse=True)
    def _account(self) -> Iterator[None]:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            self.account = MollieAccount(mock)
            yield

    def pay(self, charge: Charge) -> None:
        self.account.shopper_pays(charge.provider_reference)

    def give_up(self, charge: Charge) -> None:
        """Mollie's way back leaves the payment as it is."""

    def expire(self, charge: Charge) -> None:
        self.account.payment_ends(charge.provider_reference, "expired")

    def captures(self, reference: UUID) -> int:
        return sum(payment["status"] == "paid" for payment in self.account.of_reference(reference))

    def refunds(self, reference: UUID) -> int:
        return len(self.account.refunds_of_reference(reference))

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        asked = replace(self._charge(), reference=reference, notification_url=NOTIFICATION_URL)
        result = self.make_backend().charge(asked)
        assert isinstance(result, Redirect)
        self.account.shopper_pays(result.provider_reference)
        return message(result.provider_reference)

    def refund_notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        refund = replace(self._refund(), reference=reference)
        self.make_backend().refund(refund)
        return message(refund.transaction_id)

    def dispute_notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        headers, body = self.notification(reference)
        self.account.bank_disputes(self.account.of_reference(reference)[0]["id"])
        return headers, body

    def fail_refund(self, refund: RefundRequest) -> None:
        (made,) = self.account.refunds_of_reference(refund.reference)
        self.account.refund_becomes(made["id"], "failed")

    def test_two_equal_partial_refunds_are_two(self) -> None:
        """Mollie takes the second one an hour later; until then it is declined, and not made by accident."""
        whole = self._refund()
        units = whole.minor_units // 2
        half = replace(whole, amount=whole.amount / 2, minor_units=units)
        for refund in (half, replace(half, reference=uuid4())):
            assert isinstance(self.make_backend().refund(refund), Refunded)
            assert self.refunds(refund.reference) == 1
            self.account.time_passes(minutes=61)
