"""The ledger: payments, the outbox of confirmations for Snipcart, refunds, and the audit log of them all.

Amounts are integers in minor units. Rows are written by ``services`` only; a state changes by a conditional UPDATE
along TRANSITIONS, and the database holds the rules that must never break.
"""

from __future__ import annotations

from snipcart_checkout.models.confirmations import Confirmation, ConfirmationQuerySet
from snipcart_checkout.models.events import Event, EventQuerySet
from snipcart_checkout.models.keys import cart_key, session_key, transaction_key
from snipcart_checkout.models.managers import LedgerManager
from snipcart_checkout.models.payments import TRANSITIONS, Payment, PaymentQuerySet
from snipcart_checkout.models.refunds import Refund
from snipcart_checkout.snipcart.references import find_short_reference, new_reference, to_short_reference

__all__ = [
    "TRANSITIONS",
    "Confirmation",
    "ConfirmationQuerySet",
    "Event",
    "EventQuerySet",
    "LedgerManager",
    "Payment",
    "PaymentQuerySet",
    "Refund",
    "cart_key",
    "find_short_reference",
    "new_reference",
    "session_key",
    "to_short_reference",
    "transaction_key",
]
