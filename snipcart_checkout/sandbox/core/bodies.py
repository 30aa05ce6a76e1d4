"""The bodies that Snipcart sends and answers, built from plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from snipcart_checkout.sandbox.core.invoices import Invoice, invoice_json, json_number

SHAPES: Final = ("every_field", "documented", "capital_redirect")
"""How a session may look: with every field seen in live traffic, as in the reference, as in its older text."""

TOKEN_PLACES: Final = ("body", "capital", "query")
"""Where the payment-methods webhook carries its token: ``publicToken``, ``PublicToken`` or the query string."""


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
