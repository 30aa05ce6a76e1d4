"""Payment sessions, and the orders that come of them."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from django.utils import timezone

from snipcart_checkout.sandbox import storage
from snipcart_checkout.sandbox.carts import Cart, get_cart, invoice_of, save_cart
from snipcart_checkout.sandbox.contract import Invoice, payment_session

__all__ = [
    "ConfirmationRefused",
    "Refund",
    "Session",
    "add_refund",
    "change_session",
    "confirm",
    "get_order",
    "get_session",
    "list_sessions",
    "open_session",
    "read_session",
]

_MAX_LISTED: Final = 100
_MOVES: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"processing", "processed", "failed", "invalidated"}),
    "processing": frozenset({"processed", "failed", "invalidated"}),
}


class ConfirmationRefused(Exception):
    """A confirmation that Snipcart does not take, with the status code of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Refund:
    """A refund that was asked of the merchant: ``refund_id`` is the answer, or ``problem`` says why there is none."""

    time: datetime
    amount: Decimal
    refund_id: str = ""
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A payment session. ``state`` is empty until the merchant says what came of the payment.

    ``key`` names the order in the address of its confirmation, ``payment_id`` is Snipcart's own id of the payment,
    ``root`` the address at which the shopper sees the sandbox, ``told`` what was confirmed, ``amount_shown`` what the
    merchant read last. ``invoice`` is kept from the moment on in which there is an order.
    """

    id: str
    key: str
    number: int
    payment_id: str
    cart_id: str
    mode: str
    root: str
    started: datetime
    offered: tuple[Mapping[str, str], ...] = ()
    method: str = ""
    expired: bool = False
    amount_shown: Decimal | None = None
    state: str = ""
    told: tuple[str, ...] = ()
    invoice: Invoice | None = None
    transaction_id: str = ""
    instructions: str = ""
    error_code: str = ""
    error_message: str = ""
    refund_url: str = ""
    refunds: tuple[Refund, ...] = ()

    @property
    def is_order(self) -> bool:
        """Whether the shopper has ordered: the cart is closed then."""
        return self.invoice is not None

    @property
    def current_invoice(self) -> Invoice:
        """The order's invoice, or what the cart costs now."""
        if self.invoice:
            return self.invoice
        return invoice_of(get_cart(self.cart_id) or Cart(id=self.cart_id))

    @property
    def checkout_url(self) -> str:
        """The address that the merchant gave for the method which the shopper chose."""
        return next((method["checkoutUrl"] for method in self.offered if method["id"] == self.method), "")

    @property
    def return_url(self) -> str:
        """The page to which the shopper goes when the payment has come to something."""
        return f"{self.root}orders/{self.key}/"

    @property
    def cart_url(self) -> str:
        """The way back to the cart; like Snipcart's it ends in a fragment."""
        return f"{self.root}?cart={self.cart_id}#/checkout"

    @property
    def refunded(self) -> Decimal:
        """How much went back."""
        return sum((refund.amount for refund in self.refunds if refund.refund_id), Decimal(0))

    @property
    def amount_left(self) -> Decimal:
        """How much can still go back."""
        return self.current_invoice.amount - self.refunded

    @property
    def differs_from_shown(self) -> bool:
        """Whether the order is not of the amount that the merchant read last."""
        return bool(
            self.invoice and self.amount_shown is not None and self.invoice.amount != self.amount_shown
        )


def open_session(cart: Cart, root: str) -> Session:
    """Return the payment session of a cart: the one that it has, or a new one when that has failed."""
    with storage.lock:
        session = get_session(cart.session_id)
        if session and not session.state and not session.expired and session.mode == cart.mode:
            return change_session(session.id, root=root)
        session = _new_session(cart, root)
        storage.save(f"session.{session.id}", session)
        storage.save(f"order.{session.key}", session.id)
        storage.save("sessions", [session.id, *storage.load("sessions", [])][:_MAX_LISTED])
        save_cart(replace(cart, session_id=session.id))
        return session


def _new_session(cart: Cart, root: str) -> Session:
    number = storage.load("number", 1000) + 1
    storage.save("number", number)
    return Session(
        # Ids were seen as eight characters of base64 before a GUID, and they are not UUIDs in any case.
        id=f"{urlsafe_b64encode(secrets.token_bytes(6)).decode().replace('-', 'x').replace('_', 'Y')}-{uuid4()}",
        key=uuid4().hex,
        number=number,
        payment_id=str(uuid4()),
        cart_id=cart.id,
        mode=cart.mode,
        root=root,
        started=timezone.now(),
    )


def get_session(identifier: str) -> Session | None:
    """Return a session by its id."""
    session: Session | None = storage.load(f"session.{identifier}")
    return session


def get_order(key: str) -> Session | None:
    """Return a session by the key in the address of its order."""
    return get_session(storage.load(f"order.{key}", ""))


def list_sessions() -> list[Session]:
    """Return the sessions of which something is still known, the latest first."""
    return [session for identifier in storage.load("sessions", []) if (session := get_session(identifier))]


def change_session(identifier: str, **changes: Any) -> Session:
    """Write fields of a session."""
    with storage.lock:
        session: Session = storage.load(f"session.{identifier}")
        changed = replace(session, **changes)
        storage.save(f"session.{identifier}", changed)
        return changed


def read_session(session: Session) -> dict[str, Any]:
    """Return the session as the merchant reads it, and remember the amount that was read."""
    cart = get_cart(session.cart_id) or Cart(id=session.cart_id)
    invoice = session.current_invoice
    change_session(session.id, amount_shown=invoice.amount)
    return payment_session(
        invoice,
        id=session.id,
        return_url=session.cart_url,
        shape=cart.shape,
        payment_method=session.method,
        methods=session.offered,
        checkout_url=session.checkout_url,
    )


def confirm(session: Session, body: Mapping[str, Any], *, repeats_refused: bool) -> Session:
    """Write down what the merchant says came of a payment; a repeat changes nothing.

    Raises ConfirmationRefused for a state that cannot follow the one before. Nobody ever wrote down what Snipcart
    does with a repeat, so both can be had.
    """
    told = json.dumps(body, sort_keys=True)
    with storage.lock:
        current = get_session(session.id) or session
        if told in current.told and not repeats_refused:
            return current
        if body["state"] not in _MOVES.get(current.state, ()) or told in current.told:
            raise ConfirmationRefused(
                400, f"The payment session is already {current.state!r}; it cannot become {body['state']!r}."
            )
        return _record(current, body, told)


def _record(session: Session, body: Mapping[str, Any], told: str) -> Session:
    error = body.get("error") or {}
    state = body["state"]
    ordered = state in {"processing", "processed"}
    return change_session(
        session.id,
        state=state,
        told=(*session.told, told),
        invoice=session.invoice or (session.current_invoice if ordered else None),
        transaction_id=body.get("transactionId", session.transaction_id),
        instructions=body.get("instructions", session.instructions),
        error_code=error.get("code", ""),
        error_message=error.get("message", ""),
        refund_url=body.get("links", {}).get("refunds", session.refund_url),
    )


def add_refund(identifier: str, refund: Refund) -> None:
    """Write down what came of a refund."""
    with storage.lock:
        if session := get_session(identifier):
            change_session(identifier, refunds=(*session.refunds, refund))
