"""The refund link of a payment: its secret part, the hash in the ledger, and its placeholder in stored
messages.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Final

from django.conf import settings as django_settings
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.conf import Store
from snipcart_checkout.conf.links import public_url
from snipcart_checkout.models import Payment
from snipcart_checkout.services.announcements import alert_staff
from snipcart_checkout.services.logger import log

# Replaces the link's secret part in stored messages, so that nobody can refund with what the table holds.
_PLACEHOLDER: Final = "0capability0"
_SALT: Final = "snipcart_checkout.refund_link"


def build_capability(payment: Payment, secret_key: str | bytes | None = None) -> str:
    """Return the secret part of a payment's refund link, derived from SECRET_KEY and never stored."""
    return salted_hmac(_SALT, str(payment.reference), secret=secret_key, algorithm="sha256").hexdigest()


def hash_capability(capability: str) -> str:
    """Return the hash of a refund link's secret part, as the ledger stores it."""
    return hashlib.sha256(capability.encode(errors="surrogatepass")).hexdigest()


def get_payment_of_link(store: Store, capability: str) -> Payment | None:
    """Return the payment that a refund link belongs to; None without one."""
    wanted = hash_capability(capability)
    payment = Payment.objects.filter(capability_hash=wanted).first()
    if payment is None or payment.store != store.name:
        return None
    return payment if constant_time_compare(payment.capability_hash, wanted) else None


def build_stored_link(payment: Payment) -> str:
    """Return the refund link as it is stored: with a placeholder for its secret part."""
    return public_url("refund", store=payment.store, capability=_PLACEHOLDER)


@sensitive_variables()
def fill_in_link(payment: Payment, body: str) -> bytes:
    """Return a stored message with the secret part of the refund link in its place, the same on every attempt.

    Where SECRET_KEY was changed and the old one is not among SECRET_KEY_FALLBACKS the link cannot be made: it is left
    out, and staff are alerted, because a link without its secret part would refund nothing.
    """
    # A quotation mark inside a JSON string is escaped, so no text of a backend can be taken for the link.
    before, links, after = body.rpartition('"links":')
    if not links:
        return body.encode()
    if capability := _find_capability(payment):
        return f"{before}{links}{after.replace(_PLACEHOLDER, capability)}".encode()
    message = json.loads(body)
    del message["links"]
    return json.dumps(message, separators=(",", ":")).encode()


def _find_capability(payment: Payment) -> str:
    for key in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS):
        capability = build_capability(payment, key)
        if hash_capability(capability) == payment.capability_hash:
            return capability
    alert_staff(
        "payment %s: without the SECRET_KEY of its time its refund link cannot be made, so Snipcart gets none; "
        "put the old key into SECRET_KEY_FALLBACKS, or refund the payment in the admin",
        payment.reference,
    )
    log(logging.WARNING, "payment %s: notified without a refund link", payment.reference)
    return ""
