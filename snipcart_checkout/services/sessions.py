"""Ask Snipcart what is to be paid."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.client import SnipcartClient
from snipcart_checkout.conf import Store, get_settings, get_store
from snipcart_checkout.exceptions import TokenRefused
from snipcart_checkout.links import return_url_of
from snipcart_checkout.logs import say
from snipcart_checkout.protocol import Item, PaymentSession, check_public_token

__all__ = ["get_payment_session", "order_hash"]


@sensitive_variables()
def get_payment_session(public_token: str, store: str | Store | None = None) -> PaymentSession:
    """Return the payment session that a public token stands for.

    ``store`` may be left out when there is exactly one; otherwise ImproperlyConfigured. The session's
    ``return_url`` is checked: it leads to one of the store's SHOP_HOSTS.

    Raises TokenRefused (malformed, unknown, expired, or somebody else's shop), SnipcartUnavailable (try again),
    BadAnswer, or its subclass UnpayableOrder. One call to Snipcart ("Payment session" of its reference).
    """
    configured = store if isinstance(store, Store) else get_store(store)
    if not configured.shop_hosts:
        raise ImproperlyConfigured(f"SNIPCART_CHECKOUT['STORES'][{configured.name!r}] has no SHOP_HOSTS.")
    token = check_public_token([public_token])
    session = SnipcartClient(get_settings()).fetch_session(token)
    return_url = return_url_of(session.return_url, configured.shop_hosts)
    if not return_url:
        raise TokenRefused("the session's way back leads to a host that is not among the store's SHOP_HOSTS")
    _note_odd_sum(session)
    return replace(session, return_url=return_url)


def order_hash(session: PaymentSession) -> str:
    """Return a digest of what the shopper agrees to: session, cart, total, currency and lines."""
    invoice = session.invoice
    agreed = [
        session.id,
        invoice.cart_id,
        invoice.minor_units,
        invoice.currency,
        [_line(item) for item in invoice.items],
    ]
    return hashlib.sha256(json.dumps(agreed).encode()).hexdigest()


def _line(item: Item) -> list[str]:
    return [item.name, item.type, *map(_plain, (item.quantity, item.unit_price, item.amount))]


def _plain(number: Decimal | None) -> str:
    # 20 and 20.0 are the same price, whichever way Snipcart's JSON spells it today.
    return "" if number is None else str(number.normalize())


def _note_odd_sum(session: PaymentSession) -> None:
    invoice = session.invoice
    total = sum((item.amount or Decimal() for item in invoice.items), Decimal())
    if invoice.items and abs(total - invoice.amount) > Decimal("0.0001"):
        say(logging.INFO, "session %s: the lines do not add up to the total", session.id)
