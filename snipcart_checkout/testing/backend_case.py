"""What a test of a backend is given by whoever writes it, and the charges and refunds that are made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from snipcart_checkout.backends.base import Charge, Paid, PaymentBackend, Redirect, RefundRequest
from snipcart_checkout.money import minor_units

__all__ = ["BackendCase", "later", "refund_of"]


class BackendCase:
    """One backend under test: how it is built, what a shopper types, and what its provider did."""

    paying_form: ClassVar[Mapping[str, Any]] = {}
    declined_form: ClassVar[Mapping[str, Any] | None] = None
    amounts: ClassVar[Sequence[tuple[str, str]]] = (("12.34", "EUR"), ("1500", "JPY"), ("1.234", "KWD"))
    return_url: ClassVar[str] = "https://pay.shop.example/checkout/payments/return/"

    def make_backend(self) -> PaymentBackend:
        """Build the backend with options that work."""
        raise NotImplementedError

    def captures(self, reference: UUID) -> int | None:
        """Tell how often the provider took the money of a charge; None where a test cannot know."""
        return None

    def refunds(self, reference: UUID) -> int | None:
        """Tell how often the provider made a refund; None where a test cannot know."""
        return None

    def pay(self, charge: Charge) -> None:
        """Pay at the provider, as the shopper does after a Redirect; without this nothing is tested beyond it."""
        pytest.skip("the shopper's part at the provider is not played")

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes] | None:
        """Return the headers and body of a genuine notification; None when there are none."""
        return None

    def _needs(self, capability: str) -> None:
        if not getattr(self.make_backend(), capability):
            pytest.skip(f"no {capability}")

    def _cleaned(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        form = self.make_backend().form_class(data=dict(data))
        assert form.is_valid(), form.errors
        return form.cleaned_data

    def _charges(self) -> list[Charge]:
        return [self._charge(amount=amount, currency=currency) for amount, currency in self.amounts]

    def _charge(
        self,
        amount: str | None = None,
        currency: str | None = None,
        form: Mapping[str, Any] | None = None,
    ) -> Charge:
        first_amount, first_currency = self.amounts[0]
        major, code = Decimal(amount or first_amount), currency or first_currency
        return Charge(
            reference=uuid4(),
            amount=major,
            currency=code,
            minor_units=minor_units(major, code),
            form=self._cleaned(self.paying_form if form is None else form),
            return_url=self.return_url,
        )

    def _declined_charge(self) -> Charge:
        if self.declined_form is None:
            pytest.skip("the form does not decide about a decline")
        return self._charge(form=self.declined_form)

    def _refund(self) -> RefundRequest:
        self._needs("supports_refund")
        charge = self._charge()
        result = self.make_backend().charge(charge)
        if isinstance(result, Redirect):
            charge = later(charge, result)
            self.pay(charge)
            found = self.make_backend().lookup(charge)
            assert isinstance(found, Paid)
            return refund_of(charge, found.transaction_id)
        if not isinstance(result, Paid):
            pytest.skip("nothing is paid at once")
        return refund_of(later(charge, result), result.transaction_id)

    def _genuine(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        notification = self.notification(reference)
        if notification is None:
            pytest.skip("no notifications")
        return notification


def later(charge: Charge, result: object) -> Charge:
    """Return the charge as it is handed over again once the shopper has left."""
    provider_reference = result.provider_reference if isinstance(result, Redirect) else ""
    return replace(charge, session=None, provider_reference=provider_reference)


def refund_of(charge: Charge, transaction_id: str) -> RefundRequest:
    """Return a refund of a whole charge."""
    return RefundRequest(
        reference=uuid4(),
        charge=charge,
        transaction_id=transaction_id,
        amount=charge.amount,
        currency=charge.currency,
        minor_units=charge.minor_units,
    )
