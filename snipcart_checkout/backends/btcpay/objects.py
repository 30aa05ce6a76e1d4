"""BTCPay Server's objects as far as they matter here; what is not as documented is refused.

The schemas are those of https://docs.btcpayserver.org/API/Greenfield/v1/: InvoiceData,
InvoicePaymentMethodDataModel, Payment, PullPaymentData and PayoutData. Decimals are texts there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

_DECIMAL: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")


class UnreadableObject(ValueError):
    """An object is not as BTCPay Server documents it. The text names the field and holds no value."""


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """What a shopper is asked to pay. Amounts are in major units of ``currency``.

    ``paid_amount`` is what arrived, confirmed or not, rounded to the currency; None from servers
    before 2.1.2, see ``with_paid_amount``. ``order_id`` is our reference. ``created`` is in seconds
    since 1970.
    """

    id: str
    status: str
    additional_status: str
    amount: Decimal
    paid_amount: Decimal | None
    currency: str
    order_id: str
    checkout_link: str
    created: int

    @classmethod
    def from_json(cls, content: Any) -> Invoice:
        """Read an InvoiceData."""
        return cls(
            id=_id(content, "id"),
            status=_text(content, "status"),
            additional_status=_text(content, "additionalStatus"),
            amount=_decimal(content, "amount"),
            paid_amount=_optional_decimal(content, "paidAmount"),
            currency=_text(content, "currency").upper(),
            order_id=_order_id(content),
            checkout_link=_text(content, "checkoutLink"),
            created=_seconds(content, "createdTime"),
        )


@dataclass(frozen=True, kw_only=True)
class Payment:
    """Money that arrived. ``value`` and ``fee`` are in the payment method's own currency."""

    value: Decimal
    fee: Decimal
    status: str

    @classmethod
    def from_json(cls, content: Any) -> Payment:
        """Read a Payment."""
        return cls(
            value=_decimal(content, "value"),
            fee=_optional_decimal(content, "fee") or Decimal(0),
            status=_text(content, "status"),
        )


@dataclass(frozen=True, kw_only=True)
class PaymentMethod:
    """One way to pay an invoice.

    ``rate`` is the price of one unit of its currency in the invoice's currency. ``due`` is what is
    left to pay in the method's currency, negative when too much arrived. ``destination`` is a
    Bitcoin address or a Lightning invoice.
    """

    rate: Decimal
    due: Decimal
    destination: str
    payments: tuple[Payment, ...]

    @classmethod
    def from_json(cls, content: Any) -> PaymentMethod:
        """Read an InvoicePaymentMethodDataModel."""
        payments = _field(content, "payments")
        if not isinstance(payments, list):
            raise UnreadableObject("no usable payments")
        destination = content.get("destination")
        return cls(
            rate=_decimal(content, "rate"),
            due=_decimal(content, "due"),
            # Null as long as the shopper has not chosen the method.
            destination=destination if isinstance(destination, str) else "",
            payments=tuple(map(Payment.from_json, payments)),
        )


@dataclass(frozen=True, kw_only=True)
class PullPayment:
    """Money that somebody may claim. ``amount`` is in major units of ``currency``."""

    id: str
    name: str
    amount: Decimal
    currency: str
    is_archived: bool

    @classmethod
    def from_json(cls, content: Any) -> PullPayment:
        """Read a PullPaymentData."""
        name = _field(content, "name")
        return cls(
            id=_id(content, "id"),
            name=name if isinstance(name, str) else "",
            amount=_decimal(content, "amount"),
            currency=_text(content, "currency").upper(),
            is_archived=_field(content, "archived") is True,
        )


@dataclass(frozen=True, kw_only=True)
class Payout:
    """A claim of a pull payment. ``amount`` is in major units of the pull payment's currency."""

    amount: Decimal
    state: str

    @classmethod
    def from_json(cls, content: Any) -> Payout:
        """Read a PayoutData."""
        return cls(amount=_decimal(content, "originalAmount"), state=_text(content, "state"))


def _field(content: Any, name: str) -> Any:
    if not isinstance(content, Mapping):
        raise UnreadableObject("something that is not an object")
    return content.get(name)


def _text(content: Any, name: str) -> str:
    value = _field(content, name)
    if not isinstance(value, str) or not value:
        raise UnreadableObject(f"no usable {name}")
    return value


def _id(content: Any, name: str) -> str:
    value = _text(content, name)
    if not _ID.fullmatch(value):
        raise UnreadableObject(f"no usable {name}")
    return value


def _order_id(content: Any) -> str:
    # Invoices that other software made need not have one.
    metadata = _field(content, "metadata")
    value = metadata.get("orderId") if isinstance(metadata, Mapping) else None
    return value if isinstance(value, str) else ""


def _decimal(content: Any, name: str) -> Decimal:
    value = _optional_decimal(content, name)
    if value is None:
        raise UnreadableObject(f"no {name}")
    return value


def _optional_decimal(content: Any, name: str) -> Decimal | None:
    value = _field(content, name)
    if value is None:
        return None
    text = str(value) if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool) else ""
    if not _DECIMAL.fullmatch(text):
        raise UnreadableObject(f"no usable {name}")
    return Decimal(text)


def _seconds(content: Any, name: str) -> int:
    value = _field(content, name)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise UnreadableObject(f"no usable {name}")
    return int(value)
