"""Stripe's webhook events: which are genuine, and which charge or refund they are about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import stripe

from snipcart_checkout.backends.base import Notification
from snipcart_checkout.exceptions import NotificationRefused

if TYPE_CHECKING:
    from snipcart_checkout.backends.stripe.api import StripeApi

_OF_SESSION: Final = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
)
_OF_REFUND: Final = ("refund.updated", "refund.failed")
_OF_DISPUTE: Final = ("charge.dispute.created",)
EVENTS: Final = (*_OF_SESSION, *_OF_REFUND, *_OF_DISPUTE)
"""The events to choose for the webhook endpoint (https://docs.stripe.com/api/events/types)."""

_NOBODY: Final = UUID(int=0)
_TOLERANCE: Final = 300  # seconds, as Stripe's own libraries have it


def read_event(
    api: StripeApi, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]
) -> Notification:
    """Return what an event is about, once one of the signing secrets proves it genuine.

    A session names its charge and a refund itself, by our reference. A dispute names only the PaymentIntent, whose
    metadata are asked for. A genuine event about anything else names nobody, so that Stripe does not send it
    again. Raises NotificationRefused for what is not genuine, too old, or cannot be read, and whatever StripeApi raises.
    """
    signature = next((text for name, text in headers.items() if name.lower() == "stripe-signature"), "")
    if not any(_is_signed(body, signature, secret) for secret in secrets):
        raise NotificationRefused("no signing secret of Stripe fits the event")
    kind, subject = _read(body)
    if kind in _OF_SESSION:
        return Notification(_to_reference(subject.get("client_reference_id")))
    if kind in _OF_REFUND:
        return Notification(_to_reference(_get(subject.get("metadata"), "reference")))
    if kind in _OF_DISPUTE:
        return Notification(_find_disputed(api, subject), dispute=True)
    return Notification(_NOBODY)


def _read(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        event = json.loads(body)
        kind, subject = event["type"], event["data"]["object"]
    except (ValueError, LookupError, TypeError):
        raise NotificationRefused("the event of Stripe cannot be read") from None
    if not isinstance(kind, str) or not isinstance(subject, dict):
        raise NotificationRefused("the event of Stripe cannot be read")
    return kind, subject


def _find_disputed(api: StripeApi, dispute: Mapping[str, Any]) -> UUID:
    intent, charge = _to_id(dispute.get("payment_intent")), _to_id(dispute.get("charge"))
    return _to_reference(api.find_reference(intent, charge)) if intent or charge else _NOBODY


def _to_id(named: object) -> str:
    """Return the id of an object of Stripe's, which stands in an event as it is or expanded."""
    found = _get(named, "id") if isinstance(named, dict) else named
    return found if isinstance(found, str) else ""


def _get(mapping: object, name: str) -> object:
    return mapping.get(name) if isinstance(mapping, dict) else None


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body.decode(), signature, secret, _TOLERANCE)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True


def _to_reference(named: object) -> UUID:
    # Other software may sell through the same account, and names its sessions as it likes.
    try:
        return UUID(str(named))
    except ValueError:
        return _NOBODY
