"""Keeps the till on the front page: receivers of snipcart_checkout's signals, which are sent after commit."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from example_project.shop.models import Sale
from snipcart_checkout.signals import payment_paid, payment_refunded


@receiver(payment_paid)
def ring_up(payment: Any, **_: Any) -> None:
    """Put a paid order into the till, once: a receiver should not mind hearing of it twice."""
    Sale.objects.get_or_create(
        reference=payment.reference,
        defaults={
            "method": payment.method,
            "minor_units": payment.minor_units,
            "currency": payment.currency,
        },
    )


@receiver(payment_refunded)
def take_out(payment: Any, **_: Any) -> None:
    """Note in the till how much of an order went back."""
    Sale.objects.filter(reference=payment.reference).update(refunded_minor_units=payment.refunded_minor_units)
