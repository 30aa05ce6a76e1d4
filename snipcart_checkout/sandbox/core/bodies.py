"""The bodies that Snipcart sends and answers, built from plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf, nextafter
from typing import Any, Final

SHAPES: Final = ("every_field", "documented", "capital_redirect")
"""How a session may look: with every field seen in live traffic, as in the reference, as in its older text."""

TOKEN_PLACES: Final = ("body", "capital", "query")
"""Where the payment-methods webhook carries its token: ``publicToken``, ``PublicToken`` or the query string."""


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


def payment_session(
    invoice: Invoice,
    *,
    id: str,  # noqa: A002 - Snipcart's name for it
    cart_url: str,
    shape: str = "every_field",
    payment_method: str = "",
    methods: Iterable[Mapping[str, str]] = (),
    checkout_url: str = "",
) -> dict[str, Any]:
    """Return the answer of ``GET …/payment-session``.

    ``cart_url`` is the way back to the cart; ``methods`` are what the merchant offered, ``payment_method`` and
    ``checkout_url`` what the shopper chose. The last three show only in the shape ``every_field``.
    """
    redirect = (
        "PaymentAuthorizationRedirectUrl"
        if shape == "capital_redirect"
        else "paymentAuthorizationRedirectUrl"
    )
    session = {"id": id, redirect: cart_url, "invoice": invoice_json(invoice, shape=shape)}
    if shape != "every_field":
        return session
    # The values of state, flow and fingerprint were never written down by anybody; only that they are texts.
    return {
        **session,
        "state": "Processing",
        "paymentMethod": payment_method,
        "availablePaymentMethods": [
            {"id": "card", "flow": "x", "fingerprint": "x"},
            *map(_available, methods),
        ],
        "authorization": {
            "flow": "x",
            "confirmationSynchronicity": "x",
            "state": "x",
            "stateDescriptorCode": None,
            "stateDescriptor": None,
            "url": checkout_url,
            "card": None,
        },
        "customerId": None,
        "customerGatewayId": None,
    }


def _available(method: Mapping[str, str]) -> dict[str, str]:
    named = {key: method[key] for key in ("name", "checkoutUrl") if key in method}
    return {"id": method["id"], "flow": "x", "fingerprint": "x", **named}


def methods_webhook(invoice: Invoice, *, mode: str, token: str, place: str = "body") -> dict[str, Any]:
    """Return the body of the payment-methods webhook; with the place ``query`` it holds no token."""
    places = {"body": {"publicToken": token}, "capital": {"PublicToken": token}, "query": {}}
    # The reference writes the mode in lower case, its older text in upper case.
    written = mode.lower() if place == "body" else mode.capitalize()
    body = invoice_json(invoice)
    del body["plan"]
    for item in body["items"]:
        del item["hasSelectedPlan"]
    return {"mode": written, "invoice": body, **places[place]}


def refund_webhook(*, payment_id: str, amount: Decimal, noise: bool = False) -> dict[str, Any]:
    """Return the body that is sent to ``links.refunds``: the amount in major units, and no currency."""
    return {"paymentId": payment_id, "amount": json_number(amount, noise=noise)}
