"""Made-up orders and payments, of which nothing is ever saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from snipcart_checkout.models import Payment, to_short_reference
from snipcart_checkout.presentation.declines import decline_text
from snipcart_checkout.presentation.problems import Problem
from snipcart_checkout.snipcart import PaymentSession
from snipcart_checkout.snipcart.money import get_decimals, to_amount

CURRENCIES: Final = ("EUR", "USD", "CAD", "JPY", "KWD")

# Roughly what a price in euros would be, so that every currency shows amounts of its usual length.
_RATES: Final = {"JPY": Decimal(150), "KWD": Decimal("0.325")}


def _line(name: str, kind: str, price: str, quantity: int = 1) -> tuple[str, str, Decimal, int]:
    return name, kind, Decimal(price), quantity


_LANTERN: Final = _line("Paper lantern, large", "Physical", "19.50", 2)
_FIVE: Final = (
    _LANTERN,
    _line("Gift card “Light”", "Digital", "25"),
    _line("LANTERN10", "Discount", "-6.40"),
    _line("Post", "Shipping", "4.90"),
    _line("VAT 20%", "Tax", "12.50"),
)
_HOSTILE: Final = (
    _line("<b>Bold</b> & “quoted” <script>alert(1)</script>", "Physical", "19.50"),
    _line("Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 3, "Physical", "1234567.89", 99),
    _line(
        "כוס \N{RIGHT-TO-LEFT OVERRIDE}EUR 00.0\N{POP DIRECTIONAL FORMATTING} قدح 馬克杯 🏮", "Physical", "8"
    ),
    _line("", "Tax", "0.01"),
)
ORDERS: Final[Mapping[str, tuple[tuple[str, str, Decimal, int], ...]]] = {
    "five": _FIVE,
    "one": (_LANTERN,),
    "sixty": tuple(_line(f"Paper lantern no. {number}", "Physical", "19.50") for number in range(1, 61)),
    "hostile": _HOSTILE,
}
"""Lines of orders: name, type, unit price, quantity."""


def make_session(*, order: str, currency: str, language: str, return_url: str) -> PaymentSession:
    """Return a session as it is read from Snipcart; ``order`` is one of ORDERS."""
    lines = [_priced(line, currency) for line in ORDERS[order]]
    address = _HOSTILE_ADDRESS if order == "hostile" else _ADDRESS
    return PaymentSession.from_json(
        {
            "id": "sample",
            "paymentAuthorizationRedirectUrl": return_url,
            "invoice": {
                "amount": sum((line["amount"] for line in lines), Decimal(0)),
                "currency": currency,
                "email": "ada@shop.example",
                "language": language,
                "targetId": "851aaeea-7df5-4dc6-b9e0-7fe5991a6bf0",
                "billingAddress": address,
                "shippingAddress": {**address, "name": "Charles Babbage"},
                "items": lines,
            },
        }
    )


_ADDRESS: Final = {
    "name": "Ada Byron",
    "streetAndNumber": "12 rue des Écoles",
    "postalCode": "75005",
    "city": "Paris",
    "country": "FR",
}
_HOSTILE_ADDRESS: Final = {
    **_ADDRESS,
    "name": "<i>Ada</i>" + " von und zu" * 20,
    "streetAndNumber": "x" * 200,
}


def _priced(line: tuple[str, str, Decimal, int], currency: str) -> dict[str, Any]:
    name, kind, price, quantity = line
    digits = get_decimals(currency)
    rate = _RATES.get(currency, Decimal(1))
    unit_price = to_amount(round((price * rate).scaleb(digits)), currency)
    return {
        "name": name,
        "type": kind,
        "unitPrice": unit_price,
        "quantity": quantity,
        "amount": unit_price * quantity,
    }


@dataclass(frozen=True, kw_only=True)
class CheckoutState:
    """How the checkout page is: ``notice`` as its template knows it, the code of a decline, a status code."""

    chosen: bool = True
    notice: str = ""
    decline_code: str = ""
    has_errors: bool = False
    status: int = 200


CHECKOUT_STATES: Final[Mapping[str, CheckoutState]] = {
    "choose": CheckoutState(chosen=False),
    "pay": CheckoutState(),
    "errors": CheckoutState(has_errors=True),
    "changed": CheckoutState(notice="changed", status=409),
    "declined": CheckoutState(notice="declined", decline_code="insufficient_funds", status=402),
    "limit": CheckoutState(notice="limit", decline_code="declined", status=402),
}

_State = Payment.State
_ORDER: Final[Mapping[str, str]] = {"order_url": "https://shop.example/order"}
_REFERENCE: Final = UUID("9a439c45-f19f-4e22-8042-de026b568751")
_MOMENT: Final = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
_BANK: Final = "Account holder: The Paper Lantern\nIBAN: FR76 3000 6000 0112 3456 7890 189\nBIC: AGRIFRPP"
_AT_THE_PROVIDER: Final[Mapping[str, Any]] = {
    "state": _State.PENDING,
    "redirect_url": "https://provider.example/pay",
}
PAYMENT_STATES: Final[Mapping[str, Mapping[str, Any]]] = {
    "charging": {"state": _State.CHARGING},
    "unknown": {"state": _State.UNKNOWN},
    "at-the-provider": _AT_THE_PROVIDER,
    "back-from-the-provider": {**_AT_THE_PROVIDER, "redirect_ended": True},
    "pending": {"state": _State.PENDING, **_ORDER},
    "instructions": {"state": _State.PENDING, "instructions": _BANK, **_ORDER},
    "paid": {"state": _State.PAID, "captured_at": _MOMENT, **_ORDER},
    "paid-undelivered": {"state": _State.PAID, "captured_at": _MOMENT},
    "declined": {"state": _State.DECLINED, "decline_code": "expired"},
    "abandoned": {"state": _State.ABANDONED},
    "review": {"state": _State.REVIEW, "captured_at": _MOMENT, **_ORDER},
    "review-unknown": {"state": _State.REVIEW},
}
"""Columns of the ledger; ``paid-undelivered`` is paid, and Snipcart could not be notified yet."""

PROBLEM_STATES: Final[Mapping[str, Problem]] = {
    problem.name.lower().replace("_", "-"): problem for problem in Problem
}


def make_payment(state: str, session: PaymentSession, **columns: Any) -> Payment:
    """Return a payment of a session that is not in the ledger; ``state`` is one of PAYMENT_STATES."""
    language = session.invoice.language
    given = PAYMENT_STATES[state]
    return Payment(
        **{
            "reference": _REFERENCE,
            "short_reference": to_short_reference(_REFERENCE),
            "session_id": session.id,
            "minor_units": session.invoice.minor_units,
            "currency": session.invoice.currency,
            "language": language,
            "cart_id": session.invoice.cart_id,
            "created_at": _MOMENT,
            "claimed_at": _MOMENT,
            "cart_url": session.return_url,
            "decline_message": decline_text(given["decline_code"], language)
            if "decline_code" in given
            else "",
            **given,
            **columns,
        }
    )
