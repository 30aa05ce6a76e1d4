"""Payment sessions: the order that is to be paid, what was confirmed of it, and what was refunded."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from snipcart_checkout.sandbox.core.bodies import payment_session
from snipcart_checkout.sandbox.core.invoices import Invoice

_MAY_FOLLOW: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"processing", "processed", "failed", "invalidated"}),
    "processing": frozenset({"processed", "failed", "invalidated"}),
}


class ConfirmationRefused(Exception):
    """A confirmation that Snipcart does not take; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Refund:
    """A refund that was asked of the merchant: ``refund_id`` is the answer, or ``problem`` says why there is none.

    ``amount`` is in major units.
    """

    time: datetime
    amount: Decimal
    refund_id: str = ""
    problem: str = ""


def new_session_id() -> str:
    """Return eight characters of base64 and a GUID, as in the addresses of real payment pages: no UUID."""
    start = urlsafe_b64encode(secrets.token_bytes(6)).decode().translate(str.maketrans("-_", "xY"))
    return f"{start}-{uuid4()}"


@dataclass(kw_only=True, eq=False)
class Session:
    """A payment session.

    ``invoice`` is the order as it is now, ``amount_read`` what the merchant read last, in major units. ``cart_url``
    leads back to the cart, and ``order_url`` is the page that follows every confirmation. ``shape`` is one of SHAPES,
    ``methods`` are what the merchant offered. ``refused_with`` is the HTTP status with which every token of the
    session is refused; 0 while it lives. ``confirmations`` are the bodies that were recorded, in order.
    """

    id: str = field(default_factory=new_session_id)
    invoice: Invoice
    cart_url: str
    order_url: str = ""
    mode: str = "live"
    shape: str = "every_field"
    payment_method: str = ""
    methods: Sequence[Mapping[str, str]] = ()
    refused_with: int = 0
    amount_read: Decimal | None = None
    confirmations: list[dict[str, Any]] = field(default_factory=list, repr=False)
    refunds: list[Refund] = field(default_factory=list, repr=False)

    @property
    def state(self) -> str:
        """The state last recorded, such as ``processed``; empty before the first."""
        return str(self.confirmations[-1]["state"]) if self.confirmations else ""

    @property
    def expired(self) -> bool:
        """Whether its tokens are refused."""
        return bool(self.refused_with)

    @property
    def is_order(self) -> bool:
        """Whether the shopper has ordered: the cart is closed then."""
        return any(body["state"] in {"processing", "processed"} for body in self.confirmations)

    @property
    def transaction_id(self) -> str:
        """The provider's id of the payment, as it was confirmed last."""
        return str(self._confirmed("transactionId", ""))

    @property
    def instructions(self) -> str:
        """What the shopper is to do, as it was confirmed last."""
        return str(self._confirmed("instructions", ""))

    @property
    def refund_url(self) -> str:
        """Where a refund is asked for; empty when no confirmation gave an address."""
        return str(self._confirmed("links", {}).get("refunds", ""))

    @property
    def error(self) -> Mapping[str, str]:
        """The error of the last confirmation: ``code`` and ``message``; empty without one."""
        return (self.confirmations[-1].get("error") if self.confirmations else None) or {}

    @property
    def checkout_url(self) -> str:
        """The address that the merchant gave for the method which the shopper chose; empty before."""
        chosen = (one["checkoutUrl"] for one in self.methods if one["id"] == self.payment_method)
        return next(chosen, "")

    @property
    def refunded(self) -> Decimal:
        """How much went back, in major units."""
        return sum((refund.amount for refund in self.refunds if refund.refund_id), Decimal(0))

    @property
    def amount_left(self) -> Decimal:
        """How much can still go back, in major units."""
        return self.invoice.amount - self.refunded

    @property
    def differs_from_read(self) -> bool:
        """Whether the order is not of the amount that the merchant read last."""
        return self.is_order and self.amount_read not in {None, self.invoice.amount}

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``GET …/payment-session``."""
        return payment_session(
            self.invoice,
            id=self.id,
            cart_url=self.cart_url,
            shape=self.shape,
            payment_method=self.payment_method,
            methods=self.methods,
            checkout_url=self.checkout_url,
        )

    def confirm(self, body: dict[str, Any], *, accepts_repeats: bool) -> None:
        """Record a confirmation that keeps to the contract; a repeat changes nothing.

        Raises ConfirmationRefused for a state that cannot follow the one before. Nobody ever wrote down what Snipcart
        does with a repeat, so both can be had.
        """
        is_repeat = body in self.confirmations
        if is_repeat and accepts_repeats:
            return
        if is_repeat or body["state"] not in _MAY_FOLLOW.get(self.state, ()):
            raise ConfirmationRefused(
                f"The payment session is already {self.state}; it cannot become {body['state']}."
            )
        self.confirmations.append(body)

    def _confirmed(self, name: str, default: Any) -> Any:
        return next((body[name] for body in reversed(self.confirmations) if name in body), default)
