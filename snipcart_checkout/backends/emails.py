"""The shopper's e-mail address, for backends that send it to their provider."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from snipcart_checkout.backends.base import Charge


def get_email(charge: Charge) -> str:
    """Return the e-mail address of the charge's cart; empty without a valid one."""
    email = charge.session.invoice.email if charge.session else ""
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email
