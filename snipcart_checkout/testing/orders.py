"""Payment sessions for tests: what is ordered in a line, and what Snipcart makes of it."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from snipcart_checkout.sandbox.contract import Address, Invoice, Line, payment_session

__all__ = ["StandInSession", "new_invoice", "new_session_id"]

_ADDRESS: Final = Address(
    name="Ada", surname="Byron", street="1 rue des Écoles", postal_code="75005", city="Paris", country="FR"
)


@dataclass(kw_only=True, eq=False)
class StandInSession:
    """A payment session that the stand-in knows.

    ``public_token`` stands for it in the checkout URL. ``invoice`` is the order as it is now.
    ``confirmations`` are the bodies that were recorded, in order.
    """

    id: str
    invoice: Invoice
    return_url: str
    payment_method: str = ""
    shape: str = "every_field"
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    public_token: str = field(default="", repr=False)
    expired: bool = False
    confirmations: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @property
    def state(self) -> str:
        """The state last recorded, such as ``processed``; empty before the first."""
        return str(self.confirmations[-1]["state"]) if self.confirmations else ""

    def change(self, **fields: Any) -> None:
        """Replace fields of the invoice; an amount without lines of its own keeps the lines as they are."""
        if "amount" in fields:
            fields["amount"] = Decimal(fields["amount"])
        self.invoice = replace(self.invoice, **fields)

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``GET …/payment-session``."""
        made_up = payment_session(
            self.invoice,
            id=self.id,
            return_url=self.return_url,
            shape=self.shape,
            payment_method=self.payment_method,
        )
        return {**made_up, **self.document}


def new_session_id() -> str:
    """Return eight characters and a GUID, as in the addresses of real payment pages: no UUID."""
    return f"{secrets.token_hex(4)}-{uuid.uuid4()}"


def new_invoice(
    *,
    amount: Decimal | str | int,
    currency: str,
    items: int | Sequence[Line],
    language: str,
    **fields: Any,
) -> Invoice:
    """Return an invoice; whatever is not given is made up."""
    total = Decimal(amount)
    made_up: dict[str, Any] = {
        "email": "ada@example.org",
        "target_id": str(uuid.uuid4()),
        "billing": _ADDRESS,
        "shipping": _ADDRESS,
    }
    lines = _lines(total, items) if isinstance(items, int) else items
    return Invoice(amount=total, currency=currency, language=language, lines=lines, **{**made_up, **fields})


def _lines(amount: Decimal, count: int) -> list[Line]:
    share = (amount / max(count, 1)).quantize(amount, ROUND_DOWN)
    prices = [share] * (count - 1) + [amount - share * (count - 1)] if count else []
    return [Line(name=f"Product {number}", unit_price=price) for number, price in enumerate(prices, start=1)]
