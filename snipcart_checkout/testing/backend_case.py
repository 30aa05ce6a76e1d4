"""What a test of a backend is given by whoever writes it, and the charges and refunds that are made from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeAlias, TypeVar
from uuid import UUID, uuid4

from django.core.serializers.json import DjangoJSONEncoder
from django.views.debug import SafeExceptionReporterFilter

from snipcart_checkout.backends.base import Charge, Paid, PaymentBackend, Pending, Redirect, RefundRequest
from snipcart_checkout.snipcart import PaymentSession, read_json
from snipcart_checkout.snipcart.money import to_minor_units
from snipcart_checkout.testing.server import Reply
from snipcart_checkout.testing.sessions import StandInSession, new_invoice

__all__ = ["BackendCase", "build_refund", "has", "later", "needs", "through_json"]

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
    secrets: ClassVar[Sequence[str]] = ()
    return_url: ClassVar[str] = "https://pay.shop.example/checkout/payments/return/"
    notification_url: ClassVar[str] = "https://pay.shop.example/checkout/live/notifications/shop_card/"
    money_may_come_late: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, test in _inherited_tests(cls).items():
            if getattr(cls, name) in {None, test}:  # else it is overridden
                setattr(cls, name, test if all(need(cls) for need in _get_needs(test)) else None)

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

    def give_up(self, charge: Charge) -> None:
        """Come back from the provider without having paid; often nothing has to happen there, but name it."""
        raise NotImplementedError

    def expire(self, charge: Charge) -> None:
        """Let the time run out that the provider gives a shopper to pay; without this that is not tested."""
        raise NotImplementedError

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        """Return the headers and body of a genuine notification; without this only forged ones are tested."""
        raise NotImplementedError

    def refund_notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        """Return the headers and body of a genuine notification about a refund; without this none is tested."""
        raise NotImplementedError

    def dispute_notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        """Return the headers and body of a genuine notification of a chargeback; without this none is tested."""
        raise NotImplementedError

    def fail_refund(self, refund: RefundRequest) -> None:
        """Let a refund that the provider accepted fail later; without this that is not tested."""
        raise NotImplementedError

    def _cleaned(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        form = self.make_backend().form_class(data=dict(data))
        assert form.is_valid(), f"The form refuses what a shopper types into it: {form.errors.as_json()}"
        return form.cleaned_data

    def _secrets(self) -> set[str]:
        """Return the values of options whose names sound like a secret's, and those that the class names."""
        return {*self.secrets, *_find_secrets(self.make_backend().options)}

    def _charges(self) -> list[Charge]:
        return [self._charge(amount=amount, currency=currency) for amount, currency in self.amounts]

    def _charge(
        self,
        amount: str | None = None,
        currency: str | None = None,
        form: Mapping[str, Any] | None = None,
        language: str = "en",
    ) -> Charge:
        first_amount, first_currency = self.amounts[0]
        major, code = Decimal(amount or first_amount), currency or first_currency
        return Charge(
            reference=uuid4(),
            amount=major,
            currency=code,
            minor_units=to_minor_units(major, code),
            form=self._cleaned(self.paying_form if form is None else form),
            return_url=self.return_url,
            notification_url=self.notification_url,
            language=language,
        )

    def _charge_of_a_shopper(self) -> Charge:
        """Return a charge as it is handed over first, with the order."""
        charge = self._charge()
        return replace(charge, session=_new_session(charge))

    def _declined_charge(self) -> Charge:
        return self._charge(form=self.declined_form)

    def _left(self) -> Charge:
        """Return a charge that was begun, as it is handed over once the shopper has left."""
        charge = self._charge()
        return later(charge, self.make_backend().charge(charge))

    def _refund(self) -> RefundRequest:
        """Return a refund of a charge that is paid, at once or at the provider."""
        charge = self._charge()
        result: object = self.make_backend().charge(charge)
        charge = later(charge, result)
        if not isinstance(result, Paid):
            self.pay(charge)
            result = self.make_backend().lookup(charge)
        assert isinstance(result, Paid), f"A charge that was paid is {result!r}, so nothing can be refunded."
        return build_refund(charge, result.transaction_id)


Need: TypeAlias = Callable[[type[BackendCase]], bool]
_NEEDS: Final = "_backend_needs"
_SHORTEST_SECRET: Final = 4  # shorter ones are ordinary words


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
        if _get_needs(value) and name not in vars(cls)
    }


def _get_needs(test: object) -> tuple[Need, ...]:
    return getattr(test, _NEEDS, ())


def _new_session(charge: Charge) -> PaymentSession:
    invoice = new_invoice(amount=charge.amount, currency=charge.currency, items=2, language=charge.language)
    ordered = StandInSession(invoice=invoice, cart_url="https://shop.example/#/checkout", mode="live")
    return PaymentSession.from_json(read_json(Reply.of_json(200, ordered.to_json()).body))


def through_json(form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a form's fields as they are read back from where they were stored."""
    found: Mapping[str, Any] = json.loads(json.dumps(dict(form), cls=DjangoJSONEncoder))
    return found


def later(charge: Charge, result: object) -> Charge:
    """Return the charge as it is handed over again once the shopper has left."""
    named = result.transaction_id if isinstance(result, Pending) else ""
    provider_reference = result.provider_reference if isinstance(result, Redirect) else named
    return replace(
        charge, session=None, form=through_json(charge.form), provider_reference=provider_reference
    )


def build_refund(charge: Charge, transaction_id: str) -> RefundRequest:
    """Return a refund of a whole charge, whose form is forgotten because it is paid."""
    return RefundRequest(
        reference=uuid4(),
        charge=replace(charge, session=None, form={}),
        transaction_id=transaction_id,
        amount=charge.amount,
        currency=charge.currency,
        minor_units=charge.minor_units,
    )


def _find_secrets(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _find_secrets(value)
        elif SafeExceptionReporterFilter.hidden_settings.search(str(name)):
            values = value if isinstance(value, (list, tuple)) else [value]
            yield from (text for text in values if _may_be_secret(text))


def _may_be_secret(value: object) -> bool:
    # API_URL sounds secret to Django, and is none.
    return isinstance(value, str) and len(value) >= _SHORTEST_SECRET and "://" not in value
