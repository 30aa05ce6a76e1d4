"""BTCPay Server's webhook events: which are genuine, and which charge or refund they are about.

The header, the events and their fields are those of
https://docs.btcpayserver.org/API/Greenfield/v1/#tag/Webhooks.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from snipcart_checkout.backends.btcpay.api import BTCPayApi
from snipcart_checkout.backends.btcpay.refunds import get_reference
from snipcart_checkout.exceptions import NotificationRefused

EVENTS: Final = (
    "InvoiceReceivedPayment",
    "InvoiceProcessing",
    "InvoiceExpired",
    "InvoiceSettled",
    "InvoiceInvalid",
    "InvoicePaymentSettled",
    "PayoutUpdated",
)
"""The events to choose for the webhook. The last one tells of a refund that was sent."""

_NOBODY: Final = UUID(int=0)
_HEADER: Final = "btcpay-sig"


def read_reference(headers: Mapping[str, str], body: bytes, *, secret: str, api: BTCPayApi) -> UUID:
    """Return our reference of the charge or refund that a genuine event is about.

    A genuine event about anything else has the reference of nobody, so that it is not sent again.
    Raises NotificationRefused for what is not genuine or cannot be read, and what the API raises
    where the event names its object by BTCPay Server's id alone. An event carries no proof of its
    age, and BTCPay Server repeats the failed ones, so one that is replayed is believed: it is no
    more than a reason to look up what is true now.
    """
    if not _is_signed(headers, body, secret):
        raise NotificationRefused("the webhook's secret does not fit the event")
    event = _event(body)
    if event.get("storeId") != api.store_id:
        return _NOBODY
    metadata, pull_payment_id = event.get("metadata"), event.get("pullPaymentId")
    if isinstance(metadata, Mapping):
        return _reference(metadata.get("orderId"))
    if isinstance(pull_payment_id, str) and pull_payment_id:
        return get_reference(api.pull_payment(pull_payment_id)) or _NOBODY
    invoice_id = event.get("invoiceId")
    if isinstance(invoice_id, str) and invoice_id:
        return _reference(api.get_invoice(invoice_id).order_id)
    return _NOBODY


def _is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    sent = next((text for name, text in headers.items() if name.lower() == _HEADER), "")
    wanted = f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"
    return bool(secret) and hmac.compare_digest(sent.encode(), wanted.encode())


def _event(body: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, Mapping) or not isinstance(event.get("type"), str):
        raise NotificationRefused("the event of BTCPay Server cannot be read")
    return event


def _reference(named: object) -> UUID:
    # Other software may sell through the same store, and names its orders as it likes.
    try:
        return UUID(str(named))
    except ValueError:
        return _NOBODY
