"""The interface of a payment backend: values in, a value out.

A backend moves money and knows one provider. It sees no model, no request and no Snipcart. Declined is a value;
an exception, or anything that is not one of the values below, means that the outcome is not known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from django import forms
from django.core.checks import CheckMessage

from snipcart_checkout.protocol import PaymentSession

__all__ = [
    "Charge",
    "ChargeResult",
    "Declined",
    "LookupResult",
    "NotFound",
    "Notification",
    "Paid",
    "PaymentBackend",
    "Pending",
    "Redirect",
    "RefundDeclined",
    "RefundRequest",
    "RefundResult",
    "Refunded",
]


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One payment to be made.

    ``reference`` is ours and the idempotency key. ``amount`` is in major units, ``minor_units`` the same in the
    smallest unit of ``currency`` (1234 for 12.34 EUR). ``session`` is None when the charge is taken up again
    without the shopper. ``form`` holds the cleaned fields of the backend's form; on every later call for the same
    reference they are as JSON gives them back, so that a date or a Decimal is then a text. ``provider_reference`` is
    what an earlier Redirect or Pending named. ``language`` is a language code as Django spells it.
    ``shopper_returned`` is true for the look-up that is made because the shopper has come back from the provider
    this moment: what was left unfinished there may be ended, so that the order can be paid another way.
    """

    reference: UUID
    amount: Decimal
    currency: str
    minor_units: int
    session: PaymentSession | None = field(default=None, repr=False)
    form: Mapping[str, Any] = field(default_factory=dict, repr=False)
    return_url: str = ""
    notification_url: str = ""
    provider_reference: str = ""
    language: str = "en"
    shopper_returned: bool = False


@dataclass(frozen=True)
class Paid:
    """The money is ours. ``amount`` (major units) and ``currency`` are the provider's word, and are compared.

    ``transaction_id`` must not be empty. ``instructions`` is plain text for the order confirmation.
    """

    transaction_id: str
    amount: Decimal
    currency: str
    instructions: str = ""


@dataclass(frozen=True)
class Pending:
    """The provider accepted the payment, and the money may come later.

    ``instructions`` is plain text for the shopper, in the language of the charge: how to pay, line by line.
    """

    transaction_id: str
    instructions: str = ""


@dataclass(frozen=True)
class Redirect:
    """The shopper has to go on at the provider; only for backends that can look up."""

    url: str
    provider_reference: str


@dataclass(frozen=True)
class Declined:
    """The final word that no money was and will be taken under this reference.

    ``code`` goes to Snipcart and chooses our text; ``message`` is shown to the shopper and has to be already in
    the language of the charge. Leave it empty to use ours for the code. Never the provider's raw text.
    """

    code: str
    message: str = ""


@dataclass(frozen=True)
class NotFound:
    """The provider has never heard of the reference."""


@dataclass(frozen=True, kw_only=True)
class RefundRequest:
    """Money to be given back. ``reference`` is ours, per refund, and the idempotency key."""

    reference: UUID
    charge: Charge
    transaction_id: str
    amount: Decimal
    currency: str
    minor_units: int


@dataclass(frozen=True)
class Refunded:
    """The refund is made; ``refund_id`` is the provider's, if it has one."""

    refund_id: str = ""


@dataclass(frozen=True)
class RefundDeclined:
    """The final word that nothing was refunded. ``message`` is for the merchant."""

    code: str
    message: str = ""


@dataclass(frozen=True)
class Notification:
    """A provider's verified message names a charge by our reference; what came of it is then looked up."""

    reference: UUID


ChargeResult: TypeAlias = Paid | Pending | Redirect | Declined
LookupResult: TypeAlias = Paid | Pending | Declined | NotFound
RefundResult: TypeAlias = Refunded | RefundDeclined


class PaymentBackend(ABC):
    """One way to take money. Built anew for every use, so it may keep state on itself."""

    form_class: type[forms.Form] = forms.Form
    """Asked on the checkout page. Never card numbers: those belong on the provider's own page."""
    supports_refund: bool = False
    """``refund`` works for the whole amount."""
    supports_partial_refund: bool = False
    """``refund`` works for a part of it, more than once."""
    can_lookup: bool = False
    """``lookup`` tells what came of a reference."""
    repeat_is_safe: bool = False
    """A charge or refund repeated with the same reference happens once, however much later it is repeated."""
    waits_for: timedelta | None = None
    """Where nothing can be looked up: how long a Pending payment may wait before it lapses. None: staff decide."""
    redirect_origins: Sequence[str] = ()
    """Origins (``https://pay.example``) to which a Redirect may lead, besides our own."""

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        self.store = store
        self.method = method
        self.options = options

    @abstractmethod
    def charge(self, charge: Charge) -> ChargeResult:
        """Take the money, at most once per ``charge.reference``. Raise for "we do not know"."""

    def lookup(self, charge: Charge) -> LookupResult:
        """Tell what came of a charge. Called only where ``can_lookup`` is true. Raise for "we do not know".

        What the shopper has not finished at the provider is Pending as long as he may be at it. Once
        ``charge.shopper_returned``, Pending places the order, so it is for money that is on its way: end at the
        provider what nobody paid and return Declined, or raise.
        """
        raise TypeError(f"{type(self).__name__} cannot look up charges")

    def refund(self, refund: RefundRequest) -> RefundResult:
        """Give money back, at most once per ``refund.reference``. Raise for "we do not know"."""
        raise TypeError(f"{type(self).__name__} cannot refund")

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Verify a provider's message and return the charge that it names.

        Raises NotificationRefused, or anything else, for a message that is not the provider's. A genuine one about
        anything but a charge of ours may name any other UUID: it is heard and forgotten.
        """
        raise TypeError(f"{type(self).__name__} takes no notifications")

    def check(self) -> list[CheckMessage]:
        """Return what is wrong with ``options``, as system check messages that hold no secret."""
        return []
