"""The interface of a payment backend: values in, a value out.

A backend moves money and knows one provider. It sees no model, no request and no Snipcart. Declined
is a value; an exception, or anything that is not one of the values below, means that the outcome is
unknown.

Calls go through ``self.http`` (see ``backends.http``). Amounts that a provider cannot take raise
``snipcart.money.UnpayableAmount``. ``backends.results`` has the rules that an answer must keep.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from uuid import UUID

from django import forms
from django.core.checks import CheckMessage
from django.utils.functional import Promise

from snipcart_checkout.backends.http import ProviderSession
from snipcart_checkout.conf import get_settings
from snipcart_checkout.snipcart import PaymentSession
from snipcart_checkout.snipcart.money import MAX_MINOR_UNITS, UnpayableAmount, get_decimals

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
    "RefundLookupResult",
    "RefundRequest",
    "RefundResult",
    "Refunded",
]

_AMOUNT: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,10})?")


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One payment to be made.

    ``reference`` is ours and the idempotency key. ``amount`` is in major units, ``minor_units`` the
    same in the smallest unit of ``currency`` (1234 for 12.34 EUR). ``session`` is None when the
    charge is repeated without the shopper. ``form`` holds the cleaned fields of the backend's form;
    on every later call for the same reference they have been through JSON, so that a date or a
    Decimal is then a text. ``provider_reference`` is that of an earlier Redirect or Pending.
    ``language`` is a language code as Django spells it. ``shopper_returned`` is true for the
    look-up at the moment when the shopper comes back from the provider: an unfinished payment may
    be ended there, so that the order can be paid another way. ``is_void`` is true for the look-up
    of a charge that nobody is to finish at the provider any more: it was declined, abandoned or
    closed here, its order was changed, the shopper never got to the provider because the answer of
    ``charge`` was lost, or the redirect is three days old. Take no money for it, end at the provider
    what is open, and return the outcome. Its order may still be wanted; it is then paid anew.
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
    is_void: bool = False


@dataclass(frozen=True)
class Paid:
    """The money was taken. ``amount`` (major units) and ``currency`` are those that the provider
    reports; they are compared with the charge.

    ``transaction_id`` must not be empty. ``instructions`` is plain text for the order confirmation.
    """

    transaction_id: str
    amount: Decimal
    currency: str
    instructions: str = ""


@dataclass(frozen=True)
class Pending:
    """The provider accepted the payment, and the money may come later.

    ``instructions`` is plain text for the shopper, in the language of the charge: how to pay, line
    by line. ``unfinished``: the shopper has not paid at the provider yet and may still do so. Such
    a payment places no order; it stays pending until it is finished, ended, or unknown to the
    provider.
    """

    transaction_id: str
    instructions: str = ""
    unfinished: bool = False


@dataclass(frozen=True)
class Redirect:
    """The shopper has to continue at the provider; only for backends that can look up."""

    url: str
    provider_reference: str


@dataclass(frozen=True)
class Declined:
    """The final answer: no money was taken, or will be, under this reference.

    ``code`` goes to Snipcart and selects our text. ``message`` is shown to the shopper, in the
    language of the charge; leave it empty to use our text for the code. Never use the provider's
    raw text.
    """

    code: str
    message: str = ""


@dataclass(frozen=True)
class NotFound:
    """The provider does not know the reference of the charge or refund."""


@dataclass(frozen=True, kw_only=True)
class RefundRequest:
    """A refund to be made. ``reference`` is ours, per refund, and the idempotency key.

    ``refund_id`` is that of an earlier Refunded of the same refund, for ``lookup_refund``.
    """

    reference: UUID
    charge: Charge
    transaction_id: str
    amount: Decimal
    currency: str
    minor_units: int
    refund_id: str = ""


@dataclass(frozen=True)
class Refunded:
    """The provider accepted the refund; ``refund_id`` is the provider's, if it has one.

    ``pending``: the refund may still fail at the provider. It counts as made until
    ``lookup_refund`` returns otherwise, which is called for 10 days, and whenever a notification
    names the refund.
    """

    refund_id: str = ""
    pending: bool = False


@dataclass(frozen=True)
class RefundDeclined:
    """The final answer: nothing was refunded, or will be, under this reference. ``message`` is for the
    merchant.
    """

    code: str
    message: str = ""


@dataclass(frozen=True)
class Notification:
    """A provider's verified message names a charge or a refund by our reference; what came of it is
    then looked up.

    ``dispute``: the shopper's bank disputes the charge (a chargeback). It is recorded in the
    payment's history, and staff are alerted; nothing else changes.
    """

    reference: UUID
    dispute: bool = False


ChargeResult: TypeAlias = Paid | Pending | Redirect | Declined
LookupResult: TypeAlias = Paid | Pending | Declined | NotFound
RefundResult: TypeAlias = Refunded | RefundDeclined
RefundLookupResult: TypeAlias = Refunded | RefundDeclined | NotFound


class PaymentBackend(ABC):
    """One way to take money. A new instance is built for every use, so it may keep state.

    ``store`` is the store's name, ``method`` the method's id, ``options`` the method's OPTIONS.
    """

    form_class: type[forms.Form] = forms.Form
    """The form on the checkout page. Never ask for card numbers: they belong on the provider's own page."""
    supports_refund: bool = False
    """``refund`` works for the whole amount."""
    supports_partial_refund: bool = False
    """``refund`` works for a part of it, more than once."""
    can_lookup: bool = False
    """``lookup`` can return the outcome of a charge."""
    can_lookup_refund: bool = False
    """``lookup_refund`` can return the outcome of a refund."""
    repeat_is_safe: bool = False
    """A charge repeated with the same reference happens once, however much later it is repeated."""
    refund_repeat_is_safe: bool | None = None
    """The same for refunds. None: as ``repeat_is_safe``."""
    pay_label: str | Promise | None = None
    """The label of the button, instead of "Pay 12.34 €"."""
    description: str | Promise = ""
    """One line under the method's name, unless the method's DESCRIPTION says something else."""
    processed_by: str | Promise = ""
    """Who processes the payment, as shoppers know the company; the pages name it. Empty: the shop itself."""
    currency_decimals: Mapping[str, int] = MappingProxyType({})
    """The decimals of currencies for which the provider differs from ISO 4217, by upper-case code."""
    expires_after: timedelta | None = None
    """For a backend without look-ups: the time after which a Pending payment expires. None: staff decide."""
    redirect_origins: Sequence[str] = ()
    """Origins (``https://pay.example``) to which a Redirect may lead, besides our own."""

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        self.store = store
        self.method = method
        self.options = options

    @cached_property
    def http(self) -> ProviderSession:
        """A ``requests.Session`` with the site's limits, for calls to the provider; see
        ``ProviderSession``.
        """
        return ProviderSession(store=self.store, method=self.method)

    @property
    def is_test(self) -> bool:
        """Whether the store's MODE is ``test``: call the provider's test environment."""
        configured = get_settings().stores.get(self.store)
        return configured is not None and configured.is_test

    @abstractmethod
    def charge(self, charge: Charge) -> ChargeResult:
        """Take the money, at most once per ``charge.reference``. Raise when the outcome is unknown."""

    def lookup(self, charge: Charge) -> LookupResult:
        """Return the outcome of a charge. Called only where ``can_lookup`` is true. Raise when it is
        unknown.

        Return ``Pending(..., unfinished=True)`` while the shopper may still finish the payment at
        the provider; any other Pending places the order, so it is for money that is on its way.
        With ``charge.shopper_returned`` or ``charge.is_void`` end an unpaid payment at the provider
        and return Declined.
        """
        raise TypeError(f"{type(self).__name__} cannot look up charges")

    def refund(self, refund: RefundRequest) -> RefundResult:
        """Refund money, at most once per ``refund.reference``. Raise when the outcome is unknown."""
        raise TypeError(f"{type(self).__name__} cannot refund")

    def lookup_refund(self, refund: RefundRequest) -> RefundLookupResult:
        """Return the outcome of a refund. Called only where ``can_lookup_refund`` is true. Raise when
        it is unknown.
        """
        raise TypeError(f"{type(self).__name__} cannot look up refunds")

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Verify a provider's message and return the charge or the refund that it names.

        Raises NotificationRefused, or anything else, for a message that is not the provider's. For
        a genuine message about anything else return any other UUID: it is accepted and ignored.
        """
        raise TypeError(f"{type(self).__name__} takes no notifications")

    def payment_details(self, charge: Charge) -> Sequence[tuple[str, str]]:
        """Return what the shopper needs to pay, as labels and values in the language of the charge.

        For a Pending charge that needs an action of the shopper, such as a transfer. The page shows
        each value with a button to copy it; values are written as the shopper types them.
        ``Pending.instructions`` has the same as lines of plain text, for Snipcart's order. Called
        whenever the page is shown, so it must not call the provider. The default is nothing.
        """
        return ()

    def payment_code(self, charge: Charge) -> str:
        """Return the text of a QR code by which the shopper's banking app pays a Pending charge; empty for none.

        The page draws it where the package ``segno`` is installed. Asked again whenever the page is shown, so nothing may
        be called.
        """
        return ""

    def check(self) -> list[CheckMessage]:
        """Return the mistakes in ``options``, as system check messages that contain no secret."""
        return []

    def ping(self) -> None:
        """Ask the provider whether the credentials work, without changing anything; for
        ``snipcart_doctor``.

        A return means that they do. Raise ImproperlyConfigured with a sentence for the merchant
        that contains no secret; of any other exception only the type is shown. NotImplementedError
        means that the provider has no such call.
        """
        raise NotImplementedError

    def to_minor_units(self, amount: Decimal, currency: str) -> int:
        """Return an amount in major units as the provider's smallest units: 12.34 EUR is 1234.

        Decimals are those of ``currency_decimals``, else of ISO 4217. Raises UnpayableAmount where
        that is not a positive integer; nothing is rounded.
        """
        scaled = amount.scaleb(self._decimals(currency)) if amount.is_finite() else Decimal(0)
        if scaled != scaled.to_integral_value() or not 0 < scaled <= MAX_MINOR_UNITS:
            raise UnpayableAmount("the provider cannot take this amount exactly")
        return int(scaled)

    def from_minor_units(self, units: int, currency: str) -> Decimal:
        """Return the provider's smallest units as an amount in major units: 1234 EUR is 12.34.

        Raises UnpayableAmount for an unknown currency, and for anything but an integer from 0 to
        10**13 - 1.
        """
        if type(units) is not int or not 0 <= units <= MAX_MINOR_UNITS:
            raise UnpayableAmount("the amount is not an integer, is negative or is too large")
        return Decimal(units).scaleb(-self._decimals(currency))

    def to_major_units(self, amount: Decimal, currency: str) -> str:
        """Return an amount as text, as many providers require: 12.3 EUR is ``"12.30"``, 1500 JPY is
        ``"1500"``.

        Raises UnpayableAmount where the provider's decimals cannot hold it.
        """
        return str(self.from_minor_units(self.to_minor_units(amount, currency), currency))

    def from_major_units(self, text: object) -> Decimal:
        """Return a provider's text (``"12.30"``) as an amount; raise UnpayableAmount for any other text."""
        if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
            raise UnpayableAmount("the amount is not a text of digits and a point")
        return Decimal(text)

    def _decimals(self, currency: str) -> int:
        own = self.currency_decimals.get(currency)
        return get_decimals(currency) if own is None else own
