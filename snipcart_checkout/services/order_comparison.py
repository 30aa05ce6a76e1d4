"""Compare the order of a payment session with what was paid."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.conf import get_settings
from snipcart_checkout.exceptions import SnipcartError, TokenRefused, UnpayableOrder
from snipcart_checkout.models import Payment
from snipcart_checkout.snipcart import Item, PaymentSession
from snipcart_checkout.snipcart.client import SnipcartClient

# Snipcart's answers about a session that is gone for good. Any other error may be temporary.
_GONE: Final = frozenset({401, 403, 404, 410})


def hash_order(session: PaymentSession) -> str:
    """Return a digest of what the shopper agrees to: session, cart, total, currency and lines.

    The same lines in another order are the same order.
    """
    invoice = session.invoice
    agreed = [session.id, invoice.cart_id, str(invoice.minor_units), invoice.currency]
    for line in sorted(map(_line, invoice.items)):
        agreed += line
    # No text from Snipcart holds a control character, so none can pass for two.
    return hashlib.sha256("\0".join(agreed).encode()).hexdigest()


class OrderVerdict(enum.Enum):
    """The result of comparing a paid order with Snipcart's."""

    SAME = enum.auto()
    CHANGED = enum.auto()
    UNREAD = enum.auto()
    """The session could not be read now."""
    GONE = enum.auto()
    """Snipcart no longer has the session."""


@dataclass(frozen=True, kw_only=True)
class OrderComparison:
    """The verdict, and the session if it could be read."""

    verdict: OrderVerdict
    session: PaymentSession | None = None


@sensitive_variables()
def compare_order(payment: Payment) -> OrderComparison:
    """Read the payment's session again and compare it with what was paid. One call to Snipcart.

    Snipcart creates the order from the cart as it is now, and a confirmation carries no amount.
    """
    if not payment.public_token:
        return OrderComparison(verdict=OrderVerdict.GONE)
    try:
        session = SnipcartClient(get_settings()).fetch_session(payment.public_token)
    except UnpayableOrder:
        # Readable, but not payable: an emptied cart, for example.
        return OrderComparison(verdict=OrderVerdict.CHANGED)
    except TokenRefused as error:
        gone = error.status in _GONE
        return OrderComparison(verdict=OrderVerdict.GONE if gone else OrderVerdict.UNREAD)
    except (SnipcartError, ImproperlyConfigured):
        return OrderComparison(verdict=OrderVerdict.UNREAD)
    if hash_order(session) != payment.order_hash:
        return OrderComparison(verdict=OrderVerdict.CHANGED, session=session)
    return OrderComparison(verdict=OrderVerdict.SAME, session=replace(session, return_url=payment.cart_url))


def _line(item: Item) -> tuple[str, ...]:
    return item.name, item.type, _plain(item.quantity), _plain(item.unit_price), _plain(item.amount)


def _plain(number: Decimal | None) -> str:
    # 20 and 20.0 in Snipcart's JSON are the same price.
    return "" if number is None else str(number.normalize())
