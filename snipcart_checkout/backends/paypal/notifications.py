"""PayPal's webhook events: which are genuine, and which charge or refund they are about.

PayPal signs each delivery and is asked itself whether the signature is its own:
https://developer.paypal.com/docs/api/webhooks/v1/#verify-webhook-signature_post.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from snipcart_checkout.backends.base import Notification
from snipcart_checkout.backends.paypal.api import PayPalRefused
from snipcart_checkout.exceptions import BadAnswer, NotificationRefused
from snipcart_checkout.snipcart import read_json

if TYPE_CHECKING:
    from snipcart_checkout.backends.paypal.api import PayPalApi

EVENTS: Final = (
    "CHECKOUT.ORDER.APPROVED",
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
    "CUSTOMER.DISPUTE.CREATED",
    "PAYMENT.CAPTURE.COMPLETED",
    "PAYMENT.CAPTURE.DECLINED",
    "PAYMENT.CAPTURE.DENIED",
    "PAYMENT.CAPTURE.PENDING",
    "PAYMENT.CAPTURE.REFUNDED",
    "PAYMENT.CAPTURE.REVERSED",
    "PAYMENT.REFUND.FAILED",
    "PAYMENT.REFUND.PENDING",
)
"""The events to choose for the webhook: https://developer.paypal.com/api/rest/webhooks/event-names/."""

_DISPUTES: Final = frozenset({"CUSTOMER.DISPUTE.CREATED", "PAYMENT.CAPTURE.REVERSED"})
_REFERENCES: Final = ("custom_id", "invoice_id", "custom", "invoice_number")
"""Where our reference stands: in orders, captures and refunds the first two, in a dispute's transactions the others."""

_NOBODY: Final = UUID(int=0)
_HEADERS: Final = {
    "auth_algo": ("paypal-auth-algo", 100),
    "cert_url": ("paypal-cert-url", 500),
    "transmission_id": ("paypal-transmission-id", 50),
    "transmission_sig": ("paypal-transmission-sig", 500),
    "transmission_time": ("paypal-transmission-time", 100),
}
"""The fields of the request that verifies, the header of each, and its length at most."""
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")


def read_event(api: PayPalApi, webhook_id: str, headers: Mapping[str, str], body: bytes) -> Notification:
    """Return the charge or refund that an event names, once PayPal says that it sent it.

    A genuine event about anything else has the reference of nobody, so that PayPal does not send it again. Raises
    NotificationRefused for what is not PayPal's or cannot be read, and whatever the call to PayPal raises. What cannot
    be genuine is refused without a call.
    """
    transmission = {**_transmission(headers), "webhook_id": webhook_id}
    event = _event(body)
    if not _is_genuine(api, transmission, body):
        raise NotificationRefused("PayPal does not say that the event is its own")
    kind = event.get("event_type")
    if kind not in EVENTS:
        return Notification(_NOBODY)
    return Notification(_reference(event), dispute=kind in _DISPUTES)


def _transmission(headers: Mapping[str, str]) -> dict[str, str]:
    sent = {name.lower(): value for name, value in headers.items()}
    fields = {field: sent.get(header, "") for field, (header, _limit) in _HEADERS.items()}
    for field, (header, limit) in _HEADERS.items():
        if not _PRINTABLE.fullmatch(fields[field]) or len(fields[field]) > limit:
            raise NotificationRefused(f"the header {header} is missing or is not one of PayPal's")
    return fields


def _event(body: bytes) -> Mapping[str, Any]:
    try:
        event = read_json(body)
    except BadAnswer:
        event = None
    if not isinstance(event, Mapping) or not isinstance(event.get("resource"), Mapping):
        raise NotificationRefused("the event of PayPal cannot be read")
    return event


def _is_genuine(api: PayPalApi, transmission: Mapping[str, str], body: bytes) -> bool:
    try:
        return api.is_genuine(transmission, body)
    except PayPalRefused as refused:
        problem = str(refused)
    raise NotificationRefused(f"PayPal does not verify the event: {problem}")


def _reference(event: Mapping[str, Any]) -> UUID:
    for named in _named(event["resource"]):
        try:
            return UUID(named)
        except ValueError:
            # Other software may sell through the same account, and names its orders as it likes.
            continue
    return _NOBODY


def _named(resource: Mapping[str, Any]) -> Iterator[str]:
    """Yield what may be our reference: of a capture or refund, then of an order's units or a dispute's transactions.

    A refund has its own ``custom_id``, and the ``invoice_id`` of what it refunds.
    """
    parts = (resource.get("purchase_units"), resource.get("disputed_transactions"))
    listed = [part for members in parts if isinstance(members, list) for part in members]
    for holder in (resource, *listed):
        if isinstance(holder, Mapping):
            yield from (str(holder[name]) for name in _REFERENCES if holder.get(name))
