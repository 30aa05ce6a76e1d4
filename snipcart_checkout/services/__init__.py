"""The use cases, one function each; pages, webhooks, commands and the admin all come through here."""

from __future__ import annotations

from snipcart_checkout.services.attention import payments_needing_person, settling_overdue_since
from snipcart_checkout.services.confirmations import deliver_due
from snipcart_checkout.services.methods import answer_methods_request, offered_methods
from snipcart_checkout.services.outcomes import ask_backend
from snipcart_checkout.services.payments import (
    MAX_TRIES,
    Order,
    Standing,
    find_payment,
    give_up,
    hear_notification,
    pay,
    settle_return,
    standing_of,
)
from snipcart_checkout.services.refunds import answer_refund_request, find_refundable_payment, refund_payment
from snipcart_checkout.services.sessions import get_payment_session, order_hash
from snipcart_checkout.services.settlement import SettlementReport, settle
from snipcart_checkout.services.staff import (
    mark_lapsed,
    mark_received,
    resolve_refund,
    resolve_review,
    tell_again,
)

__all__ = [
    "MAX_TRIES",
    "Order",
    "SettlementReport",
    "Standing",
    "answer_methods_request",
    "answer_refund_request",
    "ask_backend",
    "deliver_due",
    "find_payment",
    "find_refundable_payment",
    "get_payment_session",
    "give_up",
    "hear_notification",
    "mark_lapsed",
    "mark_received",
    "offered_methods",
    "order_hash",
    "pay",
    "payments_needing_person",
    "refund_payment",
    "resolve_refund",
    "resolve_review",
    "settle",
    "settle_return",
    "settling_overdue_since",
    "standing_of",
    "tell_again",
]
