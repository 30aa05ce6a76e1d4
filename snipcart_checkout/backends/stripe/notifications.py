"""Stripe's webhook events: which are genuine, and which charge they are about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import stripe

from snipcart_checkout.exceptions import NotificationRefused

__all__ = ["EVENTS", "reference_of"]

EVENTS: Final = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
)
"""The events to choose for the webhook endpoint. Each comes when a session is not open any more."""

_NOBODY: Final = UUID(int=0)
_TOLERANCE: Final = 300  # seconds, as Stripe's own libraries have it


def reference_of(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> UUID:
    """Return our reference of the charge that an event is about, once one of the signing secrets proves it genuine.

    A genuine event about anything else has the reference of nobody, so that Stripe does not send it again. Raises
    NotificationRefused for what is not genuine, too old, or cannot be read.
    """
    signature = next((text for name, text in headers.items() if name.lower() == "stripe-signature"), "")
    if not any(_is_signed(body, signature, secret) for secret in secrets):
        raise NotificationRefused("no signing secret of Stripe fits the event")
    try:
        event = json.loads(body)
        is_ours, named = event["type"] in EVENTS, event["data"]["object"].get("client_reference_id")
    except (ValueError, LookupError, TypeError, AttributeError):
        raise NotificationRefused("the event of Stripe cannot be read") from None
    return _reference(named) if is_ours else _NOBODY


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body.decode(), signature, secret, _TOLERANCE)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True


def _reference(named: object) -> UUID:
    # Other software may sell through the same account, and names its sessions as it likes.
    try:
        return UUID(str(named))
    except ValueError:
        return _NOBODY
