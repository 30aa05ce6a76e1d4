"""Tell the site and its staff what happened, once it is committed: signals, alerts and cases."""

from __future__ import annotations

import logging
from typing import Any, Final

from django.dispatch import Signal

from snipcart_checkout.models import Payment
from snipcart_checkout.services.logger import log
from snipcart_checkout.signals import payment_needs_review

CASE_OPENED: Final = {"resolved_at": None, "reported_at": None}
"""The columns that open a case of a payment: not closed by staff, not reported yet."""


def send_signal(signal: Signal, **arguments: Any) -> None:
    """Send a signal after the commit; an error of a receiver is logged, not raised."""
    try:
        answers = signal.send_robust(sender=Payment, **arguments)
    except Exception as error:
        # Django's own report of a receiver's error fails when the receiver has no name, as an object or a partial.
        log(logging.ERROR, "a receiver of our signal failed, and so did the report: %s", type(error).__name__)
        return
    for receiver, answer in answers:
        if isinstance(answer, Exception):
            log(logging.ERROR, "a receiver of our signal failed: %s, %s", receiver, type(answer).__name__)


def alert_staff(message: str, *arguments: object) -> None:
    """Alert staff with one line of level ERROR in the log."""
    log(logging.ERROR, message, *arguments)


def alert_review(payment: Payment, reason: str) -> None:
    """Alert staff that a payment needs review, and send the signal for it."""
    alert_staff("payment %s needs review: %s", payment.reference, reason)
    send_signal(payment_needs_review, payment=payment, reason=reason)
