"""What a site can listen to. Sent after commit with ``send_robust``: a receiver's error is logged, nothing more.

The sender is the ``Payment`` model.
"""

from __future__ import annotations

from django.dispatch import Signal

__all__ = [
    "confirmation_unresolved",
    "payment_declined",
    "payment_needs_review",
    "payment_paid",
    "payment_refunded",
]

payment_paid = Signal()
"""Money was taken. Arguments: ``payment``, and ``session``: the PaymentSession as it was read after the capture, or None
where it could not be read; the order may not have been compared then."""

payment_declined = Signal()
"""The backend's final word is that no money was taken. Arguments: ``payment``."""

payment_refunded = Signal()
"""Money went back. Arguments: ``payment``, ``refund``."""

payment_needs_review = Signal()
"""A person has to decide. Arguments: ``payment``, ``reason`` (a value of ``Payment.ReviewReason``)."""

confirmation_unresolved = Signal()
"""Snipcart could not be notified of the outcome, and a person has to look. Arguments: ``payment``."""
