"""The ledger in Django's admin: to look at, to search, and to act on where a person has to."""

from __future__ import annotations

from snipcart_checkout.admin.payments import PaymentAdmin
from snipcart_checkout.admin.refunds import ConfirmationAdmin, RefundAdmin
