"""Payment sessions for tests: what is ordered in a line, and what Snipcart makes of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from snipcart_checkout.sandbox.core.invoices import Address, Invoice, Line
from snipcart_checkout.sandbox.core.sessions import Session

USUAL_AMOUNT: Final = "12.30"
"""What an order of a test comes to that names no amount, in major units."""
_ADDRESS: Final = Address(
    name="Ada", surname="Byron", street="1 rue des Écoles", postal_code="75005", city="Paris", country="FR"
)


@dataclass(kw_only=True, eq=False)
class StandInSession(Session):
    """A payment session that a test ordered.

    ``public_token`` stands for it in the checkout URL. ``document`` replaces whole fields of the JSON that is answered,
    for what no order would hold.
    """

    public_token: str = field(default="", repr=False)
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``GET …/payment-session``."""
        return {**super().to_json(), **self.document}


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
