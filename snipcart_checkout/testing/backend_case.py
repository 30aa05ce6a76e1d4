"""What a test of a backend is given by whoever writes it, and the charges and refunds that are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeAlias, TypeVar
from uuid import UUID, uuid4

from snipcart_checkout.backends.base import Charge, Paid, PaymentBackend, Pending, Redirect, RefundRequest
from snipcart_checkout.money import minor_units

__all__ = ["BackendCase", "has", "later", "needs", "refund_of"]

_Test = TypeVar("_Test", bound=Callable[..., None])


class BackendCase:
    """One backend under test: which class, what a shopper types, what that leads to, and what its provider did.

    A test that does not apply to the class is not there: pytest collects none, so none is skipped either.
    """

    backend_class: ClassVar[type[PaymentBackend] | None] = None
    options: ClassVar[Mapping[str, Any]] = {}
    paying_form: ClassVar[Mapping[str, Any]] = {}
    paying_gives: ClassVar[type] = Paid
    declined_form: ClassVar[Mapping[str, Any] | None] = None
    amounts: ClassVar[Sequence[tuple[str, str]]] = (("12.34", "EUR"), ("1500", "JPY"), ("1.234", "KWD"))
    return_url: ClassVar[str] = "https://pay.shop.example/checkout/payments/return/"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, test in _inherited_tests(cls).items():
            if getattr(cls, name) in {None, test}:  # else it is overridden
                setattr(cls, name, test if all(need(cls) for need in _needs_of(test)) else None)

    def make_backend(self) -> PaymentBackend:
        """Build the backend with options that work."""
        if self.backend_class is None:
            raise NotImplementedError(f"name the backend_class of {type(self).__name__}")
        return self.backend_class(store="live", method="shop_card", options=dict(self.options))

    def captures(self, reference: UUID) -> int | None:
        """Tell how often the provider took the money of a charge; None where a test cannot know."""
        return None

    def refunds(self, reference: UUID) -> int | None:
        """Tell how often the provider made a refund; None where a test cannot know."""
        return None

    def pay(self, charge: Charge) -> None:
        """Pay at the provider, as the shopper does after a Redirect; without this nothing is tested beyond it."""
        raise NotImplementedError

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        """Return the headers and body of a genuine notification; without this only forged ones are tested."""
        raise NotImplementedError

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
        return self._charge(form=self.declined_form)

    def _refund(self) -> RefundRequest:
        """Return a refund of a charge that is paid, at once or at the provider."""
        charge = self._charge()
        result: object = self.make_backend().charge(charge)
        charge = later(charge, result)
        if not isinstance(result, Paid):
            self.pay(charge)
            result = self.make_backend().lookup(charge)
        assert isinstance(result, Paid)
        return refund_of(charge, result.transaction_id)


Need: TypeAlias = Callable[[type[BackendCase]], bool]
_NEEDS: Final = "_backend_needs"


def needs(*conditions: Need) -> Callable[[_Test], _Test]:
    """Mark a test that applies only to the classes for which every condition holds."""

    def mark(test: _Test) -> _Test:
        setattr(test, _NEEDS, conditions)
        return test

    return mark


def has(capability: str) -> Need:
    """Return whether the backend claims a capability; one that is not named is taken to claim all."""
    return lambda case: case.backend_class is None or bool(getattr(case.backend_class, capability))


def _inherited_tests(cls: type[BackendCase]) -> dict[str, Callable[..., None]]:
    """Return the tests with needs as they were written, also those that the parent of this class does without."""
    return {
        name: value
        for parent in reversed(cls.__mro__[1:])
        for name, value in vars(parent).items()
        if _needs_of(value) and name not in vars(cls)
    }


def _needs_of(test: object) -> tuple[Need, ...]:
    return getattr(test, _NEEDS, ())


def later(charge: Charge, result: object) -> Charge:
    """Return the charge as it is handed over again once the shopper has left."""
    named = result.transaction_id if isinstance(result, Pending) else ""
    provider_reference = result.provider_reference if isinstance(result, Redirect) else named
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
