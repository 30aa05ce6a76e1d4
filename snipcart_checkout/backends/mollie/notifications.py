"""Mollie's notifications: no more than the id of a payment, so they are verified by asking Mollie for the payment.

https://docs.mollie.com/reference/webhooks: form-encoded, one parameter ``id``, no signature. A payment's webhook is
called for what comes of the payment, for what becomes of its refunds, and for chargebacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl
from uuid import UUID

from snipcart_checkout.backends.base import Notification
from snipcart_checkout.backends.mollie.objects import is_id
from snipcart_checkout.exceptions import NotificationRefused

if TYPE_CHECKING:
    from snipcart_checkout.backends.mollie.objects import MolliePayment

_NOBODY: Final = UUID(int=0)
_LONGEST_BODY: Final = 256


def read_payment_id(body: bytes) -> str:
    """Return the id of the payment that a message names; raise NotificationRefused for what names none."""
    try:
        text = body[: _LONGEST_BODY + 1].decode("ascii")
        fields = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError:
        fields = []
    named = [value for name, value in fields if name == "id"]
    if len(body) > _LONGEST_BODY or len(named) != 1 or not is_id(named[0], "tr"):
        raise NotificationRefused("the notification names no payment of Mollie")
    return named[0]


def to_notification(payment: MolliePayment) -> Notification:
    """Return the charge or the refund that a message about a payment is about.

    A payment of ours that has refunds of ours was paid before, so the news is of a refund: one that failed if there
    is one, else the latest. A payment of other software has the reference of nobody, and so has an open one: Mollie
    sends nothing about it, and whoever knows its id could have the order placed before anything is paid.
    """
    charge = _to_reference(payment.reference) if payment.status != "open" else _NOBODY
    refunds = [refund for refund in payment.refunds if _to_reference(refund.reference) != _NOBODY]
    is_disputed = payment.charged_back > 0
    if charge == _NOBODY or is_disputed or not refunds:
        return Notification(charge, dispute=is_disputed)
    newest = max(refunds, key=lambda refund: (refund.status == "failed", refund.created_at))
    return Notification(_to_reference(newest.reference))


def _to_reference(named: str) -> UUID:
    # Other software may sell through the same profile, and names its payments as it likes.
    try:
        return UUID(named)
    except ValueError:
        return _NOBODY
