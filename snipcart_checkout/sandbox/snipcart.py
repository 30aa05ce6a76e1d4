"""Snipcart as the sandbox plays it: sessions of carts, in the memory of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from snipcart_checkout.sandbox.carts import Cart, build_invoice
from snipcart_checkout.sandbox.conf import get_settings
from snipcart_checkout.sandbox.core.api import Snipcart
from snipcart_checkout.sandbox.core.sessions import Session
from snipcart_checkout.sandbox.core.tokens import Tokens
from snipcart_checkout.sandbox.gateway import ConfiguredGateway
from snipcart_checkout.sandbox.memory import MEMORY


@dataclass(kw_only=True, eq=False)
class SandboxSession(Session):
    """A payment session of a cart. ``payment_id`` is Snipcart's own id of the payment."""

    number: int
    payment_id: str = field(default_factory=lambda: str(uuid4()))
    started: datetime = field(default_factory=timezone.now)

    @property
    def cart_id(self) -> str:
        """The id of the cart, which other sessions may share."""
        return self.invoice.target_id


class SandboxSnipcart(Snipcart[SandboxSession]):
    """Snipcart with carts. The order of a session is its cart's, until it has been ordered."""

    def save_cart(self, cart: Cart) -> None:
        """Keep a cart, and let its sessions know what it costs now."""
        with MEMORY.lock:
            MEMORY.save(f"cart.{cart.id}", cart)
            for session in map(self.get_session, cart.session_ids):
                if session and not session.is_order:
                    self.update(session, invoice=build_invoice(cart), shape=cart.shape)

    def is_ordered(self, cart: Cart) -> bool:
        """Whether a session of the cart has become an order."""
        return any(session.is_order for session in map(self.get_session, cart.session_ids) if session)

    def open_session(self, cart: Cart, root: str) -> SandboxSession:
        """Return the payment session of a cart: the one that it has, or a new one when that can no longer be paid.

        ``root`` is the address at which the shopper sees the sandbox.
        """
        with MEMORY.lock:
            session = self.get_session(cart.session_ids[-1]) if cart.session_ids else None
            if session and not session.state and not session.expired and session.mode == cart.mode:
                return session
            return self.open_another_session(cart, root)

    def open_another_session(
        self, cart: Cart, root: str, like: SandboxSession | None = None
    ) -> SandboxSession:
        """Open a new session of a cart; ``like`` another one, it has the same methods and the same choice."""
        with MEMORY.lock:
            session = SandboxSession(
                invoice=build_invoice(cart),
                cart_url=f"{root}?cart={cart.id}#/checkout",
                mode=cart.mode,
                shape=cart.shape,
                number=self._next_number(),
                methods=like.methods if like else (),
                payment_method=like.payment_method if like else "",
            )
            session.order_url = f"{root}orders/{session.id}/"
            self.add(session)
            self.save_cart(replace(cart, session_ids=(*cart.session_ids, session.id)))
            return session

    def add_to_cart(self, session: SandboxSession) -> None:
        """Put one more of the first product into the cart, as a shopper does in another tab."""
        if cart := get_cart(session.cart_id):
            self.save_cart(cart.with_one_more())

    def change_currency(self, session: SandboxSession) -> None:
        """Choose the next of the shop's currencies for the cart."""
        currencies = get_settings().currencies
        if cart := get_cart(session.cart_id):
            following = (currencies.index(cart.currency) + 1) % len(currencies)
            self.save_cart(replace(cart, currency=currencies[following]))

    def _next_number(self) -> int:
        number: int = MEMORY.load("number", 1000) + 1
        MEMORY.save("number", number)
        return number


def get_snipcart() -> SandboxSnipcart:
    """Return Snipcart as it is configured now."""
    tokens = Tokens(settings.SECRET_KEY)
    return SandboxSnipcart(memory=MEMORY, tokens=tokens, gateway=ConfiguredGateway())


def get_cart(identifier: str) -> Cart | None:
    """Return a saved cart."""
    cart: Cart | None = MEMORY.load(f"cart.{identifier}")
    return cart
