"""Validate a backend's answers: return the rule that an answer breaks, as text for the log; empty when
it is usable.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from uuid import UUID

from snipcart_checkout.backends.base import (
    Declined,
    NotFound,
    Notification,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
    RefundDeclined,
    Refunded,
)
from snipcart_checkout.conf.links import to_origin, to_safe_provider_url
from snipcart_checkout.snipcart import clean_text

__all__ = [
    "find_fault_in_charge_result",
    "find_fault_in_lookup_result",
    "find_fault_in_notification",
    "find_fault_in_refund_lookup_result",
    "find_fault_in_refund_result",
]

_MAX_ID: Final = 255
_MAX_URL: Final = 4096


def find_fault_in_charge_result(result: object, backend: PaymentBackend) -> str:
    """Return the rule that a result of ``charge`` breaks. Usable are Paid, Pending, Redirect and Declined."""
    if isinstance(result, Redirect):
        return _fault_in_redirect(result, backend)
    if isinstance(result, NotFound):
        return "charge returned NotFound, and who was just asked to charge cannot know nothing of it"
    return _fault_in_outcome(result, "charge", "Paid, Pending, Redirect or Declined")


def find_fault_in_lookup_result(result: object) -> str:
    """Return the rule that a result of ``lookup`` breaks. Usable are Paid, Pending, Declined and NotFound."""
    if isinstance(result, NotFound):
        return ""
    return _fault_in_outcome(result, "lookup", "Paid, Pending, Declined or NotFound")


def find_fault_in_refund_result(result: object) -> str:
    """Return the rule that a result of ``refund`` breaks. Usable are Refunded and RefundDeclined."""
    return _fault_in_refund(result, "refund", "Refunded or RefundDeclined")


def find_fault_in_refund_lookup_result(result: object) -> str:
    """Return the rule that a result of ``lookup_refund`` breaks. Usable are Refunded, RefundDeclined and NotFound."""
    if isinstance(result, NotFound):
        return ""
    return _fault_in_refund(result, "lookup_refund", "Refunded, RefundDeclined or NotFound")


def find_fault_in_notification(result: object) -> str:
    """Return the rule that a result of ``read_notification`` breaks. Usable is a Notification with a UUID."""
    if not isinstance(result, Notification):
        return _wrong_type(result, "read_notification", "a Notification")
    reference: object = result.reference
    return "" if isinstance(reference, UUID) else f"Notification.reference is {_name(reference)}, not a UUID"


def _fault_in_outcome(result: object, method: str, wanted: str) -> str:
    if isinstance(result, Paid):
        return _fault_in_id(result.transaction_id, "Paid.transaction_id") or _fault_in_money(result)
    if isinstance(result, Pending):
        return _fault_in_id(result.transaction_id, "Pending.transaction_id")
    if isinstance(result, Declined):
        return _fault_in_id(result.code, "Declined.code")
    return _wrong_type(result, method, wanted)


def _fault_in_refund(result: object, method: str, wanted: str) -> str:
    # Whatever ids and codes it names, its type is the final word on the money.
    if isinstance(result, (Refunded, RefundDeclined)):
        return ""
    return _wrong_type(result, method, wanted)


def _fault_in_money(paid: Paid) -> str:
    # Another amount or currency than asked leads to review; but it has to be an amount.
    amount: object = paid.amount
    currency: object = paid.currency
    if not isinstance(amount, Decimal):
        return f"Paid.amount is {_name(amount)}, not a Decimal"
    if not amount.is_finite():
        return "Paid.amount is not a finite number"
    return "" if isinstance(currency, str) else f"Paid.currency is {_name(currency)}, not a text"


def _fault_in_redirect(redirect: Redirect, backend: PaymentBackend) -> str:
    if not backend.can_lookup:
        return "charge returned Redirect, and a backend without can_lookup cannot tell what came of it"
    fault = _fault_in_id(redirect.provider_reference, "Redirect.provider_reference")
    return fault or _fault_in_url(redirect.url, backend)


def _fault_in_url(url: object, backend: PaymentBackend) -> str:
    if not isinstance(url, str):
        return f"Redirect.url is {_name(url)}, not a text"
    if not url:
        return "Redirect.url is empty"
    if len(url) > _MAX_URL:
        return f"Redirect.url has more than {_MAX_URL} characters"
    origin = to_origin(url)
    if not origin or clean_text(url, _MAX_URL) != url:
        return "Redirect.url is not an absolute https URL without user name, blanks and control characters"
    if not to_safe_provider_url(url, backend.redirect_origins):
        return f"Redirect.url's origin {origin} is not https, or is not among redirect_origins"
    return ""


def _fault_in_id(value: object, name: str) -> str:
    if not isinstance(value, str):
        return f"{name} is {_name(value)}, not a text"
    if not value:
        return f"{name} is empty"
    if len(value) > _MAX_ID:
        return f"{name} has more than {_MAX_ID} characters"
    if clean_text(value) != value:
        return f"{name} holds control characters, or blanks at its ends"
    return ""


def _wrong_type(result: object, method: str, wanted: str) -> str:
    returned = "None" if result is None else f"a {type(result).__name__}"
    return f"{method} returned {returned}, not {wanted}"


def _name(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
