"""An invoice: what is paid, by whom, for what, and how Snipcart writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf, nextafter
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Address:
    """A billing or shipping address; ``country`` is two letters."""

    name: str
    surname: str | None = None
    street: str
    postal_code: str
    city: str
    country: str
    region: str | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of an order, amounts in major units; ``amount`` is quantity × unit price where it is left out.

    ``tax_included`` is a rate. With ``has_plan`` the line is a subscription.
    """

    name: str
    unit_price: Decimal
    quantity: int = 1
    type: str = "Physical"
    amount: Decimal | None = None
    discount: Decimal = Decimal(0)
    tax_included: Decimal = Decimal(0)
    has_plan: bool = False


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """What is to be paid; ``amount`` in major units, and not necessarily the sum of the lines."""

    amount: Decimal
    currency: str
    email: str
    language: str
    target_id: str
    billing: Address
    shipping: Address | None
    lines: Sequence[Line]
    float_noise: bool = False


def json_number(amount: Decimal, *, noise: bool = False) -> int | float:
    """Return an amount as the number that Snipcart writes: 10, 169.9; with noise, 169.90000000000003."""
    if noise:
        return nextafter(float(amount), inf)
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def invoice_json(invoice: Invoice, *, shape: str = "every_field") -> dict[str, Any]:
    """Return an invoice as it stands in a session or a webhook body; ``shape`` is one of SHAPES."""
    rich, older = shape == "every_field", shape == "capital_redirect"
    shipping = {} if older else {"shippingAddress": _address_json(invoice.shipping, shape)}
    return {
        **shipping,
        "billingAddress": _address_json(invoice.billing, shape),
        "email": invoice.email,
        "language": invoice.language,
        "currency": invoice.currency.upper() if older else invoice.currency.lower(),
        "amount": json_number(invoice.amount, noise=invoice.float_noise and bool(invoice.amount)),
        "targetId": invoice.target_id,
        "items": [_line_json(line, shape) for line in invoice.lines],
        **({"plan": None} if rich else {}),
    }


def _address_json(address: Address | None, shape: str) -> dict[str, str | None] | None:
    if address is None:
        return None
    full_name = " ".join(filter(None, (address.name, address.surname)))
    names: dict[str, dict[str, str | None]] = {
        "every_field": {"name": address.name, "surname": address.surname},
        "documented": {"name": full_name},
        "capital_redirect": {"name": full_name, "surname": None},
    }
    return {
        **names[shape],
        "streetAndNumber": address.street,
        "postalCode": address.postal_code,
        "country": address.country,
        "city": address.city,
        "region": address.region,
    }


def _line_json(line: Line, shape: str) -> dict[str, Any]:
    amount = line.unit_price * line.quantity if line.amount is None else line.amount
    seen = {"discountAmount": json_number(line.discount), "hasSelectedPlan": line.has_plan}
    return {
        "name": line.name,
        "unitPrice": json_number(line.unit_price),
        "quantity": line.quantity,
        "type": line.type,
        "rateOfTaxIncludedInPrice": json_number(line.tax_included),
        "amount": json_number(amount),
        **(seen if shape == "every_field" else {}),
    }
